"""Stanford Cars, all pictures in one folder, as cars_annos.mat lists them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, Entry, Wanted
from alexnet_tf.data.sources.records import read_mat

NAME = "Stanford Cars"
MARKS = "cars_annos.mat", "car_ims"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read the one list, which tells the test set."""
    content = read_mat(folder / MARKS[0])
    names = content["class_names"].tolist()
    for row in content["annotations"]:
        label = names[int(row["class"]) - 1]
        yield Entry(f"{folder}/{row['relative_im_path']}", label, TEST if row["test"] else TRAIN)
