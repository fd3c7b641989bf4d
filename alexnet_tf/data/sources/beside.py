"""Tables beside folders of classes: splits of their pictures, and labels of other pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.headings import LABEL, NUMBER, role
from alexnet_tf.data.sources.manifest import TRAIN, Entry, Source
from alexnet_tf.data.sources.path_resolver import PathResolver, is_picture
from alexnet_tf.data.sources.rows import SAMPLE, cut, read_rows
from alexnet_tf.data.sources.split_names import part_named, part_of_file
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# The number of one of several published splits: train1.txt, Training_01.txt.
NUMBERED = re.compile(r"\D(\d\d?)$")


@dataclass(frozen=True)
class _Table:
    """A table that names pictures: the class of each, if any, and its split.

    That is the one in a column of splits, or else the one that the name of the table means.
    """

    path: Path
    part: str | None
    classes: dict[str, str | None]
    missing: list[str]
    parts: dict[str, str]

    def part_of(self, picture: str) -> str | None:
        return self.parts.get(picture, self.part)

    @property
    def number(self) -> int | None:
        match = NUMBERED.search(self.path.stem) if self.part else None
        return int(match[1]) if match else None


@dataclass(frozen=True)
class _Rows:
    """The rows of a table, and the picture that each names in the column `place`, if it exists."""

    path: Path
    place: int
    heads: list[str]
    rows: list[list[str]]
    pictures: list[str | None]
    parts: dict[str, str]

    @property
    def form(self) -> tuple[Path, int]:
        """What tables of the same kind share."""
        return self.path.parent, len(self.rows[0]) if self.rows else 0

    def numbers(self, labels: dict[str, str]) -> dict[float, str]:
        """Return number → class, if a column numbers the classes of pictures that have `labels`."""
        known = [(labels[p], row) for p, row in zip(self.pictures, self.rows) if p in labels]
        for column in range(self.form[1]):
            pairs = {(row[column], label) for label, row in known}
            labelled = {label for _, label in pairs}
            are_numbers = all(number.isdecimal() for number, _ in pairs)
            if are_numbers and 1 < len(dict(pairs)) == len(pairs) == len(labelled):
                return {float(number): label for number, label in pairs}
        return {}

    def labelled(self, class_of: Callable[[str], str | None]) -> _Table:
        """Read the class of each picture in the last column of nothing but classes, if any."""
        others = (c for c in range(self.form[1]) if c != self.place)
        columns = [c for c in others if all(class_of(row[c]) for row in self.rows)]
        columns.sort(key=lambda c: bool(self.heads) and role(self.heads[c]) == LABEL)
        classes = {
            picture: class_of(row[columns[-1]]) if columns else None
            for picture, row in zip(self.pictures, self.rows)
            if picture
        }
        missing = [row[self.place] for p, row in zip(self.pictures, self.rows) if not p]
        return _Table(self.path, part_of_file(self.path), classes, missing, self.parts)


def complete(
    found: Source, tables: Iterable[Path], root: Path, split: int | None
) -> tuple[Source, list[Path]]:
    """Split the pictures of `found` as `tables` say, and label those that lie in no class folder.

    All lie below `root`; of several published splits number `split` is taken. The labels of a table
    count if all of them are classes. Returns the tables that were used, too. Raises UserError if
    there is no such split.
    """
    finder = PathResolver(root / "table")
    read = [rows for path in tables if (rows := _read(path, finder))]
    labels = dict(zip(*map(found.entries.column, ("path", "label"))))
    numbers = {rows.form: learned for rows in read if (learned := rows.numbers(labels))}
    classes = {rows.form: _class_finder(found.classes, numbers.get(rows.form, {})) for rows in read}
    listed = [rows.labelled(classes[rows.form]) for rows in read]
    parts, notes = _parts(listed, {*found.entries.column("path")}, root, split)
    if any(entry.part for entry in found.entries):
        parts, notes = {}, []  # folders split them already
    others = _labelled(listed, found, root)
    if not parts and not others:
        return replace(found, notes=(*found.notes, *notes)), []
    rest = None if TRAIN in parts.values() else TRAIN
    entries = [replace(e, part=e.part or parts.get(e.path, rest)) for e in found.entries]
    unused = [(e.path, "is in none of the lists of the splits") for e in entries if not e.part]
    entries = [entry for entry in entries if entry.part] + list(others.values())
    if {entry.part for entry in entries} == {TRAIN}:
        entries = [replace(entry, part=None) for entry in entries]
    entries = manifest.validate_by_test(entries, "list", "the test set", notes)
    used = [
        table
        for table in listed
        if any(parts.get(p) == table.part_of(p) or p in others for p in table.classes)
    ]
    missing = {name: f"is named in {t.path}, and not there" for t in used for name in t.missing}
    paths = [table.path for table in used]
    rejected = [each for each in found.rejected if each[0] not in {*others, *map(str, paths)}]
    rejected += [*unused, *missing.items()]
    notes = [*found.notes, *notes]
    return manifest.align_to_classes(found.classes, entries, rejected, notes), paths


def _class_finder(classes: Sequence[str], learned: dict[float, str]) -> Callable[[str], str | None]:
    """Return a function from a cell to its class: a name, its number, or the cell's first word."""
    named = {float(name): name for name in classes if NUMBER.fullmatch(name) and "," not in name}
    numbers = learned | named
    names = dict(zip(classes, classes))

    def class_of(cell: str) -> str | None:
        number = numbers.get(float(cell)) if cell.isdecimal() else None
        return names.get(cell) or number or names.get(cell.split(" ")[0])

    return class_of


def _read(path: Path, finder: PathResolver) -> _Rows | None:
    """Read a table that mostly names pictures below the root; None for another file."""
    try:
        rows = [[cell.strip() for cell in row] for row in cut(path, finder)]
    except UserError:
        return None
    sample = rows[:: -(-len(rows) // SAMPLE) or 1]
    counts = [
        sum(bool(finder.anywhere(cell)) * (2 if is_picture(cell) else 1) for cell in column)
        for column in zip(*sample)
    ]
    place = counts.index(max(counts)) if counts else 0
    if not counts or sum(bool(finder.anywhere(row[place])) for row in sample) * 2 < len(sample):
        return None
    heads = [] if finder.anywhere(rows[0][place]) else rows.pop(0)
    pictures = [finder.anywhere(row[place]) for row in rows]
    return _Rows(path, place, heads, rows, pictures, _column_of_parts(path, finder))


def _column_of_parts(path: Path, finder: PathResolver) -> dict[str, str]:
    """Return the split of each picture by a column of the table, if it has one."""
    with suppress(UserError):
        rows = read_rows(path, finder, labelled=False).rows
        return {found: part for cell, _, part in rows if part and (found := finder.anywhere(cell))}
    return {}


def _parts(
    listed: Sequence[_Table], paths: set[str], root: Path, split: int | None
) -> tuple[dict[str, str], list[str]]:
    """Return the split of each picture, and notes."""
    listed = [t for t in listed if (t.part or t.parts) and paths & {*t.classes}]
    numbers = sorted({table.number for table in listed if table.number is not None})
    several = len(numbers) > 1 or split is not None
    if several and split is None:
        text = f"{printable(listed[0].path.parent)}: has splits {numbers[0]} to {numbers[-1]}; "
        return {}, [text + "none is used, but --split N takes one"]
    if several and split not in numbers:
        there = f"it has {', '.join(map(str, numbers))}" if numbers else "leave out --split"
        raise UserError(f"{root}: has no split {split}; {there}")
    chosen = [table for table in listed if not several or table.number == split]
    pairs = ((p, t.part_of(p)) for t in chosen for p in t.classes if p in paths)
    return {path: part for path, part in pairs if part}, []


def _labelled(listed: Sequence[_Table], found: Source, root: Path) -> dict[str, Entry]:
    """Label the pictures in no class folder, whose split is that of the table or of a folder."""
    outside = {path for path, _ in found.rejected}
    entries = {}
    for table in listed:
        for path, label in table.classes.items():
            folders = Path(path).relative_to(root).parts[:-1]
            part = table.part_of(path) or next(filter(None, map(part_named, folders)), None)
            if path in outside and label and part:
                entries[path] = Entry(path, label, part)
    return entries
