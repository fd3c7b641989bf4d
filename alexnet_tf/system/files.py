"""Files that are whole or absent."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.text import is_printable

# The most bytes that a file of text may have, and one of JSON, which takes twenty times as much in
# memory.
MOST_TEXT, MOST_JSON = 1 << 28, 1 << 24
# The most bytes of a file that is read line by line, and characters of a line in it.
MOST_LINES, LONGEST_LINE = 1 << 33, 1 << 20
# PowerShell and Notepad write these, with a mark at the beginning.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What `replacing` calls the new content of STEM.SUFFIX in the meantime, with a number of its own.
TEMPORARY = re.compile(r"\.(?P<stem>.+)\.\d+\.tmp(?P<suffix>(\.[^.]+)?)")
# What a disk answers that cannot sync a file or a folder.
UNABLE = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}


@contextmanager
def atomic_write(path: str | Path, size: int) -> Iterator[Path]:
    """Run a block that writes the yielded path, which then takes the place of `path`.

    The temporary path lies beside `path` and has its suffix. `path` changes only once the whole new
    content, of about `size` bytes (0: not known), is on the disk; after an exception it is as it
    was before.
    Raises UserError where it is no regular file, and NoRoom when the disk gets full.
    """
    path = Path(path)
    check_replaceable(path)
    temporary = path.with_name(f".{path.stem}.{unique()}.tmp{path.suffix}")
    with room_for(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def unique() -> int:
    """Draw a number for a name of which there is one: in containers that share a disk every process
    may be number 1."""
    return secrets.randbits(63)


def check_replaceable(path: Path) -> None:
    """Raise UserError unless at `path` is nothing yet, or a regular file, which may be replaced."""
    if path.is_symlink():
        raise UserError(
            f"{path}: is a link, and no link is written through or replaced; name the file itself, "
            "or remove the link"
        )
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device, a pipe or the like"
        raise UserError(f"{path}: is {kind}, where a file is to be written; name another place")


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Delete what processes that were killed left in `folder` of `replacing` files called `names`.

    Those are patterns as in `fnmatch`: "epoch-*.npz". Folders and links are nobody's leftovers.
    """
    for path in folder.glob(".*.tmp*"):
        match = TEMPORARY.fullmatch(path.name)
        whole = match and match["stem"] + match["suffix"]
        if whole and any(fnmatchcase(whole, name) for name in names) and is_regular(path):
            path.unlink()


def is_regular(path: Path) -> bool:
    """Tell whether there is a file at `path` itself: no link, folder or device."""
    return path.is_file() and not path.is_symlink()


def move_into_place(temporary: Path, path: Path) -> None:
    """Give the file `temporary` the name `path`, in the same folder, once it is on the disk."""
    check_replaceable(path)
    sync_file(temporary)
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Wait until what the file `path` holds is on the disk."""
    with open(path, "rb") as file:
        sync(file.fileno(), path.parent)


def sync_directory(directory: Path) -> None:
    """Make the directory's entries (names just made or replaced) survive a power cut."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folder
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
    except PermissionError:  # it may be written to, but not listed
        return
    try:
        sync(handle, directory)
    finally:
        os.close(handle)


def sync(handle: int, folder: Path) -> None:
    """Wait until what is open as `handle`, in `folder`, is on the disk.

    Some disks (FUSE, network shares) do not know of that: then a power cut may cost what was
    written last, and no more.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
        warn_once(
            f"{folder}: its disk cannot be told to write at once ({error.strerror}), so a power cut"
            " may cost what was written last"
        )


def open_nofollow(path: str, flags: int) -> int:
    """Open what is at `path` itself, as the `opener` of `open`: no link is followed."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_text(path: str | Path, text: str) -> None:
    """Write the file `path` in UTF-8, whole or not at all."""
    content = text.encode()
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write the file `path` line by line in UTF-8, whole or not at all; the lines have their ends.

    However many they are, they need not be in memory.
    """
    with (
        atomic_write(path, 0) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        file.writelines(lines)


def write_json(path: str | Path, content: Any) -> None:
    """Write the file `path` as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_bytes(path: str | Path, most: int = MOST_TEXT) -> bytes:
    """Read a regular file of at most so many bytes; UserError, naming it, for another.

    A file from a stranger may be a pipe, which would never end, or a device.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check_regular(file, most)
            return file.read(most)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def read_text(path: str | Path, most: int = MOST_TEXT) -> str:
    """Read a file of UTF-8 as `read_bytes` does."""
    try:
        return read_bytes(path, most).decode("utf-8")
    except ValueError as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def read_lines(path: str | Path) -> Iterator[str]:
    """Read the lines of a regular file one after the other: UTF-8, or UTF-16 with a mark.

    Raises UserError for another file, and for control characters in a line.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            _check_regular(file, MOST_LINES)
            encoding = "utf-16" if file.peek(2).startswith(UTF16) else "utf-8-sig"
            text = io.TextIOWrapper(file, encoding)
            for number, line in enumerate(iter(lambda: text.readline(LONGEST_LINE), ""), 1):
                if len(line) == LONGEST_LINE:
                    raise ValueError(f"line {number} has more than {LONGEST_LINE:,} characters")
                line = line.removesuffix("\n")
                if not is_printable(line.replace("\t", " ")):
                    raise UserError(
                        f"{path}, line {number}: holds control characters; is it a text file?"
                    )
                yield line
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def read_json(path: str | Path) -> Any:
    """Read the JSON in the file `path`; UserError when it cannot be read or is none.

    NaN and infinity, which JSON does not have, are refused.
    """
    try:
        return json.loads(read_text(path, MOST_JSON), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def _check_regular(file: BinaryIO, most: int) -> None:
    """Raise ValueError unless an open file is a regular one, of at most so many bytes."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > most:
        raise ValueError(f"it has more than {most:,} bytes")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _without_waiting(path: str, flags: int) -> int:
    """Open a file at once, even a FIFO that nobody writes to."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
