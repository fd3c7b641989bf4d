"""FGVC-Aircraft: lists of number and variant, or family, or manufacturer, for each part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Entry, Wanted
from alexnet_tf.data.sources.published import cells

NAME = "FGVC-Aircraft"
MARKS = "data/images_*_train.txt", "data/images_*_val.txt", "data/images_*_test.txt", "data/images"

LABELS = "variant", "family", "manufacturer"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read the three lists of the level that is wanted: variant, family or manufacturer."""
    for name, part in (("train", TRAIN), ("val", VALIDATION), ("test", TEST)):
        file = folder / "data" / f"images_{wanted.label or LABELS[0]}_{name}.txt"
        for number, *words in cells(file):
            yield Entry(f"{folder}/data/images/{number}.jpg", " ".join(words), part)
