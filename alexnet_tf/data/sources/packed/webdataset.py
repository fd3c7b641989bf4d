"""WebDataset: tars of samples, such as 000123.jpg beside 000123.cls or 000123.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from tarfile import TarInfo
from typing import IO

from alexnet_tf.data.images.contents import MAX_BYTES
from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.sources.headings import LABELS
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section, part_of
from alexnet_tf.data.sources.records import flat
from alexnet_tf.data.sources.tar_archives import open_tar
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, check_size
from alexnet_tf.system.files import read_lines

FILES = r".+\.(tar|tgz|tar\.gz)"
CLASS, NAMES = ("cls", "json", "class", "label", "cls.txt"), ("classes.txt", "classnames.txt")
# The most files of a sample.
FEW = 5


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Describe the samples in `files`; None if the first is a tar of something else."""
    if not _has_samples(files[0], label):
        return None
    named = (folder / name for folder in files[0].parents[:2] for name in NAMES)
    classes = [line for path in named if path.is_file() for line in read_lines(path)]
    read = (partial(_records, file, label, classes) for file in files)
    sections = [Section(file, part_of(file), each) for file, each in zip(files, read)]
    return Contents(sections, classes, label or "")


def _has_samples(file: Path, label: str | None) -> bool:
    suffixes: dict[str, set[str]] = {}
    for member, _ in islice(_checked(file), FEW):
        key, _, suffix = member.name.partition(".")
        suffixes.setdefault(key, set()).add(suffix)
    return any(each & {*CLASS, label} and any(map(_is_picture, each)) for each in suffixes.values())


def _is_picture(suffix: str) -> bool:
    return f".{suffix.rpartition('.')[2].lower()}" in SUFFIXES


def _records(file: Path, label: str | None, classes: Sequence[str]) -> Iterator[Record]:
    for key, members in groupby(_members(file), itemgetter(0)):
        sample = {suffix: content for _, suffix, content in members}
        picture = next(filter(_is_picture, sample), None)
        if picture is None:
            yield key, "", "has no picture"
            continue
        try:
            name = _label(sample, label)
            name = classes[int(name)] if classes and name.isdecimal() else name
            yield f"{key}.{picture}", name, sample[picture]
        except (LookupError, ValueError, RecursionError):
            yield f"{key}.{picture}", "", "has a label that cannot be read"


def _members(file: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield the sample, the suffix and the content of each file in a tar."""
    for member, content in _checked(file):
        folder, slash, name = member.name.rpartition("/")
        key, _, suffix = name.partition(".")
        if content and member.size <= MAX_BYTES:
            yield folder + slash + key, suffix, content.read()


def _checked(file: Path) -> Iterator[tuple[TarInfo, IO[bytes] | None]]:
    """Yield the members of a tar; UserError if they promise too much."""
    promised = 0
    with open_tar(file) as members:
        for member, content in members:
            promised += member.size
            check_size(file, promised, DEFAULT_LIMITS)
            yield member, content


def _label(sample: dict[str, bytes], label: str | None) -> str:
    """Return the label of a sample: .cls, or what .json has under `label` or the usual names."""
    cells = flat(json.loads(sample["json"])) if "json" in sample else {}
    names = [label] if label else [*CLASS, *LABELS]
    cells |= {name: sample[name].decode() for name in names if name in sample and name != "json"}
    return next((cells[name].strip() for name in names if name in cells), "")
