"""A data set as a folder of shards: few large files of TFRecords, and lists of what is in them.

Each record is a tf.train.Example, with features that every reader of TFRecords expects
(`records.py`). Records are in the order of their digests, which is as good as any shuffle, and that
in which features are computed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet_tf.data.contents import ImageError, at_once, read_content
from alexnet_tf.data.dataset import Dataset, Picture, in_little_memory, write_lists
from alexnet_tf.data.kinds import kind_of
from alexnet_tf.data.records import (
    AROUND,
    CLASS,
    DIGEST,
    ENCODED,
    FORMAT,
    LABEL,
    NAME,
    name_of,
    record_path,
)
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system.files import appearing
from alexnet_tf.system.progress import progress

# So many pictures are read before they are written.
AHEAD = 32


def write_shards(dataset: Dataset, folder: Path, count: int) -> Dataset:
    """Write the pictures of `dataset` into the new `folder`, those to train with into `count`
    shards, the others into shards as large; return what is listed there.

    Pictures that cannot be read any more are rejected. After an exception there is no folder.
    Raises UserError where there is something already, and RunError where nothing can be written.
    """
    check_new(folder)
    import tensorflow as tf

    size, lost = -(-len(dataset.train) // count), {}
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    try:
        with appearing(folder) as partial:
            for part, pictures in parts.items():
                parts[part] = _write_part(partial / part, pictures, dataset.classes, size, lost)
            sharded = replace(dataset.without(lost), **parts)
            write_lists(sharded, partial)
    except tf.errors.OpError as error:
        raise RunError(f"{folder}: cannot be written ({error.message})") from error
    return sharded


def check_new(folder: Path) -> None:
    """Raise UserError where there is something already: shards are never written over."""
    if folder.exists():
        raise UserError(f"{folder}: is there already; delete it, or name another folder with --out")


def _write_part(
    start: Path,
    pictures: Sequence[Picture],
    classes: Sequence[str],
    size: int,
    lost: dict[str, str],
) -> Sequence[Picture]:
    """Write shards of `size` pictures each, whose paths begin with `start`; return the pictures in
    them, in the order that they came in.

    Path → reason of those that cannot be read is added to `lost`.
    """
    import tensorflow as tf

    # As in a feature store, and so read from one end to the other when that is filled.
    order = np.argsort([picture.digest.encode() for picture in pictures], kind="stable")
    contents = progress(_contents(pictures, order), len(order), f"writing {start.name}")
    paths, shards = [""] * len(order), -(-len(order) // size)
    for first in range(0, len(order), size):
        shard = f"{start.name}-{first // size:05}-of-{shards:05}.tfrecord"
        with tf.io.TFRecordWriter(str(start.with_name(shard))) as writer:
            place = 0
            for number, content in zip(order[first : first + size], contents):
                picture = pictures[number]
                if isinstance(content, ImageError):
                    lost[picture.path] = content.reason
                    continue
                record = _example(picture, content, classes)
                writer.write(record)
                paths[number] = record_path(shard, place, name_of(picture.path))
                place += len(record) + AROUND
    return in_little_memory(
        replace(picture, path=path) for picture, path in zip(pictures, paths) if path
    )


def _contents(pictures: Sequence[Picture], order: np.ndarray) -> Iterator[bytes | ImageError]:
    """Read `pictures` in that order, some of them ahead."""
    threads = at_once(pictures[number].path for number in order[:AHEAD])
    with ThreadPoolExecutor(threads) as pool:
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


def _example(picture: Picture, content: bytes, classes: Sequence[str]) -> bytes:
    """Make the record of a picture."""
    import tensorflow as tf

    texts = {
        ENCODED: content,
        FORMAT: (kind_of(content) or "").encode(),
        NAME: name_of(picture.path).encode(),
        CLASS: classes[picture.label].encode(),
        DIGEST: picture.digest.encode(),
    }
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text]))
        for name, text in texts.items()
    }
    label = tf.train.Int64List(value=[picture.label])
    features[LABEL] = tf.train.Feature(int64_list=label)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
