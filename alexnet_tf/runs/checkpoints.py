"""What a training needs to go on: one .npz for each epoch, whole or absent.

``epoch-NNNN.npz`` is the state after NNNN epochs, ``epoch-NNNN.unfinished.npz`` one within the
epoch that follows. Beside the arrays it holds the history, and whose it is: see `identity`.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.runs.history import History, checked_history
from alexnet_tf.runs.settings import DEFAULTS, FOUND_BY_CONTENT, FREE_SETTINGS, Settings
from alexnet_tf.system.files import replacing
from alexnet_tf.system.zips import open_zip
from alexnet_tf.variants import FC_LAYERS
from alexnet_tf.weights.formats.npy import read_header

NAME = re.compile(r"epoch-(\d{4,9})(\.unfinished)?\.npz")
PATTERN = "epoch-*.npz"
# Members that are text.
HISTORY, IDENTITY = "history", "identity"
# A network has some 50 arrays; so much text is the history of more than 100,000 epochs.
MOST_MEMBERS, MOST_TEXT = 1000, 1 << 27
# `open_zip` lets no more be read at once, as little as NumPy reads of an array.
PART = 1 << 18
# Of an epoch under way, see `alexnet_tf.training.epoch`; checkpoints of the first version lack it.
EPOCH = ("epoch/steps", "epoch/seconds", "epoch/losses", "epoch/hits")


class BrokenCheckpoint(UserError):
    """A checkpoint that is not as this run wrote it."""


def identity(settings: Settings, classes: Sequence[str], data: str, weights: str) -> str:
    """Return whose a checkpoint is: a SHA-256 of all that its values depend on.

    That is every setting that is not free, the classes, and the fingerprints of the pictures and of
    the weights that the training began with. Settings at their defaults do not count, so that those
    which later versions add leave it as it is.
    """
    left_out = (*FREE_SETTINGS, *FOUND_BY_CONTENT)
    told = {
        name: value
        for name, value in asdict(settings).items()
        if name not in left_out and value != DEFAULTS[name]
    }
    content = json.dumps([told, list(classes), data, weights], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Expected:
    """What the checkpoints of a training hold, known before any is opened.

    `shapes` are those of the arrays but `EPOCH`; the epoch is of so many training `pictures`.
    """

    shapes: dict[str, tuple[int, ...]]
    pictures: int
    batch_size: int
    identity: str

    @classmethod
    def of(cls, settings: Settings, classes: int, pictures: int, identity: str) -> Expected:
        """Compute it from the settings, the numbers of classes and of training pictures."""
        shapes = _shapes(settings, classes)
        return cls(shapes, pictures, settings.batch_size, identity)

    def check_headers(self, found: dict[str, tuple[tuple[int, ...], np.dtype]]) -> None:
        """Raise ValueError, before any array is read, for one that should not be there so."""
        epoch = EPOCH if any(name in found for name in EPOCH) else ()
        wanted = {*self.shapes, *epoch}
        for name in sorted(wanted ^ set(found)):
            raise ValueError(f"it {'lacks' if name in wanted else 'should not have'} {name}")
        for name, (shape, dtype) in found.items():
            kind = "b" if name == "epoch/hits" else "fiu"
            if dtype.kind not in kind or dtype.itemsize > 8:
                raise ValueError(f"{name} is of the type {dtype}")
            if name in EPOCH[2:]:
                if len(shape) != 1 or shape[0] > self.pictures:
                    raise ValueError(f"{name} has the shape {shape}")
            elif shape != self.shapes.get(name, ()):
                raise ValueError(
                    f"{name} has the shape {shape}, and should have {self.shapes.get(name, ())}"
                )

    def check_epoch(self, arrays: dict[str, np.ndarray], unfinished: bool) -> None:
        """Raise ValueError unless the epoch under way is one of this training."""
        if EPOCH[0] not in arrays:
            return
        steps, losses, hits = (arrays[name] for name in (EPOCH[0], *EPOCH[2:]))
        in_all = -(-self.pictures // self.batch_size)
        if not (0 < steps <= in_all if unfinished else steps == 0):
            raise ValueError(f"it is after step {steps} of {in_all}")
        # The pictures are split as evenly as can be, the larger parts first.
        each, larger = divmod(self.pictures, in_all)
        if not len(losses) == len(hits) == steps * each + min(steps, larger):
            raise ValueError(f"it has {len(losses)} losses after step {steps}")


def save_checkpoint(
    directory: Path,
    arrays: dict[str, np.ndarray],
    history: list,
    unfinished: bool = False,
    identity: str = "",
) -> Path:
    """Write the checkpoint of the epochs in `history`, or within the one after; return its path."""
    path = checkpoint_path(directory, len(history), unfinished)
    text = {HISTORY: np.array(json.dumps(history)), IDENTITY: np.array(identity)}
    with replacing(path, sum(array.nbytes for array in arrays.values())) as temporary:
        np.savez(temporary, **text, **arrays)
    return path


def load_checkpoint(
    path: Path, expected: Expected | None = None
) -> tuple[dict[str, np.ndarray], History]:
    """Return the arrays and the history of a checkpoint.

    Raises BrokenCheckpoint for a wrong checksum (a .npz is a zip, which has a CRC-32 of each
    array), for NaN and infinity, and for what is not as `expected`; sizes are compared first.
    """
    try:
        with open_zip(path, MOST_MEMBERS) as archive:
            headers = {name: _header(archive, name) for name in _names(archive)}
            texts = {name: headers.pop(name, None) for name in (HISTORY, IDENTITY)}
            if texts[HISTORY] is None:
                raise ValueError("it lacks its history")
            if expected:
                expected.check_headers(headers)
                _check_owner(archive, texts[IDENTITY], expected.identity)
            history = checked_history(json.loads(_text(archive, HISTORY, texts[HISTORY])))
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
    except Exception as error:  # a broken file can raise nearly anything
        # EINVAL comes of a broken offset; any other number is of a file that could not be read.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        if isinstance(error, MemoryError):  # which says nothing against the checkpoint
            raise
        raise BrokenCheckpoint(f"{path}: is broken ({error})") from error


def read_identity(path: Path) -> str:
    """Return whose the checkpoint is, "" for one of an earlier version; BrokenCheckpoint."""
    try:
        with open_zip(path, MOST_MEMBERS) as archive:
            if IDENTITY not in _names(archive):
                return ""
            return _text(archive, IDENTITY, _header(archive, IDENTITY))
    except Exception as error:  # a broken file can raise nearly anything
        raise BrokenCheckpoint(f"{path}: is broken ({error})") from error


def load_latest(
    directory: Path, log: Logger, last: int | None = None, expected: Expected | None = None
) -> tuple[dict[str, np.ndarray], History] | None:
    """Load the latest good checkpoint, none after epoch `last`; None when there is none.

    One that `load_checkpoint` refuses is set aside, under a name that ends in ``.broken``.
    """
    paths = list_checkpoints(directory)
    if last is not None:
        paths = [path for path in paths if _moment(path) <= (last, False)]
    for path in reversed(paths):
        try:
            return load_checkpoint(path, expected)
        except BrokenCheckpoint as error:
            aside = path.with_name(f"{path.name}.broken")
            os.replace(path, aside)
            log.warning("%s; set aside as %s, and the one before it is used", error, aside.name)
    return None


def list_checkpoints(directory: Path) -> list[Path]:
    """List the checkpoints in `directory`, in the order of their epochs."""
    found = {path: _moment(path) for path in directory.glob(PATTERN) if path.is_file()}
    return sorted((path for path in found if found[path]), key=found.__getitem__)


def checkpoint_path(directory: Path, epoch: int, unfinished: bool = False) -> Path:
    """Return where the state after so many epochs is kept, or that within the epoch after them."""
    return directory / f"epoch-{epoch:04}{'.unfinished' if unfinished else ''}.npz"


def prune_checkpoints(directory: Path, keep: int, best: int, current: int | None = None) -> None:
    """Delete all but the last `keep` checkpoints of whole epochs and that of the epoch `best`.

    Those after the epoch `current` are of a longer training, and stay as they are.
    """
    paths = list_checkpoints(directory)
    if current is not None:
        paths = [path for path in paths if _moment(path) <= (current, False)]
    whole = [path for path in paths if not _moment(path)[1]]
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


def _shapes(settings: Settings, classes: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the state of a `Trainer` by name: its layers, its momenta."""
    variant, first = settings.chosen_variant(), settings.first_trained()
    head = settings.first_of_head()
    # The layer that each dropout is before; that of the same number, or the next.
    dropouts = {}
    if variant.dropout and "drop" in variant.head:
        after = FC_LAYERS if variant.head[0] == "drop" else FC_LAYERS[1:]
        dropouts = dict(zip(FC_LAYERS[:2], after))
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, kernel in (variant.conv_kernels() | variant.fc_kernels(classes)).items():
        is_conv, number = layer.startswith("conv"), layer[-1]
        trained = {f"{layer}/kernel": kernel, f"{layer}/bias": kernel[-1:]}
        if variant.activation == "prelu" and layer != "fc8":
            trained[f"prelu{number}/alpha"] = (1, 1, *kernel[-1:]) if is_conv else kernel[-1:]
        if layer >= first:
            momenta = {
                f"optimizer/{name.replace('/', '_')}_momentum": trained[name] for name in trained
            }
            shapes |= trained | momenta
        elif layer >= head:  # a head goes along whole, for its dropout
            shapes |= trained
        if layer in dropouts and dropouts[layer] >= head:
            shapes[f"drop{number}/seed_generator_state"] = (2,)
    return shapes | {"optimizer/iteration": (), "optimizer/learning_rate": ()}


def _check_owner(archive: zipfile.ZipFile, header: Any, expected: str) -> None:
    """Raise ValueError for a checkpoint that says that it is another training's."""
    if header and _text(archive, IDENTITY, header) not in ("", expected):
        raise ValueError("it is of a training with other settings, pictures or weights")


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
