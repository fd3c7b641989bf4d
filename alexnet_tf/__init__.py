"""AlexNet transfer learning that works: Caffe's network and weights, in Keras.

>>> import alexnet_tf
>>> model = alexnet_tf.AlexNet(weights="weights/bvlc_alexnet.npy")
>>> pictures = alexnet_tf.preprocess_input(alexnet_tf.load_image("cat.jpg")[None])
>>> alexnet_tf.decode_predictions(model.predict(pictures))
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Imported when first used: TensorFlow takes seconds, and `--help` should not.
_HOMES = {
    "AlexNet": "model",
    "load_model": "model",
    "load_image": "data.images",
    "preprocess_input": "data.images",
    "decode_predictions": "data.imagenet",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
