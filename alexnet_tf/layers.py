"""The two layers that Keras lacks. Importing this module lets Keras open a saved AlexNet."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable("alexnet_tf")
class LocalResponseNormalization(keras.layers.Layer):
    """Local response normalization across channels (Krizhevsky 2012, section 3.3).

    ``y[c] = x[c] / (bias + alpha * sum(x[c - radius … c + radius] ** 2)) ** beta``

    Shapes: any with the channels last; the output has the input's. `alpha` multiplies the plain
    sum, as in the paper: Caffe's ``alpha`` must be divided by its ``local_size`` first. Computed in
    float32, whatever the precision of the layers around it.
    """

    def __init__(self, radius: int, alpha: float, beta: float, bias: float, **kwargs):
        super().__init__(**kwargs)
        self.radius, self.alpha, self.beta, self.bias = radius, alpha, beta, bias
        self._fused = self._normalize
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self._fused = tf.function(self._normalize, jit_compile=True)

    def call(self, inputs):
        return self._fused(inputs)

    def _normalize(self, inputs):
        """Add up shifted slices, because XLA fuses them into one pass over the picture."""
        x = ops.cast(inputs, "float32")
        channels = x.shape[-1]
        borders = [(0, 0)] * (len(x.shape) - 1) + [(self.radius, self.radius)]
        squares = ops.pad(ops.square(x), borders)
        neighbours = sum(squares[..., i : i + channels] for i in range(2 * self.radius + 1))
        y = x * self._power(self.bias + self.alpha * neighbours)
        return ops.cast(y, inputs.dtype)

    def _power(self, scale):
        """Return scale ** -beta."""
        if self.beta == 0.75:  # two square roots are several times faster than a power
            root = ops.rsqrt(scale)
            return root * ops.sqrt(root)
        return ops.power(scale, -self.beta)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self) -> dict:
        own = {"radius": self.radius, "alpha": self.alpha, "beta": self.beta, "bias": self.bias}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("alexnet_tf")
class GroupedConv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D whose groups are computed one by one and concatenated.

    One kernel (height, width, in / groups, out) and one bias, as in Keras. TensorFlow's own grouped
    convolution is several times slower on a CPU, above all backwards.
    """

    def convolution_op(self, inputs, kernel):
        if self.groups == 1:
            return super().convolution_op(inputs, kernel)
        parts = zip(ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1))
        convolve = super().convolution_op
        return ops.concatenate([convolve(*part) for part in parts], axis=-1)
