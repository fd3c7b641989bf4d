"""What is exported: a finished network with all that an application would have to guess."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

from alexnet_tf.variants import Variant

# Of the three places along an axis at which ten crops are cut, those of the row and of the column:
# the four corners and the centre.
CROPS_OF = {1: ((0, 0),), 10: ((0, 0), (0, 1), (1, 0), (1, 1), (2, 2))}


@dataclass(frozen=True)
class ExportedNetwork:
    """The Keras `model` of a run, from normalized pictures to the probabilities of `classes`.

    `variant`, `resize` and `crops` say how a picture becomes what it takes, as they do in
    `data.images.preprocessing`, whose definition the rest of this room repeats in graphs.
    """

    model: object
    variant: Variant
    resize: str
    classes: tuple[str, ...]
    crops: int = 1

    @cached_property
    def cut(self) -> Variant:
        """The variant with the sizes that pictures are cut to: those of the network as a whole."""
        side = self.variant.scaled
        return replace(self.variant, image_size=side, resized=side) if side else self.variant

    @property
    def side(self) -> int:
        """Side of the square picture that the network takes, in pixels."""
        return self.cut.image_size

    @property
    def whole(self) -> int:
        """Side of the square picture that is not resized any more, in pixels."""
        return self.side if self.resize == "squash" else self.cut.resized

    @property
    def channels(self) -> list[int]:
        """The places in RGB of the channels that the network takes."""
        return ["RGB".index(channel) for channel in self.variant.channels]

    def predict(self, views):
        """Answer views of pictures: a tensor of 0–255, (n, crops, side, side, 3), → float32 (n, C).

        The probabilities are means over the views.
        """
        import tensorflow as tf

        variant = self.variant
        inputs = tf.gather(tf.reshape(views, (-1, self.side, self.side, 3)), self.channels, axis=3)
        inputs = (inputs * variant.scale - list(variant.mean)) / list(variant.deviation)
        outputs = self.model(inputs, training=False)
        return tf.reduce_mean(tf.reshape(outputs, (-1, self.crops, len(self.classes))), axis=1)

    @property
    def weights(self) -> list:
        """TensorFlow's variables, which a graph of the network needs beside it."""
        return [variable.value for variable in self.model.variables]


@contextmanager
def without_xla() -> Iterator[None]:
    """Trace functions in a block as they are: what XLA compiles runs, or converts, nowhere else."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)
