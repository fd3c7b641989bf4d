"""Places365, as in its lists: data_256/a/abbey, and validation pictures in one folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TRAIN, VALIDATION, Entry, Wanted
from alexnet_tf.data.sources.published import cells

NAME = "Places365"
LISTS = "**/categories_places365.txt", "**/places365_train_*.txt", "**/places365_val.txt"
MARKS = "data_*", "val_*", *LISTS


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read both lists of pictures and class numbers; the large or the small pictures."""
    names, train, validation = (next(folder.glob(mark)) for mark in LISTS)
    classes = {number: name.removeprefix("/") for name, number in cells(names)}
    for file, kind, part in ((train, MARKS[0], TRAIN), (validation, MARKS[1], VALIDATION)):
        place = next(folder.glob(kind))
        for picture, number in cells(file):
            yield Entry(f"{place}/{picture.removeprefix('/')}", classes[number], part)
