"""What came of several trainings: a table for people, one for programs, a picture of the curves."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.reports.curves import Rows, draw_curves
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import replacing, write_text
from alexnet_tf.variants import get_variant

COLUMNS = ("variant", "accuracy", "best (epoch)", "loss", "seconds per epoch", "parameters")
NONE = "–"
CSV_COLUMNS = (
    "variant",
    "state",
    "epochs",
    "accuracy",
    "best_accuracy",
    "best_epoch",
    "loss",
    "seconds_per_epoch",
    "parameters",
)
# About as many the picture takes.
PICTURE_BYTES = 100_000


@dataclass(frozen=True)
class Result:
    """What came of training a variant: the epochs it finished, and whether they were all.

    `parameters` are the weights and biases of the network; None if the training never began.
    """

    variant: str
    finished: bool
    history: Rows
    parameters: int | None

    def numbers(self) -> dict[str, float]:
        """Validation accuracy and loss of the last epoch, the best accuracy and its epoch, and the
        median of the epochs' seconds, for what else the machine did may be in some of them."""
        last = self.history[-1]
        best = max(self.history, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
        return {
            "epochs": len(self.history),
            "accuracy": last["val_accuracy"],
            "best_accuracy": best["val_accuracy"],
            "best_epoch": int(best["epoch"]),
            "loss": last["val_loss"],
            "seconds_per_epoch": statistics.median_low(row["seconds"] for row in self.history),
        }


def read_result(run: Run, variant: str, finished: bool) -> Result:
    """What the files of `run` say."""
    history, parameters = [], None
    if run.history.is_file():
        with open(run.history, encoding="utf-8") as file:
            history = [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    if run.config.is_file():
        parameters = get_variant(variant).parameters(len(run.read_config()["classes"]))
    return Result(variant, finished, history, parameters)


def write_results(results: Sequence[Result], directory: Path) -> None:
    """Write table.md, table.csv and curves.png."""
    write_text(directory / "table.md", table(results))
    write_text(directory / "table.csv", _csv(results))
    picture = draw_curves({result.variant: result.history for result in results})
    with replacing(directory / "curves.png", PICTURE_BYTES) as temporary:
        picture.save(temporary)


def table(results: Sequence[Result]) -> str:
    """A line for each, in Markdown that is a table in a terminal too."""
    rows = [COLUMNS, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows.insert(1, ("-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])))
    return "".join(
        f"| {first:{widths[0]}} | {' | '.join(map(str.rjust, rest, widths[1:]))} |\n"
        for first, *rest in rows
    )


def _cells(result: Result) -> tuple[str, ...]:
    parameters = NONE if result.parameters is None else f"{result.parameters:,}"
    if not result.finished:
        return result.variant, "failed", NONE, NONE, NONE, parameters
    numbers = result.numbers()
    return (
        result.variant,
        f"{numbers['accuracy']:.4f}",
        f"{numbers['best_accuracy']:.4f} ({numbers['best_epoch']})",
        f"{numbers['loss']:.4f}",
        f"{numbers['seconds_per_epoch']:.1f}",
        parameters,
    )


def _csv(results: Sequence[Result]) -> str:
    """The same, unrounded; where a training failed the numbers are left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for result in results:
        row = {"variant": result.variant, "parameters": result.parameters, "state": "failed"}
        if result.finished:
            row |= {"state": "finished", **result.numbers()}
        writer.writerow(row)
    return text.getvalue()
