"""Where the pictures of a list are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.data.images.contents import as_on_disk, is_file_of_its_own, is_on_disk, is_remote
from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.sources.manifest import TRAIN
from alexnet_tf.data.sources.split_names import part_named
from alexnet_tf.system.text import decoded

# So many folders beside the list are tried.
MOST_FOLDERS = 50
HERE = Path(".")


class Hits(NamedTuple):
    """How many names are those of files in `folder`, as they are and by a guessed suffix."""

    exact: int
    guessed: int
    folder: Path


class PathResolver:
    """Where the pictures of the list `file` are, which may be named without a suffix.

    Paths begin in one place: the folder of the list, the working directory, a folder beside the
    list, or one of `others`.
    """

    def __init__(self, file: Path, *others: Path):
        self.file, self.folder = file, HERE
        self._others = others
        self._suffixes = [*SUFFIXES, *map(str.upper, SUFFIXES)]

    def survey(self, names: Iterable[str], guess: bool = True) -> Hits:
        """Find the place where most of `names` are files; at a tie it is the list's own folder.

        Addresses are exact hits anywhere. Where no path is relative, the place is the working
        directory.
        """
        names = list(dict.fromkeys(filter(None, names)))
        anywhere = [name for name in names if is_remote(name) or os.path.isabs(name)]
        relative = [name for name in names if name not in {*anywhere}]
        counts = [self._count(folder, relative, guess) for folder in self._folders * bool(relative)]
        best = max(counts, key=lambda hits: hits.exact + hits.guessed, default=Hits(0, 0, HERE))
        if not best.exact + best.guessed:
            best = Hits(0, 0, HERE)
        exact, guessed, _ = self._count(HERE, anywhere, guess)
        return Hits(best.exact + exact, best.guessed + guessed, best.folder)

    def settle(self, names: Iterable[str]) -> None:
        """Take the paths for relative to the place where most of `names` are."""
        self.folder = self.survey(names).folder

    def finds(self, path: str, guess: bool = True) -> bool:
        """Tell whether `path` is a file where the list's paths begin, or an address."""
        return is_remote(path) or next(self._ways(self.folder, path, guess), None) is not None

    def __call__(self, path: str) -> str:
        """Return where the file `path` of the list is, or should be."""
        path = decoded(path)
        if is_remote(path):
            return path
        if not is_file_of_its_own(path):
            return _joined(self.folder, path)
        if self.folder == HERE and path.isascii() and is_picture(path) and "\\" not in path:
            return path
        return next(self._ways(self.folder, path), None) or _joined(self.folder, path)

    def _count(self, folder: Path, names: Sequence[str], guess: bool) -> Hits:
        exact = [n for n in names if is_remote(n) or next(self._ways(folder, n, False), None)]
        others = [name for name in names if name not in {*exact}] if guess else []
        guessed = sum(next(self._ways(folder, name), None) is not None for name in others)
        return Hits(len(exact), guessed, folder)

    def _ways(self, folder: Path, path: str, guess: bool = True) -> Iterator[str]:
        """Go through the files in `folder` that may be meant, the likeliest first."""
        spelled = dict.fromkeys(name for each in (path, path.strip()) for name in _slashes(each))
        for name in spelled:
            way = as_on_disk(_joined(folder, name))
            if is_on_disk(way):
                yield way
        if not guess or is_picture(path.strip()):
            return
        for name in spelled:
            for suffix in self._suffixes:
                way = as_on_disk(_joined(folder, name + suffix))
                if is_on_disk(way):
                    # All of a list mostly have the same: it is the first to be tried from now on.
                    self._suffixes.remove(suffix)
                    self._suffixes.insert(0, suffix)
                    yield way
                    break

    @cached_property
    def _folders(self) -> list[Path]:
        """List where paths may begin: at the list, here, in folders beside it, the likely first."""
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


def _slashes(path: str) -> tuple[str, ...]:
    return (path, path.replace("\\", "/")) if "\\" in path else (path,)


def _joined(folder: Path, path: str) -> str:
    path = decoded(path)
    return path if folder == HERE else os.path.join(folder, path)


def is_picture(name: str) -> bool:
    """Tell whether a file of that name is meant as a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES
