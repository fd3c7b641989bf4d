"""Labelled pictures, checked and split into training and validation."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from alexnet_tf.data.archive import DEFAULT_LIMITS, Limits
from alexnet_tf.data.decoding import ImageError, decoded
from alexnet_tf.data.digests import PORTION, listed_contents
from alexnet_tf.data.entries import TEST, TRAIN, VALIDATION, Entry
from alexnet_tf.data.listing import left_out
from alexnet_tf.data.sources import open_source
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import write_text
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import align, printable

VALIDATION_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its path, the index of its class, the SHA-256 of its file in hex."""

    path: str
    label: int
    digest: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures, split; `rejected` holds (path, reason) of the files that are left out.

    `test` are those of a test set, if there is one beside a validation set: nothing is trained on
    them or chosen by them. `notes` say how the source was understood.
    """

    classes: tuple[str, ...]
    train: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    rejected: tuple[tuple[str, str], ...] = ()
    test: tuple[Picture, ...] = ()
    notes: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Compute the SHA-256 of classes, split, labels and contents; paths do not matter.

        Nor does the test set, which changes nothing in a training.
        """
        digest = hashlib.sha256(repr(self.classes).encode())
        for pictures in (self.train, self.validation):
            digest.update(repr([(p.label, p.digest) for p in pictures]).encode())
        return digest.hexdigest()

    def summary(self) -> str:
        """Make a table of the numbers of pictures by class, and the lines of `remarks`."""
        parts = {"training": self.train, "validation": self.validation}
        if self.test:
            parts["test"] = self.test
        counts = [Counter(picture.label for picture in pictures) for pictures in parts.values()]
        lines = align(
            [
                ("class", *parts),
                *(
                    (name, *(str(count[label]) for count in counts))
                    for label, name in enumerate(self.classes)
                ),
                ("all", *(str(len(pictures)) for pictures in parts.values())),
            ]
        )
        return "\n".join([*lines, *self.remarks()])

    def remarks(self) -> list[str]:
        """Make the lines that a user should see: how the data was understood, what is left out."""
        if not self.rejected:
            return list(self.notes)
        kinds = left_out(self.rejected)
        count = len(self.rejected)
        line = f"left out: {count}, named with the reason in rejected.txt: {kinds}"
        return [*self.notes, line]

    def first_rejected(self) -> str:
        """Make an ending for a sentence about missing pictures."""
        if not self.rejected:
            return ""
        path, reason = self.rejected[0]
        return f" ({len(self.rejected)} left out, the first: {printable(path)}, which {reason})"

    def without(self, reasons: dict[str, str]) -> Dataset:
        """Reject pictures for `reasons` (path → reason); UserError when too few are left."""
        train, validation, test = (
            tuple(picture for picture in pictures if picture.path not in reasons)
            for pictures in (self.train, self.validation, self.test)
        )
        rejected = (*self.rejected, *reasons.items())
        return _checked(
            replace(self, train=train, validation=validation, test=test, rejected=rejected)
        )


def open_dataset(
    source: str | Path,
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    leave_out: str | Path | None = None,
) -> Dataset:
    """Check and split the labelled pictures that `source` names, as `open_source` takes it.

    Unless folders or lists say otherwise, 15% of each class are kept for validation, the same ones
    every time for the same files and `seed`, wherever they lie. Byte-identical pictures stay on one
    side. Files that are no readable picture are in `rejected`, and so are those that the list or
    table `leave_out` names; what is held out is chosen before. Raises UserError when there is only
    one class, or a class without two different pictures.
    """
    unwanted = listed_contents(leave_out) if leave_out else set()
    found = open_source(source, limits)
    digests, rejected = _inspect([entry.path for entry in found.entries])
    entries = [entry for entry in found.entries if entry.path in digests]
    to_test = [entry for entry in entries if entry.part == TEST]
    entries = [entry for entry in entries if entry.part != TEST]
    labels = defaultdict(set)
    for entry in entries:
        labels[digests[entry.path]].add(entry.label)
    held_out = _held_out(entries, digests, seed)

    parts: dict[str, list[Picture]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for entry in entries:
        picture = Picture(entry.path, found.classes.index(entry.label), digests[entry.path])
        if unwanted & {picture.digest, picture.path}:
            rejected.append((picture.path, f"is named in {leave_out}"))
        elif len(labels[picture.digest]) > 1:
            names = " and ".join(sorted(labels[picture.digest]))
            rejected.append((picture.path, f"the same picture is labelled {names}"))
        elif picture.digest not in held_out:
            parts[TRAIN].append(picture)
        elif entry.part == TRAIN:
            rejected.append((picture.path, "the same picture is in the validation list"))
        else:
            parts[VALIDATION].append(picture)
    for entry in to_test:
        picture = Picture(entry.path, found.classes.index(entry.label), digests[entry.path])
        if picture.digest in labels:
            rejected.append((picture.path, "the same picture is trained on or validated with"))
        else:
            parts[TEST].append(picture)
    train, validation, test = map(tuple, parts.values())
    rejected = (*found.rejected, *rejected)
    return _checked(Dataset(found.classes, train, validation, rejected, test, found.notes))


def write_lists(dataset: Dataset, directory: Path) -> None:
    """Write train.txt, val.txt (``path label``), classes.txt, rejected.txt (path, tab, reason).

    The label is the index of the class, whose name is that line of classes.txt. There is a test.txt
    if there is a test set; one of another data set is emptied.
    """
    lists = {"train.txt": dataset.train, "val.txt": dataset.validation}
    if dataset.test or (directory / "test.txt").is_file():
        lists["test.txt"] = dataset.test
    for name, pictures in lists.items():
        lines = (f"{picture.path} {picture.label}\n" for picture in pictures)
        write_text(directory / name, "".join(lines))
    write_text(directory / "classes.txt", "".join(f"{name}\n" for name in dataset.classes))
    rejected = (f"{printable(path)}\t{printable(reason)}\n" for path, reason in dataset.rejected)
    write_text(directory / "rejected.txt", "".join(rejected))


def _inspect(paths: list[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Find the digests of the readable pictures, by path, and (path, reason) of the others."""
    digests, rejected = {}, []
    portions = (paths[start : start + PORTION] for start in range(0, len(paths), PORTION))
    with ThreadPoolExecutor() as pool:
        # All at once they would wait in the pool, a kilobyte for each.
        results = chain.from_iterable(pool.map(_digest, portion) for portion in portions)
        for path, result in zip(paths, progress(results, len(paths), "checking pictures")):
            if isinstance(result, ImageError):
                rejected.append((path, result.reason))
            else:
                digests[path] = result
    return digests, rejected


def _digest(path: str) -> str | ImageError:
    """Compute a file's SHA-256 once its picture has been decoded to the end, small for speed."""
    try:
        with decoded(path) as (_, content):
            return hashlib.sha256(content).hexdigest()
    except ImageError as error:
        return error


def _held_out(entries: list[Entry], digests: dict[str, str], seed: int) -> set[str]:
    """Choose the pictures to validate with, by digest: the validation list's, or 15% a class."""
    if any(entry.part for entry in entries):
        return {digests[entry.path] for entry in entries if entry.part == VALIDATION}
    from sklearn.model_selection import train_test_split  # takes a second to import

    classes = defaultdict(set)
    for entry in entries:
        classes[entry.label].add(digests[entry.path])
    held_out: set[str] = set()
    for same_class in classes.values():
        if len(same_class) > 1:  # one that is alone is reported by _checked
            share = max(1, round(VALIDATION_SHARE * len(same_class)))
            held_out.update(
                train_test_split(sorted(same_class), test_size=share, random_state=seed)[1]
            )
    return held_out


def _checked(dataset: Dataset) -> Dataset:
    """Return `dataset` itself; UserError when it is not enough to train and validate with."""
    if len(dataset.classes) < 2:
        raise UserError(
            f"only one class of pictures was found, '{dataset.classes[0]}'; a classifier needs two "
            "or more, each in a folder of its own (or as cat.N.jpg and dog.N.jpg)"
        )
    digests = defaultdict(set)
    for picture in (*dataset.train, *dataset.validation):
        digests[picture.label].add(picture.digest)
    trained = {picture.label for picture in dataset.train}
    for label, name in enumerate(dataset.classes):
        if len(digests[label]) < 2 or label not in trained:
            raise UserError(
                f"the class '{name}' has {len(digests[label])} different readable picture(s); it "
                "needs at least two, one to train with and one to validate with"
                + dataset.first_rejected()
            )
    if not dataset.validation:
        raise UserError("no pictures are left to validate with" + dataset.first_rejected())
    return dataset
