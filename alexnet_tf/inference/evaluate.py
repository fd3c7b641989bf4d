"""How often runs are right about labelled pictures, each by itself and averaged."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alexnet_tf.data.images import ImageError
from alexnet_tf.data.sources import Source, open_source, read_list
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Network
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import printable
from alexnet_tf.system.progress import progress

# A confusion matrix of more classes fits no terminal; then the most frequent confusions are shown.
MATRIX, CONFUSIONS = 12, 10


@dataclass(frozen=True)
class Evaluation:
    """What `runs` took labelled pictures for.

    `labels` (pictures,) are the indices of their classes; `answers` (runs, pictures) are what each
    run takes them for and `averaged` (pictures,) what all runs do, averaged in probability.
    `trained_on` says for each run how many of the pictures it was trained on; `failed` were
    unreadable.
    """

    runs: tuple[str, ...]
    classes: tuple[str, ...]
    labels: np.ndarray
    answers: np.ndarray
    averaged: np.ndarray
    trained_on: tuple[int, ...]
    failed: tuple[ImageError, ...] = ()

    def accuracy(self, answers: np.ndarray) -> dict[str, Any]:
        """The share of right `answers`, and where it lies for all such pictures, with 95%."""
        hits, pictures = int((answers == self.labels).sum()), len(self.labels)
        return {"accuracy": hits / pictures, "interval95": wilson_interval(hits, pictures)}

    def gain(self) -> dict[str, float]:
        """By how much averaging is more accurate than the best run, and than the mean of them."""
        alone = [self.accuracy(answers)["accuracy"] for answers in self.answers]
        together = self.accuracy(self.averaged)["accuracy"]
        return {"over_best": together - max(alone), "over_mean": together - float(np.mean(alone))}

    def by_class(self) -> list[dict[str, Any]]:
        """For each class how many pictures it has, and precision and recall: None without any."""
        from sklearn.metrics import precision_recall_fscore_support  # takes a second to import

        indices = range(len(self.classes))
        precision, recall, _, pictures = precision_recall_fscore_support(
            self.labels, self.averaged, labels=indices, zero_division=np.nan
        )
        return [
            {
                "class": self.classes[index],
                "pictures": int(pictures[index]),
                "precision": None if np.isnan(precision[index]) else float(precision[index]),
                "recall": float(recall[index]) if pictures[index] else None,
            }
            for index in indices
        ]

    def confusion(self) -> np.ndarray:
        """Pictures by their class (rows) and what they were taken for: int (classes, classes)."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.labels, self.averaged, labels=range(len(self.classes)))

    def as_json(self) -> dict[str, Any]:
        runs = zip(self.runs, self.trained_on, self.answers)
        return {
            "pictures": len(self.labels),
            "failed": len(self.failed),
            **self.accuracy(self.averaged),
            "gain": self.gain(),
            "runs": [{"run": run, "trained_on": n, **self.accuracy(a)} for run, n, a in runs],
            "classes": self.by_class(),
            "confusion": self.confusion().tolist(),
        }

    def summary(self) -> str:
        """The same as tables for a person."""
        tables = [[*self._accuracies(), *self._remarks()], self._classes(), self._confusions()]
        return "\n\n".join("\n".join(lines) for lines in tables)

    def _accuracies(self) -> list[str]:
        rows = list(zip(self.runs, self.answers))
        if len(rows) > 1:
            rows.append(("averaged", self.averaged))
        table = [(f"{len(self.labels)} pictures", "accuracy", "95% interval")]
        for name, answers in rows:
            accuracy, (low, high) = self.accuracy(answers).values()
            table.append((name, f"{accuracy:.1%}", f"{low:.1%} – {high:.1%}"))
        return _lines(table)

    def _remarks(self) -> Iterator[str]:
        if len(self.runs) > 1:
            best, mean = (100 * gain for gain in self.gain().values())
            yield f"averaging: {best:+.1f} points on the best run, {mean:+.1f} on their mean"
        for run, pictures in zip(self.runs, self.trained_on):
            if pictures:
                yield (
                    f"{printable(run)} was trained on {pictures} of these pictures: it is right "
                    "about others less often"
                )

    def _classes(self) -> list[str]:
        table = [("class", "pictures", "precision", "recall")]
        for row in self.by_class():
            name, pictures, *shares = row.values()
            table.append((name, pictures, *("–" if s is None else f"{s:.1%}" for s in shares)))
        return _lines(table)

    def _confusions(self) -> list[str]:
        matrix = self.confusion()
        if len(matrix) <= MATRIX:
            title = "rows: what it is; columns: what it was taken for"
            rows = [("", *self.classes), *((name, *row) for name, row in zip(self.classes, matrix))]
        else:
            title = "the most frequent confusions; --json has the whole matrix"
            rows = [("what it is", "what it was taken for", "pictures"), *self._likeliest(matrix)]
        return [title, *_lines(rows)]

    def _likeliest(self, matrix: np.ndarray) -> Iterator[tuple[str, str, int]]:
        np.fill_diagonal(matrix, 0)
        for place in np.argsort(-matrix, axis=None, kind="stable")[:CONFUSIONS]:
            row, column = divmod(place, len(matrix))
            if matrix[row, column]:
                yield self.classes[row], self.classes[column], matrix[row, column]


def evaluate_runs(runs: Sequence[Run], data: str | None = None, crops: int = 1) -> Evaluation:
    """What finished `runs` of the same classes say about the pictures `data`.

    `data` is what `open_source` takes: all its pictures are used. None: those that the runs were
    validated with. Pictures that cannot be read are left out of all numbers. Raises UserError for a
    class that the runs do not know, and when no picture is left.
    """
    classifier = Classifier([Network.of_run(run) for run in runs], crops)
    source = open_source(data) if data else _validation_list(runs)
    for name in source.classes:
        if name not in classifier.classes:
            raise UserError(
                f"{data}: has the class '{name}', which {runs[0].directory} was not trained on; "
                f"its classes are in {runs[0].directory / 'classes.txt'}"
            )
    files, labels, answers, averaged = [], [], [], []
    failed = [ImageError(*rejected) for rejected in source.rejected]
    found = classifier.probabilities([entry.path for entry in source.entries])
    for entry, rows in zip(source.entries, progress(found, len(source.entries), "evaluating")):
        if isinstance(rows, ImageError):
            failed.append(rows)
        else:
            files.append(entry.path)
            labels.append(classifier.classes.index(entry.label))
            answers.append(rows.argmax(axis=1))
            averaged.append(rows.mean(axis=0).argmax())
    if not files:
        raise UserError(f"{failed[0]}; nor can any other of the pictures be read")
    return Evaluation(
        tuple(str(run.directory) for run in runs),
        classifier.classes,
        np.array(labels),
        np.array(answers).T,
        np.array(averaged),
        tuple(_trained_on(run, files) for run in runs),
        tuple(failed),
    )


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """The 95% interval of a share of which `hits` in `total` were seen (Wilson 1927)."""
    z = 1.959964  # the normal distribution's quantile of 0.975
    centre = (hits + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(hits * (total - hits) / total + z**2 / 4)
    return max(0.0, centre - half), min(1.0, centre + half)


def _validation_list(runs: Sequence[Run]) -> Source:
    """The pictures that all `runs` were validated with; UserError when those are not the same."""
    first, *others = (open_source(run.directory / "val.txt") for run in runs)
    for run, other in zip(runs[1:], others):
        if set(other.entries) != set(first.entries):
            raise UserError(
                f"{run.directory}: was validated with other pictures than {runs[0].directory}; say "
                "with --data which to evaluate them on"
            )
    return first


def _trained_on(run: Run, files: Sequence[str]) -> int:
    """How many of `files` are in the run's training list."""
    lists = [path for path in (run.directory / "train.txt",) if path.is_file()]
    trained = {os.path.abspath(path) for file in lists for path, _ in read_list(file)}
    return sum(os.path.abspath(file) in trained for file in files)


def _lines(table: Sequence[Sequence[object]]) -> list[str]:
    """The rows of a `table`, the first column flush left and the others right."""
    cells = [[printable(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells
    ]
