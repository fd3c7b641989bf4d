"""Accuracy and loss by epoch, several trainings in one picture."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from alexnet_tf.runs.history import History

WIDTH, HEIGHT = 1200, 500  # pixels
SCALE = 3  # drawn that much larger, so that scaling down smooths the lines
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 50, 60  # around a plot
LEGEND = 190  # at the right
TEXT, LINE = 15, 2.2

PAPER, GRID, INK = "white", "#e4e4e4", "#222222"
# Okabe and Ito 2008: colours that colour-blind people tell apart too. Dashes, and what is left
# between them, tell the lines apart in print.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ((), (9, 4), (2, 4), (12, 4, 2, 4))

PLOTS = {"val_accuracy": "accuracy in validation", "val_loss": "loss in validation"}
TICKS = 8
STEPS = (1, 2, 5)

Point = tuple[float, float]


def draw_curves(histories: Mapping[str, History]) -> Image.Image:
    """Draw validation accuracy (left) and loss (right) of trainings, by name; 1200 × 500 pixels."""
    large = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE), PAPER)
    draw = ImageDraw.Draw(large)
    width = (WIDTH - LEGEND) // len(PLOTS)
    for index, (column, title) in enumerate(PLOTS.items()):
        lines = [[(epoch["epoch"], epoch[column]) for epoch in h] for h in histories.values()]
        plot = _Plot(draw, index * width + LEFT, (index + 1) * width - RIGHT, lines)
        plot.draw_axes(title)
        plot.draw_lines()
    for index, name in enumerate(histories):
        y = TOP + 10 + 26 * index
        _draw_line(draw, [(WIDTH - LEGEND, y), (WIDTH - LEGEND + 40, y)], index)
        _write(draw, (WIDTH - LEGEND + 50, y), name, "lm")
    return large.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def axis_ticks(low: float, high: float) -> list[float]:
    """Return round numbers at equal steps, from `low` or below it to `high` or above."""
    span = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / TICKS))
    step = power * next(step for step in (*STEPS, 10) if span <= TICKS * power * step)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [step * number for number in range(first, last + 1)]


class _Plot:
    """The part of a picture between the columns `left` and `right`, and the lines to be in it."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, left: int, right: int, lines: Sequence[Sequence[Point]]
    ):
        self.pen, self.left, self.right, self.lines = draw, left, right, lines
        epochs = [epoch for line in lines for epoch, _ in line] or [1]
        values = [value for line in lines for _, value in line] or [0, 1]
        self.epochs = [tick for tick in axis_ticks(0, max(epochs)) if tick == int(tick)]
        self.last = max(epochs)
        self.values = axis_ticks(min(values), max(values))

    def draw_axes(self, title: str) -> None:
        _write(self.pen, ((self.left + self.right) / 2, TOP / 2), title, "mm")
        for value in self.values:
            start, end = (self._place(epoch, value) for epoch in (0, self.last))
            _draw(self.pen, [start, end], GRID, 1)
            _write(self.pen, (self.left - 8, start[1]), f"{value:.6g}", "rm")
        bottom = HEIGHT - BOTTOM
        _draw(self.pen, [(self.left, TOP), (self.left, bottom), (self.right, bottom)], INK, 1)
        for epoch in self.epochs:
            if epoch <= self.last:
                x, y = self._place(epoch, self.values[0])
                _draw(self.pen, [(x, y), (x, y + 5)], INK, 1)
                _write(self.pen, (x, y + 9), f"{epoch:g}", "ma")
        _write(self.pen, ((self.left + self.right) / 2, HEIGHT - 10), "epoch", "md")

    def draw_lines(self) -> None:
        for index, line in enumerate(self.lines):
            if line:
                points = [self._place(*point) for point in line]
                _draw_line(self.pen, points, index)
                x, y = points[-1]
                dot = [SCALE * side for side in (x - 3, y - 3, x + 3, y + 3)]
                self.pen.ellipse(dot, COLORS[index % len(COLORS)])

    def _place(self, epoch: float, value: float) -> Point:
        share = (value - self.values[0]) / (self.values[-1] - self.values[0])
        x = self.left + (self.right - self.left) * epoch / self.last
        return x, HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * share


def _draw_line(draw: ImageDraw.ImageDraw, points: Sequence[Point], index: int) -> None:
    """Draw the line of the training `index`, in its colour and dashes."""
    for dash in _dashes(points, DASHES[index % len(DASHES)]):
        _draw(draw, dash, COLORS[index % len(COLORS)], LINE)


def _dashes(points: Sequence[Point], lengths: Sequence[float]) -> Iterator[Sequence[Point]]:
    """Yield pieces of the line through `points`, by dashes and gaps of `lengths`; without, all."""
    if not lengths:
        yield points
        return
    xs, ys = np.array(points).T
    places = np.append(0, np.cumsum(np.hypot(np.diff(xs), np.diff(ys))))
    start = 0.0
    while start < places[-1]:
        for dash, gap in zip(lengths[::2], lengths[1::2]):
            end = min(start + dash, places[-1])
            at = [start, *places[(start < places) & (places < end)], end]
            yield list(zip(np.interp(at, places, xs), np.interp(at, places, ys)))
            start += dash + gap


def _draw(draw: ImageDraw.ImageDraw, points: Sequence[Point], color: str, width: float) -> None:
    scaled = [(SCALE * x, SCALE * y) for x, y in points]
    draw.line(scaled, color, round(SCALE * width), joint="curve")


def _write(draw: ImageDraw.ImageDraw, place: Point, text: str, anchor: str) -> None:
    x, y = place
    font = ImageFont.load_default(SCALE * TEXT)
    draw.text((SCALE * x, SCALE * y), text, INK, font, anchor)
