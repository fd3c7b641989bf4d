"""Measurements, each in a JSON file as soon as it is made, so that a bench can go on."""

from __future__ import annotations

from math import inf
from pathlib import Path
from statistics import median
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_json, write_json
from benchmarks.row import Figures


class Results:
    """The measurements in the file `path`, which need not exist yet.

    `conditions` are all that the figures depend on but the code. Raises UserError when the file has
    measurements made under others.
    """

    def __init__(self, path: Path, conditions: dict[str, Any]):
        self._path = path
        self._content = {"conditions": conditions, "measurements": []}
        if path.is_file():
            self._content = read_json(path)
            for name, now in conditions.items():
                before = self._content["conditions"].get(name)
                if before != now:
                    raise UserError(
                        f"{path}: was measured with {name} {before!r}, now it is {now!r}; give "
                        "another --out, or delete the file to start afresh"
                    )

    def of(self, row: str, side: str) -> list[Figures]:
        """Return the figures of a side of a row, in the order in which they were measured."""
        return [
            {name: inf if value is None else value for name, value in each["figures"].items()}
            for each in self._content["measurements"]
            if (each["row"], each["side"]) == (row, side)
        ]

    def medians(self, row: str, side: str) -> Figures:
        """Compute the median of each figure; nothing for a side that was not measured."""
        figures = self.of(row, side)
        return {name: median(one[name] for one in figures) for name in (figures or [{}])[0]}

    def add(self, row: str, side: str, figures: Figures) -> None:
        figures = _finite(figures)
        self._content["measurements"].append({"row": row, "side": side, "figures": figures})
        write_json(self._path, self._content)

    def summarize(self, lines: list[dict[str, Any]]) -> None:
        """Keep the `lines` of the table beside what they were computed from."""
        self._content["summary"] = [_finite(line) for line in lines]
        write_json(self._path, self._content)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """Put None, which JSON has, in place of infinity, which stands for never."""
    return {name: None if value == inf else value for name, value in values.items()}
