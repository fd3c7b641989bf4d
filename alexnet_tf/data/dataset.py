"""Labelled pictures, checked and split into training and validation."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from alexnet_tf.data.archive import DEFAULT, Limits
from alexnet_tf.data.images import ImageError, read_content, read_picture
from alexnet_tf.data.sources import Entry, open_source
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import printable, write_text
from alexnet_tf.system.progress import progress

VALIDATION_SHARE = 0.15
# So many pictures at a time are handed to the threads that check them.
PORTION = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One picture: its path, the index of its class, the SHA-256 of the file in hex."""

    path: str
    label: int
    digest: str


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures, split; `rejected` holds (path, reason) of the files left out."""

    classes: tuple[str, ...]
    train: tuple[Row, ...]
    validation: tuple[Row, ...]
    rejected: tuple[tuple[str, str], ...] = ()

    def fingerprint(self) -> str:
        """SHA-256 over classes, split, labels and contents of the pictures, not their places."""
        digest = hashlib.sha256(repr(self.classes).encode())
        for rows in (self.train, self.validation):
            digest.update(repr([(row.label, row.digest) for row in rows]).encode())
        return digest.hexdigest()

    def summary(self) -> str:
        """A table of pictures by class, and a line about those left out."""
        train, validation = (
            Counter(row.label for row in rows) for rows in (self.train, self.validation)
        )
        names = [printable(name) for name in self.classes]
        width = max(len(name) for name in (*names, "class"))
        lines = [f"{'class':{width}}  training  validation"]
        for label, name in enumerate(names):
            lines.append(f"{name:{width}}  {train[label]:8}  {validation[label]:10}")
        lines.append(f"{'all':{width}}  {len(self.train):8}  {len(self.validation):10}")
        if self.rejected:
            lines.append(f"left out: {len(self.rejected)}, named with the reason in rejected.txt")
        return "\n".join(lines)

    def first_rejected(self) -> str:
        """An ending for a sentence about missing pictures."""
        if not self.rejected:
            return ""
        path, reason = self.rejected[0]
        return f" ({len(self.rejected)} left out, the first: {printable(path)}, which {reason})"

    def without(self, reasons: dict[str, str]) -> Dataset:
        """The same, with the pictures whose paths are in `reasons` (path → reason) rejected."""
        parts = (
            tuple(row for row in rows if row.path not in reasons)
            for rows in (self.train, self.validation)
        )
        return _checked(Dataset(self.classes, *parts, (*self.rejected, *reasons.items())))


def open_dataset(source: str | Path, seed: int = 0, limits: Limits = DEFAULT) -> Dataset:
    """The labelled pictures that `source` names, as `open_source` takes it, checked and split.

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
        row = Row(entry.path, found.classes.index(entry.label), digests[entry.path])
        if len(labels[row.digest]) > 1:
            names = " and ".join(sorted(labels[row.digest]))
            rejected.append((row.path, f"the same picture is labelled {names}"))
        elif row.digest not in held_out:
            train.append(row)
        elif entry.validation is False:
            rejected.append((row.path, "the same picture is in the validation list"))
        else:
            validation.append(row)
    dataset = Dataset(found.classes, tuple(train), tuple(validation), (*found.rejected, *rejected))
    return _checked(dataset)


def write_lists(dataset: Dataset, directory: Path) -> None:
    """Write train.txt, val.txt (``path label``), classes.txt, rejected.txt (path, tab, reason).

    The label is the index of the class, whose name is that line of classes.txt.
    """
    for name, rows in (("train.txt", dataset.train), ("val.txt", dataset.validation)):
        write_text(directory / name, "".join(f"{row.path} {row.label}\n" for row in rows))
    write_text(directory / "classes.txt", "".join(f"{name}\n" for name in dataset.classes))
    rejected = (f"{printable(path)}\t{printable(reason)}\n" for path, reason in dataset.rejected)
    write_text(directory / "rejected.txt", "".join(rejected))


def _inspect(paths: list[str]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Digests of the readable pictures, by path, and (path, reason) of the others."""
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
    """SHA-256 of the file, once its picture has been decoded (small, for speed) from end to end."""
    try:
        content = read_content(path)
        read_picture(path, 1, content)
    except ImageError as error:
        return error
    return hashlib.sha256(content).hexdigest()


def _held_out(entries: list[Entry], digests: dict[str, str], seed: int) -> set[str]:
    """Digests of the pictures to validate with: those in the validation list, or 15% a class."""
    if any(entry.validation is not None for entry in entries):
        return {digests[entry.path] for entry in entries if entry.validation}
    from sklearn.model_selection import train_test_split  # takes a second to import

    classes = defaultdict(set)
    for entry in entries:
        classes[entry.label].add(digests[entry.path])
    held_out: set[str] = set()
    for pictures in classes.values():
        if len(pictures) > 1:  # one that is alone is reported by _checked
            share = max(1, round(VALIDATION_SHARE * len(pictures)))
            held_out.update(
                train_test_split(sorted(pictures), test_size=share, random_state=seed)[1]
            )
    return held_out


def _checked(dataset: Dataset) -> Dataset:
    """`dataset` itself; UserError when it is not enough to train and validate with."""
    if len(dataset.classes) < 2:
        raise UserError(
            f"only one class of pictures was found, '{dataset.classes[0]}'; a classifier needs two "
            "or more, each in a folder of its own (or as cat.N.jpg and dog.N.jpg)"
        )
    pictures = defaultdict(set)
    for row in (*dataset.train, *dataset.validation):
        pictures[row.label].add(row.digest)
    trained = {row.label for row in dataset.train}
    for label, name in enumerate(dataset.classes):
        if len(pictures[label]) < 2 or label not in trained:
            raise UserError(
                f"the class '{name}' has {len(pictures[label])} different readable picture(s); it "
                "needs at least two, one to train with and one to validate with"
                + dataset.first_rejected()
            )
    if not dataset.validation:
        raise UserError("no pictures are left to validate with" + dataset.first_rejected())
    return dataset
