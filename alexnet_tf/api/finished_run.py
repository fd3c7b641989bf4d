"""A finished run as an object: prediction, evaluation, explanation, features, export, report."""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from alexnet_tf import starter
from alexnet_tf.api.confusion import ConfusionMatrix
from alexnet_tf.api.messages import in_python
from alexnet_tf.api.pictures import Pictures, listed
from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.in_memory import as_file
from alexnet_tf.data.images.preprocessing import CROPS
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.export.exporter import export_run
from alexnet_tf.inference.classifier import Classifier, Prediction
from alexnet_tf.inference.engine import FEATURES, Engine
from alexnet_tf.inference.explain import Explainer, Explanation
from alexnet_tf.reports.evaluation import evaluation_json
from alexnet_tf.reports.html import check_installed
from alexnet_tf.retrieval.activations import outputs
from alexnet_tf.runs.accuracy import read_accuracy
from alexnet_tf.runs.history import History, best_epoch, read_history
from alexnet_tf.runs.run import STARTER_RUN, Run, finished_run
from alexnet_tf.system.progress import one_bar, progress
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.text import printable_lines
from alexnet_tf.variants import Variant

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

Found = TypeVar("Found")
Files = Sequence[str | InMemory]


def load_run(run: str | os.PathLike[str]) -> FinishedRun:
    """Open a finished run.

    Args:
        run: Its folder; or "starter", the network that comes with the package.

    Returns:
        The run, which takes pictures.

    Raises:
        UserError: If there is no finished run.

    Example:
        >>> alexnet_tf.load_run("starter").predict("cat.jpg").label
        '...'
    """
    if not isinstance(run, str | os.PathLike):
        raise UserError(f"run: should be the path of a folder, but is {run!r:.60}")
    return FinishedRun(finished_run(os.fspath(run)))


class FinishedRun:
    """A trained network, as `train` and `load_run` return it.

    `classes` are the names of its outputs, `variant` is its network and preprocessing, `settings`
    those of its training. `history` has a dict for each epoch: loss, accuracy, val_loss,
    val_accuracy and more.

    Example:
        >>> run = alexnet_tf.load_run("starter")
        >>> run.predict_proba(["cat.jpg", "photos/dog.0.jpg"]).shape == (2, len(run.classes))
        True
        >>> run.features("cat.jpg").shape
        (512,)
        >>> run.explain("cat.jpg").figure().save("heat.png")
        >>> run.export("onnx", "starter.onnx")
        PosixPath('starter.onnx')
    """

    def __init__(self, run: Run):
        self._run, self._engine = run, Engine.of_run(run)
        # A LiteRT interpreter is not thread-safe.
        self._lock = threading.RLock()
        self.directory: Path = run.directory
        self.classes: tuple[str, ...] = self._engine.classes
        self.variant: Variant = self._engine.variant
        self.settings: dict[str, Any] = run.read_config()["settings"]
        self.history: History = read_history(run)

    def predict(
        self, pictures: Pictures, top: int | None = None, crops: int = 1
    ) -> Prediction | list[Prediction]:
        """Predict the class of a picture, or of each in a list.

        Args:
            pictures: A path, the bytes of a file, an open file or an upload, a picture of Pillow or
                an array, RGB (h, w, 3). Several are a list or any iterable, an array of paths or of
                (n, h, w, 3), a column of a table, or a dict, whose keys are the `file` of each.
            top: How many classes a prediction has; by default, all.
            crops: 1 or 10, as for `predict_proba`.

        Returns:
            A prediction, or a list of them. It has `label`, its `probability` and `top`, the pairs
            of both, the likeliest first.

        Raises:
            ImageError: For an unreadable picture; in a list, that is the `error` of its prediction.
        """
        top = len(self.classes) if top is None else top
        if not hasattr(top, "__index__") or top < 1:
            raise UserError(f"top: should be a whole number above 0, but is {top!r:.40}")
        most = operator.index(top)
        return self._each(pictures, lambda files: self._classifier(crops).classify(files, most))

    def predict_proba(self, pictures: Pictures, crops: int = 1) -> np.ndarray:
        """Compute the probabilities of `classes`.

        Args:
            pictures: One or several, as for `predict`.
            crops: 1, the centre; or 10, whose mean is returned.

        Returns:
            float32 (classes,), or (n, classes) for several pictures.

        Raises:
            ImageError: For a picture that cannot be read.
        """
        found = self._each(pictures, lambda files: self._classifier(crops).probabilities(files))
        return _stacked(found, len(self.classes))

    def evaluate(
        self, data: str | os.PathLike[str] | None = None, crops: int = 1
    ) -> dict[str, Any]:
        """Evaluate the run on labelled pictures.

        Args:
            data: What `train` takes; by default, the validation pictures.
            crops: 1 or 10, as for `predict_proba`.

        Returns:
            What ``evaluate --json`` prints: "accuracy", its "interval95", and more.

        Raises:
            UserError: As the command does.
        """
        with self._exclusive():
            if not isinstance(data, str | os.PathLike | None):
                kind = type(data).__name__
                raise UserError(f"data: should be a path, as `train` takes it, but is {kind}")
            data = data if data is None else os.fspath(data)
            return evaluation_json(evaluate_runs([self._run], data, _checked(crops)))

    def features(self, pictures: Pictures, layer: str = "fc7") -> np.ndarray:
        """Compute the outputs of a layer.

        Args:
            pictures: One or several, as for `predict`.
            layer: "pool5", "fc6" or "fc7".

        Returns:
            float32 (units,), or (n, units) for several pictures.

        Raises:
            ImageError: For a picture that cannot be read.
            UserError: For a layer that is not there.
        """
        if layer not in FEATURES:
            raise UserError(f"layer: should be one of {', '.join(FEATURES)}, but is {layer!r:.40}")
        found = self._each(pictures, partial(outputs, self._engine, layer), "features")
        return _stacked(found, self.variant.fc_kernels(1)[FEATURES[layer]][0])

    def explain(
        self,
        pictures: Pictures,
        label: str | int | None = None,
        layer: str | None = None,
    ) -> Explanation | list[Explanation]:
        """Compute the Grad-CAM heat map of a class for a picture, or for each in a list.

        Args:
            pictures: One or several, as for `predict`.
            label: The class, or its number among `classes`; by default, the likeliest.
            layer: A convolution; by default, the last one.

        Returns:
            An explanation, or a list of them; ``explanation.figure()`` draws one.

        Raises:
            ImageError: For a picture that cannot be read.
            UserError: For a class or layer that is not there.
        """
        explain = partial(self._explainer.explain, label=label, layer=layer)
        return self._each(pictures, explain, "explaining")

    @cached_property
    def confusion(self) -> ConfusionMatrix:
        """The confusion matrix of the validation pictures; UserError if none can be read."""
        with self._exclusive():
            return ConfusionMatrix(evaluate_runs([self._run]).confusion(), self.classes)

    def plot(self) -> Figure:
        """Plot accuracy and loss of each epoch, on training and validation pictures.

        Returns:
            A figure of matplotlib, 12 × 5 inches.

        Raises:
            UserError: For a run without a history, and without matplotlib.

        Example:
            >>> alexnet_tf.load_run("runs/mine").plot().savefig("curves.png")
        """
        with in_python():
            if not self.history:
                raise UserError(f"{self.directory}: has no history.csv, so nothing can be plotted")
            check_installed()
            from alexnet_tf.drawing.plots import draw_history

            averaged, by = self.settings["average"], self.settings["best"]
            return draw_history(self.history, None if averaged else best_epoch(self.history, by))

    @cached_property
    def model(self) -> keras.Model:
        """The network as a Keras model: from `preprocess_input` for `variant` to probabilities
        (n, classes). It is a copy, and training it changes no run."""
        return self._engine.open_keras()

    def train_more(
        self, data: str | os.PathLike[str], run: str | os.PathLike[str], **settings: Any
    ) -> FinishedRun:
        """Train a new run on this one's pictures and on more, which may have new classes.

        Args:
            data: The new pictures, as `train` takes them.
            run: The folder of the new run.
            **settings: As for `train`; by default, those of this run.

        Returns:
            The new run, finished. Pictures of this one stay in their splits, and features that were
            computed for it are used again.

        Raises:
            UserError, RunError: As `train` does.
        """
        from alexnet_tf.api.train import train

        return train(data, run, from_run=self._name(), **settings)

    def export(
        self,
        format: str,
        path: str | os.PathLike[str] | None = None,
        int8: bool = False,
        crops: int = 1,
    ) -> Path:
        """Write the network for other programs, as ``alexnet-tf export`` does.

        Args:
            format: "savedmodel", "litert", "onnx" or "keras".
            path: The file or folder to write; by default, one in the run.
            int8: Whether LiteRT stores weights of a byte each.
            crops: 1 or 10, as for `predict_proba`.

        Returns:
            The path of what was written.

        Raises:
            UserError: As the command does.
        """
        with self._exclusive():
            out = None if path is None else os.fspath(path)
            return export_run(self._run, format, out, int8, _checked(crops)).path

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the report of the run.

        Args:
            path: The HTML file; by default, report.html in the run.

        Returns:
            The path of the report.
        """
        import_tensorflow()
        from alexnet_tf.reports.run_report import write_report

        with self._exclusive():
            return write_report(self._run, None if path is None else Path(path))

    def __reduce__(self) -> tuple[Callable[[str], FinishedRun], tuple[str]]:
        return load_run, (self._name(),)

    def __repr__(self) -> str:
        shown = f"{self.directory}: {', '.join(self.classes[:5])}"
        more = f" and {len(self.classes) - 5} more" if len(self.classes) > 5 else ""
        ended = f"; {len(self.history)} epochs, {read_accuracy(self._run)}" if self.history else ""
        return printable_lines(f"<FinishedRun {shown}{more}{ended}>")

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self)[1:-1])}</p>"

    def _name(self) -> str:
        """Return what `load_run` opens, wherever the working directory will be."""
        return starter.NAME if self._run is STARTER_RUN else str(self.directory.absolute())

    def _classifier(self, crops: int) -> Classifier:
        return Classifier([self._engine], _checked(crops))

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._engine)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._lock, one_bar() as show, in_python():
            yield
            show("")

    def _each(
        self,
        pictures: Any,
        ask: Callable[[Files], Iterable[Found | ImageError]],
        what: str = "predicting",
    ) -> Found | list[Found]:
        """Return the result of each picture in a list; or of one, raising its error."""
        with self._exclusive():
            several = listed(pictures)
            files = [as_file(each) for each in ([pictures] if several is None else several)]
            found = list(progress(_readable(ask(files)), len(files), what)) if files else []
            if several is None:
                if isinstance(found[0], Prediction) and found[0].error:
                    raise found[0].error
                return found[0]
        if isinstance(pictures, Mapping):
            return [_named(each, str(name)) for name, each in zip(pictures, found)]
        return found


def _checked(crops: Any) -> int:
    """Return `crops` as an int; UserError for other numbers of views than 1 and 10."""
    if crops not in CROPS:
        raise UserError(f"crops: should be 1 or 10, but is {crops!r:.40}")
    return int(crops)


def _named(found: Found, name: str) -> Found:
    """Give a prediction or an explanation the name that its picture has in a dict."""
    return replace(found, file=name) if isinstance(found, Prediction | Explanation) else found


def _stacked(found: np.ndarray | list[np.ndarray], size: int) -> np.ndarray:
    """Stack a list of arrays of `size` numbers; of a single one drop other axes."""
    return np.array(found, "f4").reshape((-1, size) if isinstance(found, list) else size)


def _readable(found: Iterable[Found | ImageError]) -> Iterator[Found]:
    for each in found:
        if isinstance(each, ImageError):
            raise each
        yield each
