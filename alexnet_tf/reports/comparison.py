"""Comparison of trainings: a Markdown table, a CSV file, a plot of the learning curves."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from alexnet_tf.drawing.plots import draw_curves, write_png
from alexnet_tf.errors import UserError
from alexnet_tf.reports.html import check_installed
from alexnet_tf.runs.history import Outcome
from alexnet_tf.system.files import atomic_write, write_text
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.text import markdown

COLUMNS = ("variant", "accuracy", "best (epoch)", "loss", "seconds per epoch", "parameters")
NONE = "–"
CSV_COLUMNS = (
    "variant", "state", "epochs", "accuracy", "best_accuracy", "best_epoch", "loss",
    "seconds_per_epoch", "parameters",
)  # fmt: skip
# Largest size of curves.png.
PICTURE_BYTES = 100_000


def write_comparison(outcomes: Sequence[Outcome], directory: Path) -> None:
    """Write table.md, table.csv and, if matplotlib is installed, curves.png."""
    write_text(directory / "table.md", comparison_table(outcomes))
    write_text(directory / "table.csv", _csv(outcomes))
    try:
        check_installed()
    except UserError as error:
        warn_once(f"{directory / 'curves.png'} is not drawn: {error}")
        return
    figure = draw_curves({outcome.variant: outcome.history for outcome in outcomes})
    with atomic_write(directory / "curves.png", PICTURE_BYTES) as temporary:
        write_png(figure, temporary)


def comparison_table(outcomes: Sequence[Outcome]) -> str:
    """Format one row per training, in Markdown that is readable in a terminal."""
    return markdown([COLUMNS, *map(_cells, outcomes)])


def _cells(outcome: Outcome) -> tuple[str, ...]:
    parameters = NONE if outcome.parameters is None else f"{outcome.parameters:,}"
    if not outcome.finished:
        return outcome.variant, "failed", NONE, NONE, NONE, parameters
    figures = outcome.figures()
    return (
        outcome.variant,
        f"{figures['accuracy']:.4f}",
        f"{figures['best_accuracy']:.4f} ({figures['best_epoch']})",
        f"{figures['loss']:.4f}",
        f"{figures['seconds_per_epoch']:.1f}",
        parameters,
    )


def _csv(outcomes: Sequence[Outcome]) -> str:
    """Format the same as CSV, unrounded; the numbers of a failed training are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for outcome in outcomes:
        cells = {"variant": outcome.variant, "parameters": outcome.parameters}
        state = "finished" if outcome.finished else "failed"
        figures = outcome.figures() if outcome.finished else {}
        writer.writerow({**cells, "state": state, **figures})
    return text.getvalue()
