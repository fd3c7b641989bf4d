"""Lists of labelled pictures: lines ``path label``, and tables (CSV) as Kaggle has them."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from alexnet_tf.data.digests import DIGESTS, Listed, digests, read_digests
from alexnet_tf.data.images.contents import is_file_of_its_own
from alexnet_tf.data.sources.columns import Columns
from alexnet_tf.data.sources.headings import NUMBER, is_missing
from alexnet_tf.data.sources.layouts import KAGGLE_NAME
from alexnet_tf.data.sources.manifest import (
    TEST,
    TRAIN,
    VALIDATION,
    Entry,
    Source,
    align_to_classes,
    entries_to_columns,
)
from alexnet_tf.data.sources.path_resolver import HERE, PathResolver
from alexnet_tf.data.sources.rows import SAMPLE, TABLES, read_rows
from alexnet_tf.data.sources.split_names import kin, part_named, preference
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import is_printable, printable

# The column of a table of label errors that says how probable each is, and what it calls those that
# are not to be left out unseen.
GRADE, POSSIBLE = "grade", "possible"

# Numbers of classes, which count by their values; and what else looks like a number.
CLASS_NUMBER, DIGITS = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]+)?"), re.compile(r"[0-9]+")
CLASSES = "classes.txt"
# Numbers with a fraction are no classes where there is a value for each so many rows, or more.
ROWS_OF_A_VALUE = 10
UNPRINTABLE = "has a name that no line of text can hold"


def read_lists(*files: Path, notes: Sequence[str] = ()) -> Source:
    """Read the lists `files`; of one alone those beside it, too: val.txt and test.txt of train.txt.

    What a part is for its name says. Paths are addresses, or relative to the folder of the list, to
    the working directory or to a folder beside the list, whichever has most of the files. Labels
    are names or numbers; the names of numbers are the lines of classes.txt beside the first list.
    Rows without a label are left out. Without a list to validate with nothing is split.
    """
    notes, rejected, called = [*notes], [], []
    parts, said_in = _parts(files), cache(Listed)
    lines = entries_to_columns(
        line
        for file, part in parts.items()
        for line in _labelled(file, part, said_in(file.parent), notes, rejected, called)
    )
    lines = _once(lines, notes)
    _check_not_measured(files[0], lines, called)
    split = VALIDATION in set(lines.column("part"))
    classes, names = _class_names(files[0], lines)
    if files[0].suffix.lower() in TABLES or not files[0].with_name(CLASSES).is_file():
        labels = zip(lines.column("label"), lines.column("part"))
        trained = {names[label] for label, part in labels if part == TRAIN}
        classes = [name for name in classes if name in trained]
    kept = {part: part if split or part == TEST else None for part in (TRAIN, VALIDATION, TEST)}
    rows = zip(*map(lines.column, ("path", "label", "part", "digest")))
    entries = (Entry(path, names[label], kept[part], said) for path, label, part, said in rows)
    return align_to_classes(classes, entries, rejected, notes)


def find_tables(folder: Path) -> dict[Path, tuple[str, ...] | UserError]:
    """Find the tables and lists in `folder` that name pictures which are there.

    Their headings stand beside them, or, where they tell no labels, the sentence about what they
    lack.
    """
    # Kaggle's sample_submission.csv has labels, too, but no true ones.
    names = sorted(name for name in os.listdir(folder) if "submission" not in name.lower())
    files = (folder / name for name in names if _may_label(name))
    return {file: found for file in files if file.is_file() and (found := _heads(file))}


def choose_lists(
    tables: dict[Path, tuple[str, ...] | UserError],
) -> tuple[list[Path], list[str]]:
    """Choose among the tables that lie in a folder; return also what is to be said of them.

    There is one, or one for each part of the data, as their names say; or several of one part that
    are numbered, or agree in their columns and share no picture. Raises UserError with the question
    where others lie there, or with what the tables lack.
    """
    heads = {table: found for table, found in tables.items() if isinstance(found, tuple)}
    if not heads:
        raise next(iter(tables.values()))
    groups = defaultdict(list)
    for path in heads:
        groups[part_named(path.stem)].append(path)
    unused = groups.pop(None, []) if TRAIN in groups else []
    if TRAIN not in groups:
        groups[TRAIN] = groups.pop(None, None) or groups.pop(TEST, []) + groups.pop(VALIDATION, [])
    notes = [f"{printable(path)}, which labels pictures too, is not used" for path in unused]
    chosen = [
        path
        for part in (TRAIN, VALIDATION, TEST)
        for path in _of_one_part(groups[part], heads, part, notes)
    ]
    return chosen, notes


def _once(lines: Columns[Entry], notes: list[str]) -> Columns[Entry]:
    """Return `lines` without those that stand there before; note how many these are."""
    rows = [lines.column(name) for name in ("path", "label", "part")]
    # Eight bytes a line, for there may be millions, and few of them twice.
    hashes = np.fromiter(map(hash, zip(*rows)), np.int64, len(lines))
    _, places, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    repeated = counts[places] > 1
    if not repeated.any():
        return lines
    seen: set[tuple[str, ...]] = set()
    kept = entries_to_columns()
    for line, row, is_repeated in zip(lines, zip(*rows), repeated):
        if row not in seen:
            kept.append(line)
        if is_repeated:
            seen.add(row)
    if len(kept) < len(lines):
        notes.append(f"lines that stand there before, and count once: {len(lines) - len(kept):,}")
    return kept


def read_list(file: Path) -> list[tuple[str, str]]:
    """Read (path, label) of the lines of a list or table, the paths as they stand there.

    In ``path label`` the path may hold spaces, the label not. A line of headings is left out.
    Raises UserError for a line that is neither that nor empty.
    """
    return [(path, label.strip()) for path, label, _ in read_rows(file, PathResolver(file)).rows]


def read_paths(file: str | Path, *others: Path) -> list[tuple[str, str]]:
    """Read the paths of a list or table, which need no labels: as they stand there, and where.

    They may also be relative to one of the folders `others`.
    """
    finder = PathResolver(Path(file), *others)
    rows = read_rows(finder.file, finder, labelled=False).rows
    return [(path, finder(path)) for path, _, _ in rows]


def listed_contents(file: str | Path, *others: Path) -> dict[str, str]:
    """Return what each picture that a list or table names holds, its SHA-256 → its name there.

    The digests are in `DIGESTS` beside it, wherever the pictures lie now, or else computed; of a
    picture that is in neither place it is the path. Paths may be relative to one of the folders
    `others`, too. Those of a table whose column `GRADE` says `POSSIBLE` are not meant. Raises
    UserError when the list cannot be read.
    """
    said = read_digests(Path(file).with_name(DIGESTS))
    known = {_spelled(path): digest for path, digest in said.items()}
    possible = _possible(Path(file))
    paths = [
        (path, place, known.get(_spelled(path)))
        for path, place in read_paths(file, *others)
        if path not in possible
    ]
    found = digests(place for _, place, digest in paths if not digest)
    return {digest or found[place] or place: path for path, place, digest in paths}


def _possible(file: Path) -> set[str]:
    """Return the paths that a table of label errors calls no more than possible."""
    lines = iter(read_lines(file))
    heads = next(lines, "")
    delimiter = next((each for each in ",;\t" if each in heads), ",")
    rows = csv.DictReader([heads, *lines], delimiter=delimiter)
    if not {"path", GRADE} <= {*(rows.fieldnames or ())}:
        return set()
    return {row["path"] for row in rows if row[GRADE] == POSSIBLE}


def _spelled(path: str) -> str:
    """Spell a path as all programs and systems might have."""
    return unicodedata.normalize("NFC", path.strip().replace("\\", "/"))


def _parts(files: Sequence[Path]) -> dict[Path, str]:
    """Tell which part of the data each list has, those beside a list that is alone included."""
    if len(files) == 1:
        return {files[0]: TRAIN} | _beside(files[0])
    parts = {file: part_named(file.stem) or TRAIN for file in files}
    return parts if TRAIN in parts.values() else dict.fromkeys(files, TRAIN)


def _beside(file: Path) -> dict[Path, str]:
    """Find the lists to validate and test with beside the list `file`, unless it is one of them.

    Their names are that of `file` but for the part; without a part in it, they are just a part's.
    """
    if part_named(file.stem) in (VALIDATION, TEST) or not file.parent.is_dir():
        return {}
    like = _likeness(file) if part_named(file.stem) else ((), [], file.suffix.lower())
    names = [name for name in os.listdir(file.parent) if name.lower().endswith(like[2])]
    paths = [path for path in map(file.parent.joinpath, names) if _likeness(path) == like]
    found: dict[Path, str] = {}
    for path in sorted(paths, key=lambda path: part_named(path.stem) and preference(path.stem)):
        part = part_named(path.stem)
        if part in (VALIDATION, TEST) and part not in found.values() and path.is_file():
            found[path] = part
    return found


def _likeness(path: Path) -> tuple[tuple[str, ...], list[str], str]:
    """Return what the names of the lists of one data set have in common."""
    return kin(path.stem), DIGITS.findall(path.stem), path.suffix.lower()


def _may_label(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    suffix = suffix.lower()
    return suffix in TABLES or (suffix == ".txt" and bool(DIGITS.search(stem) or part_named(stem)))


def _heads(table: Path) -> tuple[str, ...] | UserError | None:
    """Return the headings of a table that labels pictures which are there; None of another one.

    Where it is about pictures, and is not understood all the same, it is the error.
    """
    finder = PathResolver(table)
    try:
        rows = read_rows(table, finder)
        found = any(finder.finds(path) for path, _, _ in islice(rows.rows, SAMPLE))
        return rows.heads if found else None
    except UserError as error:
        problem = error
    try:
        rows = read_rows(table, finder, labelled=False)
        found = any(finder.finds(path) for path, _, _ in islice(rows.rows, SAMPLE))
    except UserError:
        found = False
    return problem if found else None


def _of_one_part(
    paths: list[Path], heads: dict[Path, tuple[str, ...]], part: str, notes: list[str]
) -> list[Path]:
    """Choose among tables for one part of the data: all that belong together."""
    if len(paths) < 2:
        return paths
    if part != TRAIN and len({preference(path.stem) for path in paths}) > 1:
        first = min(preference(path.stem) for path in paths)
        paths = [path for path in paths if preference(path.stem) == first]
    numbered = all(DIGITS.search(path.stem) for path in paths)
    if numbered and len({kin(path.stem) for path in paths}) == 1:
        return paths
    names = " and ".join(printable(path) for path in paths)
    if len({heads[path] for path in paths}) == 1 and not _share_pictures(paths):
        notes.append(f"{names} are taken together, for they have the same columns")
        return paths
    raise UserError(
        f"{paths[0].parent}: has several tables that label pictures, {names}; which one is meant? "
        "Name it in place of the folder. All of them are taken if they have the same columns and "
        "no picture is in two"
    )


def _share_pictures(tables: Sequence[Path]) -> bool:
    pictures: set[str] = set()
    for table in tables:
        finder = PathResolver(table)
        named = {finder(path) for path, _, _ in read_rows(table, finder).rows}
        if named & pictures:
            return True
        pictures |= named
    return False


def _labelled(
    file: Path,
    part: str,
    said: Callable[[str], str],
    notes: list[str],
    rejected: list[tuple[str, str]],
    called: list[str],
) -> Iterator[Entry]:
    """Read the lines of a list, with the labels that stand there; the paths are where files are.

    Of what is not read cheaply, the digests are `said`. Lines without a label are `rejected`.
    """
    finder = PathResolver(file)
    try:
        found = read_rows(file, finder)
        rows = [*found.rows] if part == TEST else found.rows
    except UserError:
        if part != TEST:
            raise
        notes.append(f"{printable(file)} is no list of labelled pictures, and is left out")
        return
    called.append(found.called)
    spelled: dict[str, str] = {}
    for listed, label, own_part in rows:
        path = finder(listed)
        name = spelled.get(label)
        if name is None:
            name = spelled[label] = "" if is_missing(label) else _class_name(label)
        if not name:
            rejected.append((path, f"has no label in {file}"))
        elif not is_printable(path) or path[-1].isspace():
            rejected.append((path, UNPRINTABLE))
        else:
            digest = "" if is_file_of_its_own(path) else said(listed)
            yield Entry(path, name, own_part or part, digest)
    notes += found.notes
    if finder.folder != HERE:
        notes.append(f"the paths in {printable(file)} are relative to {printable(finder.folder)}/")


def _class_name(label: str) -> str:
    """Return a label as the name of a class, which is one line, in the Unicode form NFC."""
    name = label.strip()
    return unicodedata.normalize("NFC", name if name.isprintable() else " ".join(name.split()))


def _check_not_measured(file: Path, lines: Columns[Entry], called: Sequence[str]) -> None:
    """Raise UserError where the labels are measured numbers, nearly as many as there are rows."""
    labels = set(lines.column("label"))
    if not labels or not all(map(NUMBER.fullmatch, labels)):
        return
    numbers = {float(label.replace(",", ".")) for label in labels}
    whole = all(number.is_integer() for number in numbers)
    counted = whole and max(numbers) - min(numbers) < len(numbers)  # 0, 1, 2: those of classes
    if not counted and len(labels) * (2 if whole else ROWS_OF_A_VALUE) > len(lines):
        name = f"the column '{printable(called[0])}'" if called and called[0] else "its labels"
        looks = "looks" if called and called[0] else "look"
        raise UserError(
            f"{file}: {name} {looks} like numbers, {len(labels)} different ones in {len(lines)} "
            "rows; this program learns classes: put them into a few groups, and name these"
        )


def _class_names(file: Path, lines: Columns[Entry]) -> tuple[list[str], dict[str, str]]:
    """Return the classes in order, and the name of each label in the `lines` of the lists.

    The names are in classes.txt beside the list, if there is one: labels are their numbers, from 0
    on, or the names. Otherwise the labels are the names, unless those of the files are Kaggle's. Of
    numbers the value counts: 00 and 0.0 are 0.
    """
    labels = set(lines.column("label"))
    classes = file.with_name(CLASSES)
    numeric = all(map(CLASS_NUMBER.fullmatch, labels))
    if classes.is_file() and file.suffix.lower() not in TABLES:
        names = [unicodedata.normalize("NFC", name) for name in read_lines(classes) if name]
        found = {float(index): name for index, name in enumerate(names)} if numeric else {}
        of = {label: found.get(float(label)) if numeric else label for label in labels}
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
        kaggle = {(of[label], _kaggle_class(path)) for label, path in pairs}
        if len(kaggle) == 2 and {name for _, name in kaggle} == {"cat", "dog"}:
            of = {label: dict(kaggle)[name] for label, name in of.items()}
    return list(dict.fromkeys(of.values())), of


def _kaggle_class(path: str) -> str | None:
    match = KAGGLE_NAME.fullmatch(os.path.basename(path))
    return match[1].lower() if match else None
