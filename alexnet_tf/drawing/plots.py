"""Plots by matplotlib: as files, or as SVG whose colours follow a page's style."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.metrics.calibration import BINS
from alexnet_tf.metrics.reliability import Curves, Reliability
from alexnet_tf.system.text import printable

if TYPE_CHECKING:  # an optional dependency
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito 2008: colours that colour-blind people can distinguish. Dashes distinguish the lines
# in print.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("-", "--", ":", "-.")
INK, GRID, PAPER = "#222222", "#e4e4e4", "#ffffff"
# Each colour is a CSS variable in a page, whose style defines it for light and dark mode.
VARIABLES = {INK: "ink", GRID: "line", **{color: f"c{n}" for n, color in enumerate(COLORS)}}
STYLE: Any = {
    "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "axes.grid": True,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlesize": 11, "font.size": 10, "legend.frameon": False, "lines.linewidth": 2,
    "svg.fonttype": "none", "svg.hashsalt": "alexnet_tf", "text.parse_math": False,
    "figure.constrained_layout.use": True,
}  # fmt: skip
_UNIT = {"xlim": (-0.02, 1.03), "ylim": (0, 1.05)}
# Longest name of a training in a legend, in characters.
MOST_LETTERS = 40


def draw_curves(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Draw the validation accuracy and loss of trainings, by name, side by side: 12 × 5 inches."""
    figure, axes = _figure(2, (12, 5))
    for axis, what in zip(axes, ("accuracy", "loss")):
        plot_histories(axis, histories, what)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def draw_history(history: Sequence[Mapping[str, float]], best: int | None) -> Figure:
    """Draw accuracy and loss of one training side by side, as `plot_history`: 12 × 5 inches."""
    figure, axes = _figure(2, (12, 5))
    for axis, what in zip(axes, ("accuracy", "loss")):
        plot_history(axis, history, what, best)
    return figure


def plot_histories(
    axis: Axes,
    histories: Mapping[str, Sequence[Mapping[str, float]]],
    what: str,
    named: bool = False,
) -> None:
    """Plot `what`, validation accuracy or loss, of several trainings; a legend if `named`."""
    for number, (name, history) in enumerate(histories.items()):
        _line(axis, history, f"val_{what}", number, _short(name))
    _by_epoch(axis, f"validation {what}")
    if named:
        axis.legend(fontsize="small")


def plot_history(
    axis: Axes, history: Sequence[Mapping[str, float]], what: str, best: int | None
) -> None:
    """Plot `what`, accuracy or loss, of one training, and mark the epoch of its network."""
    _line(axis, history, f"val_{what}", 0, "validation")
    _line(axis, history, what, 1, "training")
    if best:
        axis.axvline(best, color=INK, linewidth=1, linestyle=":", label=f"epoch {best}, chosen")
    _by_epoch(axis, what)
    axis.legend()


def plot_reliability(axis: Axes, reliability: Reliability) -> None:
    """Plot a reliability diagram: accuracy by confidence."""
    edges, some = np.linspace(0, 1, BINS + 1), reliability.pictures > 0
    lefts, width = edges[:-1][some], 0.94 / BINS
    accuracy, color = reliability.accuracy[some], COLORS[0]
    axis.bar(lefts, accuracy, width, color=color, alpha=0.45, align="edge")
    axis.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="perfect calibration")
    sizes = 15 + 120 * reliability.pictures[some] / reliability.pictures.max()
    confidence, accuracy = reliability.confidence[some], reliability.accuracy[some]
    axis.scatter(confidence, accuracy, sizes, color=COLORS[0], zorder=3)
    axis.set(title="calibration", xlabel="confidence", ylabel="accuracy", **_UNIT)
    axis.legend(loc="upper left")


def plot_roc(axis: Axes, curves: Curves) -> None:
    """Plot the ROC curves of two classes."""
    rates = curves.false_positive_rate, curves.true_positive_rate
    axis.plot(*rates, color=COLORS[0], label=f"AUC {curves.auc:.4f}")
    axis.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="chance")
    axis.set(title="ROC curve", xlabel="false positive rate", ylabel="true positive rate", **_UNIT)
    axis.legend(loc="lower right")


def plot_precision(axis: Axes, curves: Curves) -> None:
    """Plot the precision-recall curves of two classes."""
    label = f"average precision {curves.average_precision:.4f}"
    axis.step(curves.recall, curves.precision, where="post", color=COLORS[0], label=label)
    axis.axhline(curves.share, color=INK, linewidth=1, linestyle=":", label="chance")
    axis.set(title="precision and recall", xlabel="recall", ylabel="precision", **_UNIT)
    axis.legend(loc="lower left")


def write_png(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG of 100 pixels per inch."""
    figure.savefig(path, format="png", dpi=100, facecolor=PAPER)


def svg(
    name: str, inches: tuple[float, float], plot: Callable[..., None], *arguments: object
) -> str:
    """Return an SVG element for HTML, drawn by `plot` on an axis from the `arguments`; its ids
    begin with `name`, its colours are CSS variables."""
    figure, (axis,) = _figure(1, inches)
    plot(axis, *arguments)
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    drawing = text.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", drawing)
    for color, variable in VARIABLES.items():
        drawing = drawing.replace(color, f"var(--{variable})")
    return drawing


def _figure(plots: int, inches: tuple[float, float]) -> tuple[Figure, Sequence[Axes]]:
    """Create a figure with `plots` axes side by side; pyplot would look for a window system."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(STYLE)
    figure = Figure(inches)
    return figure, figure.subplots(1, plots, squeeze=False)[0]


def _line(
    axis: Axes, history: Sequence[Mapping[str, float]], column: str, number: int, label: str
) -> None:
    """Draw a column of a history, in the colour and dashes of index `number`."""
    axis.plot(
        [epoch["epoch"] for epoch in history],
        [epoch[column] for epoch in history],
        color=COLORS[number % len(COLORS)],
        linestyle=DASHES[number % len(DASHES)],
        marker="o",
        markersize=4,
        label=label,
    )


def _by_epoch(axis: Axes, title: str) -> None:
    axis.set(title=title, xlabel="epoch")
    axis.locator_params(axis="x", integer=True)


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
