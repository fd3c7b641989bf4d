"""Choose a table's columns of paths, labels and splits: by fixed rules, then by counts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alexnet_tf.data.images.contents import is_remote
from alexnet_tf.data.sources import headings
from alexnet_tf.data.sources.headings import INDEX, LABEL, PART, PATH, is_missing, plain, role
from alexnet_tf.data.sources.manifest import TRAIN, VALIDATION, Unlabelled
from alexnet_tf.data.sources.path_resolver import Hits, PathResolver, is_picture
from alexnet_tf.data.sources.records import SEVERAL
from alexnet_tf.data.sources.split_names import part_named, words
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# Headings of a column that only counts the rows; that of pandas has none.
COUNTS = {"index", "idx", "unnamed", "row"}
WHOLE = re.compile(r"[+-]?\d+([.,]0+)?")
ONES, BOOLEANS = ("1", "1.0", "true"), {"0", "1", "0.0", "1.0", "true", "false"}
BOXES = {"xmin", "ymin", "xmax", "ymax", "x", "y", "width", "height", "x1", "y1", "x2", "y2"}
VAGUE = {"type", "tag"}  # they say what all pictures are, where they have a single value
VIA = "regionshapeattributes"
OUTLINES = {"bbox", "boundingbox", "segmentation", "polygon", "encodedpixels", VIA}
MARKS = BOOLEANS | {"-1", "-1.0"}  # of several labels, -1 for uncertain or no
# What Google's AutoML writes where it may choose the split.
UNASSIGNED = "unassigned"
# The rank of a column in which more than a tenth of the cells are not pictures.
PARTLY = 0.5
# The most names of a column that are searched on the disk, the most numeric columns that are tried,
# and the most values, and headings, that a message shows.
MOST_NAMES, MOST_NUMERIC, MOST_SHOWN, MOST_HEADINGS = 60, 8, 3, 20


@dataclass(frozen=True)
class Choice:
    """The chosen columns of a table: functions from a row to its path, label and split."""

    path: int
    label: Callable[[Sequence[str]], str]
    part: Callable[[Sequence[str]], str | None]
    has_heading: bool
    called: str = ""
    notes: tuple[str, ...] = ()


def choose_columns(
    file: Path, sample: Sequence[Sequence[str]], finder: PathResolver, labelled: bool = True
) -> Choice:
    """Choose the columns of the table `file` by its `sample`, which begins with its first row.

    If not `labelled`, no label is needed. Raises UserError with a question if several columns fit.
    """
    table = _Table(file, sample, finder)
    has_heading = table.has_heading(labelled)
    if not has_heading:
        table = _Table(file, sample, finder, may_head=False)
    path = table.path()
    finder.settle(path.cells)
    notes = []
    if path.cells and path.is_numeric:
        notes.append(f"in {printable(file)} the numbers in {path.name} name the pictures")
    parts = table.parts(path)
    if not labelled:
        return Choice(path.number, lambda row: "", _part_of(parts), has_heading, "", (*notes,))
    if table.has_boxes():
        several = len({*path.cells}) < len(path.cells) or table.has_several_boxes()
        if several and finder.wanted.label is None:
            raise UserError(
                f"{file}: holds boxes around objects, or their outlines, several in a picture, so "
                "it is for detection; crop the objects yourself, into a folder for each class, or "
                "name the column of the label with --label"
            )
        notes.append(f"{printable(file)} has boxes, which are not used: whole pictures are learned")
    labels = table.labels(
        [column for column in table.columns if column not in (path, *parts)], notes
    )
    label_of = labels[0].cell if len(labels) == 1 else _one_hot_class(file, labels)
    called = labels[0].head if len(labels) == 1 else ""
    return Choice(path.number, label_of, _part_of(parts), has_heading, called, (*notes,))


class _Column:
    """A column of a sample; without headings its `head` is "" and its `role` None."""

    def __init__(self, number: int, head: str | None, cells: Sequence[str], finder: PathResolver):
        self.number, self.head, self.cells, self._finder = number, head or "", cells, finder
        self.role = None if head is None else role(head)
        values = dict.fromkeys(map(str.strip, cells))
        self.values = [value for value in values if not is_missing(value)]
        self.is_numeric = all(map(_is_number, self.values))
        self.is_fractional = self.is_numeric and not all(map(WHOLE.fullmatch, self.values))
        self.is_binary = {value.casefold() for value in self.values} <= BOOLEANS
        self.names_pictures = sum(map(_names_picture, cells))

    def cell(self, row: Sequence[str]) -> str:
        return row[self.number]

    @cached_property
    def hits(self) -> Hits:
        return self._finder.survey(list(dict.fromkeys(self.cells))[:MOST_NAMES])

    def is_elsewhere(self) -> bool:
        return all(is_remote(cell.strip()) for cell in self.cells)

    def rank(self) -> float:
        """Rank, from 0 on, how well a column names pictures: by its heading, then by its cells.

        Ranks below 1 are for columns that name pictures `PARTLY`, which compete with numeric ones,
        and for labels, some of which may also be names of pictures, which come last.
        """
        is_odd = self.is_numeric and self.role != PATH
        if self.role in (LABEL, PART) or self.is_fractional or is_odd:
            return 0
        guessed, exact = self.hits.guessed, self.hits.exact or self.names_pictures
        if self.role == PATH and (exact or (guessed and not self.is_numeric)):
            return 5 if exact else 4
        if exact or (guessed and self.is_numeric):
            return 3
        names = len({*self.cells})
        if names * 2 <= len(self.cells) or not guessed:
            return PARTLY / 2 if guessed else 0
        if guessed < 0.9 * min(names, MOST_NAMES):
            return PARTLY
        return 1 if self.role == INDEX else 2

    def rank_of_numbers(self) -> int:
        """Rank a numeric column, which is the path only if no other column is."""
        is_index = self.role == INDEX and not {*words(self.head)} - COUNTS
        return bool(self.hits.total) * (1 if is_index else 2)

    @property
    def flagged(self) -> str | None:
        """The split that a column such as "is_valid" flags."""
        return part_named(self.head) if self.is_binary else None

    @property
    def names_parts(self) -> bool:
        parts = [part_named(v) for v in self.values if v.casefold() != UNASSIGNED]
        return len({*parts}) > 1 and all(parts)

    def is_same(self, other: _Column) -> bool:
        """Tell whether the cells of each distinguish the same rows: names beside numbers."""
        ours, theirs = ([cell.strip() for cell in each.cells] for each in (self, other))
        return len({*ours}) == len({*theirs}) == len({*zip(ours, theirs)})

    def is_equivalent(self, other: _Column) -> bool:
        """Tell whether both are such columns of several values, which are not all different."""
        return self.is_same(other) and 1 < len({*self.cells}) < len(self.cells)

    @property
    def name(self) -> str:
        return f"the column '{printable(self.head)}'" if self.head else f"column {self.number + 1}"

    @property
    def shown(self) -> str:
        """Name the column, with its first values."""
        more = ", …" if len(self.values) > MOST_SHOWN else ""
        return f"{self.name} ({', '.join(map(printable, self.values[:MOST_SHOWN]))}{more})"


class _Table:
    """The first rows of a table as columns, below headings if the first row may hold some."""

    def __init__(
        self,
        file: Path,
        sample: Sequence[Sequence[str]],
        finder: PathResolver,
        may_head: bool = True,
    ):
        self.file, self.finder = file, finder
        self.heads = [cell.strip() for cell in sample[0]]
        self.may_head = may_head and not any(map(_names_picture, self.heads))
        rows = sample[1:] if self.may_head else sample
        self.columns = [
            _Column(number, head if self.may_head else None, [row[number] for row in rows], finder)
            for number, head in enumerate(self.heads)
        ]

    def has_heading(self, labelled: bool) -> bool:
        """Tell whether the first row holds headings: it has neither a picture nor a label."""
        if not self.may_head:
            return False
        path = self.path()
        self.finder.settle(path.cells)
        if path.names_pictures * 2 > len(path.cells):
            return not self.finder.finds(path.head, guess=False)
        known = {column.role for column in self.columns} - {None}
        is_found = self.finder.finds(path.head)
        if len(self.columns) == 1 or not labelled:
            return bool(known) and not is_found
        # pandas numbers unnamed columns 0, 1, 2, and leaves the heading of the index empty.
        numbers = [str(column.number) for column in self.columns]
        if self.heads == ["", *numbers[:-1]]:
            return True
        if path.cells and self.heads == numbers:
            if not is_found and not all(column.is_numeric for column in self.columns):
                return True
            raise UserError(
                f"{self.file}: its first line, {', '.join(self.heads)}, may be headings or the "
                "first picture; give the columns names, filename and label"
            )
        if any(column.head in column.values for column in self.columns if column is not path):
            return False  # it is a label of other pictures too
        named = LABEL in known and len(known) > 1
        return named or not (is_found or all(map(_is_number, self.heads)))

    def path(self) -> _Column:
        """Choose the column whose cells are pictures; UserError if several fit."""
        ranks = {column: column.rank() for column in self.columns}
        if max(ranks.values()) < 1:
            whole = [c for c in self.columns if c.is_numeric and not c.is_fractional]
            whole = [column for column in whole if column.role not in (LABEL, PART)]
            ranks |= {column: column.rank_of_numbers() for column in whole[:MOST_NUMERIC]}
            ranks |= {column: 2 for column, rank in ranks.items() if rank == PARTLY}
        best = max(ranks.values())
        if best:
            fit = [column for column in ranks if ranks[column] == best]
            if all(map(_Column.is_elsewhere, fit)):  # others may name the same pictures, here
                fit = [column for column in ranks if ranks[column] >= 1]
            return self._choose_path(fit)
        named = [c for role in (PATH, INDEX) for c in self.columns if c.role == role]
        return (named or self.columns)[0]

    def _choose_path(self, fit: list[_Column]) -> _Column:
        """Choose among columns that name pictures equally well; UserError if that is impossible."""
        on_disk = [column for column in fit if not column.is_elsewhere()]
        found = [column for column in on_disk if column.hits.total] or on_disk or fit
        if len(found) == 1:
            return found[0]
        pictures: dict[tuple[str, ...], _Column] = {}
        for column in found:
            pictures.setdefault(tuple(self._places(column)), column)
        distinct = [column for each, column in pictures.items() if len({*each}) == len(each)]
        most = max(found, key=lambda column: column.hits.total)
        if len(pictures) == 1 or distinct == [most]:
            return most
        raise UserError(
            f"{self.file}: several columns name pictures, "
            f"{' and '.join(column.shown for column in found)}; which one is meant? Call it "
            "'path', and leave the other out"
        )

    def _places(self, column: _Column) -> list[str]:
        self.finder.settle(column.cells)
        places = map(self.finder, column.cells)
        return [place if is_remote(place) else os.path.abspath(place) for place in places]

    def has_boxes(self) -> bool:
        """Tell whether the table has boxes around objects, or outlines of them."""
        ends = [*map(_plain_end, self.columns)]
        return sum(end in BOXES for end in ends) >= 4 or any(end in OUTLINES for end in ends)

    def has_several_boxes(self) -> bool:
        """Tell whether a cell holds boxes of several objects, or is VIA's, which may."""
        boxes = [column for column in self.columns if _plain_end(column) in BOXES]
        joined = any(SEVERAL in cell for column in boxes for cell in column.cells)
        return joined or any(_plain_end(column) == VIA for column in self.columns)

    def parts(self, path: _Column) -> list[_Column]:
        """Choose the column that gives the split of a picture, or those with a 1 for one each."""
        others = [column for column in self.columns if column is not path]
        named = [c for c in others if c.role == PART and any(map(part_named, c.cells))]
        flags = [column for column in others if column.flagged]
        spelled = [column for column in others if column.names_parts and len(others) > 1]
        return named[:1] or flags or spelled[:1]

    def labels(self, others: list[_Column], notes: list[str]) -> list[_Column]:
        """Choose the column of the labels among `others`, or all one-hot columns.

        Adds to `notes`. Raises UserError with a question if several columns fit.
        """
        if self.finder.wanted.label is not None and self.may_head:
            return [self._wanted(self.finder.wanted.label)]
        exact = [c for name in headings.LABELS for c in others if _plain_end(c) == name]
        several = [column for column in exact if len(column.values) > 1]
        exact = several or [column for column in exact if plain(column.head) not in VAGUE]
        if exact:  # of numbers and their names, the names
            same = [c for c in others if c.role == LABEL and exact[0].is_numeric > c.is_numeric]
            return [next(filter(exact[0].is_same, same), exact[0])]
        others = [c for c in others if c.role != PART or not c.is_numeric]  # "partition": 0, 1, 2
        if not others:
            raise Unlabelled(f"{self.file}: names pictures, but has no column of their labels")
        if len(others) == 1:
            return others
        start = f"in {printable(self.file)}"
        fit = [c for c in others if c.role not in (INDEX, PART) and c.values]
        fit = [column for column in fit if not column.names_pictures]
        hot = [column for column in fit if self.may_head and column.is_binary]
        repeated = _most_repeated(fit or others)
        texts = [c for c in repeated if not c.is_numeric or c.role == LABEL]
        are_one_hot = all(sum(map(_is_one, row)) == 1 for row in zip(*(c.cells for c in hot)))
        if len(hot) > 1 and not {*texts} - {*hot} and are_one_hot:
            notes.append(f"{start} the classes are the columns that have a 1 each")
            return hot
        named = [column for column in fit if column.role == LABEL]
        fit = _distinct([c for c in others if c in (texts or repeated) or c in named])
        marks = [c for c in others if self.may_head and {v.casefold() for v in c.values} <= MARKS]
        if len(fit) == 1 and (len(marks) < 3 or fit[0].role == LABEL):
            notes.append(f"{start} the label is taken from {fit[0].name}")
            return fit
        if len(marks) > 2 or (hot and hot == fit):
            names = ", ".join(printable(column.head) for column in marks)
            raise UserError(
                f"{self.file}: the columns {names} hold 0 and 1, but not exactly one 1 in each row;"
                " this program learns one class for each picture: name one of them with --label, "
                "keep the rows with one 1 alone, or add a column 'label'"
            )
        shown = "; ".join(column.shown for column in fit[:8])
        remedy = "Name it with --label COLUMN" if self.may_head else "Leave two columns"
        raise UserError(
            f"{self.file}: has the columns {self._listed()}; which one is the label? It could be "
            f"{shown or 'none of them'}. {remedy}"
        )

    def _wanted(self, name: str) -> _Column:
        """Find the column that the user names; UserError if there is none."""
        spelled = [column for column in self.columns if column.head == name]
        spelled += [column for column in self.columns if _plain_end(column) == plain(name)]
        if not spelled:
            raise UserError(
                f"{self.file}: has no column '{printable(name)}' for --label; it has "
                f"{self._listed()}"
            )
        return spelled[0]

    def _listed(self) -> str:
        return ", ".join(map(printable, self.heads[:MOST_HEADINGS]))


def _plain_end(column: _Column) -> str:
    """Return a heading without the names of the records that nested JSON has it in."""
    return plain(column.head.rpartition(".")[2])


def _most_repeated(columns: list[_Column]) -> list[_Column]:
    """Return the columns with several values that repeat, or else those that repeat the most."""
    counts = [(column, len(column.values), len(column.cells)) for column in columns]
    few = [column for column, values, rows in counts if values * 2 <= rows]
    several = [column for column in few if len(column.values) > 1]
    return several or few or [c for c, values, rows in counts if values < rows] or columns


def _distinct(columns: list[_Column]) -> list[_Column]:
    """Drop columns equivalent to another, numbers rather than names."""
    kept: list[_Column] = []
    for column in sorted(columns, key=lambda column: column.is_numeric):
        if not any(map(column.is_equivalent, kept)):
            kept.append(column)
    return [column for column in columns if column in kept]


def _part_of(columns: Sequence[_Column]) -> Callable[[Sequence[str]], str | None]:
    """Return a function from a row to its split."""
    if not all(column.flagged for column in columns):
        return lambda row: part_named(columns[0].cell(row))
    other = VALIDATION if any(column.flagged == TRAIN for column in columns) else None
    return lambda row: next((c.flagged for c in columns if _is_one(c.cell(row))), other)


def _one_hot_class(file: Path, columns: list[_Column]) -> Callable[[Sequence[str]], str]:
    """Return a function from a row to its class: the heading of the only column with a 1."""

    def label(row: Sequence[str]) -> str:
        found = [column.head for column in columns if _is_one(column.cell(row))]
        if len(found) != 1:
            raise UserError(
                f"{file}: the row {printable(', '.join(row)[:100])} has {len(found)} classes; each "
                "picture should have exactly one, a 1 in its column and 0 in the others"
            )
        return found[0]

    return label


def _names_picture(cell: str) -> bool:
    cell = cell.strip()
    return is_picture(cell) or is_remote(cell)


def _is_number(cell: str) -> bool:
    return bool(headings.NUMBER.fullmatch(cell.strip()))


def _is_one(cell: str) -> bool:
    return cell.strip().casefold() in ONES
