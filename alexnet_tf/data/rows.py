"""The rows of a list or a table: which column is the path, which the label, which the part."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from alexnet_tf.data.finder import Finder, is_picture
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

Row = TypeVar("Row")

LIST_LINE = re.compile(r"(.*\S)[ \t]+(\S+)\s*")
DELIMITERS, TABLES = ",;\t", (".csv", ".tsv")
# What columns are called, the preferred ones first, without spaces and underscores.
PATHS = (
    "filename", "filenames", "filepath", "filepaths", "file", "path", "imagepath", "imagename",
    "image", "images", "imageid", "img", "imgname", "imgid", "picture", "photo", "url", "imageurl",
    "uri", "imageuri", "link", "name", "id",
)  # fmt: skip
LABELS = (
    "label", "labels", "labelname", "class", "classname", "category", "breed", "species", "target",
    "tag", "type", "y", "classid", "labelid", "categoryid",
)  # fmt: skip
PARTS = ("split", "dataset", "set", "subset", "partition", "part")
# So many lines, spread over the first of them, are tried to find out where the pictures are.
SAMPLE, MOST_TRIED = 200, 100_000


def read_rows(file: Path, finder: Finder) -> Iterator[tuple[str, str, str | None]]:
    """Read path, label and, where the table has such a column, the part of each line.

    Millions of lines would fill the memory: they are read as they are needed.
    """
    delimiter = _delimiter(file)
    sample = _sample(islice(_rows(file, delimiter), MOST_TRIED))
    if not sample:
        return
    choose = _columns_of_table if delimiter else _columns_of_list
    path, label, part, has_heading = choose(file, sample, finder)
    rows = _rows(file, delimiter)
    if has_heading:
        next(rows)
    for row in rows:
        yield row[path], row[label], None if part is None else row[part]


def _delimiter(file: Path) -> str | None:
    """Tell what separates the columns of a table; None for a list of lines ``path label``."""
    filled = list(islice((line for line in read_lines(file) if line.strip()), SAMPLE))
    if file.suffix.lower() in TABLES:
        first = filled[0] if filled else ""
        best = max(DELIMITERS, key=first.count)
        return best if best in first else None
    matches = [LIST_LINE.fullmatch(line) for line in filled]
    if all(match and match[1][-1] not in DELIMITERS for match in matches):
        return None
    return next((d for d in DELIMITERS if filled and all(d in line for line in filled)), None)


def _rows(file: Path, delimiter: str | None) -> Iterator[Sequence[str]]:
    """Read the cells of each line of a table, or path and label of each line of a list."""
    if delimiter:
        yield from _rows_of_table(file, delimiter)
        return
    for number, line in enumerate(read_lines(file), 1):
        match = LIST_LINE.fullmatch(line)
        if match:
            yield match.groups()
        elif line.strip():
            raise UserError(f"{file}, line {number}: should be 'path label', but is '{line[:200]}'")


def _rows_of_table(file: Path, delimiter: str) -> Iterator[Sequence[str]]:
    reader = csv.reader(read_lines(file), delimiter=delimiter, skipinitialspace=True)
    width = None
    try:
        for number, row in enumerate(filter(any, reader), 1):
            width = width or len(row)
            if len(row) != width:
                raise UserError(
                    f"{file}, line {number}: has {len(row)} columns, but the first has {width}"
                )
            yield [cell.strip() for cell in row]
    except csv.Error as error:
        raise UserError(f"{file}, line {reader.line_num}: is no table ({error})") from error


def _sample(rows: Iterable[Row]) -> list[Row]:
    """Choose at least `SAMPLE` of the rows, where there are so many, spread over all."""
    kept: list[Row] = []
    step = 1
    for number, row in enumerate(rows):
        if number % step == 0:
            kept.append(row)
        if len(kept) > 2 * SAMPLE:
            kept, step = kept[::2], 2 * step
    return kept


def _columns_of_list(
    file: Path, sample: list[Sequence[str]], finder: Finder
) -> tuple[int, int, None, bool]:
    first = sample[0]
    finder.column_of_paths([[path for path, _ in sample]])
    is_heading = _column(first, PATHS) == 0 and _column(first, LABELS) == 1
    return 0, 1, None, is_heading and not finder.finds(first[0])


def _columns_of_table(
    file: Path, sample: list[Sequence[str]], finder: Finder
) -> tuple[int, int, int | None, bool]:
    """Find the columns of path, label and part, and whether the first line is one of headings."""
    first = sample[0]
    path = finder.column_of_paths(list(zip(*sample)))
    path = _column(first, PATHS) if path is None else path
    path = 0 if path is None else path
    head = first if not finder.finds(first[path]) and not is_picture(first[path]) else None
    label = _column(head, LABELS) if head else None
    if label in (None, path):
        others = [column for column in range(len(first)) if column != path]
        if len(others) != 1:
            raise UserError(
                f"{file}: has the columns {', '.join(map(printable, first))}; which one is the "
                "label? Call it 'label', or leave two columns, path and label"
            )
        (label,) = others
    part = _column(head, PARTS) if head else None
    return path, label, part, bool(head)


def _column(row: Sequence[str | None], names: Sequence[str]) -> int | None:
    """Find the column with the first of `names` that there is."""
    plain = [re.sub(r"[\W_]+", "", cell or "").casefold() for cell in row]
    return next((plain.index(name) for name in names if name in plain), None)
