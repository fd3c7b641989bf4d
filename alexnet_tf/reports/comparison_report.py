"""Comparison report of finished runs: one HTML page."""

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
from alexnet_tf.system.files import write_text

# Inches of a plot, two in a row.
HALF = (5.2, 3.8)
# p-value below which a difference is significant.
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Side:
    """A run's data for the comparison."""

    name: str
    settings: Settings
    history: History
    best: int | None
    parameters: int
    predictions: LabelledPredictions


def write_comparison_report(runs: Sequence[Run], path: Path) -> Path:
    """Write a comparison report of finished `runs` to `path`; return the path. UserError for a run
    that cannot be evaluated, and for missing packages."""
    html.check_installed()
    html.check_ours(path)
    sides = [_side(run) for run in runs]
    histories = {side.name: side.history for side in sides if side.history}
    page = html.fill(
        "runs.html",
        sides=sides,
        differences=_differences(sides),
        pairs=[
            (one.name, other.name, mcnemar(one.predictions, other.predictions))
            for one, other in combinations(sides, 2)
        ],
        verdict=verdict,
        reliability=reliability,
        drawings=[
            plots.svg(what, HALF, plots.plot_histories, histories, what, bool(histories))
            for what in ("accuracy", "loss")
        ],
    )
    write_text(path, page)
    return path


def verdict(first: str, second: str, found: McNemar) -> str:
    """State which of two runs is better, if the difference is significant."""
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
    """Return the settings in which the runs differ, by name: each run's value."""
    settings = [asdict(side.settings) for side in sides]
    return {
        name: [each[name] for each in settings]
        for name in settings[0]
        if len({each[name] for each in settings}) > 1
    }
