"""The pictures to predict: files, folders, patterns, lists; or a shard of them."""

from __future__ import annotations

import codecs
import glob
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.data.images.contents import as_on_disk, is_remote
from alexnet_tf.data.images.file_types import FORMATS, TABLES, file_type, is_meant_as_picture
from alexnet_tf.data.images.records import SUFFIX
from alexnet_tf.data.sources.listing import Rejected, find_pictures
from alexnet_tf.errors import UserError

STDIN = "-"
# Suffixes of lists, unless the file's content is a picture.
LISTS = (".txt", ".lst", ".list", *TABLES)


@dataclass(frozen=True)
class Shard:
    """Shard `index` of `count`, from 1 on; a picture's name alone determines its shard."""

    index: int
    count: int

    def has(self, name: str) -> bool:
        """Tell whether the picture `name` is in this shard."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1


@dataclass(frozen=True)
class Selection:
    """The selected `pictures`, in order, the `total` before sharding, and the `rejected` files.

    `rejected` holds (path, reason).
    """

    pictures: list[str]
    total: int
    rejected: list[Rejected]


def select(names: Sequence[str], shard: Shard | None = None) -> Selection:
    """Find the pictures that `names` mean, or those of one `shard` of them.

    Each name is a picture; a folder or a TFRecord file of pictures; a pattern ("photos/**/*.jpg");
    a list or table of pictures; or "-", a list on standard input, with names on a line each or
    ended by NUL. The shard of a picture depends on its spelling in the list, or its path within the
    named folder: neither on where that is, nor on the order. A pattern that matches nothing is a
    missing picture; UserError if it is the only name.
    """
    if len(names) == 1 and _is_pattern(names[0]) and not glob.glob(names[0], recursive=True):
        raise UserError(f"{names[0]}: matches nothing; quote a pattern, and begin where it should")
    pictures: list[str] = []
    rejected: list[Rejected] = []
    total = 0
    for name in names:
        for spelled, path in _paths(name, rejected):
            found, others = find_pictures([path])
            rejected += others
            total += len(found)
            pictures += [
                file for file in found if not shard or shard.has(_shared_name(file, path, spelled))
            ]
    return Selection(pictures, total, rejected)


def _shared_name(file: str, path: str, spelled: str) -> str:
    """Return a name for a picture that is the same on all machines, wherever `path` is on each."""
    if os.path.isdir(path):
        return os.path.join(spelled, os.path.relpath(file, path))
    return spelled + file.removeprefix(path)  # one of many in a TFRecord file


def _paths(name: str, rejected: list[Rejected]) -> Iterator[tuple[str, str]]:
    """Yield (name as written, path) of the files and folders that `name` means."""
    name = as_on_disk(name)
    if name == STDIN:
        yield from ((each, as_on_disk(each)) for each in _standard_input())
    elif _is_list(name):
        from alexnet_tf.data.sources.path_lists import paths_in_list  # a picture needs no tables

        yield from paths_in_list(Path(name))
    elif _is_pattern(name):
        yield from ((each, each) for each in _matches(name, rejected))
    else:
        yield "" if os.path.isdir(name) or name.endswith(SUFFIX) else name, name


def _is_pattern(name: str) -> bool:
    return glob.has_magic(name) and not (is_remote(name) or os.path.lexists(name))


def _standard_input() -> Iterator[str]:
    content = sys.stdin.buffer.read().removeprefix(codecs.BOM_UTF8)
    end = b"\0" if b"\0" in content else b"\n"
    names = (name if end == b"\0" else name.rstrip(b"\r") for name in content.split(end))
    return (os.fsdecode(name) for name in names if name)


def _is_list(name: str) -> bool:
    suffix = os.path.splitext(name)[1].lower()
    return suffix in LISTS and os.path.isfile(name) and file_type(name) not in FORMATS


def _matches(pattern: str, rejected: list[Rejected]) -> list[str]:
    """List the folders and pictures that a pattern matches, sorted."""
    found = sorted(glob.glob(pattern, recursive=True))
    if not found:  # becomes an error among the predictions
        return [pattern]
    if "**" in pattern:  # the folders contain the same files again
        found = [path for path in found if not os.path.isdir(path)]
    taken = [
        path
        for path in found
        if os.path.isdir(path) or path.endswith(SUFFIX) or is_meant_as_picture(path)
    ]
    rejected += [(path, "is no picture") for path in sorted({*found} - {*taken})]
    return taken
