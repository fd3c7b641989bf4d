"""Which pictures are held out to validate with."""

import numpy as np

from alexnet_tf.data.sources.manifest import TEST, TRAIN, Entry, entries_to_columns
from alexnet_tf.data.split import hold_out


def entries(*rows):
    return entries_to_columns(Entry(f"{n}.jpg", *row) for n, row in enumerate(rows))


def test_fifteen_percent_of_each_class_are_held_out():
    held_out = hold_out(entries(*[("cat", None)] * 20, *[("dog", None)] * 7), np.arange(27), 0)
    assert held_out[:20].sum() == 3 and held_out[20:].sum() == 1


def test_a_copy_of_a_training_picture_and_the_only_one_of_a_class_are_not():
    contents = np.array([*range(9), *range(10)])
    assert not hold_out(entries(*[("cat", TRAIN)] * 9, *[("cat", None)] * 10), contents, 0).any()


def test_the_test_set_is_not():
    assert not hold_out(entries(*[("cat", TEST)] * 10), np.arange(10), 0).any()
