"""Find the pictures that a list names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from filecmp import cmp
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.data.images.contents import as_on_disk, is_file_of_its_own, is_on_disk, is_remote
from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.sources.manifest import ANY, TRAIN, Wanted
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.system.text import decoded

# The most folders beside the list that are tried.
MOST_FOLDERS = 50
HERE = Path(".")
# Anywhere below the root, and the most pictures that are looked at there.
BELOW, MOST_FILES = Path("*"), 1_000_000
# Pictures are looked for there if that finds so many times as many as one folder has.
SPREAD = 4 / 3


class Hits(NamedTuple):
    """The numbers of names found in `folder`, as written and with a guessed suffix."""

    exact: int
    guessed: int
    folder: Path

    @property
    def total(self) -> int:
        return self.exact + self.guessed


class PathResolver:
    """A resolver of the paths in the list `file`, which may lack their suffix.

    All paths are relative to one folder: that of the list, the working directory, one beside the
    list, or one of `others`. If no one of them has most, the last parts of a path identify a
    picture anywhere below the folder that is `wanted`, or else below that of the list.
    """

    def __init__(self, file: Path, *others: Path, wanted: Wanted = ANY):
        self.file, self.folder, self.wanted = file, HERE, wanted
        self._others = others
        self._suffixes = [*SUFFIXES, *map(str.upper, SUFFIXES)]

    def survey(self, names: Iterable[str], guess: bool = True) -> Hits:
        """Find the folder that contains most of `names`; at a tie the list's own.

        URLs are exact hits in any folder. If no path is relative, the folder is the working
        directory.
        """
        names = list(dict.fromkeys(filter(None, names)))
        anywhere = [name for name in names if is_remote(name) or os.path.isabs(name)]
        relative = [name for name in names if name not in {*anywhere}]
        counts = [self._count(folder, relative, guess) for folder in self._folders * bool(relative)]
        best = max([Hits(0, 0, HERE), *counts], key=lambda hits: hits.total)
        exact, guessed, _ = self._count(HERE, anywhere, guess)
        local = [name for name in names if not name.lower().startswith(("http:", "https:"))]
        found = best.total + guessed + exact - sum(map(is_remote, anywhere))
        if found * SPREAD < len(local):
            below = self._count(BELOW, local, guess)
            if below.total > found * SPREAD:
                return below._replace(exact=below.exact + len(names) - len(local))
        return Hits(best.exact + exact, best.guessed + guessed, best.folder)

    def settle(self, names: Iterable[str]) -> None:
        """Resolve relative paths from now on against the folder that contains most of `names`."""
        self.folder = self.survey(names).folder

    def finds(self, path: str, guess: bool = True) -> bool:
        """Tell whether `path` is a URL, or an existing file relative to the chosen folder."""
        return is_remote(path) or next(self._candidates(self.folder, path, guess), None) is not None

    def __call__(self, path: str) -> str:
        """Return the resolved path of the file `path` in the list, which need not exist."""
        path = decoded(path)
        if self.folder is BELOW:
            return self.anywhere(path) or path
        if is_remote(path):
            return path
        if not is_file_of_its_own(path):
            return _joined(self.folder, path)
        if self.folder == HERE and path.isascii() and is_picture(path) and "\\" not in path:
            return path
        return next(self._candidates(self.folder, path), None) or _joined(self.folder, path)

    def _count(self, folder: Path, names: Sequence[str], guess: bool) -> Hits:
        exact = [
            name
            for name in names
            if (is_remote(name) and folder is not BELOW)
            or next(self._candidates(folder, name, False), None)
        ]
        others = [name for name in names if name not in {*exact}] if guess else []
        guessed = sum(next(self._candidates(folder, name), None) is not None for name in others)
        return Hits(len(exact), guessed, folder)

    def _candidates(self, folder: Path, path: str, guess: bool = True) -> Iterator[str]:
        """Yield the files in `folder` that `path` may mean, the most likely first."""
        if folder is BELOW:
            yield from filter(None, [self.anywhere(path, guess)])
            return
        names = (path, path.strip())
        spelled = dict.fromkeys(each for n in names for each in (n, n.replace("\\", "/")))
        for name in spelled:
            candidate = as_on_disk(_joined(folder, name))
            if is_on_disk(candidate):
                yield candidate
        if not guess or is_picture(path.strip()):
            return
        for name in spelled:
            for suffix in self._suffixes:
                candidate = as_on_disk(_joined(folder, name + suffix))
                if is_on_disk(candidate):
                    # Files of a list mostly have the same suffix: it is tried first from now on.
                    self._suffixes.remove(suffix)
                    self._suffixes.insert(0, suffix)
                    yield candidate
                    break

    def anywhere(self, path: str, guess: bool = True) -> str | None:
        """Find the only picture below the root whose path ends as `path` does, as far as it can.

        Copies of it count as one.
        """
        parts = re.split(r"[/\\=]", decoded(path.strip()))[::-1]
        found = self._files.get(parts[0], []) if guess or is_picture(parts[0]) else []
        if len(found) > 1:
            common = [_alike(parts[1:], place.split("/")[-2::-1]) for place in found]
            found = [place for place, n in zip(found, common) if n == max(common)]
        is_one = found and all(cmp(found[0], other, shallow=False) for other in found[1:])
        return found[0] if is_one else None

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """List the pictures below the root by name, with suffix and without."""
        files: dict[str, list[str]] = defaultdict(list)
        walk = os.walk(self.wanted.root or self.file.parent)
        pictures = ((where, name) for where, _, names in walk for name in names if is_picture(name))
        for where, name in islice(pictures, MOST_FILES):
            for key in (name, os.path.splitext(name)[0]):
                files[key].append(os.path.join(where, name))
        return files

    @cached_property
    def _folders(self) -> list[Path]:
        """List candidate folders: the list's, the working directory, those beside the list."""
        parent = self.file.parent
        try:
            inner = [path for path in parent.iterdir() if path.is_dir()]
        except OSError:
            inner = []
        stem = self.file.stem.casefold()
        inner.sort(
            key=lambda path: (path.name.casefold() != stem, part_named(path.name) != TRAIN, path)
        )
        del inner[MOST_FOLDERS:]
        doubled = [path / path.name for path in inner]
        return list(
            dict.fromkeys([parent, HERE, *inner, *filter(Path.is_dir, doubled), *self._others])
        )


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the parts with which both begin alike."""
    return sum(1 for _ in takewhile(bool, (a == b for a, b in zip(one, other))))


def _joined(folder: Path, path: str) -> str:
    path = decoded(path)
    return path if folder == HERE else os.path.join(folder, path)


def is_picture(name: str) -> bool:
    """Tell whether a file name has the suffix of a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES
