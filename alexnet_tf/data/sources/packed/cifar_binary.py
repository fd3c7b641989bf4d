"""CIFAR's binary version: for each picture a byte for a label, or two, and its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from alexnet_tf.data.sources.manifest import TEST, TRAIN
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines

FILES = r"(data_batch_\d|test_batch|train|test)\.bin"
# A picture (cs.toronto.edu/~kriz/cifar.html), and the names of its labels, in the order of the
# bytes; the last are learned.
SHAPE = (3, 32, 32)
NAMES = (("batches.meta.txt",), ("coarse_label_names.txt", "fine_label_names.txt"))


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Describe the pictures in `files`; None if the names of CIFAR's classes are not beside."""
    folder = files[0].parent
    names = next((n for n in NAMES if all((folder / name).is_file() for name in n)), ())
    if not names:
        return None
    place = next((n for n, name in enumerate(names) if name.startswith(label or "fine")), None)
    if label and place is None:
        raise UserError(f"{folder}: has no labels called {label}; CIFAR-100 has fine and coarse")
    place = place or 0
    classes = [*filter(None, read_lines(folder / names[place]))]
    sections = [
        Section(
            file,
            TEST if file.name.startswith("test") else TRAIN,
            partial(_records, file, len(names), place, classes),
        )
        for file in files
    ]
    return Contents(sections, classes, label or "")


def _records(file: Path, labels: int, place: int, classes: Sequence[str]) -> Iterator[Record]:
    size = labels + math.prod(SHAPE)
    with open(file, "rb") as content:
        for number, record in enumerate(iter(partial(content.read, size), b"")):
            if len(record) < size:
                raise EOFError(f"it ends within picture {number:,}")
            pixels = np.frombuffer(record, np.uint8, offset=labels).reshape(SHAPE)
            yield f"{number:05}.png", classes[record[place]], pixels.transpose(1, 2, 0)
