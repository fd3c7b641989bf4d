"""Lists of labelled pictures: lines ``path label``, and tables (CSV) as Kaggle has them."""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alexnet_tf.data.entries import TEST, TRAIN, VALIDATION, Entry, Source, fitted
from alexnet_tf.data.kinds import SUFFIXES
from alexnet_tf.data.layouts import KAGGLE_NAME, part_named
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_bytes
from alexnet_tf.system.text import is_printable, printable

LIST_LINE = re.compile(r"(.*\S)[ \t]+(\S+)\s*")
NUMBER = re.compile(r"[0-9]{1,9}")
DELIMITERS, TABLES = ",;\t", (".csv", ".tsv")
# What stands beside train.txt, the preferred one first.
BESIDE = {VALIDATION: ("val", "valid", "validation", "dev"), TEST: ("test", "testing")}
# What columns are called, the preferred ones first, without spaces and underscores.
PATHS = (
    "filename", "filenames", "filepath", "filepaths", "file", "path", "imagepath", "imagename",
    "image", "images", "imageid", "img", "imgname", "imgid", "picture", "photo", "name", "id",
)  # fmt: skip
LABELS = (
    "label", "labels", "labelname", "class", "classname", "category", "breed", "species", "target",
    "tag", "type", "y", "classid", "labelid", "categoryid",
)  # fmt: skip
PARTS = ("split", "dataset", "set", "subset", "partition", "part")
# So many lines, and folders beside the list, are tried to find out where its pictures are.
SAMPLE, MOST_FOLDERS = 200, 50
# PowerShell and Notepad write these, with a mark at the beginning.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_lists(file: Path) -> Source:
    """Read the list `file` and those beside it: val.txt and test.txt beside train.txt.

    Paths are relative to the working directory, to the folder of the list or to a folder in that,
    whichever has such files. Labels are names or numbers; the names of numbers are the lines of
    classes.txt beside it. Without a list to validate with nothing is split.
    """
    parts = {TRAIN: file} | _beside(file)
    notes: list[str] = []
    lines = [line for part, path in parts.items() for line in _labelled(part, path, notes)]
    split = VALIDATION in {part for _, _, part in lines}
    classes, names = _class_names(file, lines)
    entries = [
        Entry(path, names[label], part if split or part == TEST else None)
        for path, label, part in lines
    ]
    if file.suffix.lower() in TABLES or not file.with_name("classes.txt").is_file():
        trained = {entry.label for entry in entries if entry.part in (None, TRAIN)}
        classes = [name for name in classes if name in trained]
    return fitted(classes, entries, (), notes)


def find_list(folder: Path) -> Path | None:
    """Find a table in `folder` that labels pictures in it; None when there is none."""
    tables = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in TABLES and p.is_file()]
    # Kaggle's sample_submission.csv has labels, too, but no true ones.
    true = [path for path in tables if "submission" not in path.name.lower()]
    ordered = sorted(true, key=lambda path: part_named(path.stem) not in (TRAIN, None))
    return next((path for path in ordered if _labels_pictures(path)), None)


def read_list(file: Path) -> list[tuple[str, str]]:
    """Read (path, label) of the lines of a list or table, the paths as they stand there.

    In ``path label`` the path may hold spaces, the label not. A line of headings is left out.
    Raises UserError for a line that is neither that nor empty.
    """
    return [(path, label) for path, label, _ in _read(file, _Finder(file))]


def read_lines(file: Path) -> list[str]:
    """Read the lines of a UTF-8 file; UserError when it is not one, or holds control characters."""
    try:
        content = read_bytes(file)
        text = content.decode("utf-16" if content.startswith(UTF16) else "utf-8-sig")
    except ValueError as error:
        raise UserError(f"{file}: cannot be read ({error})") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not is_printable(line.replace("\t", " ")):
            raise UserError(f"{file}, line {number}: holds control characters; is it a text file?")
    return lines


def _beside(file: Path) -> dict[str, Path]:
    """Find the lists to validate and test with beside the list `file`, unless it is one of them."""
    if any(file.stem in names for names in BESIDE.values()):
        return {}
    found = {
        part: next((p for name in names if (p := file.with_stem(name)).is_file()), None)
        for part, names in BESIDE.items()
    }
    return {part: path for part, path in found.items() if path}


def _labelled(part: str, file: Path, notes: list[str]) -> list[tuple[str, str, str]]:
    """Read (path, label, part) of a list; the paths are where the files are."""
    finder = _Finder(file)
    try:
        lines = _read(file, finder)
    except UserError:
        if part != TEST:
            raise
        notes.append(f"{printable(file)} is no list of labelled pictures, and is left out")
        return []
    if finder.folder != Path("."):
        notes.append(f"the paths in {printable(file)} are relative to {printable(finder.folder)}/")
    parts = [_part(name, part) for _, _, name in lines]
    return [(finder(path), label, own) for (path, label, _), own in zip(lines, parts)]


def _part(name: str | None, part: str) -> str:
    """Take the part of a line from its column, where a table has one, or else from the file."""
    return part_named(name) or part if name else part


def _read(file: Path, finder: _Finder) -> list[tuple[str, str, str | None]]:
    """Read path, label and, where the table has such a column, the part of each line."""
    lines = read_lines(file)
    delimiter = _delimiter(file, lines)
    if delimiter:
        return _read_table(file, lines, delimiter, finder)
    pairs = []
    for number, line in enumerate(lines, 1):
        match = LIST_LINE.fullmatch(line)
        if match:
            pairs.append((match[1], match[2], None))
        elif line.strip():
            raise UserError(f"{file}, line {number}: should be 'path label', but is '{line[:200]}'")
    finder.column_of_paths([_sample([path for path, _, _ in pairs])])
    first = pairs[0] if pairs else ("", "", None)
    is_heading = _column(first, PATHS) == 0 and _column(first, LABELS) == 1
    return pairs[1:] if is_heading and not finder.finds(first[0]) else pairs


def _delimiter(file: Path, lines: list[str]) -> str | None:
    """Tell what separates the columns of a table; None for a list of lines ``path label``."""
    filled = [line for line in lines if line.strip()]
    if file.suffix.lower() in TABLES:
        first = filled[0] if filled else ""
        best = max(DELIMITERS, key=first.count)
        return best if best in first else None
    matches = [LIST_LINE.fullmatch(line) for line in filled]
    if all(match and match[1][-1] not in DELIMITERS for match in matches):
        return None
    return next((d for d in DELIMITERS if filled and all(d in line for line in filled)), None)


def _read_table(
    file: Path, lines: list[str], delimiter: str, finder: _Finder
) -> list[tuple[str, str, str | None]]:
    """Read path, label and part of each line of a table, with or without a line of headings."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        rows = [[cell.strip() for cell in row] for row in reader if any(row)]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: is no table ({error})") from error
    if not rows:
        return []
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise UserError(
                f"{file}, line {number}: has {len(row)} columns, but the first has {width}"
            )
    path = finder.column_of_paths(list(zip(*_sample(rows))))
    path = _column(rows[0], PATHS) if path is None else path
    path = 0 if path is None else path
    head = rows[0] if not finder.finds(rows[0][path]) and not _is_picture(rows[0][path]) else None
    label = _column(head, LABELS) if head else None
    if label in (None, path):
        others = [column for column in range(width) if column != path]
        if len(others) != 1:
            raise UserError(
                f"{file}: has the columns {', '.join(map(printable, rows[0]))}; which one is the "
                "label? Call it 'label', or leave two columns, path and label"
            )
        (label,) = others
    part = _column(head, PARTS) if head else None
    rest = rows[1:] if head else rows
    return [(row[path], row[label], None if part is None else row[part]) for row in rest]


def _sample(rows: list[Any]) -> list[Any]:
    return rows[:: -(-len(rows) // SAMPLE) or 1]


def _column(row: Sequence[str | None], names: Sequence[str]) -> int | None:
    """Find the column with the first of `names` that there is."""
    plain = [re.sub(r"[\W_]+", "", cell or "").casefold() for cell in row]
    return next((plain.index(name) for name in names if name in plain), None)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _labels_pictures(table: Path) -> bool:
    """Tell whether `table` can be read, and a picture that it names is there."""
    finder = _Finder(table)
    try:
        return any(finder.finds(path) for path, _, _ in _read(table, finder)[:SAMPLE])
    except UserError:
        return False


class _Finder:
    """Where the pictures of a list are, which may be named without a suffix."""

    def __init__(self, file: Path):
        self.file, self.folder = file, Path(".")

    def column_of_paths(self, columns: Sequence[Sequence[str]]) -> int | None:
        """Choose the first folder that has files of these names; return the column with the most.

        None, and the working directory, when no folder has any.
        """
        for folder in self._folders():
            self.folder = folder
            hits = [sum(map(self.finds, column)) for column in columns]
            if any(hits):
                return hits.index(max(hits))
        self.folder = Path(".")
        return None

    def finds(self, path: str) -> bool:
        return next(self._ways(path), None) is not None

    def __call__(self, path: str) -> str:
        """Return where the file `path` of the list is, or should be."""
        if self.folder == Path(".") and _is_picture(path) and "\\" not in path:
            return path
        return next(self._ways(path), None) or _joined(self.folder, path)

    def _ways(self, path: str) -> Iterator[str]:
        """Go through the files that may be meant."""
        endings = ("",) if _is_picture(path) else ("", *SUFFIXES, *map(str.upper, SUFFIXES))
        slashes = {path: None, path.replace("\\", "/"): None}
        for name in slashes:
            ways = (_joined(self.folder, name + ending) for ending in endings)
            yield from filter(_is_file, ways)

    def _folders(self) -> list[Path]:
        """List where paths may begin: here, at the list, in folders beside it, the likely first."""
        parent = self.file.parent
        try:
            inner = [path for path in parent.iterdir() if path.is_dir()]
        except OSError:
            inner = []
        stem = self.file.stem.casefold()
        inner.sort(
            key=lambda path: (path.name.casefold() != stem, part_named(path.name) != TRAIN, path)
        )
        del inner[MOST_FOLDERS:]
        doubled = [path / path.name for path in inner]
        return list(dict.fromkeys([Path("."), parent, *inner, *filter(Path.is_dir, doubled)]))


def _is_file(path: str) -> bool:
    try:
        return os.path.isfile(path)
    except ValueError:
        return False


def _joined(folder: Path, path: str) -> str:
    return path if folder == Path(".") else os.path.join(folder, path)


def _class_names(file: Path, lines: list[tuple[str, str, str]]) -> tuple[list[str], dict[str, str]]:
    """Return the classes in order, and the name of each label in the `lines` of the lists.

    The names are in classes.txt beside the list, if there is one: labels are their numbers, from 0
    on, or the names. Otherwise the labels are the names, unless those of the files are Kaggle's. Of
    numbers the value counts: 00 is 0.
    """
    labels = {label for _, label, _ in lines}
    classes = file.with_name("classes.txt")
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
    kaggle = {(of[label], _kaggle_class(path)) for path, label, _ in lines}
    if len(kaggle) == len(set(of.values())) and {name for _, name in kaggle} == {"cat", "dog"}:
        of = {label: dict(kaggle)[name] for label, name in of.items()}
    return list(dict.fromkeys(of.values())), of


def _value(label: str) -> str:
    return str(int(label))


def _kaggle_class(path: str) -> str | None:
    match = KAGGLE_NAME.fullmatch(os.path.basename(path))
    return match[1].lower() if match else None
