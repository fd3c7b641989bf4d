"""Data sets as their authors publish them, found by their marks, before the rules.

Each of `KINDS` has a function that yields its labelled pictures, with the authors' split; those in
`BY_RULES` need none.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.manifest import TRAIN, Source, Wanted
from alexnet_tf.data.sources.path_resolver import MOST_FOLDERS
from alexnet_tf.data.sources.published_kinds import KINDS, Kind
from alexnet_tf.errors import UserError
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
    """Read `folder`, or a subfolder, if it is one of `KINDS`.

    Without a validation set, its test set takes that place. Raises UserError if its tables do not
    agree.
    """
    places = _places(folder)
    for kind in KINDS:
        is_clear = kind.labels is None or wanted.label in (None, *kind.labels)
        if is_clear and wanted.split is None and (place := _marked(places, kind.marks)):
            found = _read(kind, place, wanted.label)
            if found.entries:
                return found
    return None


def name_by_rules(folder: Path) -> str | None:
    """Name the published data set in `folder` that the rules for folders and tables read."""
    places = _places(folder)
    return next((name for name, marks in BY_RULES.items() if _marked(places, marks)), None)


def _places(folder: Path) -> list[Path]:
    inner: list[Path] = []
    with suppress(OSError):  # it cannot be listed, which `read_layout` reports
        inner += islice(filter(Path.is_dir, folder.iterdir()), MOST_FOLDERS)
    return [folder, *sorted(inner)]


def _marked(places: Iterable[Path], marks: Iterable[str]) -> Path | None:
    has = (p for p in places if all(next(p.glob(mark), None) is not None for mark in marks))
    return next(has, None)


def _read(kind: Kind, place: Path, label: str | None) -> Source:
    try:
        entries = [
            replace(each, label=manifest.class_name(each.label)) for each in kind.read(place, label)
        ]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{place}: looks like {kind.name}, but its tables do not agree ({error!r}); fetch it "
            "anew, or name its folder of pictures, if that has a folder for each class"
        ) from error
    trained = {entry.label for entry in entries if entry.part in (None, TRAIN)}
    notes = [f"{kind.name}, as published: {len(trained)} classes"]
    test = f"the test set in {printable(place)}"
    entries = manifest.validate_by_test(entries, "part", test, notes)
    numeric = all(map(str.isdecimal, trained))
    classes = sorted(trained, key=int if numeric else None)
    return manifest.align_to_classes(classes, entries, (), notes)
