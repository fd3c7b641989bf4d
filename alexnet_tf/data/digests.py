"""SHA-256 digests of files, and lists of them."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from alexnet_tf.data.images.contents import ImageError, is_remote, read_content, threads_for
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.progress import progress

Result = TypeVar("Result")

# The number of pictures given to the reading threads at a time: each that waits takes a kilobyte.
PORTION = 1024
# The digests of a run's pictures, in lines "SHA-256  path" as `sha256sum --check` reads them.
DIGESTS = "pictures.sha256"
SHA256 = re.compile("[0-9a-f]{64}")


def digests(paths: Iterable[str]) -> dict[str, str]:
    """Compute path → SHA-256 of the file, "" if it cannot be read."""
    paths = list(dict.fromkeys(paths))
    return dict(zip(paths, in_threads(_digest, paths, "reading pictures")))


def in_threads(work: Callable[[str], Result], paths: Sequence[str], title: str) -> Iterator[Result]:
    """Yield the results of `work` for `paths`, with a progress bar."""
    portions = (paths[start : start + PORTION] for start in range(0, len(paths), PORTION))
    with threads_for(paths) as pool:
        found = chain.from_iterable(pool.map(work, portion) for portion in portions)
        yield from progress(found, len(paths), title)


def read_digests(file: Path) -> dict[str, str]:
    """Read path → SHA-256 from a file like `DIGESTS`; {} if it is missing, UserError if damaged."""
    return dict(_lines(file))


class Listed:
    """The digests in the file `DIGESTS` of a folder, for the pictures of the lists beside it: it is
    in their order, and so read only once, and only as far as they are."""

    def __init__(self, folder: Path):
        self._lines = _lines(folder / DIGESTS)

    def __call__(self, path: str) -> str:
        """Return the SHA-256 of `path`, "" if it is not in the rest of the file."""
        return next((digest for name, digest in self._lines if name == path), "")


def _lines(file: Path) -> Iterator[tuple[str, str]]:
    if not file.is_file():
        return
    for line in read_lines(file):
        digest, _, path = line.partition("  ")
        yield path, digest if SHA256.fullmatch(digest) else ""


def _digest(path: str) -> str:
    try:
        if is_remote(path):
            return hashlib.sha256(read_content(path)).hexdigest()
        # Reading a pipe would never end.
        return content_digest(path) if os.path.isfile(path) else ""
    except (OSError, ImageError):
        return ""
