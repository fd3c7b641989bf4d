"""Lists of labelled pictures: lines ``path label``, and tables (CSV) as Kaggle has them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from alexnet_tf.data.columns import Columns
from alexnet_tf.data.contents import is_file_of_its_own
from alexnet_tf.data.digests import DIGESTS, Listed, digests, read_digests
from alexnet_tf.data.entries import TEST, TRAIN, VALIDATION, Entry, Source, fitted, in_columns
from alexnet_tf.data.finder import Finder
from alexnet_tf.data.layouts import KAGGLE_NAME, WORD, part_named
from alexnet_tf.data.rows import SAMPLE, TABLES, read_rows
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

NUMBER, DIGITS = re.compile(r"[0-9]{1,9}"), re.compile(r"[0-9]+")
CLASSES = "classes.txt"
# What stands beside train.txt, the preferred one first.
BESIDE = {VALIDATION: ("val", "valid", "validation", "dev"), TEST: ("test", "testing")}


def read_lists(*files: Path) -> Source:
    """Read the lists `files`; of one alone those beside it, too: val.txt and test.txt of train.txt.

    What a part is for its name says. Paths are addresses, or relative to the working directory, to
    the folder of the list or to a folder in that, whichever has such files. Labels are names or
    numbers; the names of numbers are the lines of classes.txt beside the first list. Without a list
    to validate with nothing is split.
    """
    notes: list[str] = []
    parts, said_in = _parts(files), cache(Listed)
    lines = in_columns(
        line
        for file, part in parts.items()
        for line in _labelled(file, part, said_in(file.parent), notes)
    )
    split = VALIDATION in set(lines.column("part"))
    classes, names = _class_names(files[0], lines)
    if files[0].suffix.lower() in TABLES or not files[0].with_name(CLASSES).is_file():
        labels = zip(lines.column("label"), lines.column("part"))
        trained = {names[label] for label, part in labels if part == TRAIN}
        classes = [name for name in classes if name in trained]
    kept = {part: part if split or part == TEST else None for part in (TRAIN, VALIDATION, TEST)}
    rows = zip(*map(lines.column, ("path", "label", "part", "digest")))
    entries = (Entry(path, names[label], kept[part], said) for path, label, part, said in rows)
    return fitted(classes, entries, (), notes)


def find_lists(folder: Path) -> list[Path]:
    """Find a table, or a numbered list, in `folder` that labels pictures, and those like it.

    Numbers and words for parts of the data tell them apart: train-00.txt, train-01.txt, val-00.txt.
    """
    found = [path for path in sorted(folder.glob("*")) if _may_label(path) and path.is_file()]
    # Kaggle's sample_submission.csv has labels, too, but no true ones.
    true = [path for path in found if "submission" not in path.name.lower()]
    ordered = sorted(true, key=lambda path: part_named(path.stem) not in (TRAIN, None))
    first = next((path for path in ordered if _labels_pictures(path)), None)
    if first is None:
        return []
    if not DIGITS.search(first.stem):
        return [first]
    return [path for path in true if DIGITS.search(path.stem) and _kin(path) == _kin(first)]


def read_list(file: Path) -> list[tuple[str, str]]:
    """Read (path, label) of the lines of a list or table, the paths as they stand there.

    In ``path label`` the path may hold spaces, the label not. A line of headings is left out.
    Raises UserError for a line that is neither that nor empty.
    """
    return [(path, label) for path, label, _ in read_rows(file, Finder(file))]


def listed_contents(file: str | Path) -> set[str]:
    """Return the SHA-256 of each picture that a list or table names, as `read_list` reads it.

    They are in `DIGESTS` beside it, wherever the pictures lie now, or else computed. Of a picture
    that is in neither place it is the path. Raises UserError when the list cannot be read.
    """
    paths = [path for path, _ in read_list(Path(file))]
    known = read_digests(Path(file).with_name(DIGESTS))
    known |= digests(path for path in paths if path not in known)
    return {known[path] or path for path in paths}


def _parts(files: Sequence[Path]) -> dict[Path, str]:
    """Tell which part of the data each list has, those beside a list that is alone included."""
    if len(files) == 1:
        return {files[0]: TRAIN} | _beside(files[0])
    parts = {file: part_named(file.stem) or TRAIN for file in files}
    return parts if TRAIN in parts.values() else dict.fromkeys(files, TRAIN)


def _beside(file: Path) -> dict[Path, str]:
    """Find the lists to validate and test with beside the list `file`, unless it is one of them."""
    if any(file.stem in names for names in BESIDE.values()):
        return {}
    found = {
        part: next((p for name in names if (p := file.with_stem(name)).is_file()), None)
        for part, names in BESIDE.items()
    }
    return {path: part for part, path in found.items() if path}


def _may_label(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in TABLES or (suffix == ".txt" and bool(DIGITS.search(path.stem)))


def _kin(path: Path) -> str:
    """Return the name of a list without numbers and words for parts of the data."""
    return WORD.sub(lambda m: "" if part_named(m[0]) else m[0], DIGITS.sub("", path.name))


def _labelled(file: Path, part: str, said: Listed, notes: list[str]) -> Iterator[Entry]:
    """Read the lines of a list, with the labels that stand there; the paths are where files are.

    Of what is not read cheaply, the digests are `said`.
    """
    finder = Finder(file)
    rows = read_rows(file, finder)
    if part == TEST:
        try:
            rows = [*rows]
        except UserError:
            notes.append(f"{printable(file)} is no list of labelled pictures, and is left out")
            return
    for listed, label, name in rows:
        path = finder(listed)
        digest = "" if is_file_of_its_own(path) else said(listed)
        yield Entry(path, sys.intern(label), _part(name, part), digest)
    if finder.folder != Path("."):
        notes.append(f"the paths in {printable(file)} are relative to {printable(finder.folder)}/")


def _part(name: str | None, part: str) -> str:
    """Take the part of a line from its column, where a table has one, or else from the file."""
    return part_named(name) or part if name else part


def _labels_pictures(table: Path) -> bool:
    """Tell whether `table` can be read, and a picture that it names is there."""
    finder = Finder(table)
    try:
        return any(finder.finds(path) for path, _, _ in islice(read_rows(table, finder), SAMPLE))
    except UserError:
        return False


def _class_names(file: Path, lines: Columns[Entry]) -> tuple[list[str], dict[str, str]]:
    """Return the classes in order, and the name of each label in the `lines` of the lists.

    The names are in classes.txt beside the list, if there is one: labels are their numbers, from 0
    on, or the names. Otherwise the labels are the names, unless those of the files are Kaggle's. Of
    numbers the value counts: 00 is 0.
    """
    labels = set(lines.column("label"))
    classes = file.with_name(CLASSES)
    numeric = all(map(NUMBER.fullmatch, labels))
    if classes.is_file() and file.suffix.lower() not in TABLES:
        names = [name for name in read_lines(classes) if name]
        found = {str(index): name for index, name in enumerate(names)} if numeric else {}
        of = {label: found.get(_value(label)) if numeric else label for label in labels}
        unknown = sorted(label for label, name in of.items() if name not in names)
        if unknown:
            raise UserError(f"{classes}: has {len(names)} classes, but a label is '{unknown[0]}'")
        return names, of
    of = {label: label for label in sorted(labels)}
    if numeric:
        shortest = {_value(label): label for label in sorted(labels, key=len, reverse=True)}
        of = {label: shortest[_value(label)] for label in sorted(labels, key=int)}
    if len(set(of.values())) == 2:
        pairs = zip(lines.column("label"), lines.column("path"))
        kaggle = {(of[label], _kaggle_class(path)) for label, path in pairs}
        if len(kaggle) == 2 and {name for _, name in kaggle} == {"cat", "dog"}:
            of = {label: dict(kaggle)[name] for label, name in of.items()}
    return list(dict.fromkeys(of.values())), of


def _value(label: str) -> str:
    return str(int(label))


def _kaggle_class(path: str) -> str | None:
    match = KAGGLE_NAME.fullmatch(os.path.basename(path))
    return match[1].lower() if match else None
