"""Stanford Cars: lists of pictures and classes in MATLAB's files, for each part."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, Entry, Wanted
from alexnet_tf.data.sources.records import read_mat

NAME = "Stanford Cars"
MARKS = "devkit/cars_meta.mat", "devkit/cars_train_annos.mat", "cars_train"


def read(folder: Path, wanted: Wanted) -> Iterator[Entry]:
    """Read both parts; the labels of the test set are a download of their own."""
    names = read_mat(folder / MARKS[0])["class_names"].tolist()
    tests = folder.glob("**/cars_test_annos_withlabels*.mat")
    lists = [("cars_train", folder / MARKS[1], TRAIN), *(("cars_test", t, TEST) for t in tests)]
    for pictures, file, part in lists[:2]:
        for row in read_mat(file)["annotations"]:
            label = names[int(row["class"]) - 1]
            yield Entry(f"{folder}/{pictures}/{row['fname']}", label, part)
