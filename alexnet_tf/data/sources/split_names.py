"""Which part of the data a folder, a list or a cell of a table is, by the words of its name."""

from __future__ import annotations

import re

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION

# What the parts are called; of several to validate with the first in this order is taken.
NAMES = {
    "train": TRAIN, "training": TRAIN, "trn": TRAIN,
    "val": VALIDATION, "validation": VALIDATION, "valid": VALIDATION, "dev": VALIDATION,
    "test": TEST, "testing": TEST, "tst": TEST,
}  # fmt: skip
# What may be written together with them: "trainset", "validdata", "imagestest".
NOUNS = "(?:(?:set|data|image|img|photo|picture|label|list|file|folder|split|class|classe)s?)*"
NAMED = re.compile(rf"{NOUNS}({'|'.join(sorted(NAMES, key=len, reverse=True))}){NOUNS}")
LETTERS = re.compile(r"[^\W\d_]+")
CASE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def words(name: str) -> list[str]:
    """Split `name` at its case, digits and signs: "myTrain_set2" is my, train, set."""
    return [word.casefold() for letters in LETTERS.findall(name) for word in CASE.split(letters)]


def part_named(name: str) -> str | None:
    """Tell which part of the data a thing of that name is; None for any other name."""
    parts = {NAMES[match[1]] for match in map(NAMED.fullmatch, words(name)) if match}
    return parts.pop() if len(parts) == 1 else None


def kin(name: str) -> tuple[str, ...]:
    """Return the words of `name` but those for parts of the data: parts of one set share them."""
    return tuple(word for word in words(name) if not NAMED.fullmatch(word))


def preference(name: str) -> int:
    """Return the place in `NAMES` of the first word for a part in `name`, which has one."""
    matches = map(NAMED.fullmatch, words(name))
    return min(list(NAMES).index(match[1]) for match in matches if match)
