"""Sureness and accuracy, and the curves of two classes."""

import numpy as np
import pytest

from alexnet_tf.data.dataset import Picture
from alexnet_tf.metrics.mcnemar import McNemar, mcnemar
from alexnet_tf.metrics.predictions import LabelledPredictions
from alexnet_tf.metrics.reliability import curves, reliability


def predictions(probabilities, labels, digests=None, classes=("cat", "dog")):
    """As if pictures of these labels had been given these probabilities of the second class."""
    second = np.array(probabilities, np.float32)
    pictures = [
        Picture(f"{number}.jpg", label, (digests or range(99))[number])
        for number, label in enumerate(labels)
    ]
    return LabelledPredictions(classes, tuple(pictures), np.stack([1 - second, second], axis=1))


def test_the_calibration_error_is_the_mean_distance_of_sureness_and_accuracy():
    """Four answers are 0.9 sure and half of them right; one is 0.6 sure and right."""
    found = reliability(predictions([0.9, 0.9, 0.9, 0.9, 0.6], [1, 1, 0, 0, 1]))
    assert found.error == pytest.approx((4 * 0.4 + 1 * 0.4) / 5)
    assert found.pictures[[9, 13]].tolist() == [1, 4] and found.pictures.sum() == 5
    assert found.accuracy[13] == 0.5 and np.isnan(found.accuracy[0])


def test_an_answer_that_is_wholly_sure_is_in_the_last_bin():
    assert reliability(predictions([1, 0], [1, 0])).pictures[-1] == 2


def test_curves_are_of_the_second_class():
    """The dog's probability is higher in three of four pairs of a dog and a cat."""
    found = curves(predictions([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]))
    assert found.auc == 0.75 and found.share == 0.5
    assert found.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_more_classes_or_only_one_have_no_curves():
    assert curves(predictions([0.1, 0.4], [0, 0])) is None
    third = np.ones((1, 3), np.float32) / 3
    assert curves(LabelledPredictions((*"abc",), (Picture("a", 0, "a"),), third)) is None


def test_the_surest_mistake_comes_first_and_the_closest_call():
    found = predictions([0.9, 0.2, 0.7, 0.51], [0, 0, 0, 1])
    assert found.mistakes().tolist() == [0, 2]
    assert found.least_confident().tolist() == [3, 2, 1, 0]
    assert found.cell(0, 1).tolist() == [0, 2] and found.cell(1, 0).tolist() == []


def test_only_pictures_that_both_runs_have_count_known_by_what_they_hold():
    """Whatever order the runs have their classes in."""
    one = predictions([0.9, 0.9, 0.1, 0.1], [1, 1, 1, 1], "abcd")
    other = predictions([0.9, 0.9, 0.9, 0.1], [0, 0, 0, 0], "cbax", classes=("dog", "cat"))
    assert mcnemar(one, other) == McNemar(3, 2, 0)


def test_mcnemars_test_and_the_interval_are_those_of_the_book():
    """Agresti 2013, table 11.1: of 1,600 people 150 approve at first only, 86 later only. The 95%
    interval of the difference is 0.021 to 0.059."""
    found = McNemar(1600, 150, 86)
    assert found.difference() == pytest.approx(0.04)
    assert found.interval() == pytest.approx((0.021, 0.059), abs=1e-3)
    assert found.p_value() == pytest.approx(3.7e-5, rel=0.05)


def test_the_interval_of_a_few_pictures_is_that_by_hand():
    """Agresti and Min: half a picture more each way of 22: 10 / 22 ± 1.96 √(15 − 100 / 22) / 22."""
    half = 1.959964 * (15 - 100 / 22) ** 0.5 / 22
    assert McNemar(20, 12, 2).interval() == pytest.approx((10 / 22 - half, 10 / 22 + half))
    assert McNemar(2, 2, 0).interval()[1] == 1 and McNemar(2, 0, 2).interval()[0] == -1


def test_runs_that_differ_nowhere_do_not_differ():
    assert McNemar(50, 0, 0).p_value() == 1
    low, high = McNemar(50, 0, 0).interval()
    assert low == -high and high > 0
