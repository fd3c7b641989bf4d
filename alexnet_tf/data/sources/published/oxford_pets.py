"""Oxford-IIIT Pet: breeds by the names of the pictures; trainval.txt and test.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, Entry, Wanted
from alexnet_tf.data.sources.published import cells

NAME = "Oxford-IIIT Pet"
MARKS = "annotations/trainval.txt", "annotations/test.txt", "images"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read both lists; the pictures to validate with are drawn from trainval.txt."""
    for name, part in (("trainval", None), ("test", TEST)):
        for picture, *_ in cells(folder / "annotations" / f"{name}.txt"):
            yield Entry(f"{folder}/images/{picture}.jpg", picture.rpartition("_")[0], part)
