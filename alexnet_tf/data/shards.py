"""A data set as a few large TFRecord files (shards), with lists of their contents. Each record is a
tf.train.Example, with features that other readers of TFRecords expect (`records.py`). They are in
the order of their digests, which is as good as any shuffle, and that in which features are
computed."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.dataset import Dataset, Picture, to_columns, write_lists
from alexnet_tf.data.images import records
from alexnet_tf.data.images.contents import ImageError, read_content, threads_for
from alexnet_tf.data.images.records import name_of, record_path
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.folders import atomic_dir
from alexnet_tf.system.progress import progress

# The number of pictures read in advance.
AHEAD = 32
PLACES = ".npy"


@dataclass(frozen=True)
class _Shard:
    """A shard file, and the numbers of its pictures, in the order of their digests."""

    path: Path
    numbers: np.ndarray
    # The file of its records' offsets: a shard that has both is not written again.
    places: Path

    def is_whole(self) -> bool:
        return self.path.is_file() and self.places.is_file()


def write_shards(dataset: Dataset, folder: Path, count: int) -> Dataset:
    """Write the pictures of `dataset` into the new `folder`; return the data set of its lists.

    The training pictures go into `count` shards, the others into shards of the same size. Pictures
    that have become unreadable are rejected. After an exception there is no folder, but the next
    call for the same pictures continues with the unfinished shard. Raises UserError if `folder`
    exists, and RunError if it cannot be written.
    """
    check_new(folder)
    import tensorflow as tf

    size, classes = -(-len(dataset.train) // count), dataset.classes
    lost: dict[str, str] = {}
    names = ("train", "validation", "test")
    parts: dict[str, Any] = {name: getattr(dataset, name) for name in names}
    try:
        with atomic_dir(folder, keep=True) as partial:
            plans = {
                part: _plan(partial / part, pictures, classes, size)
                for part, pictures in parts.items()
            }
            kept = {path for shard in chain(*plans.values()) for path in (shard.path, shard.places)}
            for path in {*partial.iterdir()} - kept:  # of other settings, or a killed process
                path.unlink()
            for part, plan in plans.items():
                parts[part] = _write_part(part, plan, parts[part], classes, lost)
            sharded = replace(dataset.without(lost), **parts)
            write_lists(sharded, partial)
            for path in partial.glob(f"*{PLACES}"):
                path.unlink()
    except tf.errors.OpError as error:
        raise RunError(f"{folder}: cannot be written ({error.message})") from error
    return sharded


def check_new(folder: Path) -> None:
    """Raise UserError if `folder` exists: shards are never overwritten."""
    if folder.exists():
        raise UserError(f"{folder}: is there already; delete it, or name another folder with --out")


def _plan(
    start: Path, pictures: Sequence[Picture], classes: Sequence[str], size: int
) -> list[_Shard]:
    """Distribute `pictures` over shards of `size` each, whose paths begin with `start`."""
    # The order of a feature store, so that filling it reads the shards sequentially.
    order = np.argsort([picture.digest.encode() for picture in pictures], kind="stable")
    inside = [order[first : first + size] for first in range(0, len(order), size)]
    shards = []
    for index, numbers in enumerate(inside):
        name = f"{start.name}-{index:05}-of-{len(inside):05}"
        digest = hashlib.sha256(repr(classes).encode())
        for number in numbers:
            picture = pictures[number]
            digest.update(repr((picture.digest, picture.label, name_of(picture.path))).encode())
        places = start.with_name(f"{name}.{digest.hexdigest()[:16]}{PLACES}")
        shards.append(_Shard(start.with_name(name + records.SUFFIX), numbers, places))
    return shards


def _write_part(
    part: str,
    plan: Sequence[_Shard],
    pictures: Sequence[Picture],
    classes: Sequence[str],
    lost: dict[str, str],
) -> Sequence[Picture]:
    """Write the missing shards of a split; return the pictures in all of them, in their own order.
    path → reason of unreadable pictures is added to `lost`."""
    todo = [shard for shard in plan if not shard.is_whole()]
    read = chain.from_iterable(_contents(pictures, shard.numbers) for shard in todo)
    contents = progress(read, sum(len(shard.numbers) for shard in todo), f"writing {part}")
    paths = [""] * len(pictures)
    for shard in plan:
        if shard.is_whole():
            places = np.load(shard.places)
        else:
            places = _write_shard(shard, pictures, contents, classes, lost)
        for number, place in zip(shard.numbers, places):
            if place >= 0:
                name = name_of(pictures[number].path)
                paths[number] = record_path(shard.path.name, place, name)
    return to_columns(replace(picture, path=path) for picture, path in zip(pictures, paths) if path)


def _write_shard(
    shard: _Shard,
    pictures: Sequence[Picture],
    contents: Iterable[bytes | ImageError],
    classes: Sequence[str],
    lost: dict[str, str],
) -> np.ndarray:
    """Write a shard of the next `contents`; return the offsets of its records, int64 (pictures,):
    -1 for an unreadable picture, whose path → reason is added to `lost`."""
    import tensorflow as tf

    place, places = 0, np.full(len(shard.numbers), -1)
    with atomic_write(shard.path, 0) as temporary, tf.io.TFRecordWriter(str(temporary)) as writer:
        for (index, number), content in zip(enumerate(shard.numbers), contents):
            picture = pictures[number]
            if isinstance(content, ImageError):
                lost[picture.path] = content.reason
                continue
            name, label = name_of(picture.path), picture.label
            record = records.to_example(content, name, classes[label], label, picture.digest)
            writer.write(record)
            places[index] = place
            place += len(record) + records.AROUND
    if (places >= 0).all():  # a lost picture is tried again the next time
        with atomic_write(shard.places, 0) as temporary:
            np.save(temporary, places)
    return places


def _contents(pictures: Sequence[Picture], order: np.ndarray) -> Iterator[bytes | ImageError]:
    """Read `pictures` in the given order, some of them in advance."""
    with threads_for(pictures[number].path for number in order[:AHEAD]) as pool:
        for start in range(0, len(order), AHEAD):
            some = [pictures[number] for number in order[start : start + AHEAD]]
            yield from pool.map(_content, some)


def _content(picture: Picture) -> bytes | ImageError:
    try:
        content = read_content(picture.path)
    except ImageError as error:
        return error
    if hashlib.sha256(content).hexdigest() != picture.digest:
        return ImageError(picture.path, "has changed since it was listed")
    return content
