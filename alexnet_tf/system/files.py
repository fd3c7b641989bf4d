"""Files that are whole or absent, and names that are safe to print."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for


@contextmanager
def replacing(path: str | Path, size: int) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place when the block ends.

    `path` changes only once the whole new content, of about `size` bytes, is on the disk; after an
    exception it is as it was before. Raises NoRoom when the disk gets full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    with room_for(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def remove_leftovers(directory: Path) -> None:
    """Delete what processes that were killed left of `replacing` below `directory`."""
    for temporary in directory.rglob(".*.tmp*"):
        temporary.unlink()


def move_into_place(temporary: Path, path: Path) -> None:
    """Give the file `temporary` the name `path`, in the same folder, once it is on the disk."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the directory's entries (names just made or replaced) survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder` that takes its name when the block ends.

    After an exception there is neither; what a killed process left is deleted by the next.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_directory(folder.parent)


def write_text(path: str | Path, text: str) -> None:
    content = text.encode()
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Raises UserError when the file cannot be read or is not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def printable(name: object) -> str:
    """`name` fit to be shown in one line, with escapes for what would break or disguise it.

    Those are what `is_printable` says, and invisible characters, which may reorder or hide
    others (U+202E writes backwards), but for the two joiners that scripts and emoji need.
    """
    return "".join(ascii(c)[1:-1] if _breaks_lines(c) or _is_invisible(c) else c for c in str(name))


def printable_lines(text: object) -> str:
    """The lines of `text`, each `printable`."""
    return "\n".join(map(printable, str(text).split("\n")))


def is_printable(name: object) -> bool:
    """Whether `name` can stand in a line of UTF-8 text as it is."""
    return not any(_breaks_lines(c) for c in str(name))


def _breaks_lines(character: str) -> bool:
    """Control characters, lone surrogates (bytes that are not UTF-8), line separators."""
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf" and character not in "\u200c\u200d"
