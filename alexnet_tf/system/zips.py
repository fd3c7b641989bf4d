"""Zips from strangers, opened in bounded memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# PKWARE's APPNOTE, section 4.3.12: what begins an entry of the table of contents.
ENTRY = b"PK\x01\x02"
# Room in the table of contents for each entry: 46 bytes, the name, and what tools add.
ENTRY_BYTES = 512
# Bytes of a table that are harmless, however few entries are allowed.
SMALL_TABLE = 1 << 20


class TooManyEntries(Exception):
    """A zip has more files and folders than it may."""


@contextmanager
def open_zip(path: Path, most: int) -> Iterator[zipfile.ZipFile]:
    """Open the zip `path`; TooManyEntries, in little memory, if it has more than `most` entries.

    Broken content may raise nearly anything.
    """
    with _File(path, most) as file, zipfile.ZipFile(file) as archive:
        yield archive


class _File(io.BufferedReader):
    """A zip whose table of contents is refused as it is being read, if it is too long.

    zipfile reads the table in one piece and makes an object of half a kilobyte for each entry in
    it, whatever number of entries the zip announces.
    """

    def __init__(self, path: Path, most: int):
        super().__init__(io.FileIO(path))
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        if (size or 0) > SMALL_TABLE + ENTRY_BYTES * self._most:
            raise TooManyEntries(f"more than {self._most} entries")
        data = super().read(size)
        if data.count(ENTRY) > self._most:
            raise TooManyEntries(f"more than {self._most} entries")
        return data
