"""What a file holds, in a line: to know it again wherever it was moved, and whatever its date."""

from __future__ import annotations

import hashlib
import mmap
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alexnet_tf.system.processor import processors
from alexnet_tf.system.zips import TooManyEntries, open_zip

# The most members of a zip that is known by its table of contents: PyTorch writes the most.
MOST_MEMBERS = 1000
# Bytes that a thread digests at a time.
PIECE = 1 << 24


def file_fingerprint(path: Path) -> str:
    """Return a line that no other content of the file `path` has, whatever its name and date.

    A zip (.keras, .npz, .pth) is known by its table of contents, which has the CRC-32 and the size
    of every member: that takes a millisecond. Of another file the SHA-256 is computed, of 230 MB in
    a tenth of a second.
    """
    try:
        with open_zip(path, MOST_MEMBERS) as archive:
            table = [(each.filename, each.CRC, each.file_size) for each in archive.infolist()]
        return hashlib.sha256(repr(table).encode()).hexdigest()
    except (zipfile.BadZipFile, TooManyEntries, ValueError, NotImplementedError):
        return _content_fingerprint(path)


def content_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, as other programs compute it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content_fingerprint(path: Path) -> str:
    """Digest the file in pieces, on all cores, and then their digests."""
    if not path.stat().st_size:  # no file of no bytes can be mapped
        return hashlib.sha256().hexdigest()
    with open(path, "rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    pieces = (content[start : start + PIECE] for start in range(0, len(content), PIECE))
    with ThreadPoolExecutor(processors()) as pool:
        digests = [each.digest() for each in pool.map(hashlib.sha256, pieces)]
    return hashlib.sha256(b"".join(digests)).hexdigest()
