"""What a page is told of a picture besides its class: where a network looked, and look-alikes."""

from __future__ import annotations

import base64
import io
from functools import cached_property, lru_cache
from pathlib import Path

from PIL import Image

from alexnet_tf.data.images.decoding import ImageError, InMemory, decoded
from alexnet_tf.data.images.preprocessing import load_crops, preprocess_input
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.explain import Explainer
from alexnet_tf.retrieval.search import LAYER, Index

# JPEG's quality, and pixels of the longer side of a look-alike.
QUALITY, SIDE = 85, 240
SHOWN = 6
# Networks that are kept open to be looked into.
MOST_OPEN = 4


@lru_cache(MOST_OPEN)
def explainer(engine: Engine) -> Explainer:
    """Return what looks into a network, which is not opened each time."""
    return Explainer(engine)


def explanation(engine: Engine, picture: InMemory, label: str | None) -> bytes | ImageError:
    """Draw where a network sees the class `label`, or the likeliest, in a picture: a JPEG.

    Raises UserError for a class that it does not know.
    """
    (found,) = explainer(engine).explain([picture], label)
    return found if isinstance(found, ImageError) else _jpeg(found.figure())


class LookAlikes:
    """The index in `directory`, made by the network of `engine`."""

    def __init__(self, directory: str | Path, engine: Engine):
        self.engine, self.index = engine, Index(directory, engine)

    def find(self, picture: InMemory) -> list[dict[str, object]] | ImageError:
        """Find the pictures nearest to one: their names without folders, distances, thumbnails."""
        try:
            views = load_crops(picture, self.engine.variant, self.engine.resize)
        except ImageError as error:
            return error
        inputs = preprocess_input(views, self.engine.variant)
        (nearest,) = self.index.nearest(self._layer(inputs), SHOWN)
        return [
            {"file": Path(path).name, "distance": far, "picture": _thumbnail(path)}
            for path, far in nearest
        ]

    @cached_property
    def _layer(self):
        """The network up to the layer, for one picture at a time."""
        return self.engine.layer(LAYER, self.index.precision, batch=1)


def _thumbnail(path: str) -> str | None:
    """Return the address (data:…) of a small picture; None where it cannot be read any more."""
    try:
        with decoded(path, 2 * SIDE) as (picture, _):
            picture.thumbnail((SIDE, SIDE))
            return "data:image/jpeg;base64," + base64.b64encode(_jpeg(picture)).decode()
    except ImageError:
        return None


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()
