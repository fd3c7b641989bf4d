"""Labelled pictures, checked and split into training and validation."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from alexnet_tf.data.archive import DEFAULT_LIMITS, Limits
from alexnet_tf.data.images import ImageError, read_content, read_picture
from alexnet_tf.data.sources import Entry, open_source
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import write_text
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import align, printable

VALIDATION_SHARE = 0.15
# How many pictures at a time are handed to the threads that check them.
PORTION = 1024


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture: its path, the index of its class, the SHA-256 of its file in hex."""

    path: str
    label: int
    digest: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures, split; `rejected` holds (path, reason) of the files that are left out."""

    classes: tuple[str, ...]
    train: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    rejected: tuple[tuple[str, str], ...] = ()

    def fingerprint(self) -> str:
        """Compute the SHA-256 of classes, split, labels and contents; paths do not matter."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for pictures in (self.train, self.validation):
            digest.update(repr([(p.label, p.digest) for p in pictures]).encode())
        return digest.hexdigest()

    def summary(self) -> str:
        """Make a table of the numbers of pictures by class, and a line about those left out."""
        parts = self.train, self.validation
        counts = [Counter(picture.label for picture in pictures) for pictures in parts]
        lines = align(
            [
                ("class", "training", "validation"),
                *(
                    (name, *(str(count[label]) for count in counts))
                    for label, name in enumerate(self.classes)
                ),
                ("all", *(str(len(pictures)) for pictures in parts)),
            ]
        )
        if self.rejected:
            lines.append(f"left out: {len(self.rejected)}, named with the reason in rejected.txt")
        return "\n".join(lines)

    def first_rejected(self) -> str:
        """Make an ending for a sentence about missing pictures."""
        if not self.rejected:
            return ""
        path, reason = self.rejected[0]
        return f" ({len(self.rejected)} left out, the first: {printable(path)}, which {reason})"

    def without(self, reasons: dict[str, str]) -> Dataset:
        """Reject pictures for `reasons` (path → reason); UserError when too few are left."""
        parts = (
            tuple(picture for picture in pictures if picture.path not in reasons)
            for pictures in (self.train, self.validation)
        )
        return _checked(Dataset(self.classes, *parts, (*self.rejected, *reasons.items())))


def open_dataset(source: str | Path, seed: int = 0, limits: Limits = DEFAULT_LIMITS) -> Dataset:
    """Check and split the labelled pictures that `source` names, as `open_source` takes it.

    Unless the lists say otherwise, 15% of each class are kept for validation, the same ones every
    time for the same files and `seed`, wherever they lie. Byte-identical pictures stay on one side.
    Files that are no readable picture are in `rejected`. Raises UserError when there is only one
    class, or a class without two different pictures.
    """
    found = open_source(source, limits)
    digests, rejected = _inspect([entry.path for entry in found.entries])
    entries = [entry for entry in found.entries if entry.path in digests]
    labels = defaultdict(set)
    for entry in entries:
        labels[digests[entry.path]].add(entry.label)
    held_out = _held_out(entries, digests, seed)

    train, validation = [], []
    for entry in entries:
        picture = Picture(entry.path, found.classes.index(entry.label), digests[entry.path])
        if len(labels[picture.digest]) > 1:
            names = " and ".join(sorted(labels[picture.digest]))
            rejected.append((picture.path, f"the same picture is labelled {names}"))
        elif picture.digest not in held_out:
            train.append(picture)
        elif entry.validation is False:
            rejected.append((picture.path, "the same picture is in the validation list"))
        else:
            validation.append(picture)
    dataset = Dataset(found.classes, tuple(train), tuple(validation), (*found.rejected, *rejected))
    return _checked(dataset)


def write_lists(dataset: Dataset, directory: Path) -> None:
    """Write train.txt, val.txt (``path label``), classes.txt, rejected.txt (path, tab, reason).

    The label is the index of the class, whose name is that line of classes.txt.
    """
    for name, pictures in (("train.txt", dataset.train), ("val.txt", dataset.validation)):
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
        content = read_content(path)
        read_picture(path, 1, content)
    except ImageError as error:
        return error
    return hashlib.sha256(content).hexdigest()


def _held_out(entries: list[Entry], digests: dict[str, str], seed: int) -> set[str]:
    """Choose the pictures to validate with, by digest: the validation list's, or 15% a class."""
    if any(entry.validation is not None for entry in entries):
        return {digests[entry.path] for entry in entries if entry.validation}
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
