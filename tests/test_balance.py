"""Unequal classes and few pictures: said at the start, weighed, chosen by."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from alexnet_tf.data.dataset import Dataset, Picture
from alexnet_tf.runs.history import best_epoch
from alexnet_tf.runs.warnings import warnings
from alexnet_tf.training.epoch import compute_metrics
from tests.support.small import epochs


def dataset(train, validation):
    """Make a dataset of so many cats and dogs."""
    parts = (
        tuple(Picture("", label, "") for label in (0, 1) for _ in range(sizes[label]))
        for sizes in (train, validation)
    )
    return Dataset(("cat", "dog"), *parts)


def test_ninety_cats_and_six_dogs():
    unequal, few = warnings(dataset((90, 6), (9, 1)))
    assert unequal.startswith("'cat' has 90 pictures to train with and 'dog' 6, so that few of")
    assert unequal.endswith("; --balance makes each of them count for more")
    assert few == (
        "10 validation pictures choose the best epoch: an accuracy of 90% on them is 60% to "
        "98% on all such pictures (95% interval); use more of them"
    )


def test_enough_of_both_are_not_remarked_on():
    assert warnings(dataset((2000, 500), (300, 100))) == []


def test_the_balanced_accuracy_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    labels, predictions = np.repeat([0, 1, 2], [90, 6, 30]), random.integers(0, 3, 126)
    losses = random.random(126)
    hits, probabilities = predictions == labels, random.random((126, 3))
    found = compute_metrics(losses, hits, probabilities, labels)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(labels, predictions))
    assert found.loss == pytest.approx(losses.mean())
    assert found.accuracy == pytest.approx((predictions == labels).mean())


def test_the_best_epoch_by_the_balanced_accuracy():
    history = epochs(3)
    history[0]["val_balanced_accuracy"] = 0.9
    assert best_epoch(history) == 3 and best_epoch(history, "balanced") == 1
