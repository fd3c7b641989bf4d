"""CUB-200-2011 and NABirds: tables of numbered pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, Entry, Wanted
from alexnet_tf.data.sources.published import cells

NAME = "CUB-200-2011 or NABirds"
MARKS = "images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Join the four tables by the number of the picture."""
    files, labels, trained, names = (
        {number: " ".join(rest) for number, *rest in cells(folder / mark)} for mark in MARKS
    )
    for number, file in files.items():
        part = TRAIN if trained[number] == "1" else TEST
        yield Entry(f"{folder}/images/{file}", names[labels[number]], part)
