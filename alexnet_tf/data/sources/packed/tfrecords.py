"""TFRecord files: of TensorFlow Datasets, with label.labels.txt beside, and of TF-Slim."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from alexnet_tf.data.images.contents import MAX_BYTES
from alexnet_tf.data.images.file_types import FORMATS, file_type_of
from alexnet_tf.data.images.records import BEFORE, CHECKSUM, LENGTH, MALFORMED, features_of
from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.packed.importer import AT_ONCE, Contents, Record, Section, part_of
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.system.crc32c import masked_crc32cs
from alexnet_tf.system.files import read_lines

FILES = r".+\.tfrec(ords?)?(-\d+-of-\d+)?(\.gz)?|.+-\d{5}-of-\d{5}"
# Names of features, in order of preference, and the suffix of a file with the names of classes.
PICTURES, LABELS = (
    ("image/encoded", "image"),
    ("image/class/text", "image/class/label", "label", "class"),
)
FILE_NAMES = ("image/filename", "file_name")
NAMES = ".labels.txt"


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Describe the records in `files`, by the first of each split."""
    first: dict[str, Any] = {}
    for file in {_part(file): file for file in files}.values():
        first |= next(filter(None, _examples(file)), {})
    picture = next((name for name in (*PICTURES, *first) if _is_picture(first.get(name))), None)
    column = next((name for name in ([label] if label else LABELS) if name in first), None)
    if picture is None or column is None:
        raise NoPictures(
            f"{files[0]}: its records hold no pictures with labels (image/encoded "
            f"and image/class/label; --label names another), but {', '.join(first) or 'nothing'}"
        )
    named = files[0].parent / f"{column}{NAMES}"
    classes = [*read_lines(named)] if named.is_file() else []
    read = (partial(_records, file, picture, column, classes) for file in files)
    sections = [Section(file, _part(file), each) for file, each in zip(files, read)]
    return Contents(sections, classes, column)


def _part(file: Path) -> str | None:
    """Return the split that the name of `file` says: NAME-train.tfrecord-00000-of-00001."""
    return part_named(file.name.partition(".tfrecord")[0].rpartition("-")[2]) or part_of(file)


def _is_picture(value: Any) -> bool:
    return isinstance(value, bytes) and file_type_of(value) in FORMATS


def _records(file: Path, picture: str, column: str, classes: Sequence[str]) -> Iterator[Record]:
    for example in _examples(file):
        if example is None:
            yield "", "", "is damaged, by its checksum"
            continue
        name = next((example[each] for each in FILE_NAMES if each in example), b"")
        label = example.get(column, b"")
        if isinstance(label, int):  # -1, which is none, is stored as 2^64 - 1
            named = dict(enumerate(classes)) if classes or label >> 63 else {label: str(label)}
            label = named.get(label, "").encode()
        yield (
            str(name, "utf-8", "replace"),
            str(label, "utf-8", "replace"),
            example.get(picture, b""),
        )


def _examples(file: Path) -> Iterator[dict[str, Any] | None]:
    """Yield the features of each record, None for a damaged one."""
    with (gzip.open if file.suffix == ".gz" else open)(file, "rb") as stream:
        while batch := _batch(stream):
            heads, contents = zip(*batch)
            lengths = [head[: LENGTH.size] for head in heads]
            sums = masked_crc32cs([*lengths, *(content[:-CHECKSUM] for content in contents)])
            for number, (head, content) in enumerate(batch):
                if sums[number] != int.from_bytes(head[LENGTH.size :], "little"):
                    raise ValueError("it is no TFRecord file, or a length in it is wrong")
                whole = sums[len(batch) + number] == int.from_bytes(content[-CHECKSUM:], "little")
                try:
                    yield features_of(memoryview(content)[:-CHECKSUM]) if whole else None
                except (KeyError, *MALFORMED):
                    yield None


def _batch(stream: Any) -> list[tuple[bytes, bytes]]:
    """Read some records: the head of each, and its content with its checksum."""
    batch: list[tuple[bytes, bytes]] = []
    size = 0
    while size < AT_ONCE and (head := stream.read(BEFORE)):
        length = int.from_bytes(head[: LENGTH.size], "little")
        if length > MAX_BYTES:
            raise ValueError("it is no TFRecord file, or a length in it is wrong")
        content = stream.read(length + CHECKSUM)
        if len(content) < length + CHECKSUM:
            raise EOFError("it ends within a record")
        batch.append((head, content))
        size += length
    return batch
