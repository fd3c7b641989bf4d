"""The lists and tables that belong together, beside each other and in a folder, by their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from alexnet_tf.data.images.file_types import TABLES
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.headings import INDEX, PATH, role
from alexnet_tf.data.sources.manifest import ANY, TEST, TRAIN, VALIDATION, Wanted
from alexnet_tf.data.sources.path_resolver import PathResolver
from alexnet_tf.data.sources.records import has_records
from alexnet_tf.data.sources.rows import DELIMITERS, SAMPLE, Damaged, Rows, read_rows
from alexnet_tf.data.sources.split_names import kin, part_named, part_of_file, preference
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

DIGITS = re.compile(r"[0-9]+")
DELIMITED = re.compile(f"[{DELIMITERS}]")


def find_tables(folder: Path, wanted: Wanted = ANY) -> dict[Path, tuple[str, ...] | UserError]:
    """Find the tables and lists in `folder` that name existing pictures.

    Returns the headings of each or, if it has no labels, the error that says what is missing.
    """
    # Kaggle's sample_submission.csv has labels, but not the true ones.
    names = sorted(name for name in os.listdir(folder) if "submission" not in name.lower())
    files = (folder / name for name in names if _may_label(name))
    return {file: found for file in files if file.is_file() and (found := _heads(file, wanted))}


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
        rows = read_rows(table, finder, lenient=True)
        return rows.heads if _names_pictures(rows, finder) else None
    except manifest.NoLabels as error:
        return error
    except UserError as error:
        problem = error
    if isinstance(problem, Damaged) and _has_headings(table):
        return problem
    try:
        found = _names_pictures(read_rows(table, finder, labelled=False), finder)
    except UserError:
        # It is damaged, or as Excel writes it by default.
        found = has_records(table) or isinstance(problem.__cause__, UnicodeDecodeError)
    return problem if found else None


def _has_headings(table: Path) -> bool:
    """Tell whether the first line has headings, of which one is that of pictures or their ids."""
    cells = DELIMITED.split(next(read_lines(table), ""))
    return len(cells) > 1 and any(cell and role(cell) in (PATH, INDEX) for cell in cells)


def _names_pictures(rows: Rows, finder: PathResolver) -> bool:
    return any(finder.finds(path) for path, _, _ in islice(rows.rows, SAMPLE))


def choose_lists(
    tables: dict[Path, tuple[str, ...] | UserError], split: int | None = None
) -> tuple[list[Path], list[str]]:
    """Choose among the tables in a folder; return the chosen ones, and notes for the user.

    The result is one table, or one for each split, by name; or several of one split if they are
    numbered, or have the same columns and share no picture. Raises UserError with a question about
    other tables, or with the error of the only ones. Of several numbered splits `split` is taken.
    """
    heads = {table: found for table, found in tables.items() if isinstance(found, tuple)}
    if not heads:
        raise next(found for found in tables.values() if isinstance(found, UserError))
    notes: list[str] = []
    groups: defaultdict[str | None, list[Path]] = defaultdict(list)
    for path in _of_split([*heads], split, notes):
        groups[part_of_file(path)].append(path)
    unused = groups.pop(None, []) if TRAIN in groups else []
    if TRAIN not in groups:
        groups[TRAIN] = groups.pop(None, []) or groups.pop(TEST, []) + groups.pop(VALIDATION, [])
    notes += [f"{printable(path)}, which labels pictures too, is not used" for path in unused]
    chosen = [
        path
        for part in (TRAIN, VALIDATION, TEST)
        for path in _choose_of_split(groups[part], heads, part, notes)
    ]
    return chosen, notes


def _of_split(paths: list[Path], split: int | None, notes: list[str]) -> list[Path]:
    """Take the lists of one of several splits: numbered training lists that share pictures."""
    numbers = {p: int(DIGITS.findall(p.stem)[-1]) for p in paths if DIGITS.search(p.stem)}
    train = [path for path in numbers if part_of_file(path) == TRAIN]
    are_splits = len(train) > 1 and len({*map(numbers.get, train)}) == len(train)
    if not are_splits or not _share_pictures(train[:2]):
        if split is not None:
            raise UserError(f"{paths[0].parent}: has no split {split}; leave out --split")
        return paths
    there, folder = ", ".join(map(str, sorted({*numbers.values()}))), printable(paths[0].parent)
    if split is not None and split not in numbers.values():
        raise UserError(f"{folder}: has no split {split}; it has {there}")
    chosen = [path for path in paths if numbers.get(path) == split]
    if not chosen:
        raise UserError(f"{folder}: has splits {there}; take one with --split N")
    if split is None:
        notes.append(f"{folder}: has splits {there}; none is used, but --split N takes one")
    return chosen


def _choose_of_split(
    paths: list[Path], heads: dict[Path, tuple[str, ...]], part: str, notes: list[str]
) -> list[Path]:
    """Choose among tables of one split: all that belong together."""
    if part != TRAIN:
        first = min((preference(path.stem) for path in paths), default=None)
        paths = [path for path in paths if preference(path.stem) == first]
    is_numbered = all(DIGITS.search(path.stem) for path in paths)
    if len(paths) < 2 or (is_numbered and len({kin(path.stem) for path in paths}) == 1):
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
        named = {finder(path) for path, _, _ in read_rows(table, finder, lenient=True).rows}
        if named & pictures:
            return True
        pictures |= named
    return False


def parts_of(files: Sequence[Path], notes: list[str]) -> dict[Path, str]:
    """Return the split of each list by its name, including those beside a single list."""
    if len(files) == 1:
        return {files[0]: TRAIN} | _beside(files[0])
    parts = {file: part_of_file(file) or TRAIN for file in files}
    in_folders = len({file.parent for file in files}) == len(files)
    if in_folders and VALIDATION not in parts.values() and TEST in parts.values():
        test = next(file for file, part in parts.items() if part == TEST)
        notes.append(manifest.validated_by_test("table", printable(test)))
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
