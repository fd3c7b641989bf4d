"""Lists of labelled pictures: lines ``path label``, and tables (CSV) in Kaggle's style."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from alexnet_tf.data.digests import DIGESTS, Listed, digests, read_digests
from alexnet_tf.data.images.contents import is_file_of_its_own
from alexnet_tf.data.sources.columns import Columns
from alexnet_tf.data.sources.headings import NUMBER, is_missing
from alexnet_tf.data.sources.layouts import KAGGLE_NAME, validated_by_test
from alexnet_tf.data.sources.manifest import (
    ANY,
    TEST,
    TRAIN,
    VALIDATION,
    Entry,
    NoLabels,
    Source,
    Wanted,
    align_to_classes,
    entries_to_columns,
)
from alexnet_tf.data.sources.path_resolver import BELOW, HERE, PathResolver
from alexnet_tf.data.sources.records import SEVERAL, has_records
from alexnet_tf.data.sources.rows import SAMPLE, TABLES, read_rows
from alexnet_tf.data.sources.split_names import kin, part_named, preference
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import is_printable, printable

# The column of a table of label errors that grades their probability, and the grade of those that
# must be checked before they are left out.
GRADE, POSSIBLE = "grade", "possible"

# Class numbers, which are compared by value; and the numbers in the names of lists.
CLASS_NUMBER, DIGITS = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]+)?"), re.compile(r"[0-9]+")
CLASSES = "classes.txt"
# Fractional labels are refused if the number of rows per distinct value is below this.
ROWS_OF_A_VALUE = 10
UNPRINTABLE = "has a name that no line of text can hold"


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
    parts, digests_in = _parts(files, notes), cache(Listed)
    finders = {file: PathResolver(file, wanted=wanted) for file in parts}
    lines = entries_to_columns(
        line
        for file, part in parts.items()
        for line in _labelled(finders[file], part, digests_in(file.parent), notes, rejected, called)
    )
    lines = _without_duplicates(lines, notes)
    _check_are_classes(files[0], lines, called)
    split = VALIDATION in set(lines.column("part"))
    classes, names = _class_names(files[0], lines)
    if files[0].suffix.lower() in TABLES or not files[0].with_name(CLASSES).is_file():
        labels = zip(lines.column("label"), lines.column("part"))
        trained = {names[label] for label, part in labels if part == TRAIN}
        classes = [name for name in classes if name in trained]
    kept = {part: part if split or part == TEST else None for part in (TRAIN, VALIDATION, TEST)}
    rows = zip(*map(lines.column, ("path", "label", "part", "digest")))
    entries = (Entry(path, names[label], kept[part], digest) for path, label, part, digest in rows)
    return align_to_classes(classes, entries, rejected, notes)


def find_tables(folder: Path, wanted: Wanted = ANY) -> dict[Path, tuple[str, ...] | UserError]:
    """Find the tables and lists in `folder` that name existing pictures.

    Returns the headings of each or, if it has no labels, the error that says what is missing.
    """
    # Kaggle's sample_submission.csv has labels, but not the true ones.
    names = sorted(name for name in os.listdir(folder) if "submission" not in name.lower())
    files = (folder / name for name in names if _may_label(name))
    return {file: found for file in files if file.is_file() and (found := _heads(file, wanted))}


def choose_lists(
    tables: dict[Path, tuple[str, ...] | UserError],
) -> tuple[list[Path], list[str]]:
    """Choose among the tables in a folder; return the chosen ones, and notes for the user.

    The result is one table, or one for each split, by name; or several of one split if they are
    numbered, or have the same columns and share no picture. Raises UserError with a question about
    other tables, or with the error of the only ones.
    """
    heads = {table: found for table, found in tables.items() if isinstance(found, tuple)}
    if not heads:
        raise next(found for found in tables.values() if isinstance(found, UserError))
    groups: defaultdict[str | None, list[Path]] = defaultdict(list)
    for path in heads:
        groups[_part_of(path)].append(path)
    unused = groups.pop(None, []) if TRAIN in groups else []
    if TRAIN not in groups:
        groups[TRAIN] = groups.pop(None, []) or groups.pop(TEST, []) + groups.pop(VALIDATION, [])
    notes = [f"{printable(path)}, which labels pictures too, is not used" for path in unused]
    chosen = [
        path
        for part in (TRAIN, VALIDATION, TEST)
        for path in _choose_of_split(groups[part], heads, part, notes)
    ]
    return chosen, notes


def _without_duplicates(lines: Columns[Entry], notes: list[str]) -> Columns[Entry]:
    """Return `lines` without duplicates; add their number to `notes`."""
    rows = [lines.column(name) for name in ("path", "label", "part")]
    # Eight bytes a line, because there may be millions, with few duplicates.
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
    lines = iter(read_lines(file))
    heads = next(lines, "")
    delimiter = next((each for each in ",;\t" if each in heads), ",")
    rows = csv.DictReader([heads, *lines], delimiter=delimiter)
    if not {"path", GRADE} <= {*(rows.fieldnames or ())}:
        return set()
    return {row["path"] for row in rows if row[GRADE] == POSSIBLE}


def _normalized(path: str) -> str:
    """Normalize a path to one spelling for all programs and systems."""
    return unicodedata.normalize("NFC", path.strip().replace("\\", "/"))


def _part_of(file: Path) -> str | None:
    """Return the split that the name of a list means, or else that of its folder."""
    return part_named(file.stem) or part_named(file.parent.name)


def _parts(files: Sequence[Path], notes: list[str]) -> dict[Path, str]:
    """Return the split of each list, including those beside a single list."""
    if len(files) == 1:
        return {files[0]: TRAIN} | _beside(files[0])
    parts = {file: _part_of(file) or TRAIN for file in files}
    in_folders = len({file.parent for file in files}) == len(files)
    if in_folders and VALIDATION not in parts.values() and TEST in parts.values():
        test = next(file for file, part in parts.items() if part == TEST)
        notes.append(validated_by_test("table", printable(test)))
        parts = {file: VALIDATION if part == TEST else part for file, part in parts.items()}
    return parts if TRAIN in parts.values() else dict.fromkeys(files, TRAIN)


def _beside(file: Path) -> dict[Path, str]:
    """Find the validation and test lists beside the list `file`, unless it is one of them.

    Their names differ from that of `file` only in the split; if it names none, they are only a
    split's.
    """
    if part_named(file.stem) in (VALIDATION, TEST) or not file.parent.is_dir():
        return {}
    like = _likeness(file) if part_named(file.stem) else ((), [], file.suffix.lower())
    names = [name for name in os.listdir(file.parent) if name.lower().endswith(like[2])]
    paths = [path for path in map(file.parent.joinpath, names) if _likeness(path) == like]
    found: dict[Path, str] = {}
    for path in sorted(filter(Path.is_file, paths), key=lambda path: preference(path.stem)):
        part = part_named(path.stem)
        if part in (VALIDATION, TEST) and part not in found.values():
            found[path] = part
    return found


def _likeness(path: Path) -> tuple[tuple[str, ...], list[str], str]:
    """Return the parts of a list's name that all lists of one data set share."""
    return kin(path.stem), DIGITS.findall(path.stem), path.suffix.lower()


def _may_label(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    suffix = suffix.lower()
    return suffix in TABLES or (suffix == ".txt" and bool(DIGITS.search(stem) or part_named(stem)))


def _heads(table: Path, wanted: Wanted) -> tuple[str, ...] | UserError | None:
    """Return the headings of a table that labels existing pictures; None for other files.

    Returns the error of a table that names pictures but is not understood.
    """
    finder = PathResolver(table, wanted=wanted)
    try:
        rows = read_rows(table, finder)
        found = any(finder.finds(path) for path, _, _ in islice(rows.rows, SAMPLE))
        return rows.heads if found else None
    except NoLabels as error:
        return error
    except UserError as error:
        problem = error
    try:
        rows = read_rows(table, finder, labelled=False)
        found = any(finder.finds(path) for path, _, _ in islice(rows.rows, SAMPLE))
    except UserError:
        found = has_records(table)  # it is damaged
    return problem if found else None


def _choose_of_split(
    paths: list[Path], heads: dict[Path, tuple[str, ...]], part: str, notes: list[str]
) -> list[Path]:
    """Choose among tables of one split: all that belong together."""
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
            digest = "" if is_file_of_its_own(path) else digest_of(listed)
            yield Entry(path, name, own_part or part, digest)
    notes += found.notes
    if finder.folder not in (HERE, BELOW):
        notes.append(f"the paths in {printable(file)} are relative to {printable(finder.folder)}/")


def _class_name(label: str) -> str:
    """Return a label as a class name, which is one line, in the Unicode form NFC."""
    name = label.strip()
    return unicodedata.normalize("NFC", name if name.isprintable() else " ".join(name.split()))


def _check_are_classes(file: Path, lines: Columns[Entry], called: Sequence[str]) -> None:
    """Raise UserError if the labels are measurements: numbers with too many distinct values."""
    labels = set(lines.column("label"))
    if several := _several(labels):
        raise UserError(
            f"{file}: has several labels for a picture, such as '{printable(several)}'; this "
            "program learns one class for each picture: keep the rows with one label, or name "
            "another column with --label"
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


def _several(labels: set[str]) -> str | None:
    """Return a label that joins several, one of which is in another label, too."""
    counts = Counter(piece for label in labels for piece in {*label.split(SEVERAL)})
    joined = (label for label in sorted(labels) if SEVERAL in label)
    return next((j for j in joined if any(counts[p] > 1 for p in j.split(SEVERAL))), None)


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
        kaggle = {(of[label], _kaggle_class(path)) for label, path in pairs}
        if len(kaggle) == 2 and {name for _, name in kaggle} == {"cat", "dog"}:
            of = {label: dict(kaggle)[name] for label, name in of.items()}
    return list(dict.fromkeys(of.values())), of


def _kaggle_class(path: str) -> str | None:
    match = KAGGLE_NAME.fullmatch(os.path.basename(path))
    return match[1].lower() if match else None
