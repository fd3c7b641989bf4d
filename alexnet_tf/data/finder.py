"""Where the pictures of a list are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from alexnet_tf.data.contents import is_file_of_its_own, is_on_disk, is_remote
from alexnet_tf.data.entries import TRAIN
from alexnet_tf.data.kinds import SUFFIXES
from alexnet_tf.data.layouts import part_named

# So many folders beside the list are tried.
MOST_FOLDERS = 50


class Finder:
    """Where the pictures of a list are, which may be named without a suffix."""

    def __init__(self, file: Path):
        self.file, self.folder = file, Path(".")

    def column_of_paths(self, columns: Sequence[Sequence[str]]) -> int | None:
        """Choose the first folder that has files of these names; return the column with the most.

        Without any, it is the column with the most addresses, and the working directory; or None.
        """
        for folder in self._folders():
            self.folder = folder
            hits = [sum(next(self._ways(path), None) is not None for path in c) for c in columns]
            if any(hits):
                return hits.index(max(hits))
        self.folder = Path(".")
        hits = [sum(map(is_remote, column)) for column in columns]
        return hits.index(max(hits)) if any(hits) else None

    def finds(self, path: str) -> bool:
        return is_remote(path) or next(self._ways(path), None) is not None

    def __call__(self, path: str) -> str:
        """Return where the file `path` of the list is, or should be."""
        if is_remote(path):
            return path
        if not is_file_of_its_own(path):
            return _joined(self.folder, path)
        if self.folder == Path(".") and is_picture(path) and "\\" not in path:
            return path
        return next(self._ways(path), None) or _joined(self.folder, path)

    def _ways(self, path: str) -> Iterator[str]:
        """Go through the files that may be meant."""
        endings = ("",) if is_picture(path) else ("", *SUFFIXES, *map(str.upper, SUFFIXES))
        slashes = {path: None, path.replace("\\", "/"): None}
        for name in slashes:
            ways = (_joined(self.folder, name + ending) for ending in endings)
            yield from filter(is_on_disk, ways)

    def _folders(self) -> list[Path]:
        """List where paths may begin: here, at the list, in folders beside it, the likely first."""
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
        return list(dict.fromkeys([Path("."), parent, *inner, *filter(Path.is_dir, doubled)]))


def _joined(folder: Path, path: str) -> str:
    return path if folder == Path(".") else os.path.join(folder, path)


def is_picture(name: str) -> bool:
    """Tell whether a file of that name is meant as a picture."""
    return os.path.splitext(name)[1].lower() in SUFFIXES
