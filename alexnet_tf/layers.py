"""Layers that Keras lacks. Keras can load a saved AlexNet once this module is imported."""

from typing import Any

import keras
from keras import KerasTensor, ops

Shape = tuple[Any, ...]


@keras.saving.register_keras_serializable("alexnet_tf")
class LocalResponseNormalization(keras.layers.Layer):
    """Local response normalization across channels (Krizhevsky 2012, section 3.3).

    ``y[c] = x[c] / (bias + alpha * sum(x[c - radius … c + radius] ** 2)) ** beta``

    Input: any shape with the channels last; the output has the same shape. `alpha` multiplies the
    plain sum, as in the paper: Caffe's ``alpha`` must be divided by its ``local_size`` first. The
    computation is in float32, whatever the precision of the surrounding layers.
    """

    def __init__(self, radius: int, alpha: float, beta: float, bias: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.radius, self.alpha, self.beta, self.bias = radius, alpha, beta, bias
        self._fused = self._normalize
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self._fused = tf.function(self._normalize, jit_compile=True)

    def call(self, inputs: KerasTensor) -> KerasTensor:
        return self._fused(inputs)

    def _normalize(self, inputs: KerasTensor) -> KerasTensor:
        """Sum shifted slices, because XLA fuses them into one pass over the picture."""
        x = ops.cast(inputs, "float32")
        channels = x.shape[-1]
        borders = [(0, 0)] * (len(x.shape) - 1) + [(self.radius, self.radius)]
        squares = ops.pad(ops.square(x), borders)
        neighbours = sum(squares[..., i : i + channels] for i in range(2 * self.radius + 1))
        scale = self.bias + self.alpha * neighbours
        if self.beta == 0.75:  # two square roots are several times faster than a power
            root = ops.rsqrt(scale)
            return ops.cast(x * (root * ops.sqrt(root)), inputs.dtype)
        return ops.cast(x * ops.power(scale, -self.beta), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        own = {"radius": self.radius, "alpha": self.alpha, "beta": self.beta, "bias": self.bias}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("alexnet_tf")
class GroupedConv2D(keras.layers.Conv2D):
    """keras.layers.Conv2D whose groups are computed one by one and concatenated: TensorFlow's own
    grouped convolution is several times slower on a CPU, above all backwards. One kernel (height,
    width, in / groups, out) and one bias, as in Keras."""

    def call(self, inputs: KerasTensor) -> KerasTensor:
        if self.compute_dtype == "float32":
            return super().call(inputs)
        return self.activation(_biased(self.convolution_op(inputs, self.kernel), self.bias))

    def convolution_op(self, inputs: KerasTensor, kernel: KerasTensor) -> KerasTensor:
        if self.groups == 1:
            return super().convolution_op(inputs, kernel)
        parts = zip(ops.split(inputs, self.groups, -1), ops.split(kernel, self.groups, -1))
        convolve = super().convolution_op
        return ops.concatenate([convolve(*part) for part in parts], axis=-1)


@keras.saving.register_keras_serializable("alexnet_tf")
class Dense(keras.layers.Dense):
    """keras.layers.Dense whose bias gradient is summed over a batch in float32, in bfloat16 too."""

    def call(self, inputs: KerasTensor, training: bool | None = None) -> KerasTensor:
        if self.compute_dtype == "float32":
            return super().call(inputs, training)
        return self.activation(_biased(ops.matmul(inputs, self.kernel), self.bias))


def _biased(outputs: KerasTensor, bias: KerasTensor) -> KerasTensor:
    """Add a bias whose gradient is summed in float32: TensorFlow's BiasAdd, to which Keras maps an
    addition, sums it in bfloat16 on a CPU, where 256 + 1 is 256; the gradient of a convolution's
    bias may shrink to a hundredth."""
    return ops.subtract(outputs, ops.negative(bias))


@keras.saving.register_keras_serializable("alexnet_tf")
class WithMirrorImage(keras.layers.Layer):
    """Append the mirror images after all pictures: (n, side, side, c) → (2 n, …)."""

    def call(self, inputs: KerasTensor) -> KerasTensor:
        return ops.concatenate([inputs, ops.flip(inputs, axis=2)], axis=0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable("alexnet_tf")
class Windows(keras.layers.Layer):
    """Slice all windows from a stride-1 max pooling's output, each equal to pool5 of that crop:
    `side` × `side` values, `stride` apart. (n, rows, columns, c) → (n × windows, side × side × c);
    the windows of a picture follow one another, row by row."""

    def __init__(self, side: int, stride: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.side, self.stride = side, stride

    def call(self, inputs: KerasTensor) -> KerasTensor:
        reach = (self.side - 1) * self.stride + 1
        tops, lefts = (range(inputs.shape[axis] - reach + 1) for axis in (1, 2))
        windows = [
            inputs[:, top : top + reach : self.stride, left : left + reach : self.stride]
            for top in tops
            for left in lefts
        ]
        values = self.side**2 * inputs.shape[-1]
        return ops.reshape(ops.stack(windows, axis=1), (-1, values))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, self.side**2 * input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "side": self.side, "stride": self.stride}


@keras.saving.register_keras_serializable("alexnet_tf")
class MeanOfViews(keras.layers.Layer):
    """Average over a picture's `windows`, and over its mirror image's if `mirrored`, in the order
    of the layers above: (n × views, classes) → (n, classes)."""

    def __init__(self, windows: int, mirrored: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.windows, self.mirrored = windows, mirrored

    def call(self, inputs: KerasTensor) -> KerasTensor:
        views = (1 + self.mirrored, -1, self.windows, inputs.shape[-1])
        return ops.mean(ops.reshape(inputs, views), axis=(0, 2))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (None, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "windows": self.windows, "mirrored": self.mirrored}


@keras.saving.register_keras_serializable("alexnet_tf")
class ChannelStatistics(keras.layers.Layer):
    """Compute two means of each channel over all places: (n, rows, columns, c) → float32 (n, 2c).
    The first is of the lowest value in every 4 × 4 neighbouring places, and so of what is large in
    the picture; the second is of all values."""

    def call(self, inputs: KerasTensor) -> KerasTensor:
        maps = ops.cast(inputs, "float32")
        lowest = -ops.max_pool(-maps, min(4, *maps.shape[1:3]), 1)
        return ops.concatenate([ops.mean(each, axis=(1, 2)) for each in (lowest, maps)], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], 2 * input_shape[-1])
