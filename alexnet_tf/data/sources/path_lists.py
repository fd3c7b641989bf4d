"""Lists and tables of the pictures to predict, with labels or without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from alexnet_tf.data.images.file_types import SUFFIXES, TABLES
from alexnet_tf.data.sources.lists import read_paths
from alexnet_tf.data.sources.path_resolver import HERE, PathResolver
from alexnet_tf.data.sources.rows import LIST_LINE, SAMPLE
from alexnet_tf.system.files import read_lines


def paths_in_list(file: Path) -> Iterator[tuple[str, str]]:
    """Yield each name in a list or table, and its path, resolved as in training lists."""
    if file.suffix.lower() in TABLES:
        return iter(read_paths(file))
    finder = PathResolver(file)
    lines = [line.strip() for line in read_lines(file) if line.strip()]
    finder.settle(lines[:SAMPLE])
    if finder.folder == HERE:  # or all lines have labels
        finder.settle(_without_label(line, finder) for line in lines[:SAMPLE])
    names = [_without_label(line, finder) for line in lines]
    return ((name, _resolve(name, finder)) for name in names)


def _without_label(line: str, finder: PathResolver) -> str:
    """Return the path of a line, which may be followed by a label."""
    match = LIST_LINE.fullmatch(line)
    if not match or line.lower().endswith(SUFFIXES) or os.path.exists(_resolve(line, finder)):
        return line
    return (line.partition("\t")[0] if line.count("\t") == 1 else match[1]).strip()


def _resolve(name: str, finder: PathResolver) -> str:
    """Return the path of a picture in the list, or of a folder, which may be beside the list."""
    place, beside = finder(name), os.path.join(finder.file.parent, name)
    return beside if not os.path.lexists(place) and os.path.isdir(beside) else place
