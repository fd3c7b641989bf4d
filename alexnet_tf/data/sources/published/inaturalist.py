"""iNaturalist 2017 and 2018, and others of FGVC's contests: images and categories in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TRAIN, VALIDATION, Entry, Wanted
from alexnet_tf.data.sources.records import read_labelled_images

NAME = "iNaturalist"
MARKS = "train20*.json", "val20*.json", "train_val*"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read both files, whose paths begin in `folder`."""
    for mark, part in ((MARKS[0], TRAIN), (MARKS[1], VALIDATION)):
        for row in read_labelled_images(next(folder.glob(mark))):
            yield Entry(f"{folder}/{row['file_name']}", str(row["label"]), part)
