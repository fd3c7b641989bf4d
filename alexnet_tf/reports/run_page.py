"""Contents of a run's report."""

from typing import Any

import numpy as np

from alexnet_tf.drawing import plots
from alexnet_tf.drawing.confusion import confusion_matrix
from alexnet_tf.drawing.thumbnails import data_url
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.label_errors import LIKELY, POSSIBLE_FROM
from alexnet_tf.evaluation.review import Review, counts
from alexnet_tf.metrics.evaluation import Evaluation
from alexnet_tf.metrics.reliability import curves, reliability
from alexnet_tf.reports.cards import MATRIX, Album, across_first
from alexnet_tf.reports.html import percent
from alexnet_tf.runs.history import read_seconds
from alexnet_tf.runs.recipes import training_command
from alexnet_tf.system.log import LOG

# Classes of a table that are shown at once, and points of a curve in a table.
SHOWN, POINTS = 20, 21
# Inches of a plot: two in a row, three in a row.
HALF, THIRD = (5.2, 3.8), (4.2, 3.5)


def run_page(found: Review) -> dict[str, Any]:
    """Return the variables of the template run.html."""
    predictions, album = found.predictions, Album(found)
    classes, seconds = counts(found), _seconds(found)
    matrix = predictions.evaluation.confusion()
    return {
        "found": found,
        "album": album,
        "title": str(found.run.directory),
        "command": training_command(found.settings, found.run.directory),
        "names": found.dataset.classes,
        "accuracy": predictions.accuracy(),
        "test": found.test and found.test.accuracy(),
        "by_class": _shown_first(_by_class(predictions.evaluation)),
        "matrix": matrix.tolist() if len(classes) <= MATRIX else None,
        "confused": np.count_nonzero(matrix) - np.count_nonzero(matrix.diagonal()),
        "linked": {(label, predicted) for label, predicted, *_ in album.cells},
        "wrong": len(predictions.mistakes()),
        "known": len(predictions.most_novel()),
        "novel": np.count_nonzero(predictions.novelty > 1),
        "least": POSSIBLE_FROM,
        "threshold": LIKELY,
        "likely": sum(each.probability >= LIKELY for each in found.label_errors),
        "across": sum(across for _, across in across_first(found)),
        "counts": _shown_first(classes),
        "largest": max(train for _, train, _, _ in classes),
        "seconds": seconds,
        "longest": max(seconds.values(), default=0) or 1,
        **_plots(found),
    }


def _by_class(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the metrics of each class; of many classes, those with the lowest F1 first."""
    classes = evaluation.by_class()
    if len(classes) > SHOWN:
        classes.sort(key=lambda each: (each["f1"] is None, each["f1"]))
    return classes


def _shown_first(rows: list[Any]) -> list[list[Any]]:
    """Split the rows of a table into those shown at once and the others, if there are any."""
    return [part for part in (rows[:SHOWN], rows[SHOWN:]) if part]


def _plots(found: Review) -> dict[str, Any]:
    reliable, two_classes = reliability(found.predictions), curves(found.predictions)
    variables: dict[str, Any] = {
        "reliable": reliable,
        "curves": two_classes,
        "learned": {},
        "heat": None,
    }
    if found.history:
        variables["learned"] = {
            what: plots.svg(what, HALF, plots.plot_history, found.history, what, found.best)
            for what in ("accuracy", "loss")
        }
        variables["epochs"] = [
            [int(epoch["epoch"])]
            + [percent(epoch[name]) for name in ("accuracy", "val_accuracy")]
            + [f"{epoch[name]:.4f}" for name in ("loss", "val_loss")]
            for epoch in found.history
        ]
    bins = zip(reliable.confidence, reliable.accuracy, reliable.pictures)
    variables["bins"] = [
        [percent(confidence), percent(accuracy), int(pictures)]
        for confidence, accuracy, pictures in bins
        if pictures
    ]
    variables["reliability"] = plots.svg("c", THIRD, plots.plot_reliability, reliable)
    if two_classes:
        variables["roc"] = plots.svg("d", THIRD, plots.plot_roc, two_classes)
        rates = two_classes.false_positive_rate, two_classes.true_positive_rate
        variables["roc_points"] = _points(*rates)
        variables["precision"] = plots.svg("e", THIRD, plots.plot_precision, two_classes)
        variables["precision_points"] = _points(two_classes.recall, two_classes.precision)
    if len(found.dataset.classes) > MATRIX:
        matrix = found.predictions.evaluation.confusion()
        picture = confusion_matrix(matrix, found.dataset.classes)
        variables["heat"] = f'<img src="{data_url(picture, quality=95)}" alt="">'
    return variables


def _points(*coordinates: np.ndarray) -> list[list[str]]:
    """Return points of a curve, spread evenly, for a table."""
    places = np.linspace(0, len(coordinates[0]) - 1, POINTS).round().astype(int)
    return [[percent(each[place]) for each in coordinates] for place in dict.fromkeys(places)]


def _seconds(found: Review) -> dict[str, float]:
    """Return the training's seconds by phase; for an older run, the seconds of its epochs."""
    try:
        seconds = read_seconds(found.run)
    except UserError as error:
        LOG.warning("warning: %s", error)
        seconds = {}
    return seconds or {"epochs": sum(epoch["seconds"] for epoch in found.history)}
