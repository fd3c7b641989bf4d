"""Lists of labelled pictures: lines ``path label``, and tables (CSV) in Kaggle's style."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from pathlib import Path

import numpy as np

from alexnet_tf.data.digests import DIGESTS, Listed, digests, read_digests
from alexnet_tf.data.images.contents import is_file_of_its_own
from alexnet_tf.data.images.file_types import TABLES
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.columns import Columns
from alexnet_tf.data.sources.headings import NUMBER, is_missing, plain
from alexnet_tf.data.sources.layouts import kaggle_class
from alexnet_tf.data.sources.list_choice import parts_of
from alexnet_tf.data.sources.manifest import ANY, TEST, TRAIN, VALIDATION, Entry, Source, Wanted
from alexnet_tf.data.sources.path_resolver import BELOW, HERE, PathResolver
from alexnet_tf.data.sources.records import SEVERAL
from alexnet_tf.data.sources.rows import cut, read_rows
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

# The column of a table of label errors that grades their probability, and the grade of those that
# must be checked before they are left out.
GRADE, POSSIBLE = "grade", "possible"

# Class numbers, which are compared by value.
CLASS_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]+)?")
CLASSES = "classes.txt"
# What may join several labels in a cell, if its heading is one of these.
JOINING, PLURALS = (r"[,;]\s*", r"\s+"), {"labels", "tags", "classes", "categories"}
# Fractional labels are refused if the number of rows per distinct value is below this.
ROWS_OF_A_VALUE = 10


def read_lists(*files: Path, notes: Sequence[str] = (), wanted: Wanted = ANY) -> Source:
    """Read the lists `files`; of a single train.txt also val.txt and test.txt beside it.

    The name of a list determines its split. Paths are URLs, or relative to the folder of the list,
    the working directory or a folder beside the list, whichever has most of the files. Labels are
    names or numbers; the names of numbers are the lines of classes.txt beside the first list. Rows
    without a label are excluded. Without a validation list, nothing is split.
    """
    if wanted.split is not None:
        raise UserError(f"{files[0]}: has no split {wanted.split}; leave out --split")
    rejected: list[tuple[str, str]] = []
    called: list[str] = []
    notes = [*notes]
    parts, digests_in = parts_of(files, notes), cache(Listed)
    finders = {PathResolver(file, wanted=wanted): part for file, part in parts.items()}
    lines = manifest.entries_to_columns(
        line
        for finder, part in finders.items()
        for line in _read(finder, part, digests_in(finder.file.parent), notes, rejected, called)
    )
    lines = _without_duplicates(lines, notes)
    _check_are_classes(files[0], lines, called, wanted)
    split = VALIDATION in set(lines.column("part"))
    classes, names = _class_names(files[0], lines)
    if files[0].suffix.lower() in TABLES or not files[0].with_name(CLASSES).is_file():
        labels = zip(lines.column("label"), lines.column("part"))
        trained = {names[label] for label, part in labels if part == TRAIN}
        classes = [name for name in classes if name in trained]
    kept = {part: part if split or part == TEST else None for part in (TRAIN, VALIDATION, TEST)}
    rows = zip(*map(lines.column, ("path", "label", "part", "digest")))
    entries = (Entry(path, names[label], kept[part], digest) for path, label, part, digest in rows)
    return manifest.align_to_classes(classes, entries, rejected, notes)


def _read(
    finder: PathResolver,
    part: str,
    digest_of: Callable[[str], str],
    notes: list[str],
    rejected: list[tuple[str, str]],
    called: list[str],
) -> Iterator[Entry]:
    """Read the lines of a list, with labels as written and resolved paths.

    Pictures that are expensive to read get their digests from the file `DIGESTS`. Lines without a
    label are added to `rejected`.
    """
    file = finder.file
    try:
        found = read_rows(file, finder, lenient=True)
        rows = [*found.rows] if part == TEST else found.rows
    except UserError:
        if part != TEST:
            raise
        notes.append(f"{printable(file)} is no list of labelled pictures, and is left out")
        return
    called.append(found.called)
    for listed, label, own_part in rows:
        path, name = finder(listed), _class_name(label)
        if not name:
            rejected.append((path, f"has no label in {file}"))
        elif manifest.is_unfit(path):
            rejected.append((path, manifest.UNFIT))
        else:
            digest = "" if is_file_of_its_own(path) else digest_of(listed)
            yield Entry(path, name, own_part or part, digest)
    notes += found.notes
    if finder.folder not in (HERE, BELOW):
        notes.append(f"the paths in {printable(file)} are relative to {printable(finder.folder)}/")


@lru_cache(4096)
def _class_name(label: str) -> str:
    """Return the class name that a cell means; "" for none."""
    return "" if is_missing(label) else manifest.class_name(label)


def _without_duplicates(lines: Columns[Entry], notes: list[str]) -> Columns[Entry]:
    """Return `lines` without duplicates; add their number to `notes`."""
    rows = [lines.column(name) for name in ("path", "label", "part")]
    # Eight bytes a line, because there may be millions, with few duplicates.
    hashes = np.fromiter(map(hash, zip(*rows)), np.int64, len(lines))
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    if len(counts) == len(lines):
        return lines
    seen: set[tuple[str, ...]] = set()
    kept = manifest.entries_to_columns()
    for line, row, count in zip(lines, zip(*rows), counts[places]):
        if row not in seen:
            kept.append(line)
        if count > 1:
            seen.add(row)
    if len(kept) < len(lines):
        notes.append(f"lines that stand there before, and count once: {len(lines) - len(kept):,}")
    return kept


def _check_are_classes(
    file: Path, lines: Columns[Entry], called: Sequence[str], wanted: Wanted
) -> None:
    """Raise UserError if the labels are measurements: numbers with too many distinct values."""
    labels = set(lines.column("label"))
    if several := _several(labels, called, wanted):
        raise UserError(
            f"{file}: has several labels for a picture, such as '{printable(several)}'; this "
            "program learns one class for each picture: keep the rows with one label, or name "
            "the column to use with --label"
        )
    if not labels or not all(map(NUMBER.fullmatch, labels)):
        return
    numbers = {float(label.replace(",", ".")) for label in labels}
    whole = all(number.is_integer() for number in numbers)
    counted = whole and max(numbers) - min(numbers) < len(numbers)  # class numbers 0, 1, 2
    if not counted and len(labels) * (2 if whole else ROWS_OF_A_VALUE) > len(lines):
        name = f"the column '{printable(called[0])}'" if called and called[0] else "its labels"
        looks = "looks" if called and called[0] else "look"
        raise UserError(
            f"{file}: {name} {looks} like numbers, {len(labels)} different ones in {len(lines)} "
            "rows; this program learns classes: put them into a few groups, and name these"
        )


def _several(labels: set[str], called: Sequence[str], wanted: Wanted) -> str | None:
    """Return a label that joins several, one of which is in another label, too.

    Words and lists, unless the user wants the column, are such labels if each is a label of its
    own, or if the heading is a plural and there are fewer of them than of labels.
    """
    counts = Counter(piece for label in labels for piece in {*label.split(SEVERAL)})
    joined = [label for label in sorted(labels) if SEVERAL in label]
    joined = [label for label in joined if any(counts[p] > 1 for p in label.split(SEVERAL))]
    for separator in JOINING * (not wanted.label):
        split = {label: {*filter(None, re.split(separator, label))} for label in sorted(labels)}
        are_fewer = len({*chain(*split.values())}) < len(labels) and PLURALS & {*map(plain, called)}
        joined += [j for j, each in split.items() if len(each) > 1 and (are_fewer or each < labels)]
    return next(iter(joined), None)


def _class_names(file: Path, lines: Columns[Entry]) -> tuple[list[str], dict[str, str]]:
    """Return the classes in order, and the class name of each label in `lines`.

    Names are the lines of classes.txt beside the list, if it exists: labels are then their numbers,
    from 0 on, or the names. Otherwise the labels are the names, unless the files have Kaggle's
    names. Numbers are compared by value: 00 and 0.0 are 0.
    """
    labels = set(lines.column("label"))
    classes = file.with_name(CLASSES)
    numeric = all(map(CLASS_NUMBER.fullmatch, labels))
    if classes.is_file() and file.suffix.lower() not in TABLES:
        names = [unicodedata.normalize("NFC", name) for name in read_lines(classes) if name]
        found = {float(index): name for index, name in enumerate(names)} if numeric else {}
        of = {label: found.get(float(label), "") if numeric else label for label in labels}
        unknown = sorted(label for label, name in of.items() if name not in names)
        if unknown:
            raise UserError(f"{classes}: has {len(names)} classes, but a label is '{unknown[0]}'")
        return names, of
    of = {label: label for label in sorted(labels)}
    if numeric:
        ordered = sorted(labels, key=lambda label: (len(label), label), reverse=True)
        shortest = {float(label): label for label in ordered}
        of = {label: shortest[float(label)] for label in sorted(labels, key=float)}
    if len(set(of.values())) == 2:
        pairs = zip(lines.column("label"), lines.column("path"))
        kaggle = {(of[label], kaggle_class(path)) for label, path in pairs}
        if len(kaggle) == 2 and {name for _, name in kaggle} == {"cat", "dog"}:
            of = {label: dict(kaggle)[name] for label, name in of.items()}
    return list(dict.fromkeys(of.values())), of


def read_list(file: Path) -> list[tuple[str, str]]:
    """Read (path, label) of the lines of a list or table, with paths as written.

    In ``path label`` the path may contain spaces, the label may not. A heading line is skipped.
    Raises UserError for any other line that is not empty.
    """
    return [(path, label.strip()) for path, label, _ in read_rows(file, PathResolver(file)).rows]


def read_paths(file: str | Path, *others: Path) -> list[tuple[str, str]]:
    """Read the paths of a list or table, labelled or not: as written, and resolved.

    They may also be relative to one of the folders `others`.
    """
    finder = PathResolver(Path(file), *others)
    rows = read_rows(finder.file, finder, labelled=False).rows
    return [(path, finder(path)) for path, _, _ in rows]


def listed_contents(file: str | Path, *others: Path) -> dict[str, str]:
    """Return SHA-256 → name of each picture in a list or table.

    The digests are from `DIGESTS` beside it, wherever the pictures are now, or else computed; a
    picture found in neither way has its path instead. Paths may also be relative to one of the
    folders `others`. Rows with `POSSIBLE` in the column `GRADE` are skipped. Raises UserError if
    the list cannot be read.
    """
    recorded = read_digests(Path(file).with_name(DIGESTS))
    known = {_normalized(path): digest for path, digest in recorded.items()}
    possible = _possible(Path(file))
    paths = [
        (path, place, known.get(_normalized(path)))
        for path, place in read_paths(file, *others)
        if path not in possible
    ]
    found = digests(place for _, place, digest in paths if not digest)
    return {digest or found[place] or place: path for path, place, digest in paths}


def _possible(file: Path) -> set[str]:
    """Return the paths that a table of label errors grades as only possible."""
    rows = cut(file, PathResolver(file))
    heads = [*next(rows, ())]
    if not {"path", GRADE} <= {*heads}:
        return set()
    path, grade = heads.index("path"), heads.index(GRADE)
    return {row[path] for row in rows if row[grade] == POSSIBLE}


def _normalized(path: str) -> str:
    """Normalize a path to one spelling for all programs and systems."""
    return unicodedata.normalize("NFC", path.strip().replace("\\", "/"))
