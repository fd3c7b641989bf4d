"""Checkpoints: one .npz for each epoch, whole or absent: ``epoch-NNNN.npz``, the state after NNNN
epochs, or ``epoch-NNNN.unfinished.npz``, one within the next epoch. Both also hold the history and
the identity: see `alexnet_tf.runs.checkpoint_spec`."""

import errno
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.runs.checkpoint_spec import CheckpointSpec
from alexnet_tf.runs.history import History, checked_history
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.zips import open_zip
from alexnet_tf.weights.formats.npy import read_header

NAME = re.compile(r"epoch-(\d{4,9})(\.unfinished)?\.npz")
# Members that are text.
HISTORY, IDENTITY = "history", "identity"
# A network has some 50 arrays; so much text is the history of more than 100,000 epochs.
MOST_MEMBERS, MOST_TEXT = 1000, 1 << 27
# `open_zip` lets no more be read at once, as little as NumPy reads of an array.
PART = 1 << 18


class BrokenCheckpoint(UserError):
    """A checkpoint that differs from what this run wrote."""


def save_checkpoint(
    directory: Path,
    arrays: dict[str, np.ndarray],
    history: History,
    unfinished: bool = False,
    identity: str = "",
) -> Path:
    """Write the checkpoint after the epochs in `history`, or within the next; return its path."""
    path = checkpoint_path(directory, len(history), unfinished)
    members: dict[str, Any] = {HISTORY: json.dumps(history), IDENTITY: identity, **arrays}
    with atomic_write(path, sum(array.nbytes for array in arrays.values())) as temporary:
        np.savez(temporary, **members)
    return path


def load_checkpoint(
    path: Path, expected: CheckpointSpec | None = None
) -> tuple[dict[str, np.ndarray], History]:
    """Return the arrays and the history of a checkpoint. Raises BrokenCheckpoint for a wrong
    checksum (a .npz is a zip, which has a CRC-32 of each array), for NaN and infinity, and for what
    is not as `expected`; sizes are compared first."""
    with _opened(path) as archive:
        headers = {name: _header(archive, name) for name in _names(archive)}
        written, owner = headers.pop(HISTORY, None), headers.pop(IDENTITY, None)
        if written is None:
            raise ValueError("it lacks its history")
        if expected:
            expected.check_headers(headers)
            if owner and _text(archive, IDENTITY, owner) not in ("", expected.identity):
                raise ValueError("it is of a training with other settings, pictures or weights")
        history = checked_history(json.loads(_text(archive, HISTORY, written)))
        arrays = {name: _array(archive, name) for name in headers}
        number, unfinished = _moment(path) or (len(history), False)
        if number != len(history):
            raise ValueError(f"it is of epoch {len(history)}, not of that in its name")
        if expected:
            expected.check_epoch(arrays, unfinished)
        infinite = not_finite(arrays)
        if infinite:
            raise ValueError(f"{infinite} holds NaN or infinite numbers")
    return arrays, history


def read_identity(path: Path) -> str:
    """Return the identity in a checkpoint, "" in an earlier version's; BrokenCheckpoint."""
    with _opened(path) as archive:
        has_identity = IDENTITY in _names(archive)
        return _text(archive, IDENTITY, _header(archive, IDENTITY)) if has_identity else ""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a checkpoint; BrokenCheckpoint for whatever is wrong with it in the block."""
    try:
        with open_zip(path, MOST_MEMBERS) as archive:
            yield archive
    except MemoryError:  # which says nothing against the checkpoint
        raise
    except Exception as error:  # a broken file can raise nearly anything
        # EINVAL comes of a broken offset; any other number is of a file that could not be read.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise BrokenCheckpoint(f"{path}: is broken ({error})") from error


def load_latest(
    directory: Path, log: Logger, last: int | None = None, expected: CheckpointSpec | None = None
) -> tuple[dict[str, np.ndarray], History] | None:
    """Load the latest good checkpoint up to epoch `last`; None without one. Those that
    `load_checkpoint` refuses are set aside, under names that end in ``.broken``."""
    for path in reversed(list_checkpoints(directory, last)):
        try:
            return load_checkpoint(path, expected)
        except BrokenCheckpoint as error:
            aside = path.with_name(f"{path.name}.broken")
            os.replace(path, aside)
            log.warning("%s; set aside as %s, and the one before it is used", error, aside.name)
    return None


def list_checkpoints(directory: Path, last: int | None = None) -> list[Path]:
    """List the checkpoints in `directory` up to epoch `last`, in the order of their epochs."""
    paths = filter(Path.is_file, directory.glob("epoch-*.npz"))
    moments = ((_moment(path), path) for path in paths)
    found = sorted((moment, path) for moment, path in moments if moment)
    return [path for moment, path in found if last is None or moment <= (last, False)]


def checkpoint_path(directory: Path, epoch: int, unfinished: bool = False) -> Path:
    """Return the path of the checkpoint after so many epochs, or within the next one."""
    return directory / f"epoch-{epoch:04}{'.unfinished' if unfinished else ''}.npz"


def prune_checkpoints(directory: Path, keep: int, best: int, current: int | None = None) -> None:
    """Delete all but the last `keep` checkpoints of whole epochs and that of the epoch `best`.
    Those after the epoch `current` are of a longer training, and stay as they are."""
    paths = list_checkpoints(directory, current)
    whole = [path for path in paths if ".unfinished" not in path.suffixes]
    spared = {checkpoint_path(directory, best), *whole[-keep:]}
    for path in paths:
        if path not in spared:
            path.unlink()


def not_finite(arrays: dict[str, np.ndarray]) -> str:
    """Name an array that holds NaN or infinity; "" if none does."""
    return next((name for name, array in arrays.items() if not _is_finite(array)), "")


def _is_finite(array: np.ndarray) -> bool:
    # NaN goes through both; so there is no second array of the same size.
    return not array.size or bool(np.isfinite([array.min(), array.max()]).all())


def _moment(path: Path) -> tuple[int, bool] | None:
    """Return the epochs that a checkpoint is after, and whether within the next; None if none."""
    match = NAME.fullmatch(path.name)
    return (int(match[1]), bool(match[2])) if match else None


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist()]


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    """Read shape and type of an array; ValueError unless its member is as long as they say."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        shape, _, dtype = read_header(file)
        length = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or length != member.file_size:
        raise ValueError(f"{name} is not as long as it says")
    return shape, dtype


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _text(archive: zipfile.ZipFile, name: str, header: tuple[tuple[int, ...], np.dtype]) -> str:
    shape, dtype = header
    if shape != () or dtype.kind != "U" or dtype.itemsize > MOST_TEXT:
        raise ValueError(f"its {name} is no text")
    with archive.open(f"{name}.npy") as file:
        content = b"".join(iter(partial(file.read, PART), b""))
    return str(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))
