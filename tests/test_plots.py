"""Pictures of numbers, as files and in pages."""

import re

import numpy as np
import pytest
from PIL import Image, ImageColor

from alexnet_tf.drawing.plots import (
    COLORS,
    VARIABLES,
    draw_curves,
    plot_histories,
    plot_history,
    svg,
    write_png,
)


def history(*accuracies):
    return [
        {"epoch": epoch, "accuracy": 0.5, "loss": 0.5, "val_accuracy": a, "val_loss": 1 - a}
        for epoch, a in enumerate(accuracies, 1)
    ]


def drawn(histories, folder):
    write_png(draw_curves(histories), folder / "curves.png")
    return Image.open(folder / "curves.png").convert("RGB")


def places(picture, color):
    """The xs and ys of the pixels that are nearly of the color."""
    near = np.abs(np.asarray(picture, int) - ImageColor.getrgb(color)).sum(axis=2) < 60
    ys, xs = np.nonzero(near)
    return xs, ys


def test_the_better_curve_is_higher_in_accuracy_and_lower_in_loss(tmp_path):
    better, worse = np.linspace(0.1, 0.9, 30), np.linspace(0.1, 0.5, 30)
    picture = drawn({"better": history(*better), "worse": history(*worse)}, tmp_path)
    ends = []
    for color in COLORS[:2]:
        xs, ys = places(picture, color)
        ends.append([ys[(xs > left) & (xs < left + 20)].mean() for left in (480, 980)])
    (accuracy, loss), (low_accuracy, high_loss) = ends
    assert accuracy < low_accuracy - 120 and loss > high_loss + 120


@pytest.mark.parametrize("lines", [{}, {"a": []}, {"a": history(0.5)}, {"a": history(0, 0, 0)}])
def test_little_or_nothing_can_be_drawn_too(lines, tmp_path):
    assert drawn(lines, tmp_path).size == (1200, 500)


def test_in_a_page_a_plot_has_the_colors_of_the_page_and_ids_of_its_own():
    one, other = (svg(n, (5, 4), plot_history, history(0.1, 0.9), "loss", 2) for n in "ab")
    assert one.startswith("<svg") and not any(color in one for color in VARIABLES)
    assert "var(--c0)" in one and "var(--ink)" in one and "epoch 2, chosen" in one
    ids = [re.findall(r'\bid="([^"]+)"', each) for each in (one, other)]
    assert len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1])
    assert {*re.findall(r'(?:url\(|href=")#([^")]+)', one)} <= {*ids[0]}


def test_names_of_runs_are_text():
    name = "<script>$x$\u202e" + "y" * 4000
    page = svg("a", (5, 4), plot_histories, {name: history(0.5)}, "accuracy", True)
    assert "&lt;script&gt;$x$\\u202eyyy" in page and len(page) < 50_000
