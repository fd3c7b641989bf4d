"""Manifests of labelled, unopened files: the result of reading folders, archives and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alexnet_tf.data.sources.columns import Columns, Digests
from alexnet_tf.errors import UserError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
# The most names in a sentence.
MOST_NAMES = 5


class NoPictures(UserError):
    """A source without labelled pictures."""


class NoLabels(UserError):
    """A table of something other than classes: boxes, captions."""


@dataclass(frozen=True)
class Wanted:
    """What the user answers where a source leaves it open, and the folder that he named.

    `label` is the column of the labels, `split` the number of one of several published splits.
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
    known: dict[str | None, set[str]] = {VALIDATION: set(), TEST: set()}
    extra: dict[str | None, set[str]] = {}
    changed: dict[str, str] = {}
    for entry in entries:
        name = entry.label
        if name not in trained and len(spelled) == len(classes):
            name = spelled.get(name.casefold(), name)
        if name != entry.label:
            changed[entry.label] = name
        if name in trained:
            kept.append(entry if name == entry.label else replace(entry, label=name))
            known.get(entry.part, set()).add(name)
        else:
            rejected.append((entry.path, "is of a class that has no pictures to train with"))
            extra.setdefault(entry.part, set()).add(name)
    if changed:
        pairs = [f"'{name}' is '{changed[name]}'" for name in sorted(changed)[:MOST_NAMES]]
        notes.append(f"capitals do not count where they tell no classes apart: {', '.join(pairs)}")
    for part, names in known.items():
        if names and len(names) < len(classes):
            missing = [name for name in classes if name not in names]
            notes.append(f"the {part} set has no pictures of {_listed(missing)}")
        if part in extra:
            notes.append(
                f"the {part} set has pictures of {_listed(sorted(extra[part]))}, which there is "
                "nothing to train with for: they are left out"
            )
    return Source(tuple(classes), kept, tuple(rejected), tuple(notes))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(f"'{name}'" for name in names[:MOST_NAMES]) + more
