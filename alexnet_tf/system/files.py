"""Atomic writes, and bounded reads of untrusted files."""

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
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.text import is_printable

# The largest text file and JSON file in bytes; JSON takes twenty times its size in memory.
MOST_TEXT, MOST_JSON = 1 << 28, 1 << 24
# The largest file that is read line by line, in bytes, and its longest line, in characters.
MOST_LINES, LONGEST_LINE = 1 << 33, 1 << 20
# Characters of it that are read at once.
BLOCK = 1 << 16
# PowerShell and Notepad write UTF-16 with a byte order mark.
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The temporary name, with a unique number, that `atomic_write` gives the new STEM.SUFFIX.
TEMPORARY = re.compile(r"\.(?P<stem>.+)\.\d+\.tmp(?P<suffix>(\.[^.]+)?)")
# Errors of file systems that cannot sync a file or a folder.
UNABLE = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF}


@contextmanager
def atomic_write(path: str | Path, size: int) -> Iterator[Path]:
    """Yield a temporary path, and rename it to `path` when the block has written it.

    The temporary path lies beside `path` and has its suffix. `path` changes only once the new
    content, of about `size` bytes (0: unknown), is complete on the disk; after an exception it is
    unchanged. Raises UserError if `path` is not a regular file, and NoRoom if the disk is full.
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
    """Return a random number for a unique name. The process id is not enough: in containers that
    share a disk, every process may have the id 1."""
    return secrets.randbits(63)


def check_replaceable(path: Path) -> None:
    """Raise UserError unless `path` is absent or a regular file, which may be replaced."""
    if path.is_symlink():
        raise UserError(
            f"{path}: is a link, and no link is written through or replaced; name the file itself, "
            "or remove the link"
        )
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device, a pipe or the like"
        raise UserError(f"{path}: is {kind}, where a file is to be written; name another place")


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Delete the temporary files that killed processes left in `folder` while writing `names`,
    which are patterns as in `fnmatch`: "epoch-*.npz". Folders and links are kept."""
    for path in folder.glob(".*.tmp*"):
        match = TEMPORARY.fullmatch(path.name)
        whole = match and match["stem"] + match["suffix"]
        if whole and any(fnmatchcase(whole, name) for name in names) and is_regular(path):
            path.unlink()


def is_regular(path: Path) -> bool:
    """Tell whether `path` itself is a regular file: not a link, folder or device."""
    return path.is_file() and not path.is_symlink()


def move_into_place(temporary: Path, path: Path) -> None:
    """Sync the file `temporary`, then rename it to `path`, in the same folder."""
    check_replaceable(path)
    sync_file(temporary)
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_file(path: Path) -> None:
    """Flush the file `path` to the disk."""
    with open(path, "rb") as file:
        sync(file.fileno(), path.parent)


def sync_directory(directory: Path) -> None:
    """Flush the directory's entries (new or changed names), so that they survive a power cut."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open a folder
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
    except PermissionError:  # writable, but not readable
        return
    try:
        sync(handle, directory)
    finally:
        os.close(handle)


def sync(handle: int, folder: Path) -> None:
    """Flush the open file `handle`, in `folder`, to the disk; warn where its file system (FUSE, a
    network share) cannot, because then a power cut may lose the last writes."""
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
    """Open `path` without following a link; an `opener` for `open`."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_text(path: str | Path, text: str) -> None:
    """Write the file `path` in UTF-8, atomically."""
    content = text.encode()
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_lines(path: str | Path, lines: Iterable[str]) -> None:
    """Write `lines`, with their line ends, one by one to the file `path` in UTF-8, atomically."""
    with atomic_write(path, 0) as temporary, open(temporary, "wb") as file:
        file.writelines(line.encode() for line in lines)


def write_json(path: str | Path, content: Any) -> None:
    """Write the file `path` as JSON, atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_bytes(path: str | Path, most: int = MOST_TEXT) -> bytes:
    """Read a regular file of at most `most` bytes; UserError, naming the file, otherwise."""
    with _opened(path, most) as file:
        return file.read(most)


def read_text(path: str | Path, most: int = MOST_TEXT) -> str:
    """Read a file in UTF-8, or UTF-16 with a byte order mark, with the limits of `read_bytes`."""
    with _opened(path, most) as file:
        return _text(file, most)


def read_lines(path: str | Path) -> Iterator[str]:
    """Yield the lines of a regular file: UTF-8, or UTF-16 with a byte order mark. Raises UserError
    for another file, and for control characters in a line."""
    with _opened(path, MOST_LINES) as file:
        first = 1
        for lines in _lines_by_block(io.TextIOWrapper(file, _encoding(file))):
            is_safe = _is_safe("".join(lines)) and max(map(len, lines), default=0) < LONGEST_LINE
            for number, line in enumerate(lines, first):
                if not is_safe and len(line) >= LONGEST_LINE:
                    raise ValueError(f"line {number} has more than {LONGEST_LINE:,} characters")
                if not is_safe and not _is_safe(line):
                    raise UserError(
                        f"{path}, line {number}: holds control characters; is it a text file?"
                    )
                yield line
            first += len(lines)


def _lines_by_block(text: io.TextIOBase) -> Iterator[list[str]]:
    """Yield the lines of a text in lists, because one by one millions of them take twice as long.

    A line that is longer than `LONGEST_LINE` comes in parts.
    """
    unfinished = ""
    while block := text.read(BLOCK):
        *lines, unfinished = (unfinished + block).split("\n")
        if len(unfinished) >= LONGEST_LINE:
            lines, unfinished = [*lines, unfinished], ""
        yield lines
    if unfinished:
        yield [unfinished]


def _is_safe(line: str) -> bool:
    return is_printable(line.replace("\t", " "))


def read_json(path: str | Path) -> Any:
    """Read the JSON file `path`; UserError if it cannot be read or is not JSON, which has neither
    NaN nor infinity."""
    with _opened(path, MOST_JSON) as file:
        return json.loads(_text(file, MOST_JSON), parse_constant=_no_constant)


@contextmanager
def _opened(path: str | Path, most: int) -> Iterator[io.BufferedReader]:
    """Open a regular file of at most `most` bytes; UserError if that fails, or its reading: an
    untrusted path may be a pipe, which never ends, or a device."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no regular file")
            if status.st_size > most:
                raise ValueError(f"it has more than {most:,} bytes")
            yield file
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: cannot be read, for it is no UTF-8 text (in Excel, save as CSV UTF-8)"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read ({reason})") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file without blocking, even a FIFO without a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _text(file: io.BufferedReader, most: int) -> str:
    encoding = _encoding(file)
    return file.read(most).decode(encoding)


def _encoding(file: io.BufferedReader) -> str:
    """Return the encoding of a text, by its beginning."""
    return "utf-16" if file.peek(2).startswith(UTF16) else "utf-8-sig"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
