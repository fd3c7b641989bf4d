"""Folders that are whole or absent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import sync_directory, sync_file, unique
from alexnet_tf.system.locks import locked_beside

# So many files are synced at a time, which a disk does in one go: 25,000 photos take 6 seconds,
# where one after the other takes 130 (an SSD with ext4).
AT_ONCE = 16


def made_once(folder: Path, fill: Callable[[Path], object]) -> Path:
    """Return `folder`; where it is not there, `fill` fills another, which then takes its name.

    A process that is doing so already is waited for. After an exception there is no folder.
    """
    if not folder.is_dir():
        with locked_beside(folder, wait=True) as is_locked:
            if not folder.is_dir():
                try:
                    with _filling(folder, is_locked) as partial:
                        fill(partial)
                except OSError:  # a disk without locks, and another process was first
                    if not folder.is_dir():
                        raise
    return folder


@contextmanager
def atomic_dir(
    folder: Path, keep: bool = False, check: Callable[[], object] | None = None
) -> Iterator[Path]:
    """Run a block that fills the yielded folder, which then takes the name `folder`.

    After an exception all is as it was. With `keep` the next call finds what this one, or a killed
    one, had in it. With `check`, which may raise, a folder that is there already is replaced.
    Raises UserError where another process is at this.
    """
    replaced = folder.with_name(f".{folder.name}.replaced")
    with locked_beside(folder) as is_locked:
        if replaced.is_dir() and not folder.exists():  # a kill came between the two names
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
    """Run a block that fills a folder under another name, which is `folder` at the end.

    What a killed process left is deleted by the next, where a lock tells that it is nobody's.
    """
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
    """Wait until all files in `folder`, at any depth, and their names are on the disk."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for place, _, names in os.walk(folder):
            list(pool.map(sync_file, (Path(place, name) for name in names)))
            sync_directory(Path(place))
