"""A row of the benchmark: what is measured, who is compared, and what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Figures of one measurement by name. Those of a side that is compared have the row's `figure`.
Figures = dict[str, float]


@dataclass(frozen=True)
class Place:
    """Where a row is measured: photos as `open_dataset` takes them, real weights of a variant,
    and a folder of the row's own, empty at first, that is deleted afterwards. A `share` below 1
    makes everything smaller, to try the benchmark itself."""

    photos: Path
    weights: Path
    variant: str
    folder: Path
    share: float = 1.0

    def scaled(self, number: int) -> int:
        """Scale a `number` of pictures or epochs to the share that is measured, at least 1."""
        return max(1, round(number * self.share))


Side = Callable[[Place], Figures]


@dataclass(frozen=True)
class Comparison:
    """Two sides of a row and what is asked of them, or, without `theirs`, of `ours` alone."""

    ours: str
    theirs: str | None
    target: str


@dataclass(frozen=True)
class Row:
    """One subject: what is measured, by whom, and what is asked.

    `sides` are measured in turn, A B A B, `rounds` times unless told otherwise, after `prepare`.
    The median of `figure`, of which less is better, is compared, and told to people by `show`.
    `details`, where there are any, makes a table of the medians of all figures, by side.
    """

    name: str
    what: str
    sides: dict[str, Side]
    comparisons: tuple[Comparison, ...]
    show: Callable[[float], str]
    figure: str = "seconds"
    rounds: int = 3
    prepare: Callable[[Place], None] = lambda place: None
    details: Callable[[dict[str, Figures]], str] | None = None
