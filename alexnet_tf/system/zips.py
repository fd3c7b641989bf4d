"""Untrusted zips, opened in bounded memory."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The signature of a central directory entry (PKWARE's APPNOTE, section 4.3.12).
ENTRY = b"PK\x01\x02"
# Bytes of the central directory for each entry: 46, the name, and what tools add.
ENTRY_BYTES = 512
# The size of a central directory, in bytes, that is harmless whatever its number of entries.
SMALL_TABLE = 1 << 20


class TooManyEntries(Exception):
    """A zip with more files and folders than allowed."""


@contextmanager
def open_zip(path: Path, most: int) -> Iterator[zipfile.ZipFile]:
    """Open the zip `path`; TooManyEntries, in bounded memory, if it has more than `most` entries.
    Broken content may raise nearly anything."""
    with _File(path, most) as file, zipfile.ZipFile(file) as archive:
        yield archive


class _File(io.BufferedReader):
    """A file whose central directory is refused while it is read, if it is too long: zipfile would
    create an object of half a kilobyte for each entry in it, however many the zip announces."""

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
