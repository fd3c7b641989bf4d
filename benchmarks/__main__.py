"""Measure this program beside the usual recipes; print medians and ratios, keep them as JSON.

Each measurement is a process of its own, the sides of a row in turn. It is kept as soon as it is
made: the same command, interrupted, goes on. More --rounds add to what there is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.system import arguments
from alexnet_tf.system.files import write_text
from benchmarks import (
    accuracy,
    cold,
    convolutions,
    engines,
    folder,
    jobs,
    layers,
    scale,
    serving,
    table,
    usual,
)
from benchmarks.machine import describe_machine
from benchmarks.material import default_material
from benchmarks.results import Results
from benchmarks.row import Place, Row

ROWS = {
    row.name: row
    for row in (
        *(convolutions.ROW, layers.ROW, engines.ROW, cold.ROW, folder.ROW, serving.ROW),
        *(*jobs.ROWS, accuracy.ROW, scale.ROW),
    )
}


def parse_arguments() -> argparse.Namespace:
    photos, weights, variant = default_material()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("rows", nargs="*", metavar="ROW", help=f"what to measure: {', '.join(ROWS)} (all)")
    add("--photos", default=photos, metavar="PATH", help="JPEG pictures in classes (%(default)s)")
    add("--weights", default=weights, metavar="FILE", help="pretrained weights (%(default)s)")
    add(
        "--variant",
        default=variant,
        choices=usual.VARIANTS,
        help="the AlexNet that the weights were trained for (%(default)s)",
    )
    add(
        "--rounds",
        type=arguments.positive,
        metavar="N",
        help="how often each side (1, 3 or 5, by row)",
    )
    add(
        "--out",
        type=Path,
        default=Path("benchmarks/results/bench.json"),
        metavar="FILE",
        help="where the figures go, and beside it the table (%(default)s)",
    )
    add(
        "--share",
        type=arguments.share,
        default=1.0,
        metavar="X",
        help="so much of the pictures and epochs, to try the benchmark itself (%(default)s)",
    )
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"there is no row '{unknown[0]}'; the rows are {', '.join(ROWS)}")
    return options


def main() -> None:
    options = parse_arguments()
    place = Place(
        Path(options.photos),
        Path(options.weights).resolve(),
        options.variant,
        options.out.resolve().parent,
        options.share,
    )
    conditions = describe_machine() | _materials(place)
    results = Results(options.out, conditions)
    for row in [ROWS[name] for name in options.rows] or ROWS.values():
        measure(row, place, results, options.rounds or row.rounds)
    lines = table.summary(ROWS.values(), results)
    results.summarize(lines)
    report = _report(conditions, lines, table.details(ROWS.values(), results))
    write_text(options.out.with_suffix(".md"), report)
    print(report)


def measure(row: Row, place: Place, results: Results, rounds: int) -> None:
    """Measure each side of `row` in turn, until `results` have it `rounds` times."""
    todo = [
        (number, side)
        for number in range(rounds)
        for side in row.sides
        if len(results.of(row.name, side)) <= number
    ]
    if not todo:
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.folder) as name:
        own = replace(place, folder=Path(name))
        row.prepare(own)
        for number, side in todo:
            figures = row.sides[side](own)
            results.add(row.name, side, figures)
            shown = row.show(figures[row.figure])
            print(f"{row.name}, round {number + 1} of {rounds}: {side} {shown}", flush=True)


def _materials(place: Place) -> dict[str, str]:
    """Name what is measured with as readers of the figures know it; UserError if it is missing."""
    if not place.photos.exists() or not place.weights.is_file():
        raise UserError(
            f"{place.photos} and {place.weights} are to be measured with, and are not both there; "
            "`make data` and `make weights` fetch them, or give --photos and --weights"
        )
    return {
        "photos": place.photos.name,
        "weights": place.weights.name,
        "variant": place.variant,
        "share": str(place.share),
    }


def _report(conditions: dict[str, str], lines: Sequence[dict], details: Sequence[str]) -> str:
    """Put conditions, summary and the tables of single rows below each other, in Markdown."""
    described = ", ".join(f"{name}: {value}" for name, value in conditions.items())
    return "\n".join((described + "\n", table.summary_table(lines), *details))


if __name__ == "__main__":
    cli.run(main, "bench")
