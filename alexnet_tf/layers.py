"""The layers that Keras lacks. Importing this module lets Keras open a saved AlexNet."""

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

    def call(self, inputs):
        if self.compute_dtype == "float32":
            return super().call(inputs)
        return self.activation(_biased(self.convolution_op(inputs, self.kernel), self.bias))

    def convolution_op(self, inputs, kernel):
        if self.groups == 1:
            return super().convolution_op(inputs, kernel)
        parts = zip(ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1))
        convolve = super().convolution_op
        return ops.concatenate([convolve(*part) for part in parts], axis=-1)


@keras.saving.register_keras_serializable("alexnet_tf")
class Dense(keras.layers.Dense):
    """keras.layers.Dense whose bias learns from all rows of a batch in bfloat16, too."""

    def call(self, inputs, training=None):
        if self.compute_dtype == "float32":
            return super().call(inputs, training)
        return self.activation(_biased(ops.matmul(inputs, self.kernel), self.bias))


def _biased(outputs, bias):
    """Add a bias whose gradient is summed in float32.

    That of TensorFlow's BiasAdd, to which Keras turns an addition, is summed in bfloat16 itself on
    a CPU, where 256 + 1 is 256: of a convolution's bias a hundredth of it may be left.
    """
    return ops.subtract(outputs, ops.negative(bias))


@keras.saving.register_keras_serializable("alexnet_tf")
class WithMirrorImage(keras.layers.Layer):
    """Pictures, and after all of them their mirror images: (n, side, side, c) → (2 n, …)."""

    def call(self, inputs):
        return ops.concatenate([inputs, ops.flip(inputs, axis=2)], axis=0)

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("alexnet_tf")
class Windows(keras.layers.Layer):
    """All windows of a map of maxima, each as pool5 is of a picture of the network's own size.

    The map has at every place the maximum that pooling would take there: a window is `side` times
    `side` of those, `stride` apart. (n, rows, columns, c) → (n × windows, side × side × c): those
    of a picture follow one another, row after row.
    """

    def __init__(self, side: int, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.side, self.stride = side, stride

    def call(self, inputs):
        reach = (self.side - 1) * self.stride + 1
        tops, lefts = (range(inputs.shape[axis] - reach + 1) for axis in (1, 2))
        windows = [
            inputs[:, top : top + reach : self.stride, left : left + reach : self.stride]
            for top in tops
            for left in lefts
        ]
        values = self.side**2 * inputs.shape[-1]
        return ops.reshape(ops.stack(windows, axis=1), (-1, values))

    def compute_output_shape(self, input_shape):
        return (None, self.side**2 * input_shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "side": self.side, "stride": self.stride}


@keras.saving.register_keras_serializable("alexnet_tf")
class MeanOfViews(keras.layers.Layer):
    """The mean over all that was seen of a picture: its `windows`, and those of its mirror image if
    `mirrored`, in the order of the layers above. (n × views, classes) → (n, classes).
    """

    def __init__(self, windows: int, mirrored: bool, **kwargs):
        super().__init__(**kwargs)
        self.windows, self.mirrored = windows, mirrored

    def call(self, inputs):
        views = (1 + self.mirrored, -1, self.windows, inputs.shape[-1])
        return ops.mean(ops.reshape(inputs, views), axis=(0, 2))

    def compute_output_shape(self, input_shape):
        return (None, input_shape[-1])

    def get_config(self) -> dict:
        return {**super().get_config(), "windows": self.windows, "mirrored": self.mirrored}
