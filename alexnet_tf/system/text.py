"""Text for people: printable names, and tables."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

# The prefix of a percent-encoded path, as in a file URI (RFC 8089).
ENCODED = "file:"

# The first characters of a cell that a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(name: object) -> str:
    """Return `name` as one printable line. Escaped are the characters that `is_printable` rejects,
    and invisible ones, which may reorder or hide others (U+202E writes backwards), except the two
    joiners that scripts and emoji need."""
    return "".join(ascii(c)[1:-1] if _breaks_lines(c) or _is_invisible(c) else c for c in str(name))


def printable_lines(text: object) -> str:
    """Return `text` with each of its lines made `printable`."""
    return "\n".join(map(printable, str(text).split("\n")))


def is_printable(name: object) -> bool:
    """Tell whether `name` can stand unchanged in a line of UTF-8 text."""
    text = str(name)
    return text.isprintable() or not any(map(_breaks_lines, text))


def encoded(name: str) -> str:
    """Return the path `name` for a line of text, or a cell that no spreadsheet computes: unchanged
    if it is safe, and otherwise ``file:`` and percent-encoded. `decoded` reverses this."""
    if is_printable(name) and not name.startswith((ENCODED, *FORMULA)):
        return name
    return ENCODED + quote_from_bytes(os.fsencode(name))


def decoded(text: str) -> str:
    """Return the path that `encoded` turned into `text`."""
    if not text.startswith(ENCODED):
        return text
    return os.fsdecode(unquote_to_bytes(text.removeprefix(ENCODED)))


def in_cell(text: str) -> str:
    """Return `text` for a table: after an apostrophe if a spreadsheet would take it for a formula
    (OWASP, CSV injection). `from_cell` reverses this."""
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def from_cell(text: str) -> str:
    """Return the text that `in_cell` turned into `text`."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(FORMULA) else text


def align(table: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of `table` for a terminal, made `printable`: the first column is aligned
    left, the others right."""
    return ["  ".join(line) for line in _padded([map(printable, line) for line in table])]


def markdown(table: Iterable[Sequence[str]], right: bool = True) -> str:
    """Return `table`, whose first line holds the headings, as Markdown that is readable unrendered:
    the first column aligned left, the others right, or left if not `right`."""
    headings, *lines = _padded(table, right)
    rules = ["-" * len(cell) for cell in headings]
    if right:
        rules[1:] = [f"{rule[:-1]}:" for rule in rules[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rules, *lines))


def _padded(table: Iterable[Iterable[str]], right: bool = True) -> list[list[str]]:
    """Pad the cells of each column to equal width: the first column left, the others `right`."""
    table = [list(line) for line in table]
    widths = [max(map(len, column)) for column in zip(*table)]
    rest = str.rjust if right else str.ljust
    return [[first.ljust(widths[0]), *map(rest, others, widths[1:])] for first, *others in table]


def _breaks_lines(character: str) -> bool:
    """Tell whether `character` is a control, a lone surrogate (not UTF-8) or a line separator."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" and character not in "\u200c\u200d"
