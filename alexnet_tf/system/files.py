"""Files that are whole or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for


@contextmanager
def replacing(path: str | Path, size: int) -> Iterator[Path]:
    """Run a block that writes the yielded path, which then takes the place of `path`.

    The temporary path lies beside `path` and has its suffix. `path` changes only once the whole new
    content, of about `size` bytes, is on the disk; after an exception it is as it was before.
    Raises NoRoom when the disk gets full.
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
    """Run a block that fills the yielded folder, which then takes the name `folder`.

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
    """Write the file `path` in UTF-8, whole or not at all."""
    content = text.encode()
    with replacing(path, len(content)) as temporary:
        temporary.write_bytes(content)


def write_json(path: str | Path, content: Any) -> None:
    """Write the file `path` as JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Read the JSON in the file `path`; UserError when it cannot be read or is none."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
