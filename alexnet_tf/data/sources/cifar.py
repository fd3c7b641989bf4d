"""CIFAR-10 and CIFAR-100 as their authors publish them, pickled batches, unpacked to pictures."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.data.sources.tar_archives import fingerprint, open_tar
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.system.download import Published
from alexnet_tf.system.files import read_bytes
from alexnet_tf.system.folders import made_once
from alexnet_tf.system.pickles import ARRAYS, PickledArray, RestrictedUnpickler
from alexnet_tf.system.progress import progress

# The checksum is from keras.datasets.cifar10.
CIFAR10 = Published(
    "cifar-10-python.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
)
SIDE, CHANNELS = 32, 3
# How a pickle of protocol 2 or higher begins.
PICKLE = b"\x80"
# In bytes; unpacked, either archive has 186 MB.
LARGEST_ARCHIVE = 256 << 20
# Unpickling takes seven to nine reads for a picture of 3,072 bytes.
BYTES_A_READ = 80


@dataclass(frozen=True)
class _DataSet:
    """A published data set: its `archive`, the `folder` in that, and for each batch its split and
    the number of its first picture; a batch has at most `largest` bytes and the numbers of
    `classes` under `key`."""

    name: str
    archive: str
    folder: str
    batches: dict[str, tuple[str, int]]
    largest: int
    key: str
    classes: tuple[str, ...]


# The classes are in the order of the labels (batches.meta and meta in the archives).
TEN = _DataSet(
    "CIFAR-10",
    CIFAR10.name,
    "cifar-10-batches-py/",
    {f"data_batch_{i + 1}": ("train", 10_000 * i) for i in range(5)} | {"test_batch": ("test", 0)},
    32 << 20,
    "labels",
    ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
)
HUNDRED = _DataSet(
    "CIFAR-100",
    "cifar-100-python.tar.gz",
    "cifar-100-python/",
    {"train": ("train", 0), "test": ("test", 0)},
    160 << 20,
    "fine_labels",
    (
        *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle"),
        *("bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle"),
        *("caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch"),
        *("crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest"),
        *("fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower"),
        *("leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain"),
        *("mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear"),
        *("pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine", "possum"),
        *("rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew"),
        *("skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar"),
        *("sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger"),
        *("tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree"),
        *("wolf", "woman", "worm"),
    ),
)


def unpack_cifar(source: Path, into: Path) -> Path | None:
    """Unpack CIFAR's ``.tar.gz``, or its folder of batches, once, into a folder below `into`.

    Returns that folder, or None if `source` is something else. It contains
    ``train/CLASS/NNNNN.png``, numbered from the first batch on, and ``test/CLASS/NNNNN.png``; its
    name includes a fingerprint. Only the batches are read, in bounded memory, and nothing in them
    is executed. Raises UserError unless they are intact.
    """
    known = ((each, place) for each in (TEN, HUNDRED) for place in _places(source))
    found = next(((each, place) for each, place in known if _is_of(each, place)), None)
    if not found:
        return None
    data_set, place = found

    def fill(partial: Path) -> None:
        batches = _batches(data_set, place)
        for batch, content in progress(batches, len(data_set.batches), "unpacking"):
            try:
                pictures, labels = _read_batch(data_set, content)
            except BadFile as error:
                raise UserError(f"{place}, {batch}: {error}") from error
            except Exception as error:  # pickle may raise nearly anything on broken files
                raise UserError(f"{place}, {batch}: is damaged ({error})") from error
            _write_pictures(data_set, partial, batch, pictures, labels)

    return made_once(into / f"{data_set.name.lower()}-{_fingerprint(data_set, place)}", fill)


def _places(source: Path) -> list[Path]:
    """Return `source` and, if that is a folder with a single entry, the entry."""
    inside = [*islice(source.iterdir(), 2)] if source.is_dir() else []
    return [source, *inside] if len(inside) == 1 else [source]


def _is_of(data_set: _DataSet, source: Path) -> bool:
    """Tell whether `source` is a ``.tar.gz`` that begins like the data set's, or its folder."""
    if source.is_dir():
        files = [source / name for name in data_set.batches]
        return all(file.is_file() and _begins(file) == PICKLE for file in files)
    try:
        with gzip.open(source) as file:
            return file.read(tarfile.BLOCKSIZE).startswith(data_set.folder.encode())
    except (OSError, EOFError, zlib.error):
        return False


def _begins(file: Path) -> bytes:
    with open(file, "rb") as opened:
        return opened.read(len(PICKLE))


def _fingerprint(data_set: _DataSet, source: Path) -> str:
    if not source.is_dir():
        return fingerprint(source)
    contents = "".join(fingerprint(source / name) for name in data_set.batches)
    return hashlib.sha256(contents.encode()).hexdigest()[:8]


def _batches(data_set: _DataSet, source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each batch; UserError unless each is there exactly once."""
    if source.is_dir():
        yield from (
            (name, read_bytes(source / name, data_set.largest)) for name in data_set.batches
        )
        return
    missing, size = list(data_set.batches), 0
    with open_tar(source) as members:
        for member, content in members:
            size += tarfile.BLOCKSIZE + member.size
            if size > LARGEST_ARCHIVE:
                raise UserError(f"{source}: unpacks to more than {LARGEST_ARCHIVE:,} bytes")
            name = member.name.removeprefix(data_set.folder)
            if member.name != data_set.folder + name or name not in data_set.batches:
                continue
            if name not in missing:
                raise UserError(f"{source}, {name}: is there more than once")
            if not content or member.size > data_set.largest:
                most = f"{data_set.largest:,} bytes"
                raise UserError(f"{source}, {name}: is no file of at most {most}")
            missing.remove(name)
            yield name, content.read()
    if missing:
        raise UserError(
            f"{source}: has no {data_set.folder}{missing[0]}, so it is not {data_set.name}'s "
            f"{data_set.archive}; unpack any other archive yourself and name the folder"
        )


def _write_pictures(
    data_set: _DataSet, folder: Path, batch: str, pictures: np.ndarray, labels: list[int]
) -> None:
    """Write the `pictures` of a batch as PNG files below `folder`."""
    part, first = data_set.batches[batch]
    for name in data_set.classes:
        (folder / part / name).mkdir(parents=True, exist_ok=True)
    for number, (picture, label) in enumerate(zip(pictures, labels), first):
        Image.fromarray(picture).save(folder / part / data_set.classes[label] / f"{number:05}.png")


def _read_batch(data_set: _DataSet, content: bytes) -> tuple[np.ndarray, list[int]]:
    """Read pictures, uint8 RGB (n, 32, 32, 3), and the number of the class of each.

    A pickled picture is all its red values, then all green, then all blue.
    """
    pickle = _Pickle(content, data_set.largest // BYTES_A_READ)
    batch = RestrictedUnpickler(pickle, ARRAYS).load()
    pixels = batch.get("data") if isinstance(batch, dict) else None
    if not isinstance(pixels, PickledArray) or not isinstance(batch.get(data_set.key), list):
        raise BadFile(f"holds no dict of data and {data_set.key}")
    pixels, labels = pixels.array(("u1",)), batch[data_set.key]
    if pixels.shape != (len(labels), CHANNELS * SIDE**2):
        raise BadFile(
            f"holds an array of shape {pixels.shape} and {len(labels)} labels, where a row of "
            f"{CHANNELS * SIDE**2:,} numbers for each label is expected"
        )
    last = len(data_set.classes) - 1
    if not all(isinstance(label, int) and 0 <= label <= last for label in labels):
        raise BadFile(f"holds a label that is no whole number from 0 to {last}")
    return pixels.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1), labels


class _Pickle(io.BytesIO):
    """A pickle with a limited number of reads.

    Each byte of a hostile pickle may create an object of a hundred bytes.
    """

    def __init__(self, content: bytes, most: int):
        super().__init__(content)
        self._left = most

    def read(self, size: int | None = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise BadFile("holds more than pictures and labels")
        return super().read(size)
