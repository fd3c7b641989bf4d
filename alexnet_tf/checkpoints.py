"""What a training needs to go on: one .npz for each epoch, whole or absent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from alexnet_tf.files import replacing


def save_checkpoint(directory: Path, arrays: dict[str, np.ndarray], history: list) -> Path:
    """Write ``epoch-NNNN.npz``, NNNN being the epochs in `history`; return its path."""
    path = checkpoint_path(directory, len(history))
    with replacing(path) as temporary:
        np.savez(temporary, history=np.array(json.dumps(history)), **arrays)
    return path


def load_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], list]:
    """The arrays and the history of a checkpoint."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return arrays, json.loads(str(arrays.pop("history")))


def checkpoint_path(directory: Path, epoch: int) -> Path:
    return directory / f"epoch-{epoch:04}.npz"


def latest_checkpoint(directory: Path) -> Path | None:
    """The checkpoint of the last finished epoch, or None."""
    return max(directory.glob("epoch-*.npz"), default=None)


def prune_checkpoints(directory: Path, keep: int, best: int) -> None:
    """Delete all but the last `keep` checkpoints and that of the epoch `best`."""
    spared = {checkpoint_path(directory, best)}
    for path in sorted(directory.glob("epoch-*.npz"))[:-keep]:
        if path not in spared:
            path.unlink()
