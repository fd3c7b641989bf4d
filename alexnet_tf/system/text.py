"""Text for people: names that are safe to print, and tables."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

# Begins a path with escapes, as in the URI of a file (RFC 8089).
ENCODED = "file:"

# What a cell begins with that a spreadsheet computes.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(name: object) -> str:
    """Return `name` fit to be shown in one line, with escapes for what would break or disguise it.

    Those are what `is_printable` says, and invisible characters, which may reorder or hide
    others (U+202E writes backwards), but for the two joiners that scripts and emoji need.
    """
    return "".join(ascii(c)[1:-1] if _breaks_lines(c) or _is_invisible(c) else c for c in str(name))


def printable_lines(text: object) -> str:
    """Return the lines of `text`, each `printable`."""
    return "\n".join(map(printable, str(text).split("\n")))


def is_printable(name: object) -> bool:
    """Tell whether `name` can stand in a line of UTF-8 text as it is."""
    text = str(name)
    return text.isprintable() or not any(map(_breaks_lines, text))


def encoded(name: str) -> str:
    """Return the path `name` as it can stand in a line, and in a cell that no spreadsheet computes:
    as it is, or ``file:`` and ``%`` escapes.

    `decoded` makes the same of it again.
    """
    if is_printable(name) and not name.startswith((ENCODED, *FORMULA)):
        return name
    return ENCODED + quote_from_bytes(os.fsencode(name))


def decoded(text: str) -> str:
    """Return the path that `encoded` made `text` of."""
    if not text.startswith(ENCODED):
        return text
    return os.fsdecode(unquote_to_bytes(text.removeprefix(ENCODED)))


def in_cell(text: str) -> str:
    """Return `text` as a table can have it: after an apostrophe, where a spreadsheet would take it
    for a formula (OWASP, CSV injection). `from_cell` takes that off."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """Return the text of which `in_cell` made this one."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def align(table: Iterable[Sequence[object]]) -> list[str]:
    """Lay out the cells of each line of `table` for a terminal.

    They are made `printable`; the first column is flush left, the others are right.
    """
    return ["  ".join(line) for line in _padded([map(printable, line) for line in table])]


def markdown(table: Iterable[Sequence[str]], right: bool = True) -> str:
    """Lay out `table`, whose first line is the headings, in Markdown that reads well unrendered.

    The first column is flush left; the others are `right`, or left too. The cells stay as they are.
    """
    headings, *lines = _padded(table, right)
    rules = ["-" * len(cell) for cell in headings]
    if right:
        rules[1:] = [f"{rule[:-1]}:" for rule in rules[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rules, *lines))


def _padded(table: Iterable[Iterable[str]], right: bool = True) -> list[list[str]]:
    """Make the cells of a column equally wide: the first flush left, the others `right`."""
    table = [list(line) for line in table]
    widths = [max(map(len, column)) for column in zip(*table)]
    rest = str.rjust if right else str.ljust
    return [[first.ljust(widths[0]), *map(rest, others, widths[1:])] for first, *others in table]


def _breaks_lines(character: str) -> bool:
    """Find control characters, lone surrogates (bytes that are not UTF-8), line separators."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" and character not in "\u200c\u200d"
