"""The bytes of a picture: in a file, behind a URL, in a shard."""

import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from alexnet_tf.data.images.memory import LARGE_FILE, ONE_LARGE_FILE
from alexnet_tf.data.images.records import read_record, record_size, shard_of
from alexnet_tf.errors import UserError
from alexnet_tf.system.processor import processors
from alexnet_tf.system.text import printable

# The most pixels of a picture, Pillow's warning threshold, and its most bytes: uncompressed.
MAX_PIXELS = 89_478_485
MAX_BYTES = 4 * MAX_PIXELS
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# The number of concurrent requests to URLs, which mostly wait.
AT_ONCE = 32


class ImageError(UserError):
    """A picture that cannot be read. The message names the file; `reason` does not."""

    def __init__(self, path: object, reason: str):
        self.reason = printable(reason)
        super().__init__(f"{printable(path)}: {self.reason}")


class InMemory(NamedTuple):
    """A picture without a file: its `content`, bytes, replaces a path; messages show its `name`."""

    name: str
    content: Any

    def __str__(self) -> str:
        return self.name


def is_remote(path: object) -> bool:
    """Tell whether `path` is a URL, not the path of a file."""
    return bool(URL.match(str(path)))


def absolute(path: str) -> str:
    """Return `path` as an absolute path; a URL is unchanged."""
    return path if is_remote(path) else os.path.abspath(path)


def is_file_of_its_own(path: object) -> bool:
    """Tell whether the picture `path` is a local file: neither behind a URL nor in a shard."""
    return not is_remote(path) and not shard_of(path)


def is_on_disk(path: str) -> bool:
    """Tell whether the file `path`, or the shard that contains the picture, exists."""
    return os.path.isfile(shard_of(path) or path)


def as_on_disk(path: str) -> str:
    """Return `path` as it is spelled on the disk, whichever Unicode form either has: macOS writes é
    as two characters (NFD), others as one (NFC). A path that does not exist is unchanged."""
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
def threads_for(paths: Iterable[object]) -> Iterator[ThreadPoolExecutor]:
    """Yield a thread pool that reads `paths`, and portions of similar ones; after an exception,
    such as Ctrl-C, tasks that have not begun are dropped."""
    # Reading files also waits: as many threads as Python's own default, for our processors.
    count = AT_ONCE if any(map(is_remote, paths)) else min(AT_ONCE, processors() + 4)
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def read_content(path: str | Path) -> bytes:
    """Read the bytes of the picture `path`; ImageError, before reading any, if it is not a file or
    has more than `MAX_BYTES`."""
    with reading(path) as content:
        return content


@contextmanager
def reading(path: str | Path | InMemory) -> Iterator[bytes]:
    """Yield the bytes of a picture, in memory while the block runs; large files take turns. Raises
    ImageError as `read_content` does."""
    if isinstance(path, InMemory):
        yield path.content
        return
    with _as_image_error(path):
        size = _size(path)
    with ONE_LARGE_FILE if size > LARGE_FILE else nullcontext():
        with _as_image_error(path):
            content = _read(path)
        yield content


@contextmanager
def _as_image_error(path: object) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ImageError(path, "does not exist") from error
    except OSError as error:
        raise ImageError(path, f"cannot be read: {error.strerror or error}") from error


def _read(path: str | Path) -> bytes:
    if is_remote(path):
        from alexnet_tf.data.images.remote import fetch  # slow to import

        return fetch(str(path))
    return read_record(path) if shard_of(path) else Path(path).read_bytes()


def _size(path: str | Path) -> int:
    """Return the size of a file in bytes, 0 for a URL; ImageError if too large or not a file."""
    if is_remote(path):
        return 0
    found = Path(shard_of(path) or path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(path, "is no file")
    size = record_size(path) if shard_of(path) else found.st_size
    if size > MAX_BYTES:
        raise ImageError(path, f"has {size:,} bytes, more than {MAX_BYTES:,}")
    return size
