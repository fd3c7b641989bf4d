"""Data sets as their authors publish them: a module each, found by its marks, before the rules.

A module has `NAME`; `MARKS`, patterns that all match below its folder; and `read`, which yields the
labelled pictures there, with the authors' split; perhaps `LABELS`, of which --label wants one.
`BY_RULES` are those that need no module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from alexnet_tf.data.sources.layouts import validated_by_test
from alexnet_tf.data.sources.manifest import (
    TEST,
    TRAIN,
    VALIDATION,
    Source,
    Wanted,
    align_to_classes,
)
from alexnet_tf.data.sources.path_resolver import MOST_FOLDERS
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable

BY_RULES = {
    "Food-101": ("meta/train.*", "meta/classes.txt", "images"),
    "Describable Textures (DTD)": ("labels/train1.txt", "images", "imdb"),
    "GTSRB": ("GTSRB/Final_Training/Images",),
    "Tiny ImageNet": ("wnids.txt", "train", "val/val_annotations.txt"),
    "ILSVRC": ("ILSVRC/Data/CLS-LOC", "LOC_synset_mapping.txt"),
    "SUN397": ("ClassName.txt", "a/abbey"),
    "Stanford Dogs": ("Images/n0*", "train_list.mat"),
}


def read_published(folder: Path, wanted: Wanted) -> Source | None:
    """Read `folder`, or a subfolder, if it is a published data set with a module of its own.

    Without a validation set, its test set takes that place. Raises UserError if its tables do not
    agree.
    """
    places = _places(folder)
    for info in iter_modules(__path__):
        kind = import_module(f"{__name__}.{info.name}")
        answers = wanted.split is None and wanted.label in (None, *getattr(kind, "LABELS", ()))
        if answers and (place := _marked(places, kind.MARKS)):
            return _read(kind, place, wanted)
    return None


def name_by_rules(folder: Path) -> str | None:
    """Name the published data set in `folder` that the rules for folders and tables read."""
    places = _places(folder)
    return next((name for name, marks in BY_RULES.items() if _marked(places, marks)), None)


def cells(file: Path) -> Iterator[list[str]]:
    """Yield the words of each line of `file`, without empty lines and comments."""
    for line in read_lines(file):
        if line.strip() and not line.startswith("#"):
            yield line.split()


def _places(folder: Path) -> list[Path]:
    inner: list[Path] = []
    with suppress(OSError):  # it cannot be listed, which `read_layout` reports
        inner += islice(filter(Path.is_dir, folder.iterdir()), MOST_FOLDERS)
    return [folder, *sorted(inner)]


def _marked(places: Iterable[Path], marks: Iterable[str]) -> Path | None:
    has = (p for p in places if all(next(p.glob(mark), None) is not None for mark in marks))
    return next(has, None)


def _read(kind: ModuleType, place: Path, wanted: Wanted) -> Source:
    try:
        entries = list(kind.read(place, wanted))
    except (LookupError, ValueError, TypeError) as error:
        raise UserError(
            f"{place}: looks like {kind.NAME}, but its tables do not agree ({error!r}); fetch it "
            "anew, or name its folder of pictures, if that has a folder for each class"
        ) from error
    trained = {entry.label for entry in entries if entry.part in (None, TRAIN)}
    notes = [f"{kind.NAME}, as published: {len(trained)} classes"]
    parts = {entry.part for entry in entries}
    if TEST in parts and not parts & {None, VALIDATION}:
        entries = [replace(e, part=VALIDATION) if e.part == TEST else e for e in entries]
        notes.append(validated_by_test("part", f"the test set in {printable(place)}"))
    numeric = all(map(str.isdecimal, trained))
    return align_to_classes(sorted(trained, key=int if numeric else None), entries, (), notes)
