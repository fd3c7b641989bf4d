"""Contents of a run's report."""

from __future__ import annotations

from typing import Any

from alexnet_tf.drawing import plots
from alexnet_tf.drawing.confusion import confusion_matrix
from alexnet_tf.drawing.thumbnails import data_url
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.label_errors import LIKELY, POSSIBLE_FROM
from alexnet_tf.evaluation.review import Review, counts
from alexnet_tf.metrics.reliability import curves, reliability
from alexnet_tf.reports.cards import MATRIX, Album, across_first
from alexnet_tf.runs.command import training_command
from alexnet_tf.runs.timings import read_seconds
from alexnet_tf.system.log import LOG

# Largest number of classes in a table.
MOST_CLASSES = 200
# Inches of a plot: two in a row, three in a row.
HALF, THIRD = (5.2, 3.8), (4.2, 3.5)


def run_page(found: Review) -> dict[str, Any]:
    """Return the variables of the template run.html."""
    predictions, album = found.predictions, Album(found)
    classes, seconds = counts(found), _seconds(found)
    return {
        "found": found,
        "album": album,
        "title": str(found.run.directory),
        "command": training_command(found.settings, found.run.directory),
        "names": found.dataset.classes,
        "accuracy": predictions.accuracy(),
        "test": found.test and found.test.accuracy(),
        "by_class": predictions.evaluation.by_class()[:MOST_CLASSES],
        "matrix": predictions.evaluation.confusion().tolist() if len(classes) <= MATRIX else None,
        "linked": {(cell.label, cell.predicted) for cell in album.cells},
        "wrong": len(predictions.mistakes()),
        "least": POSSIBLE_FROM,
        "threshold": LIKELY,
        "likely": sum(each.probability >= LIKELY for each in found.label_errors),
        "across": sum(across for _, across in across_first(found)),
        "counts": classes[:MOST_CLASSES],
        "largest": max(train for _, train, _, _ in classes),
        "seconds": seconds,
        "longest": max(seconds.values(), default=0) or 1,
        **_plots(found),
    }


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
    variables["reliability"] = plots.svg("c", THIRD, plots.plot_reliability, reliable)
    if two_classes:
        variables["roc"] = plots.svg("d", THIRD, plots.plot_roc, two_classes)
        variables["precision"] = plots.svg("e", THIRD, plots.plot_precision, two_classes)
    if len(found.dataset.classes) > MATRIX:
        matrix = found.predictions.evaluation.confusion()
        picture = confusion_matrix(matrix, found.dataset.classes)
        variables["heat"] = f'<img src="{data_url(picture, quality=95)}" alt="">'
    return variables


def _seconds(found: Review) -> dict[str, float]:
    """Return the training's seconds by phase; for an older run, the seconds of its epochs."""
    try:
        seconds = read_seconds(found.run)
    except UserError as error:
        LOG.warning("warning: %s", error)
        seconds = {}
    return seconds or {"epochs": sum(epoch["seconds"] for epoch in found.history)}
