"""Explanations of a picture for the page: heat maps and similar pictures."""

from __future__ import annotations

import base64
import io
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.preprocessing import load_crops
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.explain import Explainer
from alexnet_tf.retrieval.search import LAYER, Index

# JPEG quality, and pixels of the longer side of a similar picture's thumbnail.
QUALITY, SIDE = 85, 240
SHOWN = 6
# Number of networks cached for explanations.
MOST_OPEN = 4


@lru_cache(MOST_OPEN)
def explainer(engine: Engine) -> Explainer:
    """Return the explainer of a network, cached."""
    return Explainer(engine)


def explanation(engine: Engine, picture: InMemory, label: str | None) -> bytes | ImageError:
    """Draw a heat map of the class `label`, by default the likeliest, over a picture: a JPEG.

    Raises UserError for an unknown class.
    """
    (found,) = explainer(engine).explain([picture], label)
    return found if isinstance(found, ImageError) else _jpeg(found.figure())


class LookAlikes:
    """The index of similar pictures in `directory`, made by the network of `engine`."""

    def __init__(self, directory: str | Path, engine: Engine):
        self.engine, self.index = engine, Index(directory, engine)

    def find(self, picture: InMemory) -> list[dict[str, object]] | ImageError:
        """Find the nearest pictures: their names without folders, distances and thumbnails."""
        try:
            views = load_crops(picture, self.engine.variant, self.engine.resize)
        except ImageError as error:
            return error
        (nearest,) = self.index.nearest(self._layer(views), SHOWN)
        return [
            {"file": Path(path).name, "distance": far, "picture": _thumbnail(path)}
            for path, far in nearest
        ]

    @cached_property
    def _layer(self) -> Any:
        """The network up to the index's layer, for a batch of one."""
        return self.engine.layer(LAYER, self.index.precision, batch=1)


def _thumbnail(path: str) -> str | None:
    """Return the data URL of a thumbnail; None if the picture can no longer be read."""
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
