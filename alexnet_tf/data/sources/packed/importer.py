"""Packed pictures, imported once into this program's own shards."""

from __future__ import annotations

import hashlib
import io
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO
from unicodedata import normalize

import numpy as np
from PIL import Image

from alexnet_tf.data.digests import digests
from alexnet_tf.data.images.records import AROUND, SUFFIX, record_path, to_example, to_records
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Entry, Source
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import atomic_write, read_lines, remove_leftovers, write_lines
from alexnet_tf.system.folders import made_once
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

# A list beside each shard: for each picture [name, class, byte of its record], or [name, "", why it
# is left out].
LIST = ".jsonl"
# The bytes that are written at once.
AT_ONCE = 4 << 20

# A picture: its name ("": none), its class ("": none), and its bytes, its pixels, uint8 (h, w) or
# (h, w, channels), or the reason why it is left out.
Record = tuple[str, str, bytes | np.ndarray | str]


@dataclass(frozen=True)
class Section:
    """The pictures of a split in `file`, `count` of them, which `read` yields."""

    file: Path
    part: str | None
    read: Callable[[], Iterator[Record]]
    count: float = math.inf


@dataclass(frozen=True)
class Contents:
    """All sections, the classes in their authors' order, if there is one, and their column."""

    sections: Sequence[Section]
    classes: Sequence[str] = ()
    label: str = ""


def part_of(file: Path) -> str | None:
    """Return the split that the name of `file` says, or else that of its folder."""
    return part_named(file.name) or part_named(file.parent.name)


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Raise UserError in place of the exceptions of reading the damaged `file`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # libraries may raise nearly anything
        raise UserError(
            f"{file}: cannot be read ({error}); if it is damaged or cut short, fetch it anew"
        ) from error


def import_once(name: str, files: Sequence[Path], contents: Contents, into: Path) -> Source:
    """Import `contents` of `files` into a folder below `into`, unless it is there, and read it.

    The folder includes `name` and a fingerprint of the files. A killed import resumes after the
    last whole shard. Raises UserError, and leaves nothing, if a file is damaged.
    """
    notes: list[str] = []
    sections = _settled(contents.sections, notes)
    key = repr((contents.label, [section.part for section in sections]))
    key += repr([*digests(map(str, files)).values()])
    folder = into / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    made_once(folder, partial(_import, sections), keep=True)
    rejected: list[tuple[str, str]] = []
    entries = manifest.entries_to_columns(_entries(folder, sections, rejected))
    tests = [printable(section.file) for section in contents.sections if section.part == TEST]
    has_validation = any(section.part == VALIDATION for section in contents.sections)
    if {*entries.column("part")} == {TRAIN}:  # a test set without labels
        entries = manifest.entries_to_columns(replace(entry, part=None) for entry in entries)
    elif tests and not has_validation and VALIDATION in entries.column("part"):
        notes.append(manifest.validated_by_test("part", f"the test set in {tests[0]}"))
    pairs = zip(entries.column("label"), entries.column("part"))
    trained = {label for label, part in pairs if part in (None, TRAIN)}
    classes = [name for name in contents.classes if name in trained]
    if len(classes) < len(trained):
        classes = sorted(trained, key=int if all(map(str.isdecimal, trained)) else None)
    notes.insert(0, f"{len(entries):,} pictures are imported into {printable(folder)}")
    return manifest.align_to_classes(classes, entries, rejected, notes)


def _settled(sections: Sequence[Section], notes: list[str]) -> list[Section]:
    """Return the sections that are used, and what for: None if the data is not split."""
    parts = {section.part for section in sections}
    if TRAIN not in parts or parts == {TRAIN}:
        return [replace(section, part=None) for section in sections]
    if unused := [printable(section.file) for section in sections if not section.part]:
        names = ", ".join(unused[: manifest.MOST_NAMES])
        notes.append(f"{names}: not used, for the name says no split, and those of others do")
    used = [section for section in sections if section.part]
    if VALIDATION in parts or TEST not in parts:
        return used
    return [replace(s, part=VALIDATION) if s.part == TEST else s for s in used]


def _import(sections: Sequence[Section], folder: Path) -> None:
    """Write the shards that are missing in `folder`, and a list of the pictures in each."""
    remove_leftovers(folder, ("*",))
    try:
        for shard, section in _shards(folder, sections):
            if not shard.is_file():  # which is there after its list
                with atomic_write(shard, 0) as temporary, open(temporary, "wb") as file:
                    write_lines(shard.with_suffix(LIST), _write(section, file))
    except UserError:
        shutil.rmtree(folder)
        raise


def _shards(folder: Path, sections: Sequence[Section]) -> Iterator[tuple[Path, Section]]:
    for number, section in enumerate(sections):
        yield folder / f"{section.part or 'all'}-{number:05}{SUFFIX}", section


def _write(section: Section, file: BinaryIO) -> Iterator[str]:
    """Write the pictures of `section`; yield the lines of their list."""
    place = written = 0
    waiting: list[bytes] = []
    records = progress(_read(section), section.count, f"importing {section.file.name}")
    for number, (name, label, content) in enumerate(records):
        name = (name if name.isprintable() else printable(name)).strip() or f"{number:06}"
        label = _class_name(label)
        if isinstance(content, str) or not label:
            reason = content if isinstance(content, str) else "has no label"
            yield json.dumps([name, "", reason]) + "\n"
            continue
        yield json.dumps([name, label, place]) + "\n"
        content = _png(content) if isinstance(content, np.ndarray) else content
        digest = hashlib.sha256(content).hexdigest()
        waiting.append(to_example(content, name, label, None, digest))
        place += len(waiting[-1]) + AROUND
        if place - written > AT_ONCE:
            file.writelines(to_records(waiting))
            waiting, written = [], place
    file.writelines(to_records(waiting))


@cache
def _class_name(label: str) -> str:
    return printable(normalize("NFC", " ".join(label.split())))


def _read(section: Section) -> Iterator[Record]:
    with explained(section.file):
        yield from section.read()


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "PNG")
    return file.getvalue()


def _entries(
    folder: Path, sections: Sequence[Section], rejected: list[tuple[str, str]]
) -> Iterator[Entry]:
    for shard, section in _shards(folder, sections):
        for name, label, place in map(json.loads, read_lines(shard.with_suffix(LIST))):
            if label:
                yield Entry(record_path(shard, place, name), label, section.part)
            else:
                rejected.append((f"{section.file}, {name}", place))
