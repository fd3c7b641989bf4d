"""AlexNet as an estimator of scikit-learn: fit, predict, score."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from alexnet_tf.api.pictures import Pictures, listed
from alexnet_tf.api.train import declare_settings, meant, train
from alexnet_tf.data.images.contents import is_remote
from alexnet_tf.data.images.in_memory import ImageLike, as_file
from alexnet_tf.errors import UserError
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system.files import write_lines

SETTINGS = tuple(name for name in DEFAULTS if name != "data")


class AlexNetClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of pictures, as an estimator of scikit-learn.

    `classes_` are the sorted labels, `run_` is the finished run. 15% of the pictures choose the
    best epoch.

    Args:
        run: An empty folder; by default, a temporary one, which is deleted with the estimator.
        recipe: As for `alexnet_tf.train`.
        **settings: Those of `alexnet_tf.train`; None means the recipe's default.

    Raises:
        TypeError: For an unknown setting.

    Example:
        >>> pictures = [f"photos/{name}.{n}.jpg" for name in ("cat", "dog") for n in range(6)]
        >>> classifier = alexnet_tf.AlexNetClassifier(weights="starter")
        >>> classifier.fit(pictures, ["cat"] * 6 + ["dog"] * 6).predict(["cat.jpg"]).shape
        (1,)
    """

    def __init__(
        self, run: str | os.PathLike[str] | None = None, recipe: str | None = None, **settings: Any
    ):
        self.run, self.recipe = run, recipe
        for name in SETTINGS:
            setattr(self, name, settings.pop(name, None))
        if settings:
            wrong = (f"there is no setting {name}; {meant(name)}" for name in settings)
            raise TypeError("\n".join(wrong))

    def fit(self, X: Pictures, y: Sequence[Any]) -> AlexNetClassifier:
        """Train.

        Args:
            X: Pictures, each as `FinishedRun.predict` takes it.
            y: Their labels (n,).

        Returns:
            The estimator itself.

        Raises:
            UserError: As `alexnet_tf.train` does.
            RunError: Likewise.
            ValueError: For labels that are no classes, or not one for each picture.
        """
        pictures, labels = _several(X), column_or_1d(y)
        check_consistent_length(pictures, labels)
        check_classification_targets(labels)
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise UserError(f"y: should have two classes or more, but has {len(classes)}")
        settings = {name: getattr(self, name) for name in SETTINGS}
        settings = {name: value for name, value in settings.items() if value is not None}
        if self.run is None:
            settings = {"report": False, "tensorboard": "off"} | settings
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), pictures, numbers, map(str, classes))
            place = self.run or tempfile.mkdtemp()
            self.run_ = train(folder, place, self.recipe, **settings)
        if self.run is None:
            weakref.finalize(self.run_, shutil.rmtree, place, ignore_errors=True)
        self.classes_ = classes
        return self

    def predict_proba(self, X: Pictures) -> np.ndarray:
        """Compute the probability of each of `classes_`.

        Args:
            X: Pictures, as for `fit`.

        Returns:
            float32 (n, classes).
        """
        check_is_fitted(self, "run_")
        return self.run_.predict_proba(_several(X))

    def predict(self, X: Pictures) -> np.ndarray:
        """Choose the likeliest of `classes_`.

        Args:
            X: Pictures, as for `fit`.

        Returns:
            A label for each picture (n,).
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.no_validation = False, True
        return tags


def _several(pictures: Pictures) -> list[ImageLike]:
    """Return a list of pictures; UserError for a single one, as scikit-learn wants it."""
    several = listed(pictures)
    if several is None:
        raise UserError("X: should be several pictures, such as a list of paths")
    return several


def _write(
    folder: Path, pictures: Sequence[ImageLike], numbers: np.ndarray, classes: Iterable[str]
) -> None:
    """Write a list of labelled pictures, and files of pictures that are in memory."""
    paths = []
    for number, picture in enumerate(pictures):
        file = as_file(picture)
        if isinstance(file, str):
            paths.append(file if is_remote(file) else os.path.abspath(file))
        else:
            paths.append(str(folder / f"{number}.png"))
            Path(paths[-1]).write_bytes(file.content)
    write_lines(folder / "classes.txt", (f"{name}\n" for name in classes))
    lines = (f"{path} {number}\n" for path, number in zip(paths, numbers))
    write_lines(folder / "train.txt", lines)


declare_settings(AlexNetClassifier.__init__, {})  # which scikit-learn inspects
