"""Folders that are created atomically."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import sync_directory, sync_file, unique
from alexnet_tf.system.locks import locked_beside

# Files synced at a time: 25,000 photos take 6 seconds, one by one 130 (an SSD with ext4).
AT_ONCE = 16


def made_once(folder: Path, fill: Callable[[Path], object], keep: bool = False) -> Path:
    """Return `folder`; create it atomically, by `fill`, if it is missing, or wait for the process
    that is creating it already. After an exception there is no folder, but with `keep` the next
    call fills what this one, even if it was killed, had begun."""
    if not folder.is_dir():
        with locked_beside(folder, wait=True) as is_locked:
            if not folder.is_dir():
                try:
                    with _filling(folder, is_locked, keep) as partial:
                        fill(partial)
                except OSError:  # no locks on this disk, and another process was first
                    if not folder.is_dir():
                        raise
    return folder


@contextmanager
def atomic_dir(
    folder: Path, keep: bool = False, check: Callable[[], object] | None = None
) -> Iterator[Path]:
    """Yield a temporary folder, and rename it to `folder` when the block has filled it.

    After an exception nothing has changed. With `keep`, the next call finds what this call, even a
    killed one, had put into the temporary folder. With `check`, which may raise, an existing
    `folder` is replaced. Raises UserError if another process is creating the same folder.
    """
    replaced = folder.with_name(f".{folder.name}.replaced")
    with locked_beside(folder) as is_locked:
        if replaced.is_dir() and not folder.exists():  # a kill came between the two renames
            replaced.rename(folder)
        shutil.rmtree(replaced, ignore_errors=True)
        with _filling(folder, is_locked, keep) as partial:
            yield partial
            if check and folder.exists():
                sync_tree(partial)
                check()
                folder.rename(replaced)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _filling(folder: Path, is_locked: bool, keep: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to `folder` at the end. What a killed process left
    is deleted by the next one, if a lock shows that its process has ended."""
    token = "" if is_locked or keep else f".{unique()}"
    partial = folder.with_name(f".{folder.name}{token}.partial")
    if not keep:
        shutil.rmtree(partial, ignore_errors=True)
    elif partial.is_symlink():
        raise UserError(f"{partial}: is a link, where a folder is to be made; remove it")
    partial.mkdir(parents=True, exist_ok=keep)
    try:
        yield partial
        sync_tree(partial)
        partial.rename(folder)
    finally:
        if not keep:
            shutil.rmtree(partial, ignore_errors=True)
    sync_directory(folder.parent)


def sync_tree(folder: Path) -> None:
    """Flush all files below `folder`, and their names, to the disk."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, _, names in os.walk(folder):
            list(pool.map(sync_file, (Path(place, name) for name in names)))
            sync_directory(Path(place))
