"""The pictures of a run, identified by their digests wherever they are now."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

from alexnet_tf.data.dataset import Dataset, Picture, open_dataset, to_columns
from alexnet_tf.data.digests import Listed, digests
from alexnet_tf.data.images.contents import is_file_of_its_own
from alexnet_tf.data.images.decoding import is_readable
from alexnet_tf.data.sources import manifest
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run, finished_run
from alexnet_tf.runs.settings import LINEAR, Settings
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.text import printable


def open_pictures(settings: Settings) -> Dataset:
    """Open and split the pictures that the settings name."""
    return open_dataset(
        settings.data,
        settings.seed,
        leave_out=settings.leave_out,
        features=settings.features,
        wanted=manifest.Wanted(settings.label, settings.split),
        earlier=_entries(finished_run(settings.from_run)) if settings.from_run else None,
    )


def _entries(run: Run) -> manifest.Source:
    """Return the pictures of `run` in their splits; those of a cross-validated run have none."""
    dataset = started_pictures(run)
    parts: dict[str | None, Sequence[Picture]]
    parts = {manifest.TRAIN: dataset.train, manifest.VALIDATION: dataset.validation}
    if dataset.is_cross_validated:
        parts = {None: dataset.train}
    entries = (
        manifest.Entry(picture.path, dataset.classes[picture.label], part, picture.digest)
        for part, pictures in (parts | {manifest.TEST: dataset.test}).items()
        for picture in pictures
    )
    return manifest.Source(dataset.classes, manifest.entries_to_columns(entries))


def listed_pictures(run: Run) -> Dataset:
    """Read the lists of `run`, with the digests of the files as they are now, "" for missing ones.
    Remote pictures and those in shards keep the digests of the start, and are compared whenever
    they are read. Raises UserError for damaged or missing lists."""
    start = Listed(run.directory)
    return _dataset(run, lambda path: "" if is_file_of_its_own(path) else start(path))


def started_pictures(run: Run) -> Dataset:
    """Read the lists of `run`, with the digests of its start; in a run of an earlier version, which
    has none, files are read."""
    start = run.read_digests()
    return _dataset(run, lambda path: start.get(path, ""))


def _dataset(run: Run, known: Callable[[str], str]) -> Dataset:
    """Read the lists of `run`, with `known` digests; for the others, files are read."""
    classes = [name for name in read_lines(run.directory / "classes.txt") if name]
    parts = [
        to_columns(Picture(path, label, known(path)) for path, label in _listed(run, name, classes))
        for name in ("train.txt", "val.txt", "test.txt")
    ]
    train, validation, test = parts
    dataset = Dataset(tuple(classes), train, validation, test=test)
    found = digests(picture.path for picture in dataset.pictures() if not picture.digest)
    if not found:
        return dataset
    return _mapped(dataset, lambda p: Picture(p.path, p.label, p.digest or found[p.path]))


def find_pictures(run: Run, settings: Settings) -> tuple[Dataset, bool]:
    """Return the pictures that `run` was started with, and whether they were moved since. They are
    searched for in the lists and then, by digest, below the --data of `settings`. Raises UserError
    if some are missing."""
    config = run.read_config()
    try:
        return _found_again(run, config, settings)
    except UserError as error:
        before = printable(config["settings"]["data"])
        raise UserError(
            f"{run.directory}: its pictures are no longer those that it was started with ({error});"
            f" put them back, or say with --data where they are now, to go on (it was --data "
            f"{before}); or give another --run to start afresh"
        ) from error


def newcomers(run: Run, dataset: Dataset, data: str) -> int:
    """Count the readable pictures below `data` that are neither in `dataset` nor rejected."""
    try:
        paths = [entry.path for entry in _labelled(data)]
    except UserError:
        return 0
    listed, rejected = {picture.path for picture in dataset.pictures()}, _rejected(run)
    unlisted = [path for path in paths if path not in listed and printable(path) not in rejected]
    if not unlisted:
        return 0
    listed = set(map(os.path.abspath, listed))
    found = digests(path for path in unlisted if os.path.abspath(path) not in listed)
    known = {picture.digest for picture in dataset.pictures()}
    return sum(digest not in known and is_readable(path) for path, digest in found.items())


def _listed(run: Run, name: str, classes: Sequence[str]) -> list[tuple[str, int]]:
    """Read (path, class index) from a list of the run; earlier versions have no test.txt."""
    path = run.directory / name
    if name == "test.txt" and not path.exists():
        return []
    pairs = read_list(path)
    for _, label in pairs:
        if not (label.isascii() and label.isdecimal() and int(label[:9]) < len(classes)):
            raise UserError(
                f"{path}: a label in it is '{printable(label[:40])}', but classes.txt has "
                f"{len(classes)} lines; start another run"
            )
    return [(picture, int(label[:9])) for picture, label in pairs]


def _found_again(run: Run, config: dict[str, Any], settings: Settings) -> tuple[Dataset, bool]:
    """Do the work of `find_pictures`; the UserError names what is missing."""
    if not all((run.directory / name).exists() for name in ("train.txt", "val.txt", "classes.txt")):
        return _split_again(settings, config["data"]), True  # killed when it was about to list them
    listed = listed_pictures(run)
    if listed.fingerprint() == config["data"] and _same_place(config, settings):
        return listed, False
    start = run.read_digests()
    known = _mapped(listed, lambda p: Picture(p.path, p.label, start.get(p.path, "")))
    if known.fingerprint() == config["data"]:
        return _below(settings.data, known), True
    try:
        return _split_again(settings, config["data"]), True
    except UserError:
        gone = [picture.path for picture in listed.labelled() if not picture.digest]
        if not gone or not _same_place(config, settings):
            raise
    raise UserError(f"{len(gone)} cannot be read, the first is {printable(gone[0])}")


def _split_again(settings: Settings, fingerprint: str) -> Dataset:
    """Split the pictures as at the start; UserError if the result differs."""
    try:
        dataset = open_pictures(settings)
    except manifest.NoPictures as error:
        raise UserError(f"none are in {printable(settings.data)}") from error
    if settings.head == LINEAR:
        dataset = dataset.cross_validated()
    if dataset.fingerprint() != fingerprint:
        raise UserError(f"others are in {printable(settings.data)}" + dataset.first_rejected())
    return dataset


def _below(data: str, known: Dataset) -> Dataset:
    """Return `known` with the paths below `data` of files with the same digests; UserError if a
    training or validation picture is missing."""
    folder, listed = os.path.expanduser(data), {}
    paths = list_files(folder)[0] if os.path.isdir(folder) else []
    # Files in a folder need no labels here; remote pictures and shards are found only by lists.
    with suppress(UserError) if paths else nullcontext():
        listed = {entry.path: entry.digest for entry in _labelled(data)}
    found = listed | digests(path for path in (*paths, *listed) if not listed.get(path))
    places: dict[str, str] = {}
    for path, digest in found.items():
        places.setdefault(digest, path)
    pictures = tuple(known.labelled())
    missing = [picture.path for picture in pictures if picture.digest not in places]
    if missing:
        raise UserError(
            f"{printable(data)} lacks {len(missing)} of {len(pictures)}, the first is "
            f"{printable(missing[0])}"
        )
    test = tuple(picture for picture in known.test if picture.digest in places)
    kept = replace(known, test=test)
    return _mapped(kept, lambda p: Picture(places[p.digest], p.label, p.digest))


def _labelled(data: str) -> Sequence[manifest.Entry]:
    try:
        return open_source(data).entries
    except manifest.NoPictures:  # whose message is for somebody who has none
        return []


def _mapped(dataset: Dataset, change: Callable[[Picture], Picture]) -> Dataset:
    train, validation, test = (
        to_columns(map(change, part)) for part in (dataset.train, dataset.validation, dataset.test)
    )
    return replace(dataset, train=train, validation=validation, test=test)


def _same_place(config: dict[str, Any], settings: Settings) -> bool:
    """Check whether --data is the same as at the last start."""
    return os.path.abspath(config["settings"]["data"]) == os.path.abspath(settings.data)


def _rejected(run: Run) -> set[str]:
    """Read the printed paths in rejected.txt."""
    path = run.directory / "rejected.txt"
    return {line.split("\t")[0] for line in read_lines(path)} if path.is_file() else set()
