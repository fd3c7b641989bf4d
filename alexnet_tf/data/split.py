"""Find copies of pictures, and choose the validation set, by content, for millions of pictures."""

from collections import defaultdict
from collections.abc import Collection

import numpy as np

from alexnet_tf.data.sources.columns import Columns, Digests
from alexnet_tf.data.sources.manifest import TRAIN, VALIDATION, Entry

VALIDATION_SHARE = 0.15


def number_contents(entries: Columns[Entry]) -> np.ndarray:
    """Number the contents of `entries`, which all have digests: int64 (n,), in digest order, the
    same number for copies."""
    content = np.frombuffer(entries.column("digest").content, f"S{Digests.SIZE}")
    return np.unique(content, return_inverse=True)[1]


def are_of(entries: Columns[Entry], parts: Collection[str | None]) -> np.ndarray:
    """Tell which of `entries` are in one of the splits `parts`: bool (n,)."""
    return np.fromiter((part in parts for part in entries.column("part")), bool, len(entries))


def labelled_twice(entries: Columns[Entry], contents: np.ndarray) -> dict[int, set[str]]:
    """Return the class names of each content that has several, not counting the test set."""
    names, labels = entries.column("label"), _number_labels(entries)
    used = are_of(entries, (None, TRAIN, VALIDATION))
    lowest = np.full(len(entries), len(entries), np.int32)
    highest = np.full(len(entries), -1, np.int32)
    np.minimum.at(lowest, contents[used], labels[used])
    np.maximum.at(highest, contents[used], labels[used])
    classes = defaultdict(set)
    for place in np.flatnonzero(used & (lowest < highest)[contents]):
        classes[contents[place]].add(names[place])
    return classes


def hold_out(entries: Columns[Entry], contents: np.ndarray, seed: int) -> np.ndarray:
    """Choose the validation set by content numbers, bool (n,): the one in the lists, and 15% of
    each class of what no list splits."""
    held_out = np.zeros(len(entries), bool)
    held_out[contents[are_of(entries, (VALIDATION,))]] = True
    is_split = np.zeros(len(entries), bool)
    is_split[contents[are_of(entries, (TRAIN, VALIDATION))]] = True
    is_whole = are_of(entries, (None,)) & ~is_split[contents]
    labels = _number_labels(entries)
    for label in np.unique(labels[is_whole]):
        same_class = np.unique(contents[is_whole & (labels == label)])
        if len(same_class) > 1:  # a single one is reported later
            share = max(1, round(VALIDATION_SHARE * len(same_class)))
            # As scikit-learn's train_test_split, whose import takes a second.
            order = np.random.RandomState(seed).permutation(len(same_class))
            held_out[same_class[order[:share]]] = True
    return held_out


def _number_labels(entries: Columns[Entry]) -> np.ndarray:
    """Number the labels of `entries`: int32 (n,)."""
    names = entries.column("label")
    numbers = {name: number for number, name in enumerate(set(names))}
    return np.fromiter(map(numbers.get, names), np.int32, len(names))
