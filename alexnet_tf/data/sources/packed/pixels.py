"""Pixels as numbers in a CSV: in a cell each, as Kaggle has MNIST, or all in one, as in FER2013."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alexnet_tf.data.sources.headings import INDEX, LABEL, NUMBER, plain, role
from alexnet_tf.data.sources.manifest import MOST_NAMES, TEST, TRAIN, VALIDATION
from alexnet_tf.data.sources.packed.arrays import SHORTEST
from alexnet_tf.data.sources.packed.importer import Contents, Record, Section, part_of
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

FILES = r".+\.csv"
# The column of FER2013 that splits it (kaggle.com/c/challenges-in-representation-learning-
# facial-expression-recognition-challenge), and what its values mean.
USAGE = "usage"
PARTS = {"Training": TRAIN, "PublicTest": VALIDATION, "PrivateTest": TEST}


class _Table(NamedTuple):
    """A table with its headings, if it has some, and the columns of its pixels."""

    file: Path
    heads: list[str]
    pixels: list[int]


def read(files: Sequence[Path], label: str | None) -> Contents | None:
    """Find the tables of pixels and labels among `files`."""
    sections = []
    for table in filter(None, map(_table, files)):
        column, heads = _label(table, label), [*map(plain, table.heads)]
        if column is None:
            continue
        usage = heads.index(USAGE) if USAGE in heads else None
        for value in (None,) if usage is None else PARTS:
            read = partial(_records, table, column, usage, value)
            part = PARTS[value] if value else part_of(table.file)
            sections.append(Section(table.file, part, read))
    return Contents(sections, (), label or "") if sections else None


def _table(file: Path) -> _Table | None:
    """Read the beginning of a table; None if its first row of numbers is no picture."""
    with suppress(UserError, ValueError, LookupError, csv.Error):
        first, second = islice(csv.reader(read_lines(file)), 2)
        heads = [] if all(map(NUMBER.fullmatch, first)) else [*map(str.strip, first)]
        joined = [n for n, cell in enumerate(second) if len(cell.split()) >= SHORTEST**2]
        numbered = [n for n in range(len(second)) if (re.search(r"\d", heads[n]) if heads else n)]
        _picture(second, joined or numbered)
        return _Table(file, heads, joined or numbered)
    return None


def _label(table: _Table, wanted: str | None) -> int | None:
    """Return the column of labels; None if there is none, UserError if several may be it."""
    heads = table.heads or [LABEL]
    others = [n for n, head in enumerate(heads) if n not in table.pixels and plain(head) != USAGE]
    fit = [n for n in others if plain(heads[n]) == plain(wanted)] if wanted else []
    fit = fit or [n for n in others if role(heads[n]) == LABEL]
    fit = fit or [n for n in others if role(heads[n]) != INDEX]
    if len(fit) > 1 or (wanted and len(fit) == 1 and plain(heads[fit[0]]) != plain(wanted)):
        names = ", ".join(printable(heads[n]) for n in others[:MOST_NAMES])
        raise UserError(f"{table.file}: which column is the label, {names}? Use --label COLUMN")
    return next(iter(fit), None)


def _records(table: _Table, label: int, usage: int | None, wanted: str | None) -> Iterator[Record]:
    rows = islice(csv.reader(read_lines(table.file)), bool(table.heads), None)
    for number, row in enumerate(rows):
        if usage is None or row[usage].strip() == wanted:
            try:
                yield f"{number:06}.png", row[label].strip(), _picture(row, table.pixels)
            except (ValueError, LookupError) as error:
                yield f"{number:06}.png", "", f"is no picture: {error}"


def _picture(row: Sequence[str], columns: Sequence[int]) -> np.ndarray:
    """Read the pixels of a square picture, grey or in colour; ValueError if it is none."""
    numbers = np.array(" ".join([row[n] for n in columns]).split(), np.int64)
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) > 255:
        raise ValueError("a pixel is not 0 to 255")
    for channels in (1, 3):
        side = math.isqrt(len(numbers) // channels)
        if side >= SHORTEST and side * side * channels == len(numbers):
            return numbers.astype(np.uint8).reshape(side, side, channels)
    raise ValueError(f"{len(numbers)} numbers are no square")
