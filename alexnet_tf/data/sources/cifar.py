"""CIFAR-10 as its authors publish it: pickled batches in a ``.tar.gz``, unpacked to pictures."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.data.sources.tar_archives import fingerprint, open_tar
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.system.download import Published
from alexnet_tf.system.folders import made_once
from alexnet_tf.system.pickles import ARRAYS, PickledArray, RestrictedUnpickler
from alexnet_tf.system.progress import progress

# The checksum is from keras.datasets.cifar10.
CIFAR10 = Published(
    "cifar-10-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
# In the order of the labels (batches.meta in the archive).
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
# Batch name → its split and the number of its first picture.
BATCHES = {f"data_batch_{i + 1}": ("train", 10_000 * i) for i in range(5)}
BATCHES["test_batch"] = ("test", 0)
FOLDER = "cifar-10-batches-py/"
SIDE, CHANNELS = 32, 3

# In bytes; a batch has 31 MB, the unpacked archive 186 MB.
LARGEST_BATCH, LARGEST_ARCHIVE = 32 << 20, 256 << 20
# Unpickling a batch takes 70,000 reads.
MOST_READS = 400_000


def is_cifar(path: Path) -> bool:
    """Tell whether `path` is a ``.tar.gz`` that begins like CIFAR-10's."""
    try:
        with gzip.open(path) as file:
            return file.read(tarfile.BLOCKSIZE).startswith(FOLDER.encode())
    except (OSError, EOFError, zlib.error):
        return False


def unpack_cifar(archive: Path, into: Path) -> Path:
    """Unpack `archive`, once, into a folder of its own below `into`, and return that folder.

    It contains ``train/CLASS/NNNNN.png``, numbered from data_batch_1 on, and
    ``test/CLASS/NNNNN.png``; its name includes a fingerprint of `archive`. Only the six batches are
    read, in bounded memory, and nothing in them is executed. Raises UserError unless the archive is
    intact.
    """

    def fill(partial: Path) -> None:
        for batch, content in progress(_batches(archive), len(BATCHES), "unpacking"):
            try:
                pictures, labels = _read_batch(content)
            except BadFile as error:
                raise UserError(f"{archive}, {batch}: {error}") from error
            except Exception as error:  # pickle may raise nearly anything on broken files
                raise UserError(f"{archive}, {batch}: is damaged ({error})") from error
            _write_pictures(partial, batch, pictures, labels)

    return made_once(into / f"cifar-10-{fingerprint(archive)}", fill)


def _batches(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each batch; UserError unless each is there exactly once."""
    missing, size = list(BATCHES), 0
    with open_tar(archive) as members:
        for member, content in members:
            size += tarfile.BLOCKSIZE + member.size
            if size > LARGEST_ARCHIVE:
                raise UserError(f"{archive}: unpacks to more than {LARGEST_ARCHIVE:,} bytes")
            name = member.name.removeprefix(FOLDER)
            if member.name != FOLDER + name or name not in BATCHES:
                continue
            if name not in missing:
                raise UserError(f"{archive}, {name}: is there more than once")
            if not content or member.size > LARGEST_BATCH:
                raise UserError(f"{archive}, {name}: is no file of at most {LARGEST_BATCH:,} bytes")
            missing.remove(name)
            yield name, content.read()
    if missing:
        raise UserError(
            f"{archive}: has no {FOLDER}{missing[0]}, so it is not CIFAR-10's {CIFAR10.name}; "
            "unpack any other archive yourself and name the folder"
        )


def _write_pictures(folder: Path, batch: str, pictures: np.ndarray, labels: list[int]) -> None:
    """Write the `pictures` of a batch as PNG files below `folder`."""
    part, first = BATCHES[batch]
    for name in CLASSES:
        (folder / part / name).mkdir(parents=True, exist_ok=True)
    for number, (picture, label) in enumerate(zip(pictures, labels), first):
        Image.fromarray(picture).save(folder / part / CLASSES[label] / f"{number:05}.png")


def _read_batch(content: bytes) -> tuple[np.ndarray, list[int]]:
    """Read pictures, uint8 RGB (n, 32, 32, 3), and the class of each, 0–9.

    A pickled picture is all its red values, then all green, then all blue.
    """
    batch = RestrictedUnpickler(_Pickle(content), ARRAYS).load()
    pixels = batch.get("data") if isinstance(batch, dict) else None
    if not isinstance(pixels, PickledArray) or not isinstance(batch.get("labels"), list):
        raise BadFile("holds no dict of data and labels")
    pixels, labels = pixels.array(("u1",)), batch["labels"]
    if pixels.shape != (len(labels), CHANNELS * SIDE**2):
        raise BadFile(
            f"holds an array of shape {pixels.shape} and {len(labels)} labels, where a row of "
            f"{CHANNELS * SIDE**2:,} numbers for each label is expected"
        )
    if not all(isinstance(label, int) and 0 <= label < len(CLASSES) for label in labels):
        raise BadFile("holds a label that is no whole number from 0 to 9")
    return pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1), labels


class _Pickle(io.BytesIO):
    """A pickle with a limited number of reads.

    Each byte of a hostile pickle may create an object of a hundred bytes.
    """

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        if self.reads > MOST_READS:
            raise BadFile("holds more than pictures and labels")
        return super().read(size)
