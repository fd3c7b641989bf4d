"""Manifests of labelled, unopened files: the result of reading folders, archives and lists."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from alexnet_tf.data.sources.columns import Columns, Digests
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import is_printable

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# The most names in a sentence.
MOST_NAMES = 5
UNFIT = "has a name that no line of text can hold"


class NoPictures(UserError):
    """A source without labelled pictures."""


class NoLabels(UserError):
    """A table of something other than classes: boxes, captions."""


class Unlabelled(UserError):
    """A table that names pictures, but has no column of their labels."""


@dataclass(frozen=True)
class Wanted:
    """The user's choices where a source is ambiguous, and the folder that was named.

    `label` is the column of the labels, or the level of the folders that are classes; `split` is
    the number of one of several published splits.
    """

    label: str | None = None
    split: int | None = None
    root: Path | None = None


ANY = Wanted()


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, its class name, and its split: None if the data is not split.

    `digest` is the listed SHA-256 of the file, "" if there is none.
    """

    path: str
    label: str
    part: str | None = None
    digest: str = ""


@dataclass(frozen=True)
class Source:
    """Labelled files. `classes` are in index order; `notes` describe the interpretation.

    `rejected` holds (path, reason) of excluded files.
    """

    classes: tuple[str, ...]
    entries: Columns[Entry]
    rejected: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def entries_to_columns(entries: Iterable[Entry] = ()) -> Columns[Entry]:
    """Store `entries`, and those appended later, in columns."""
    columns = Columns(Entry, [], [], [], Digests())
    for entry in entries:
        columns.append(entry)
    return columns


def class_name(label: str) -> str:
    """Return a label as a class name, which is one line in the Unicode form NFC."""
    name = label.strip()
    return unicodedata.normalize("NFC", name if name.isprintable() else " ".join(name.split()))


def join(first: Source, second: Source) -> Source:
    """Return the files of both; the classes of `first` keep their indices, and its files, where
    `second` has them with the same label, are there once."""
    known = {(os.path.abspath(entry.path), entry.label) for entry in first.entries}
    more = (
        each for each in second.entries if (os.path.abspath(each.path), each.label) not in known
    )
    new = [name for name in second.classes if name not in first.classes]
    return Source(
        (*first.classes, *new),
        entries_to_columns(chain(first.entries, more)),
        first.rejected + second.rejected,
        first.notes + second.notes,
    )


def is_unfit(path: str) -> bool:
    """Tell whether `path` is `UNFIT`."""
    return not is_printable(path) or path[-1].isspace()


def validated_by_test(kind: str, test: str) -> str:
    """Return the note that `test` is used for validation, because no `kind` of thing is for it."""
    return (
        f"there is no {kind} to validate with, so {test} is used for that: the best epoch is "
        "chosen by it, and nothing is left to test with"
    )


def validate_by_test(entries: list[Entry], kind: str, test: str, notes: list[str]) -> list[Entry]:
    """Let the test set validate if there is no validation set, with a note as above."""
    parts = {entry.part for entry in entries}
    if TEST not in parts or parts & {None, VALIDATION}:
        return entries
    notes.append(validated_by_test(kind, test))
    return [replace(e, part=VALIDATION) if e.part == TEST else e for e in entries]


def align_to_classes(
    classes: Sequence[str],
    entries: Iterable[Entry],
    rejected: Iterable[tuple[str, str]] = (),
    notes: Iterable[str] = (),
) -> Source:
    """Create a source of `entries`, whose validation and test classes match the trained ones.

    Classes are case-sensitive; but if no two differ only in case, validation and test classes may
    be spelled in another case. Entries of untrained classes are excluded.
    """
    kept, rejected, notes = entries_to_columns(), list(rejected), list(notes)
    trained, spelled = set(classes), {name.casefold(): name for name in classes}
    if len(spelled) < len(classes):
        alike = [name for name in classes if name not in spelled.values()]
        pairs = [f"'{name}' and '{spelled[name.casefold()]}'" for name in alike[:MOST_NAMES]]
        notes.append(
            f"{', '.join(pairs)} differ in capitals alone, and are classes of their own; if they "
            "are the same, give them one name"
        )
        spelled.clear()
    found: defaultdict[str | None, set[str]] = defaultdict(set)
    changed: dict[str, str] = {}
    for entry in entries:
        name = entry.label
        if name not in trained and name.casefold() in spelled:
            changed[name] = spelled[name.casefold()]
            name = changed[name]
            entry = replace(entry, label=name)
        found[entry.part].add(name)
        if name in trained:
            kept.append(entry)
        else:
            rejected.append((entry.path, "is of a class that has no pictures to train with"))
    if changed:
        pairs = [f"'{name}' is '{changed[name]}'" for name in sorted(changed)[:MOST_NAMES]]
        notes.append(f"capitals do not count where they tell no classes apart: {', '.join(pairs)}")
    for part in (VALIDATION, TEST):
        missing = [name for name in classes if name not in found[part]]
        if 0 < len(missing) < len(classes):
            notes.append(f"the {part} set has no pictures of {_listed(missing)}")
        if extra := sorted(found[part] - trained):
            notes.append(
                f"the {part} set has pictures of {_listed(extra)}, which there is nothing to train "
                "with for: they are left out"
            )
    return Source(tuple(classes), kept, tuple(rejected), tuple(notes))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(f"'{name}'" for name in names[:MOST_NAMES]) + more
