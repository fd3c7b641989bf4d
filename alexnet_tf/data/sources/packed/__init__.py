"""Pictures that are packed into large files: found by the names of these, and imported once.

The module of a kind has `FILES`, a pattern of its files' names, and `read`, which says what is in
them, or None if they are of another kind. It raises NoPictures if they hold something else.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import chain
from pathlib import Path

from alexnet_tf.data.digests import DIGESTS
from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.sources.listing import FEATURES_FOLDER, UNPACKED_FOLDER
from alexnet_tf.data.sources.manifest import MOST_NAMES, NoPictures, Source, Wanted
from alexnet_tf.data.sources.packed.importer import Contents, explained, import_once
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.errors import UserError
from alexnet_tf.system.text import printable

KINDS = (
    "parquet",
    "webdataset",
    "tfrecords",
    "npz",
    "hdf5",
    "lmdb",
    "idx",
    "cifar_binary",
    "mat",
    "pixels",
)
# How many folders deep packed files lie, how many folders of each depth are looked into, and how
# many pictures, which illustrate a description, may lie beside them.
DEEPEST, MOST_FOLDERS, FEW = 4, 50, 9


def read_packed(source: Path, wanted: Wanted) -> Source | None:
    """Read `source`, a folder or a file of packed pictures; None if it is anything else.

    Raises UserError if it is damaged, and NoPictures if a packed file holds none.
    """
    files = _files_below(source) if source.is_dir() else [source]
    for kind in (import_module(f"{__name__}.{name}") for name in KINDS if files):
        fit = [file for file in files if re.fullmatch(kind.FILES, file.name) and file.is_file()]
        contents = None
        with suppress(*(NoPictures,) * source.is_dir()), explained(source):
            contents = kind.read(fit, wanted.label) if fit else None
        if contents and wanted.split is not None:
            raise UserError(f"{source}: has no split {wanted.split}; leave out --split")
        if contents:
            _check_is_one(source, contents)
            name = source.resolve().name.partition(".")[0]
            return import_once(name, fit, contents, UNPACKED_FOLDER)
    return None


def _check_is_one(source: Path, contents: Contents) -> None:
    """Raise UserError if several folders have files of one split: they are several data sets."""
    folders: dict[str, set[Path]] = defaultdict(set)
    for section in contents.sections:
        if section.part:
            folder = section.file.parent
            folders[section.part].add(folder if part_named(section.file.name) else folder.parent)
    several = [sorted(each) for each in folders.values() if len(each) > 1]
    if several:
        names = ", ".join(map(printable, several[0][:MOST_NAMES]))
        raise UserError(f"{source}: holds several data sets, {names}; name the folder of one")


def _files_below(folder: Path) -> list[Path]:
    """List the files in and below `folder`; none if there are pictures among them."""
    files: list[Path] = []
    ahead, pictures = [folder], 0
    for _ in range(DEEPEST):
        inner: list[Path] = []
        for entry in chain.from_iterable(map(_inside, ahead[:MOST_FOLDERS])):
            path = Path(entry.path)
            pictures += path.suffix.lower() in SUFFIXES
            if pictures > FEW:
                return []
            (inner if entry.is_dir() else files).append(path)
        ahead = sorted(inner)
    return sorted(files)


def _inside(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in `folder`, but for this program's own; nothing if it has lists or shards."""
    if folder in (FEATURES_FOLDER, UNPACKED_FOLDER) or (folder / DIGESTS).exists():
        return
    with suppress(OSError), os.scandir(folder) as entries:
        yield from (entry for entry in entries if not entry.name.startswith("."))
