"""Medians and ratios of the rows, for people and for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alexnet_tf.system.text import markdown
from benchmarks.results import Results
from benchmarks.row import Comparison, Row

HEADINGS = ("what", "ours", "", "against", "", "ratio", "at least")


def summary(rows: Iterable[Row], results: Results) -> list[dict[str, Any]]:
    """Make a dict of each comparison of the `rows` whose sides have been measured."""
    lines = (_line(row, one, results) for row in rows for one in row.comparisons)
    return [line for line in lines if line]


def _line(row: Row, comparison: Comparison, results: Results) -> dict[str, Any] | None:
    sides = [side for side in (comparison.ours, comparison.theirs) if side]
    medians = [results.medians(row.name, side).get(row.figure) for side in sides]
    if None in medians:
        return None
    line = {
        "row": row.name,
        "what": row.what,
        "ours": comparison.ours,
        "ours_median": medians[0],
        "ours_shown": row.show(medians[0]),
        "target": comparison.target,
    }
    if comparison.theirs:
        line |= {
            "against": comparison.theirs,
            "against_median": medians[1],
            "against_shown": row.show(medians[1]),
            "ratio": medians[1] / medians[0],
        }
    return line


def summary_table(lines: Iterable[dict[str, Any]]) -> str:
    """Put what `summary` returned into Markdown."""
    cells = [
        (
            line["what"],
            line["ours"],
            line["ours_shown"],
            line.get("against", ""),
            line.get("against_shown", ""),
            f"{line['ratio']:.1f}×" if "ratio" in line else "",
            line["target"],
        )
        for line in lines
    ]
    return markdown([HEADINGS, *cells], right=False)


def details(rows: Iterable[Row], results: Results) -> list[str]:
    """Make the tables that rows have of their own, each under its title, in Markdown."""
    tables = []
    for row in rows:
        medians = {side: results.medians(row.name, side) for side in row.sides}
        measured = {side: figures for side, figures in medians.items() if figures}
        if row.details and measured:
            tables.append(f"{row.what}:\n\n{row.details(measured)}")
    return tables
