"""AlexNet transfer learning that works: Caffe's network and weights, in Keras.

>>> import alexnet_tf
>>> run = alexnet_tf.train("photos", run="runs/mine", epochs=5)
>>> run.predict("cat.jpg").label
>>> model = alexnet_tf.AlexNet(weights="weights/bvlc_alexnet.npy")
>>> pictures = alexnet_tf.preprocess_input(alexnet_tf.load_image("cat.jpg")[None])
>>> alexnet_tf.decode_predictions(model.predict(pictures))
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alexnet_tf.api.estimator import AlexNetClassifier
    from alexnet_tf.api.finished_run import FinishedRun, load_run
    from alexnet_tf.api.train import train
    from alexnet_tf.data.imagenet import decode_predictions
    from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
    from alexnet_tf.errors import RunError, UserError
    from alexnet_tf.model import AlexNet, load_model

__version__ = "0.1.0"

# Imported when first used: TensorFlow takes seconds, and `--help` should not.
_HOMES = {
    "train": "api.train",
    "load_run": "api.finished_run",
    "AlexNetClassifier": "api.estimator",
    "FinishedRun": "api.finished_run",
    "UserError": "errors",
    "RunError": "errors",
    "AlexNet": "model",
    "load_model": "model",
    "load_image": "data.images.preprocessing",
    "preprocess_input": "data.images.preprocessing",
    "decode_predictions": "data.imagenet",
}
__all__ = [
    "AlexNet",
    "AlexNetClassifier",
    "FinishedRun",
    "RunError",
    "UserError",
    "__version__",
    "decode_predictions",
    "load_image",
    "load_model",
    "load_run",
    "preprocess_input",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOMES[name] == "model":  # without TensorFlow's remarks on the processor and absent GPUs
        importlib.import_module(f"{__name__}.system.quiet").import_tensorflow()
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__


class _KerasFinder:
    """Registers the layers of AlexNet as soon as Keras is imported, for it to open saved ones."""

    @classmethod
    def find_spec(cls, name: str, *_: object) -> ModuleSpec | None:
        if name != "keras":
            return None
        others = [finder for finder in sys.meta_path if finder is not cls]
        spec = next(filter(None, (finder.find_spec(name, None) for finder in others)), None)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def execute_and_register(module: ModuleType) -> None:
                execute(module)
                sys.meta_path.remove(cls)
                importlib.import_module(f"{__name__}.layers")

            vars(spec.loader)["exec_module"] = execute_and_register
        return spec


if "keras" in sys.modules:
    importlib.import_module(f"{__name__}.layers")
else:
    sys.meta_path.insert(0, _KerasFinder)
