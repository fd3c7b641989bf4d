"""The rows of a list or table, divided into path, label and split."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from alexnet_tf.data.images.file_types import TABLES
from alexnet_tf.data.sources.column_choice import choose_columns
from alexnet_tf.data.sources.headings import INDEX, LABEL, PATH, role
from alexnet_tf.data.sources.path_resolver import PathResolver, is_picture
from alexnet_tf.data.sources.records import has_records, read_records
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

Row = TypeVar("Row")

LIST_LINE = re.compile(r"(.*\S)[ \t]+(\S+)\s*")
DELIMITERS = ",;\t|"
# The line that Excel writes before a table to declare its separator.
SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
# The delimiter for a single column: no line may contain it.
NOWHERE = "\x1f"
# The number of lines sampled from the first ones to locate the pictures, the number of those first
# lines, and the number of names sampled to determine the format.
SAMPLE, MOST_TRIED, FEW = 200, 100_000, 20
# A table is refused if more than one line in so many has another number of cells than the first.
UNEVEN = 10


class Damaged(UserError):
    """A table whose lines cannot be divided into cells."""


@dataclass
class Rows:
    """The `rows` of a list or table: path, label and split of each.

    The split is None if the table has none. `called` is the heading of the labels, `heads` are all
    headings, empty if there are none; `notes` describe the interpretation where it is not obvious,
    and, after the last row, which lines were left out.
    """

    rows: Iterator[tuple[str, str, str | None]]
    called: str = ""
    heads: tuple[str, ...] = ("", "")
    notes: list[str] = field(default_factory=list)


def read_rows(
    file: Path, finder: PathResolver, labelled: bool = True, lenient: bool = False
) -> Rows:
    """Read the rows of `file`, and tell `finder` which folder its paths are relative to.

    Rows are read when needed, because millions of them would fill the memory. If not `labelled`,
    the file needs only paths. A few lines with another number of cells than the first are left out
    and noted if `lenient`. Raises UserError for others, and if the meaning is ambiguous.
    """
    form = _form(file, finder, labelled)
    sample = _sample(islice(_cut(file, form, [] if lenient else None), MOST_TRIED))
    if not sample:
        return Rows(iter(()))
    if form is None:
        finder.settle(path for path, _ in sample)
        head, label = sample[0]
        has_heading = role(head) in (PATH, INDEX) and role(label) == LABEL
        lines = islice(_cut(file, None), has_heading and not finder.finds(head), None)
        return Rows((path, label, None) for path, label in lines)
    choice = choose_columns(file, sample, finder, labelled)
    notes = [*choice.notes]

    def rows() -> Iterator[tuple[str, str, str | None]]:
        uneven: list[str] = []
        lines = _cut(file, form, uneven if lenient else None)
        for row in islice(lines, choice.has_heading, None):
            path = row[choice.path]
            if path != path.strip() and not finder.finds(path):
                path = path.strip()
            yield path, choice.label(row), choice.part(row)
        if uneven:
            notes.append(f"{printable(file)}: lines left out: {len(uneven)}, such as {uneven[0]}")

    heads = tuple(cell.strip() if choice.has_heading else "" for cell in sample[0])
    return Rows(rows(), choice.called, heads, notes)


def cut(file: Path, finder: PathResolver) -> Iterator[Sequence[str]]:
    """Yield the cells of each row of a list or table, labelled or not, with any headings."""
    return _cut(file, _form(file, finder, labelled=False))


def _form(file: Path, finder: PathResolver, labelled: bool) -> dict[str, Any] | None:
    """Determine the format: parameters for `csv`, or None for lines ``path label``.

    If several formats give each row the same number of cells, the one with more pictures is chosen.
    """
    if has_records(file):
        return {}
    suffix = file.suffix.lower()
    is_table = suffix in TABLES and suffix != ".lst"
    lines = list(islice((line for line in read_lines(file) if line.strip()), SAMPLE))
    separator = SEPARATOR.fullmatch(lines[0]) if lines else None
    delimiters = separator[1] if separator else DELIMITERS if is_table else "\t,;|"
    text = "\n".join(lines)
    tables = [form for each in delimiters if each in text for form in _dialects(each, text)]
    is_list = not separator and all(map(LIST_LINE.fullmatch, lines))
    forms: list[dict[str, Any] | None] = [form for form in tables if _is_regular(file, form)]
    if is_table and not forms:
        forms += (form for form in tables if _is_regular(file, form, uneven=[]))
    if is_list and not is_table:
        forms.insert(sum(form["delimiter"] == "\t" for form in forms if form), None)
    if not labelled:
        forms += filter(partial(_is_regular, file, least=1), _dialects(NOWHERE, text))
    if not is_table:
        forms += filter(partial(_is_regular, file, least=3), _dialects(" ", text))
    if len(forms) > 1:
        return max(forms, key=lambda form: _pictures_in(file, form, finder))
    if forms or not is_table:
        return forms[0] if forms else None
    if tables:
        return max(tables, key=lambda form: lines[0].count(form["delimiter"]))
    return None if is_list else _dialects(",", text)[0]


def _dialects(delimiter: str, text: str) -> list[dict[str, Any]]:
    """Return the possible `csv` parameters for the lines `text`, the most likely first."""
    d = re.escape(delimiter)
    enclosed = [rf"(^|{d})[ ]*{q}([^{q}\n]|{q}{q})*{q}[ ]*({d}|$)" for q in "\"'"]
    double, single = (re.search(pattern, text, re.MULTILINE) for pattern in enclosed)
    special = {*re.findall(r"\\(.?)", text, re.DOTALL)}
    forms = []
    for quote in "'\"" if single and not double else '"':
        escaped = special <= {quote, delimiter, "\\", "\n"} and special & {quote, delimiter}
        forms.append(
            {
                "delimiter": delimiter,
                "quotechar": quote,
                "escapechar": "\\" if escaped else None,
                "doublequote": not (escaped and quote in special),
                "skipinitialspace": delimiter == " " or f"{delimiter} {quote}" in text,
                "strict": True,
            }
        )
    return forms


def _is_regular(
    file: Path, form: dict[str, Any], least: int = 2, uneven: list[str] | None = None
) -> bool:
    """Tell whether the first rows have the same number of cells, `least` or more, but for a few if
    `uneven` is a list."""
    try:
        widths = {len(row) for row in islice(_cut(file, form, uneven), SAMPLE)}
    except UserError:
        return False
    return len(widths) == 1 and min(widths) >= least


def _pictures_in(file: Path, form: dict[str, Any] | None, finder: PathResolver) -> tuple[int, int]:
    """Count the existing and all picture names in the best column of the first rows.

    If no cell looks like a picture, names that are found with a guessed suffix count.
    """
    rows = list(islice(_cut(file, form, []), SAMPLE))
    columns = [[cell.strip() for cell in column] for column in zip(*rows)]
    if form is None:
        del columns[1:]  # only the path of 'path label'
    scores = [(sum(map(is_picture, column)), column) for column in columns]
    most, best = max(scores, default=(0, []), key=lambda each: each[0])
    if most:
        return finder.survey(best, guess=False).exact, most
    return max((finder.survey(each[:FEW]).total for each in columns), default=0), 0


def _cut(
    file: Path, form: dict[str, Any] | None, uneven: list[str] | None = None
) -> Iterator[Sequence[str]]:
    """Yield the cells of each line of a table, or path and label of each line of a list.

    Lines of a table with another number of cells than the first are an error or, if they are few,
    added to `uneven`.
    """
    if form is not None:
        yield from read_records(file) if has_records(file) else _cut_table(file, form, uneven)
        return
    for number, line in enumerate(read_lines(file), 1):
        match = LIST_LINE.fullmatch(line)
        if match:
            yield match.groups()
        elif line.strip():
            raise UserError(f"{file}, line {number}: should be 'path label', but is '{line[:200]}'")


def _cut_table(
    file: Path, form: dict[str, Any], uneven: list[str] | None
) -> Iterator[Sequence[str]]:
    lines = (line + "\n" for line in read_lines(file))  # a quoted cell may span lines
    first = next(lines, "")
    skipped = bool(SEPARATOR.fullmatch(first.strip()))
    reader = csv.reader(lines if skipped else chain((first,), lines), **form)
    width, count = None, 0
    try:
        for row in reader:
            if not any(row):
                continue
            width, count = width or len(row), count + 1
            if len(row) == width:
                yield row
                continue
            line = f"line {reader.line_num + skipped}"
            problem = f"{line}: has {len(row)} columns, but the first has {width}"
            if uneven is None:
                raise Damaged(f"{file}, {problem}")
            uneven.append(problem)
        if uneven and len(uneven) * UNEVEN > count:
            raise Damaged(f"{file}, {uneven[0]}")
    except csv.Error as error:
        raise Damaged(f"{file}, line {reader.line_num + skipped}: is no table ({error})") from error


def _sample(rows: Iterable[Row]) -> list[Row]:
    """Choose at least `SAMPLE` rows, evenly spaced, including the first."""
    kept: list[Row] = []
    step = 1
    for number, row in enumerate(rows):
        if number % step == 0:
            kept.append(row)
        if len(kept) > 2 * SAMPLE:
            kept, step = kept[::2], 2 * step
    return kept
