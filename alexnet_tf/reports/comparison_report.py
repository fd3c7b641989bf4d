"""Finished runs side by side, on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

from alexnet_tf.drawing import plots
from alexnet_tf.evaluation.review import review
from alexnet_tf.metrics.mcnemar import McNemar, mcnemar
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.metrics.reliability import reliability
from alexnet_tf.reports import html
from alexnet_tf.runs.history import History
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings

# Inches of a plot, of two in a row.
HALF = (5.2, 3.8)
# Below it a difference is called one.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Side:
    """What is shown of a run."""

    name: str
    settings: Settings
    history: History
    best: int | None
    parameters: int
    predictions: LabelledPredictions

    def calibration_error(self) -> float:
        """Return how far its sureness is from its accuracy."""
        return reliability(self.predictions).error

    def seconds(self) -> float:
        """Return what its epochs took."""
        return sum(epoch["seconds"] for epoch in self.history)


def write_comparison_report(runs: Sequence[Run], path: Path) -> Path:
    """Write a page about finished `runs` to `path`, and return that.

    Raises UserError for a run that cannot be asked, and without the packages that are needed.
    """
    html.check_installed()
    html.check_ours(path)
    sides = [_side(run) for run in runs]
    histories = {side.name: side.history for side in sides if side.history}
    html.write_page(
        path,
        "runs.html",
        sides=sides,
        differences=_differences(sides),
        pairs=[
            (one.name, other.name, mcnemar(one.predictions, other.predictions))
            for one, other in combinations(sides, 2)
        ],
        verdict=verdict,
        drawings=[
            plots.svg(what, HALF, plots.plot_histories, histories, what, bool(histories))
            for what in ("accuracy", "loss")
        ],
    )
    return path


def verdict(first: str, second: str, found: McNemar) -> str:
    """Say which of two runs is better, if that can be told."""
    if not found.pictures:
        return "no common validation pictures"
    if found.p_value() >= SIGNIFICANT:
        return "no significant difference"
    return f"{first if found.first > found.second else second} is better"


def _side(run: Run) -> Side:
    found = review(run, thoroughly=False)
    parameters = found.network.count_params()
    name = str(run.directory)
    return Side(name, found.settings, found.history, found.best, parameters, found.predictions)


def _differences(sides: Sequence[Side]) -> dict[str, list[object]]:
    """Return the settings in which the runs differ, by name: the value of each."""
    told = [asdict(side.settings) for side in sides]
    return {
        name: [each[name] for each in told]
        for name in told[0]
        if len({each[name] for each in told}) > 1
    }
