"""Sidecars: files that go with a picture, such as its .xmp, its Live Photo or its raw file."""

import os
from collections import defaultdict
from collections.abc import Iterator

from alexnet_tf.data.images.file_types import FORMATS, SUFFIXES, file_type
from alexnet_tf.inference.output.prediction_file import STATE
from alexnet_tf.inference.output.undo import UNDO


class Sidecars:
    """The sidecars of pictures, found by one listing of each folder.

    A sidecar of ``a.jpg`` is any file beside it that is called ``a.SUFFIX``, or begins with
    ``a.jpg.``, and is no picture. Pictures of one stem share their sidecars.
    """

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, list[str]]] = {}

    def of(self, picture: str) -> list[str]:
        """Return the sidecars of a picture, sorted."""
        stems = {picture, os.path.splitext(picture)[0]}
        return sorted(path for stem in stems for path in self._named(stem) if not _is_picture(path))

    def owners(self, file: str) -> set[str]:
        """Return the pictures whose sidecar `file` is; none if it is a picture itself."""
        if _is_picture(file):
            return set()
        stem, *pictures = _stems(file)
        existing = (each for each in (stem, *pictures) if os.path.isfile(each))
        return {each for each in (*existing, *self._named(stem)) if _is_picture(each)}

    def _named(self, stem: str) -> list[str]:
        """Return the files that have the `stem`, if one of them is no picture by its name."""
        folder = os.path.dirname(stem)
        if folder not in self._folders:
            self._folders[folder] = _listing(folder)
        return [path for path in self._folders[folder].get(stem, ()) if os.path.isfile(path)]


def renamed(sidecar: str, picture: str, target: str) -> str:
    """Return the path of a sidecar of `picture`, once that is at `target`."""
    if not sidecar.startswith(f"{picture}."):
        picture, target = (os.path.splitext(path)[0] for path in (picture, target))
    return target + sidecar.removeprefix(picture)


def _listing(folder: str) -> dict[str, list[str]]:
    """Return stem → paths, without stems of which only pictures are called so."""
    names, paths = {*os.listdir(folder)}, defaultdict(list)
    for name in names - {UNDO}:
        if STATE.format(name) not in names:  # it is no prediction file
            for stem in _stems(os.path.join(folder, name)):
                paths[stem].append(os.path.join(folder, name))
    return {stem: found for stem, found in paths.items() if not all(map(_is_called_one, found))}


def _stems(path: str) -> Iterator[str]:
    """Yield `path` without its suffix; then shorter ones that are called as pictures are."""
    stem, suffix = os.path.splitext(path)
    yield stem
    while suffix:
        stem, suffix = os.path.splitext(stem)
        if _is_called_one(stem):
            yield stem


def _is_picture(path: str) -> bool:
    """Tell whether a file is a picture by its name or content; most raw files are TIFF inside."""
    return _is_called_one(path) or file_type(path) in {*FORMATS} - {"TIFF"}


def _is_called_one(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in SUFFIXES
