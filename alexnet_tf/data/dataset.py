"""Labelled pictures, checked and split into training, validation and test."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from alexnet_tf.data.digests import DIGESTS, in_threads
from alexnet_tf.data.features.batches import stored_digests
from alexnet_tf.data.images.contents import ImageError, InMemory, reading
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.columns import Columns, Digests
from alexnet_tf.data.sources.listing import left_out
from alexnet_tf.data.sources.lists import listed_contents
from alexnet_tf.data.sources.manifest import ANY, TEST, TRAIN, VALIDATION, Entry, Source, Wanted
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, UnpackLimits
from alexnet_tf.data.split import are_of, hold_out, labelled_twice, number_contents
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines, write_lines
from alexnet_tf.system.text import align, printable


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its path, the index of its class, the SHA-256 of its file in hex."""

    path: str
    label: int
    digest: str


def to_columns(pictures: Iterable[Picture] = ()) -> Columns[Picture]:
    """Store `pictures`, and those appended later, in columns."""
    columns = Columns(Picture, [], array("i"), Digests())
    for picture in pictures:
        columns.append(picture)
    return columns


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures by split, and the `rejected` files, (path, reason). `test`, if there is one
    beside the validation set, is used neither to train nor to choose. `notes` describe how the
    source was interpreted; `drawn` tells whether the validation set was drawn at random, not given
    by it."""

    classes: tuple[str, ...]
    train: Sequence[Picture]
    validation: Sequence[Picture]
    rejected: tuple[tuple[str, str], ...] = ()
    test: Sequence[Picture] = ()
    notes: tuple[str, ...] = ()
    drawn: bool = False

    @property
    def is_cross_validated(self) -> bool:
        """Tell whether every picture is both trained on and validated with: cross-validation."""
        parts = self.train, self.validation
        return len({*map(len, parts)}) == 1 and all(a == b for a, b in zip(*parts))

    def cross_validated(self) -> Dataset:
        """Return the data set with all its pictures both to train and to validate with, or the data
        set itself if its source gives the validation set."""
        if not self.drawn:
            return self
        pictures = to_columns(self.labelled())
        return replace(self, train=pictures, validation=pictures)

    def labelled(self) -> Iterator[Picture]:
        """Yield the pictures of the training and validation sets, each once."""
        return iter(self.train) if self.is_cross_validated else chain(self.train, self.validation)

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures of all splits."""
        return chain(self.labelled(), self.test)

    def fingerprint(self) -> str:
        """Return the SHA-256 of classes, splits, labels and contents, without paths, and without
        the test set, because it does not affect training."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for pictures in (self.train, self.validation):
            # Hashed piece by piece: the `repr` of a list of pairs, of which there may be millions.
            pairs = (repr((p.label, p.digest)) for p in pictures)
            digest.update(b"[" + next(pairs, "").encode())
            for pair in pairs:
                digest.update(b", " + pair.encode())
            digest.update(b"]")
        return digest.hexdigest()

    def summary(self) -> str:
        """Return a table of the numbers of pictures by class, and the lines of `warnings`."""
        parts = {"training": self.train, "validation": self.validation}
        if self.is_cross_validated:
            parts = {"pictures": self.train}
        if self.test:
            parts["test"] = self.test
        counts = [Counter(picture.label for picture in pictures) for pictures in parts.values()]
        lines: list[tuple[object, ...]] = [("class", *parts)]
        for label, name in enumerate(self.classes):
            lines.append((name, *(count[label] for count in counts)))
        lines.append(("all", *map(len, parts.values())))
        return "\n".join([*align(lines), *self.warnings()])

    def warnings(self) -> list[str]:
        """Return lines for the user: how the data was interpreted, and what is excluded."""
        if not self.rejected:
            return list(self.notes)
        count, kinds = len(self.rejected), left_out(self.rejected)
        return [*self.notes, f"left out: {count}, named with the reason in rejected.txt: {kinds}"]

    def first_rejected(self) -> str:
        """Return the first rejected file as the end of a sentence about missing pictures."""
        if not self.rejected:
            return ""
        path, reason = self.rejected[0]
        return f" ({len(self.rejected)} left out, the first: {printable(path)}, which {reason})"

    def without(self, reasons: dict[str, str]) -> Dataset:
        """Reject pictures for `reasons` (path → reason); UserError if too few are left."""
        train, validation, test = (
            to_columns(picture for picture in pictures if picture.path not in reasons)
            for pictures in (self.train, self.validation, self.test)
        )
        rejected = (*self.rejected, *reasons.items())
        kept = replace(self, train=train, validation=validation, test=test, rejected=rejected)
        return _checked(kept)


def open_dataset(
    source: str | Path,
    seed: int = 0,
    limits: UnpackLimits = DEFAULT_LIMITS,
    leave_out: str | Path | None = None,
    features: str | Path | None = None,
    wanted: Wanted = ANY,
    earlier: Source | None = None,
) -> Dataset:
    """Check and split the labelled pictures of `source`, as `open_source` takes it.

    Those of an `earlier` source come first, and keep their splits.

    Unless folders or lists define the splits, 15% of each class are held out for validation: always
    the same ones for the same files and `seed`, wherever they lie. Byte-identical pictures stay in
    one split. Unreadable pictures are in `rejected`, and so are those that the list or table
    `leave_out` names; the split is chosen before they are removed. Those that a store in the folder
    `features` has are not checked again. `wanted` resolves ambiguities of the source. Raises
    UserError if there is only one class, or a class without two different pictures.
    """
    unwanted = _unwanted(leave_out, source) if leave_out else {}
    found = open_source(source, limits, wanted)
    found = manifest.join(earlier, found) if earlier else found
    entries, unreadable = _inspect(found.entries, features)
    notes = (*found.notes, *([_excluded(unwanted, entries, leave_out)] if leave_out else ()))
    rejected = (*found.rejected, *unreadable)
    found = replace(found, entries=manifest.entries_to_columns(), rejected=rejected, notes=notes)
    return _checked(_split(found, entries, seed, unwanted))


def _unwanted(leave_out: str | Path, source: str | Path) -> dict[str, str]:
    """Read the digests and paths of the pictures to exclude, each with the reason. The paths may
    also be relative to the folder `source`, or to its parent folder."""
    path = Path(source).expanduser()
    folders = (path, path.parent) if path.is_dir() else (path.parent,)
    unwanted = dict.fromkeys(listed_contents(leave_out, *folders), f"is named in {leave_out}")
    if not unwanted and not any(map(str.strip, read_lines(leave_out))):
        raise UserError(f"{leave_out}: is empty; it should name the pictures to leave out")
    return unwanted


def _excluded(unwanted: Mapping[str, str], entries: Columns[Entry], leave_out: str | Path) -> str:
    """Return a note of how many unwanted pictures were found; UserError if none was."""
    if not unwanted:
        return f"{printable(leave_out)} names no picture: none is left out"
    used = (entry for entry in entries if entry.part != TEST)
    found = {key for entry in used for key in (entry.digest, entry.path) if key in unwanted}
    if not found:
        raise UserError(
            f"{leave_out}: names {len(unwanted)} picture(s), of which none is there; its paths "
            "should be those of the data, or begin in the folder of the list, in the working "
            f"directory or in the data's, and {DIGESTS} lie beside it if they have moved"
        )
    return f"{printable(leave_out)}: {len(found)} of {len(unwanted)} were found, and are left out"


def write_lists(dataset: Dataset, directory: Path) -> None:
    """Write the split as lists: train.txt and val.txt, whose lines are ``path label``, where the
    label is the index of a line of classes.txt; rejected.txt, whose lines are path, tab, reason;
    and `DIGESTS`. test.txt is written if there is a test set; an existing one of another data set
    is emptied."""
    lists = {"train.txt": dataset.train, "val.txt": dataset.validation}
    if dataset.test or (directory / "test.txt").is_file():
        lists["test.txt"] = dataset.test
    # Written first, so that lists never exist without it.
    listed = (f"{each.digest}  {each.path}\n" for each in dataset.pictures())
    write_lines(directory / DIGESTS, listed)
    for name, pictures in lists.items():
        write_lines(directory / name, (f"{each.path} {each.label}\n" for each in pictures))
    write_lines(directory / "classes.txt", (f"{name}\n" for name in dataset.classes))
    rejected = (f"{printable(path)}\t{printable(reason)}\n" for path, reason in dataset.rejected)
    write_lines(directory / "rejected.txt", rejected)


def _inspect(
    entries: Columns[Entry], features: str | Path | None
) -> tuple[Columns[Entry], list[tuple[str, str]]]:
    """Compute the digests of the readable pictures, and (path, reason) of the others. Pictures with
    known digests were checked before, and are checked again when they are used."""
    readable = manifest.entries_to_columns()
    rejected: list[tuple[str, str]] = []
    paths = [entry.path for entry in entries if not entry.digest]
    if not paths:
        return entries, rejected
    digest = partial(_digest, stored_digests(features) if features else ())
    found = in_threads(digest, paths, "checking pictures")
    for entry in entries:
        result = entry.digest or next(found)
        if isinstance(result, ImageError):
            rejected.append((entry.path, result.reason))
        else:
            readable.append(Entry(entry.path, entry.label, entry.part, result))
    return readable, rejected


def _digest(known: Container[str], path: str) -> str | ImageError:
    """Return a file's SHA-256; unless that is known, first decode its picture, at a small size."""
    try:
        with reading(path) as content:
            digest = hashlib.sha256(content).hexdigest()
            if digest not in known:
                with decoded(InMemory(path, content)):
                    pass
            return digest
    except ImageError as error:
        return error


def _split(found: Source, entries: Columns[Entry], seed: int, unwanted: dict[str, str]) -> Dataset:
    """Distribute the readable `entries` of a source over the splits; `unwanted` pictures (digest or
    path → reason) are excluded."""
    numbers = {name: number for number, name in enumerate(found.classes)}
    contents = number_contents(entries)
    ambiguous, held_out = labelled_twice(entries, contents), hold_out(entries, contents, seed)
    is_known = np.zeros(len(entries), bool)
    is_known[contents[~are_of(entries, (TEST,))]] = True
    parts = {part: to_columns() for part in (TRAIN, VALIDATION, TEST)}
    rejected = list(found.rejected)
    for entry, content in zip(entries, contents):
        picture = Picture(entry.path, numbers[entry.label], entry.digest)
        if entry.part == TEST:
            if is_known[content]:
                rejected.append((picture.path, "the same picture is trained on or validated with"))
            else:
                parts[TEST].append(picture)
        elif reason := unwanted.get(picture.digest) or unwanted.get(picture.path):
            rejected.append((picture.path, reason))
        elif content in ambiguous:
            names = " and ".join(sorted(ambiguous[content]))
            rejected.append((picture.path, f"the same picture is labelled {names}"))
        elif not held_out[content]:
            parts[TRAIN].append(picture)
        elif entry.part == TRAIN:
            rejected.append((picture.path, "the same picture is in the validation list"))
        else:
            parts[VALIDATION].append(picture)
    train, validation, test = parts.values()
    drawn = bool(are_of(entries, (None,)).any())
    return Dataset(found.classes, train, validation, tuple(rejected), test, found.notes, drawn)


def _checked(dataset: Dataset) -> Dataset:
    """Return `dataset`; UserError if it is too small to train and validate with."""
    if len(dataset.classes) < 2:
        raise UserError(
            f"only one class of pictures was found, '{dataset.classes[0]}'; a classifier needs two "
            "or more, each in a folder of its own (or as cat.N.jpg and dog.N.jpg)"
        )
    if problem := _problem(dataset):
        raise UserError(problem + dataset.first_rejected())
    return dataset


def _problem(dataset: Dataset) -> str | None:
    """Return what is wrong with the numbers of different pictures."""
    enough: set[int] = set()
    first: dict[int, str] = {}
    for picture in chain(dataset.train, dataset.validation):
        if first.setdefault(picture.label, picture.digest) != picture.digest:
            enough.add(picture.label)
    trained = {picture.label for picture in dataset.train}
    for label, name in enumerate(dataset.classes):
        if label not in enough:
            return (
                f"the class '{name}' has {int(label in first)} different readable picture(s); it "
                "needs at least two, one to train with and one to validate with"
            )
        if label not in trained:
            return (
                f"all pictures of the class '{name}' are held out to validate with, and none is "
                "left to train with; a picture that is in both parts counts for validation alone"
            )
    return None if dataset.validation else "no pictures are left to validate with"
