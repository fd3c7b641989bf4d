"""Choose a table's columns of paths, labels and splits: by fixed rules, then by counts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from alexnet_tf.data.images.contents import is_remote
from alexnet_tf.data.sources.manifest import TRAIN, VALIDATION
from alexnet_tf.data.sources.path_resolver import Hits, PathResolver, is_picture
from alexnet_tf.data.sources.split_names import part_named, words
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

# Roles of columns, and the words in a heading that indicate them, of which the last one counts:
# "image_label" is a label. A heading that equals one of `LABELS` is preferred, the first ones
# first.
PATH, LABEL, PART, INDEX = "path", "label", "part", "index"
LABELS = (
    "label", "labels", "labelname", "class", "classname", "category", "breed", "species", "target",
    "tag", "type", "y", "classid", "labelid", "categoryid", "choice",
    "choices", "displayname",
)  # fmt: skip
WORDS = {
    PATH: {
        "filename", "filepath", "file", "path", "image", "img", "picture", "photo", "pic", "url",
        "uri", "link", "imagepath", "imagename", "imageid", "imgname", "imgid", "imageurl",
        "imageuri", "imagefile",
    },
    LABEL: {*LABELS, "labels", "classes", "categories"},
    PART: {"split", "dataset", "set", "subset", "partition", "part"},
    INDEX: {"id", "index", "idx", "no", "nr", "number", "row", "unnamed", "uuid", "key"},
}  # fmt: skip
# Headings of a column that only counts the rows; that of pandas has none.
COUNTS = {"index", "idx", "unnamed", "row"}
# "image_id" names a picture, and "class name" is a label.
WEAK = {"id", "name", "names"}
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+([.,]0+)?")
# Cells without a label: pandas' missing values, and what people write.
MISSING = {
    "", "nan", "-nan", "none", "null", "na", "n/a", "#n/a", "#na", "<na>", "nat", "nil", "?",
}  # fmt: skip
ONES, BOOLEANS = ("1", "1.0", "true"), ("0", "1", "0.0", "1.0", "true", "false")
# What Google's AutoML writes where it may choose the split.
UNASSIGNED = "unassigned"
# The rank of a column in which more than a tenth of the cells are not pictures.
PARTLY = 0.5
# The most names of a column that are searched on the disk, the most numeric columns that are tried,
# and the most values that a message shows.
MOST_NAMES, MOST_NUMERIC, MOST_SHOWN = 60, 8, 3


@dataclass(frozen=True)
class Choice:
    """The chosen columns of a table: functions from a row to its path, label and split."""

    path: int
    label: Callable[[Sequence[str]], str]
    part: Callable[[Sequence[str]], str | None]
    has_heading: bool
    called: str = ""
    notes: tuple[str, ...] = ()


def is_missing(label: str) -> bool:
    """Tell whether a cell means that there is no label."""
    return label.strip().casefold() in MISSING


def choose_columns(
    file: Path, sample: Sequence[Sequence[str]], finder: PathResolver, labelled: bool = True
) -> Choice:
    """Choose the columns of the table `file` by its `sample`, which begins with its first row.

    If not `labelled`, no label is needed. Raises UserError with a question if several columns fit.
    """
    table = _Table(file, sample, finder)
    has_heading = table.has_heading(labelled)
    if not has_heading:
        table = _Table(file, sample, finder, headless=True)
    path = table.path()
    finder.settle(table.cells(path))
    notes = table.notes_on_path(path)
    if not labelled:
        return Choice(path, lambda row: "", lambda row: None, has_heading, "", notes)
    part = table.part(path)
    label, more = table.label(path, part)
    part_of = (lambda row: None) if part is None else table.part_of(part)
    if isinstance(label, list):
        called, label_of = "", _one_hot_class(file, label, table.heads)
    else:
        called, label_of = table.heads[label] if has_heading else "", itemgetter(label)
    return Choice(path, label_of, part_of, has_heading, called, (*notes, *more))


class _Table:
    """The first rows of a table and, if the first row holds headings, their meaning."""

    def __init__(
        self,
        file: Path,
        sample: Sequence[Sequence[str]],
        finder: PathResolver,
        headless: bool = False,
    ):
        self.file, self.finder = file, finder
        self.heads = [cell.strip() for cell in sample[0]]
        self._may_head = not headless and not any(map(_names_picture, self.heads))
        self._rows = sample[1:] if self._may_head else sample
        self._numbers = range(len(self.heads))
        self._roles = [role(head) if self._may_head else None for head in self.heads]
        self._hits: dict[int, Hits] = {}
        self._kept: dict[int, list[str]] = {}

    def cells(self, column: int) -> list[str]:
        return [row[column] for row in self._rows]

    def has_heading(self, labelled: bool) -> bool:
        """Tell whether the first row holds headings: it has neither a picture nor a label."""
        if not self._may_head:
            return False
        path = self.path()
        cells, head = self.cells(path), self.heads[path]
        self.finder.settle(cells)
        if sum(map(_names_picture, cells)) * 2 > len(cells):
            return not self.finder.finds(head, guess=False)
        known = {*self._roles} - {None}
        if len(self.heads) == 1 or not labelled:
            return bool(known) and not self.finder.finds(head)
        others = [column for column in self._numbers if column != path]
        # pandas numbers unnamed columns 0, 1, 2, and leaves the heading of the index empty.
        if self.heads[1:] == [str(number) for number in self._numbers[:-1]] and not self.heads[0]:
            return True
        if self._rows and self.heads == [str(number) for number in self._numbers]:
            if not self.finder.finds(head) and not all(map(self._is_numeric, self._numbers)):
                return True
            raise UserError(
                f"{self.file}: its first line, {', '.join(self.heads)}, may be headings or the "
                "first picture; give the columns names, filename and label"
            )
        if any(self.heads[column] in self._values(column) for column in others):
            return False  # it is a label of other pictures too
        named = LABEL in known and len(known) > 1
        return named or not (self.finder.finds(head) or all(map(_is_number, self.heads)))

    def path(self) -> int:
        """Choose the column whose cells are pictures; UserError if several fit."""
        ranks = {column: self._rank(column) for column in self._numbers}
        if max(ranks.values()) < 1:
            numeric = [c for c in self._numbers if self._may_number_pictures(c)]
            ranks |= {column: self._numeric_rank(column) for column in numeric[:MOST_NUMERIC]}
            ranks |= {column: 2 for column, rank in ranks.items() if rank == PARTLY}
        best = max(ranks.values())
        if not best:
            roles = [role for role in (PATH, INDEX) if role in self._roles]
            return self._roles.index(roles[0]) if roles else 0
        fit = [column for column in self._numbers if ranks[column] == best]
        if len(fit) > 1:
            fit = self._choose_path(fit)
        return fit[0]

    def notes_on_path(self, path: int) -> tuple[str, ...]:
        if not self._rows or not self._is_numeric(path):
            return ()
        return (f"in {printable(self.file)} the numbers in {self._name(path)} name the pictures",)

    def part(self, path: int) -> int | None:
        """Choose the column that gives the split of a picture; None if there is none."""
        others = [column for column in self._numbers if column != path]
        named = [
            c for c in others if self._roles[c] == PART and any(map(part_named, self.cells(c)))
        ]
        if named:
            return named[0]
        flags = [c for c in others if self._is_flag(c)]
        if flags:
            return flags[0]
        found = list(filter(self._names_parts, others))
        return found[0] if found and len(others) > 1 else None

    def part_of(self, part: int) -> Callable[[Sequence[str]], str | None]:
        flagged = part_named(self.heads[part]) if self._is_flag(part) else None
        if flagged:
            other = VALIDATION if flagged == TRAIN else None
            return lambda row: flagged if row[part].strip().casefold() in ONES else other
        return lambda row: part_named(row[part])

    def label(self, path: int, part: int | None) -> tuple[int | list[int], tuple[str, ...]]:
        """Choose the column of the labels, or all one-hot columns; return it with notes.

        Raises UserError with a question if several columns fit.
        """
        others = [column for column in self._numbers if column not in (path, part)]
        plain = [_plain(head.rpartition(".")[2]) for head in self.heads]
        if self.finder.wanted.label is not None and self._may_head:
            return self._wanted(self.finder.wanted.label, plain), ()
        exact = [c for name in LABELS for c in others if self._may_head and plain[c] == name]
        exact = [column for column in exact if len(self._values(column)) > 1] or exact
        if exact or len(others) == 1:
            return (exact or others)[0], ()
        fit = [c for c in others if self._roles[c] not in (INDEX, PART) and self._values(c)]
        fit = [c for c in fit if not any(map(_names_picture, self.cells(c)))]
        hot = [column for column in fit if self._may_head and self._is_binary(column)]
        counts = {column: len(self._values(column)) for column in fit}
        few = [column for column in fit if 1 < counts[column] <= len(self._rows) / 2]
        few = few or [column for column in fit if counts[column] * 2 <= len(self._rows)]
        repeated = few or [c for c in fit if counts[c] < len(self._rows)] or fit or others
        texts = [c for c in repeated if not self._is_numeric(c) or self._roles[c] == LABEL]
        if len(hot) > 1 and not {*texts} - {*hot} and self._is_one_hot(hot):
            note = f"in {printable(self.file)} the classes are the columns that have a 1 each"
            return hot, (note,)
        named = [column for column in fit if self._roles[column] == LABEL]
        fit = self._without_equivalents(sorted({*(texts or repeated), *named}))
        if len(fit) == 1:
            note = f"in {printable(self.file)} the label is taken from {self._name(fit[0])}"
            return fit[0], (note,)
        if {*hot} == {*fit}:
            names = ", ".join(printable(self.heads[column]) for column in hot)
            raise UserError(
                f"{self.file}: the columns {names} hold 0 and 1, but not exactly one 1 in each row;"
                " this program learns one class for each picture: name one of them with --label, "
                "keep the rows with one 1 alone, or add a column 'label'"
            )
        shown = "; ".join(self._shown(column) for column in fit[:8])
        answer = "Answer with --label COLUMN" if self._may_head else "Leave two columns"
        raise UserError(
            f"{self.file}: has the columns {', '.join(map(printable, self.heads[:20]))}; which one "
            f"is the label? It could be {shown or 'none of them'}. {answer}"
        )

    def _wanted(self, name: str, plain: Sequence[str]) -> int:
        """Find the column that the user names; UserError if there is none."""
        for names, spelled in ((self.heads, name), (plain, _plain(name))):
            if spelled in names:
                return names.index(spelled)
        raise UserError(
            f"{self.file}: has no column '{printable(name)}' for --label; it has "
            f"{', '.join(map(printable, self.heads[:20]))}"
        )

    def _rank(self, column: int) -> float:
        """Rank, from 0 on, how well a column names pictures: by its heading, then by its cells.

        Ranks below 1 are for columns that name pictures `PARTLY`, which compete with numeric ones,
        and for labels, some of which may also be names of pictures, which come last.
        """
        role = self._roles[column]
        if role in (LABEL, PART) or self._is_fractional(column):
            return 0
        numeric = self._is_numeric(column)
        if numeric and role != PATH:
            return 0
        hits = self._survey(column)
        exact = hits.exact or any(map(_names_picture, self.cells(column)))
        if role == PATH and (exact or (hits.guessed and not numeric)):
            return 5 if exact else 4
        if exact or (numeric and hits.guessed):
            return 3
        names = len({*self.cells(column)})
        if names * 2 <= len(self._rows) or not hits.guessed:
            return bool(hits.guessed) * PARTLY / 2
        if hits.guessed < 0.9 * min(names, MOST_NAMES):
            return PARTLY
        return 1 if role == INDEX else 2

    def _may_number_pictures(self, column: int) -> bool:
        whole = self._is_numeric(column) and not self._is_fractional(column)
        return whole and self._roles[column] not in (LABEL, PART)

    def _numeric_rank(self, column: int) -> int:
        """Rank a numeric column, which is the path only if no other column is."""
        hits = self._survey(column)
        is_index = self._roles[column] == INDEX and not {*words(self.heads[column])} - COUNTS
        return bool(hits.exact + hits.guessed) * (1 if is_index else 2)

    def _survey(self, column: int) -> Hits:
        if column not in self._hits:
            names = list(dict.fromkeys(self.cells(column)))[:MOST_NAMES]
            self._hits[column] = self.finder.survey(names)
        return self._hits[column]

    def _choose_path(self, fit: list[int]) -> list[int]:
        """Choose among columns that name pictures equally well; UserError if that is impossible."""
        on_disk = [c for c in fit if not all(is_remote(cell.strip()) for cell in self.cells(c))]
        found = [c for c in on_disk if sum(self._survey(c)[:2])] or on_disk or fit
        if len(found) == 1:
            return found
        pictures: dict[tuple[str, ...], int] = {}
        for column in found:
            pictures.setdefault(tuple(self._places(column)), column)
        distinct = [c for each, c in pictures.items() if len({*each}) == len(each)]
        most = max(found, key=lambda c: sum(self._survey(c)[:2]))
        if len(pictures) == 1 or distinct == [most]:
            return [most]
        raise UserError(
            f"{self.file}: several columns name pictures, "
            f"{' and '.join(self._shown(column) for column in found)}; which one is meant? Call it "
            "'path', and leave the other out"
        )

    def _places(self, column: int) -> list[str]:
        self.finder.settle(self.cells(column))
        places = map(self.finder, self.cells(column))
        return [place if is_remote(place) else os.path.abspath(place) for place in places]

    def _without_equivalents(self, fit: list[int]) -> list[int]:
        """Drop columns equivalent to another: names beside numbers."""
        kept: list[int] = []
        for column in sorted(fit, key=self._is_numeric):
            if not any(self._are_equivalent(column, other) for other in kept):
                kept.append(column)
        return sorted(kept)

    def _are_equivalent(self, one: int, other: int) -> bool:
        pairs = {(row[one].strip(), row[other].strip()) for row in self._rows}
        different = {len(pairs), *(len({pair[n] for pair in pairs}) for n in (0, 1))}
        return len(different) == 1 < len(pairs) < len(self._rows)

    def _values(self, column: int) -> list[str]:
        if column not in self._kept:
            values = dict.fromkeys(map(str.strip, self.cells(column)))
            self._kept[column] = [value for value in values if not is_missing(value)]
        return self._kept[column]

    def _is_numeric(self, column: int) -> bool:
        return all(map(_is_number, self._values(column)))

    def _is_fractional(self, column: int) -> bool:
        values = self._values(column)
        return self._is_numeric(column) and not all(map(WHOLE.fullmatch, values))

    def _is_binary(self, column: int) -> bool:
        return {value.casefold() for value in self._values(column)} <= {*BOOLEANS}

    def _is_one_hot(self, columns: list[int]) -> bool:
        return all(
            sum(row[c].strip().casefold() in ONES for c in columns) == 1 for row in self._rows
        )

    def _is_flag(self, column: int) -> bool:
        """Tell whether a column such as "is_valid" flags a split."""
        part = part_named(self.heads[column]) if self._may_head else None
        return part is not None and self._is_binary(column)

    def _names_parts(self, column: int) -> bool:
        values = [value for value in self._values(column) if value.casefold() != UNASSIGNED]
        return len({*map(part_named, values)}) > 1 and all(map(part_named, values))

    def _name(self, column: int) -> str:
        head = printable(self.heads[column]) if self._may_head else ""
        return f"the column '{head}'" if head else f"column {column + 1}"

    def _shown(self, column: int) -> str:
        values = self._values(column)
        more = ", …" if len(values) > MOST_SHOWN else ""
        return f"{self._name(column)} ({', '.join(map(printable, values[:MOST_SHOWN]))}{more})"


def role(head: str) -> str | None:
    """Return the role of a column by the words of its heading, if they indicate one."""
    strong = [word for word in reversed(words(head)) if word not in WEAK]
    for candidates in ([_plain(head)], strong, words(head)):
        for word in candidates:
            for role, known in WORDS.items():
                if word in known or word.removesuffix("s") in known:
                    return role
    return None if head else INDEX


def _plain(head: str) -> str:
    return re.sub(r"[\W_]+", "", head).casefold()


def _one_hot_class(
    file: Path, columns: list[int], heads: Sequence[str]
) -> Callable[[Sequence[str]], str]:
    """Return a function from a row to its class: the heading of the only column with a 1."""

    def label(row: Sequence[str]) -> str:
        found = [heads[column] for column in columns if row[column].strip().casefold() in ONES]
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
    return bool(NUMBER.fullmatch(cell.strip()))
