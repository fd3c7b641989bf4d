"""Evaluations as text tables, and as JSON with the same numbers."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from alexnet_tf.evaluation.imagenet import TOPS, ImageNetEvaluation
from alexnet_tf.metrics.evaluation import Evaluation
from alexnet_tf.reports.html import interval, percent
from alexnet_tf.system.text import align, printable

# Largest confusion matrix that fits a terminal, in classes; beyond it, only the most frequent
# confusions are shown.
MATRIX, CONFUSIONS = 12, 10


def evaluation_text(evaluation: Evaluation) -> str:
    """Format accuracies, classes and confusions as tables, the last two for each run."""
    tables = [[*_accuracies(evaluation), *_warnings(evaluation)]]
    named = evaluation.by_name()
    for name, predictions in named:
        title = [f"{printable(name)}:"] if len(named) > 1 else []
        tables.append([*title, *_classes(evaluation, predictions)])
        tables.append(_confusions(evaluation, predictions))
    return "\n\n".join("\n".join(lines) for lines in tables)


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return the same, with the whole confusion matrix, as a dict."""
    runs = zip(evaluation.runs, evaluation.trained_on, evaluation.predictions)
    return {
        "pictures": len(evaluation.labels),
        "failed": len(evaluation.failed),
        "cross_validated": evaluation.cross_validated,
        **evaluation.accuracy(evaluation.averaged),
        "gain": evaluation.gain(),
        "runs": [
            {
                "run": run,
                "trained_on": pictures,
                **evaluation.accuracy(predictions),
                "classes": evaluation.by_class(predictions),
                "confusion": evaluation.confusion(predictions).tolist(),
            }
            for run, pictures, predictions in runs
        ],
        "classes": evaluation.by_class(),
        "confusion": evaluation.confusion().tolist(),
    }


def imagenet_text(evaluation: ImageNetEvaluation) -> str:
    """Format top-1 and top-5 accuracy as a table, beside the published numbers, if any."""
    figure = evaluation.published
    table = [("", "accuracy", "95% interval", *(["published"] if figure else []))]
    for top in TOPS:
        published = [percent(figure.accuracy[top])] if figure else []
        shown = percent(evaluation.accuracy(top)), interval(evaluation.interval(top))
        table.append((f"top-{top}", *shown, *published))
    warning = (
        f"published is {figure.name} on all 50,000, measured with {figure.options}"
        if figure
        else "nothing is published of these weights"
    )
    return "\n".join([*align(table), f"on {evaluation.pictures} pictures; {warning}"])


def imagenet_json(evaluation: ImageNetEvaluation) -> dict[str, Any]:
    """Return the same as a dict."""
    figure = evaluation.published
    tops = {
        f"top{top}": {
            "accuracy": evaluation.accuracy(top),
            "interval95": evaluation.interval(top),
            "published": figure and figure.accuracy[top],
        }
        for top in TOPS
    }
    return {"pictures": evaluation.pictures, "failed": len(evaluation.failed), **tops}


def _accuracies(evaluation: Evaluation) -> list[str]:
    table = [(f"{len(evaluation.labels)} pictures", "accuracy", "95% interval")]
    for name, predictions in evaluation.by_name():
        accuracy, ends = evaluation.accuracy(predictions).values()
        table.append((name, percent(accuracy), interval(ends)))
    return align(table)


def _warnings(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.cross_validated:
        yield "cross-validated: each was predicted by a head that was trained without it"
    if len(evaluation.runs) > 1:
        best, mean = (100 * gain for gain in evaluation.gain().values())
        yield f"averaging: {best:+.1f} points on the best run, {mean:+.1f} on their mean"
    for run, pictures in zip(evaluation.runs, evaluation.untraced):
        if pictures:
            yield (
                f"{pictures} training pictures of {printable(run)} are missing, and may be among "
                "these"
            )
    for run, pictures in zip(evaluation.runs, evaluation.trained_on):
        if pictures:
            yield (
                f"{printable(run)} was trained on {pictures} of these pictures: its accuracy on "
                "others is lower"
            )


def _classes(evaluation: Evaluation, predictions: np.ndarray) -> list[str]:
    table = [("class", "pictures", "precision", "recall", "F1")]
    for each in evaluation.by_class(predictions):
        name, pictures, *shares = each.values()
        table.append((name, pictures, *map(percent, shares)))
    return align(table)


def _confusions(evaluation: Evaluation, predictions: np.ndarray) -> list[str]:
    classes = evaluation.classes
    if len(classes) <= MATRIX:
        title = "rows: labels; columns: predictions"
        lines = zip(classes, evaluation.confusion(predictions))
        table = [("", *classes), *((name, *counts) for name, counts in lines)]
    else:
        title = "the most frequent confusions; --json has the whole matrix"
        table = [("label", "prediction", "pictures")]
        table += evaluation.frequent_confusions(CONFUSIONS, predictions)
    return [title, *align(table)]
