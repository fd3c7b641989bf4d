"""Oxford Flowers-102: classes and split in MATLAB's files, by the number of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Entry, Wanted
from alexnet_tf.data.sources.records import read_mat

NAME = "Oxford Flowers-102"
MARKS = "imagelabels.mat", "setid.mat", "jpg"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read the three sets of numbers, which count from 1."""
    labels, sets = (read_mat(folder / mark) for mark in MARKS[:2])
    for name, part in (("trnid", TRAIN), ("valid", VALIDATION), ("tstid", TEST)):
        for number in sets[name].tolist():
            label = labels["labels"][number - 1]
            yield Entry(f"{folder}/jpg/image_{number:05}.jpg", str(int(label)), part)
