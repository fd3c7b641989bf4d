"""The split (training, validation, test) that the name of a folder, list or cell means."""

from __future__ import annotations

import re
from pathlib import Path

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION

# The names of the splits; of several validation sets the first in this order is used.
NAMES = {
    "train": TRAIN, "training": TRAIN, "trn": TRAIN,
    "val": VALIDATION, "validation": VALIDATION, "valid": VALIDATION, "dev": VALIDATION,
    "crossval": VALIDATION,
    "test": TEST, "testing": TEST, "tst": TEST, "evaluation": TEST, "eval": TEST, "holdout": TEST,
}  # fmt: skip
# Words that may be joined with them: "trainset", "validdata", "imagestest".
NOUNS = "(?:(?:set|data|image|img|photo|picture|label|list|file|folder|split|class|classe)s?)*"
NAMED = re.compile(rf"{NOUNS}({'|'.join(sorted(NAMES, key=len, reverse=True))}){NOUNS}")
LETTERS = re.compile(r"[^\W\d_]+")
CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words(name: str) -> list[str]:
    """Split `name` at changes of case, digits and punctuation: "myTrain_set2" → my, train, set."""
    return [word.casefold() for letters in LETTERS.findall(name) for word in CASE.split(letters)]


def part_named(name: str) -> str | None:
    """Return the split that `name` means; None for any other name."""
    parts = {NAMES[match[1]] for match in map(NAMED.fullmatch, words(name)) if match}
    return parts.pop() if len(parts) == 1 else None


def part_of_file(file: Path) -> str | None:
    """Return the split that the name of a list means, or else that of its folder."""
    return part_named(file.stem) or part_named(file.parent.name)


def kin(name: str) -> tuple[str, ...]:
    """Return the words of `name` other than splits; the lists of one data set share them."""
    return tuple(word for word in words(name) if not NAMED.fullmatch(word))


def preference(name: str) -> int:
    """Return the index in `NAMES` of the first split word in `name`, or -1 if it has none."""
    matches = map(NAMED.fullmatch, words(name))
    return min((list(NAMES).index(match[1]) for match in matches if match), default=-1)
