"""Explanations of a picture for the page: heat maps and similar pictures."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.preprocessing import load_crops
from alexnet_tf.drawing.thumbnails import data_url, jpeg, load_thumbnails
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


def explanation(engine: Engine, picture: InMemory, label: str | None) -> bytes:
    """Draw a heat map of the class `label`, by default the likeliest, over a picture: a JPEG.
    UserError for an unknown class, and ImageError."""
    (found,) = explainer(engine).explain([picture], label)
    if isinstance(found, ImageError):
        raise found
    return jpeg(found.figure(), QUALITY)


class LookAlikes:
    """The index of similar pictures in `directory`, made by the network of `engine`."""

    def __init__(self, directory: str | Path, engine: Engine):
        self.engine, self.index = engine, Index(directory, engine)

    def find(self, picture: InMemory) -> list[dict[str, object]]:
        """Find the nearest pictures: names, distances and thumbnails. Raises ImageError."""
        views = load_crops(picture, self.engine.variant, self.engine.resize)
        (nearest,) = self.index.nearest(self._layer(views), SHOWN)
        thumbnails = load_thumbnails([path for path, _ in nearest], SIDE)
        return [
            {
                "file": Path(path).name,
                "distance": distance,
                "picture": thumbnail and data_url(thumbnail, QUALITY),
            }
            for (path, distance), thumbnail in zip(nearest, thumbnails)
        ]

    @cached_property
    def _layer(self) -> Any:
        """The network up to the index's layer, for a batch of one."""
        return self.engine.layer(LAYER, self.index.precision, batch=1)
