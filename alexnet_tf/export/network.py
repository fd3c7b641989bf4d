"""The network to export, with its preprocessing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.variants import Variant

# Positions of the row and of the column of the ten crops, out of three along each axis: the four
# corners and the centre.
CROPS_OF = {1: ((0, 0),), 10: ((0, 0), (0, 1), (1, 0), (1, 1), (2, 2))}


@dataclass(frozen=True)
class ExportedNetwork:
    """A run's Keras `model`, from normalized pictures to the probabilities of `classes`, and its
    `novelty`, if it has one.

    `variant`, `resize` and `crops` define the preprocessing as in `data.images.preprocessing`; the
    modules of this package rebuild it in graphs.
    """

    model: Any
    variant: Variant
    resize: str
    classes: tuple[str, ...]
    crops: int = 1
    novelty: Novelty | None = None

    @cached_property
    def cut(self) -> Variant:
        """The variant with the crop sizes of the network as a whole."""
        side = self.variant.scaled
        return replace(self.variant, image_size=side, resized=side) if side else self.variant

    @property
    def side(self) -> int:
        """Side in pixels of the square picture that the network takes."""
        return self.cut.image_size

    @property
    def resized_side(self) -> int:
        """Side in pixels of the square that a picture is resized to before it is cropped."""
        return self.side if self.resize == "squash" else self.cut.resized

    @property
    def channels(self) -> list[int]:
        """Indices in RGB of the channels that the network takes."""
        return ["RGB".index(channel) for channel in self.variant.channels]

    def predict(self, views: Any) -> Any:
        """Average the probabilities of views, 0–255 (n, crops, side, side, 3): float32 (n,
        classes)."""
        import tensorflow as tf

        variant = self.variant
        inputs = tf.gather(tf.reshape(views, (-1, self.side, self.side, 3)), self.channels, axis=3)
        inputs = (inputs * variant.scale - list(variant.mean)) / list(variant.deviation)
        outputs = self.model(inputs, training=False)
        return tf.reduce_mean(tf.reshape(outputs, (-1, self.crops, len(self.classes))), axis=1)

    @property
    def weights(self) -> list[Any]:
        """The TensorFlow variables that a graph of the network uses."""
        return [variable.value for variable in self.model.variables]


@contextmanager
def without_xla() -> Iterator[None]:
    """Trace functions in the block without XLA, whose compiled code cannot be exported."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
