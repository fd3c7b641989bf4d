"""The contents of files in a line each, and lists of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from alexnet_tf.data.lists import read_list
from alexnet_tf.system.files import read_text
from alexnet_tf.system.progress import progress

# How many pictures at a time are handed to the threads that read them.
PORTION = 1024
# Lines "SHA-256  path" of all pictures of a run, as `sha256sum --check` reads them.
DIGESTS = "pictures.sha256"


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Compute path → SHA-256 of the file, "" for one that cannot be read."""
    paths = list(dict.fromkeys(paths))
    portions = (paths[start : start + PORTION] for start in range(0, len(paths), PORTION))
    with ThreadPoolExecutor() as pool:
        found = chain.from_iterable(pool.map(_digest, portion) for portion in portions)
        return dict(zip(paths, progress(found, len(paths), "reading pictures")))


def read_digests(file: Path) -> dict[str, str]:
    """Read path → SHA-256 from a file like `DIGESTS`; {} without one, UserError when damaged."""
    if not file.is_file():
        return {}
    lines = read_text(file).splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def listed_contents(file: str | Path) -> set[str]:
    """Return the SHA-256 of each picture that a list or table names, as `read_list` reads it.

    They are in `DIGESTS` beside it, wherever the pictures lie now, or else computed. Of a picture
    that is in neither place it is the path. Raises UserError when the list cannot be read.
    """
    paths = [path for path, _ in read_list(Path(file))]
    known = read_digests(Path(file).with_name(DIGESTS))
    known |= digests(path for path in paths if path not in known)
    return {known[path] or path for path in paths}


def _digest(path: str) -> str:
    try:
        if not os.path.isfile(path):  # a pipe would never end
            return ""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
