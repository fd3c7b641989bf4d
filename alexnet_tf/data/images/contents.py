"""The bytes of a picture, wherever it is: in a file, behind an address, in a shard."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from alexnet_tf.data.images.memory import LARGE_FILE, ONE_LARGE_FILE
from alexnet_tf.data.images.records import read_record, record_size, shard_of
from alexnet_tf.errors import UserError
from alexnet_tf.system.processor import processors
from alexnet_tf.system.text import printable

# The most pixels that a picture may have: where Pillow warns. A file may be as large as one that is
# not compressed at all.
MAX_PIXELS = 89_478_485
MAX_BYTES = 4 * MAX_PIXELS
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# What is behind addresses is asked for so often at a time: mostly, it is waited for.
AT_ONCE = 32


class ImageError(UserError):
    """A picture that cannot be read. The message names the file; `reason` does not."""

    def __init__(self, path: object, reason: str):
        self.reason = printable(reason)
        super().__init__(f"{printable(path)}: {self.reason}")

    @classmethod
    def unreadable(cls, path: object, error: OSError) -> ImageError:
        """Make the error of a file that cannot be read."""
        if isinstance(error, FileNotFoundError):
            return cls(path, "does not exist")
        return cls(path, f"cannot be read: {error.strerror or error}")


class InMemory(NamedTuple):
    """A picture that is in no file: its `content` stands for a path, and `name` is what is said."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


def is_remote(path: object) -> bool:
    """Tell whether `path` is an address, not the path of a file."""
    return bool(URL.match(str(path)))


def absolute(path: str) -> str:
    """Return `path` as it leads to the picture from every folder: an address as it is."""
    return path if is_remote(path) else os.path.abspath(path)


def is_file_of_its_own(path: object) -> bool:
    """Tell whether the picture `path` is a file here: not behind an address, nor in a shard."""
    return not is_remote(path) and not shard_of(path)


def is_on_disk(path: str) -> bool:
    """Tell whether the file `path`, or the shard that the picture is in, is here."""
    try:
        return os.path.isfile(shard_of(path) or path)
    except ValueError:
        return False


def as_on_disk(path: str) -> str:
    """Return `path` as it is spelled on the disk, whichever Unicode form either has.

    macOS writes an é as two characters (NFD), others as one (NFC). What is not there stays as is.
    """
    if path.isascii() or os.path.lexists(path):
        return path
    found = ""
    for part in Path(path).parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        ways = (os.path.join(found, form) for form in forms)
        found = next(filter(os.path.lexists, ways), "")
        if not found:
            return path
    return found


@contextmanager
def threads_for(paths: Iterable[str]) -> Iterator[ThreadPoolExecutor]:
    """Run a block that has threads to read `paths`, and lots like these.

    What they were given and have not begun is dropped after an exception, as Ctrl-C is.
    """
    # Files are waited for, too: as many threads as Python's own default, for processors that are
    # ours.
    count = AT_ONCE if any(map(is_remote, paths)) else min(AT_ONCE, processors() + 4)
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def read_content(path: str | Path) -> bytes:
    """Read the bytes of the picture `path`.

    Raises ImageError if it is no file or has more than `MAX_BYTES`, before any is read.
    """
    with reading(path) as content:
        return content


@contextmanager
def reading(path: str | Path | InMemory) -> Iterator[bytes]:
    """Read the bytes of a picture, and have them for as long as a block runs: large files in turn.

    Raises ImageError as `read_content`.
    """
    if isinstance(path, InMemory):
        yield path.content
        return
    with ONE_LARGE_FILE if _size(path) > LARGE_FILE else nullcontext():
        try:
            content = _read(path)
        except OSError as error:
            raise ImageError.unreadable(path, error) from error
        yield content


def _read(path: str | Path) -> bytes:
    if is_remote(path):
        from alexnet_tf.data.images.remote import fetch  # whose imports take their time

        return fetch(str(path))
    return read_record(path) if shard_of(path) else Path(path).read_bytes()


def _size(path: str | Path) -> int:
    """Find the bytes of a file, 0 behind an address; ImageError if it is none, or has too many."""
    if is_remote(path):
        return 0
    try:
        found = Path(shard_of(path) or path).stat()
        is_file = stat.S_ISREG(found.st_mode)
        size = record_size(path) if is_file and shard_of(path) else found.st_size
    except OSError as error:
        raise ImageError.unreadable(path, error) from error
    if not is_file:
        raise ImageError(path, "is no file")
    if size > MAX_BYTES:
        raise ImageError(path, f"has {size:,} bytes, more than {MAX_BYTES:,}")
    return size
