"""The picture of several trainings' curves."""

import numpy as np
import pytest
from PIL import ImageColor

from alexnet_tf.reports.curves import COLORS, axis_ticks, draw_curves


def history(*accuracies):
    return [
        {"epoch": epoch, "val_accuracy": accuracy, "val_loss": 1 - accuracy}
        for epoch, accuracy in enumerate(accuracies, 1)
    ]


def places(picture, color):
    """The xs and ys of the pixels that are nearly of the color."""
    near = np.abs(np.asarray(picture, int) - ImageColor.getrgb(color)).sum(axis=2) < 60
    ys, xs = np.nonzero(near)
    return xs, ys


def test_the_better_curve_is_higher_in_accuracy_and_lower_in_loss():
    better, worse = np.linspace(0.1, 0.9, 30), np.linspace(0.1, 0.5, 30)
    picture = draw_curves({"better": history(*better), "worse": history(*worse)})
    ends = []
    for color in COLORS[:2]:
        xs, ys = places(picture, color)
        ends.append([ys[(xs > left) & (xs < left + 20)].mean() for left in (470, 975)])
    (accuracy, loss), (low_accuracy, high_loss) = ends
    # The axes go from 0 or 0.1 to 0.9, over 390 pixels.
    assert accuracy < low_accuracy - 150 and loss > high_loss + 150


def test_each_training_has_a_color_and_is_in_the_legend():
    names = [f"run {index}" for index in range(9)]
    picture = draw_curves({name: history(0.1 * index, 0.5) for index, name in enumerate(names)})
    for index, color in enumerate(COLORS):
        xs, ys = places(picture, color)
        legend = ys[(xs > 1015) & (xs < 1045)]
        assert np.any(np.abs(legend - (60 + 26 * index)) < 3), color


@pytest.mark.parametrize("lines", [{}, {"a": []}, {"a": history(0.5)}, {"a": history(0, 0, 0)}])
def test_little_or_nothing_can_be_drawn_too(lines):
    assert draw_curves(lines).size == (1200, 500)


def test_ticks_are_round_numbers_around_the_values():
    assert axis_ticks(0, 40) == [0, 5, 10, 15, 20, 25, 30, 35, 40]
    assert axis_ticks(0, 200) == [0, 50, 100, 150, 200]
    assert axis_ticks(0.113, 0.62) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert axis_ticks(0.5, 0.5) == pytest.approx([0.5, 0.6])
    assert axis_ticks(0, 0) == pytest.approx([0, 0.2])
