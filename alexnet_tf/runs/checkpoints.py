"""What a training needs to go on: one .npz for each epoch, whole or absent.

``epoch-NNNN.npz`` is the state after NNNN epochs, ``epoch-NNNN.unfinished.npz`` one within the
epoch that follows. By name they are in the order of time.
"""

from __future__ import annotations

import errno
import json
import os
from logging import Logger
from pathlib import Path

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import replacing


class BrokenCheckpoint(UserError):
    """A checkpoint that is not as it was written."""


def save_checkpoint(
    directory: Path, arrays: dict[str, np.ndarray], history: list, unfinished: bool = False
) -> Path:
    """Write the checkpoint of the epochs in `history`, or within the one after; return its path."""
    path = checkpoint_path(directory, len(history), unfinished)
    with replacing(path, sum(array.nbytes for array in arrays.values())) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **arrays)
    return path


def load_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], list]:
    """Return the arrays and the history of a checkpoint; BrokenCheckpoint for a wrong checksum.

    A .npz is a zip, which has a CRC-32 of each array.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(str(arrays.pop("history")))
    except Exception as error:  # a broken file can raise nearly anything
        # EINVAL comes of a broken offset; any other number is of a file that could not be read.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise BrokenCheckpoint(f"{path}: is broken ({error})") from error


def load_latest(
    directory: Path, log: Logger, last: int | None = None
) -> tuple[dict[str, np.ndarray], list] | None:
    """Load the latest whole checkpoint, none after epoch `last`; None when there is none.

    A broken one is set aside, under a name that ends in ``.broken``.
    """
    paths = sorted(directory.glob("epoch-*.npz"))
    if last is not None:
        paths = [path for path in paths if path <= checkpoint_path(directory, last)]
    for path in reversed(paths):
        try:
            return load_checkpoint(path)
        except BrokenCheckpoint as error:
            aside = path.with_name(f"{path.name}.broken")
            os.replace(path, aside)
            log.warning("%s; set aside as %s, and the one before it is used", error, aside.name)
    return None


def checkpoint_path(directory: Path, epoch: int, unfinished: bool = False) -> Path:
    """Return where the state after so many epochs is kept, or that within the epoch after them."""
    return directory / f"epoch-{epoch:04}{'.unfinished' if unfinished else ''}.npz"


def prune_checkpoints(directory: Path, keep: int, best: int) -> None:
    """Delete all but the last `keep` checkpoints of whole epochs and that of the epoch `best`."""
    paths = sorted(directory.glob("epoch-*.npz"))
    whole = [path for path in paths if not path.name.endswith(".unfinished.npz")]
    spared = {checkpoint_path(directory, best), *whole[-keep:]}
    for path in paths:
        if path not in spared:
            path.unlink()
