"""Pictures in shards (TFRecord files), read in place, without reading the others.

The path of a picture is SHARD.tfrecord@PLACE/NAME: the byte offset of its record, zero-padded so
that paths sort by offset, and the name that the picture had as a file. `tf.data` only reads shards
from their beginning on.
"""

import hashlib
import os
import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from alexnet_tf.data.images.file_types import file_type_of
from alexnet_tf.errors import BadFile
from alexnet_tf.system.crc32c import masked_crc32c, masked_crc32cs

RECORD = re.compile(r"(?P<shard>.+?\.tfrecord)@(?P<place>[0-9]{12})/(?P<name>.*)")
# A record: length, its checksum, content, its checksum (tensorflow/core/lib/io/record_writer.h).
LENGTH, CHECK, CHECKSUM, BEFORE, AROUND = struct.Struct("<Q"), struct.Struct("<I"), 4, 12, 16
# Feature names of TensorFlow's object detection and slim, which other readers expect.
ENCODED, FORMAT, NAME = "image/encoded", "image/format", "image/filename"
LABEL, CLASS, DIGEST = "image/class/label", "image/class/text", "image/key/sha256"
# The kinds of features (tensorflow/core/example/feature.proto), and the bytes of a few integers.
TEXTS, FLOATS, INTEGERS, MOST_INTEGERS = 1, 2, 3, 20
# The exceptions of reading a malformed example.
MALFORMED = (BadFile, IndexError, TypeError, ValueError)
SUFFIX, DAMAGED = ".tfrecord", "its shard is damaged there"
FOREIGN = "it is too short for a TFRecord file"


def record_path(shard: object, place: int, name: str) -> str:
    """Return the path of the picture in `shard` whose record begins at byte `place`."""
    return f"{shard}@{place:012}/{name.lstrip('/')}"


def shard_of(path: object) -> str | None:
    """Return the path of the shard that contains the picture `path`; None for a file of its own."""
    match = RECORD.fullmatch(str(path))
    return match["shard"] if match else None


def name_of(path: object) -> str:
    """Return the file name that the picture `path` has, or had before it was put into a shard."""
    match = RECORD.fullmatch(str(path))
    return match["name"] if match else str(path)


def list_records(shard: str) -> Iterator[str]:
    """Yield the paths of the pictures in a TFRecord file, in order; only their names are read. A
    picture without a name gets its number. If the file is damaged or holds something else, a last
    path leads to that place, and reading it reports the error. Raises OSError if the file cannot be
    opened."""
    from alexnet_tf.weights.formats.mapped import map_file  # takes its time

    content = memoryview(map_file(Path(shard)) if os.path.getsize(shard) else b"")
    place = number = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + LENGTH.size], "little")
        start = place + BEFORE
        try:
            name = bytes(_feature(content[start : start + length], NAME.encode())).decode()
        except (KeyError, *MALFORMED):
            name = str(number)
        yield record_path(shard, place, name)
        if length < len(ENCODED):  # no record: a file of zeros, say
            return
        place, number = place + AROUND + length, number + 1


def record_size(path: object) -> int:
    """Return the size in bytes of the record at `path`; OSError if there is none."""
    shard, place = _place(path)
    beginning = os.pread(shard.fileno(), LENGTH.size, place)
    whole = os.fstat(shard.fileno()).st_size
    if whole < AROUND:
        raise OSError(FOREIGN)
    if len(beginning) < LENGTH.size:
        raise OSError(DAMAGED)
    (size,) = LENGTH.unpack(beginning)
    if place + AROUND + size > whole:
        raise OSError(DAMAGED)
    return size


def read_record(path: object) -> bytes:
    """Return the bytes of the picture in the record at `path`; OSError with a reason unless they
    match the SHA-256 in the record or, where others wrote it, the record its checksum."""
    shard, place = _place(path)
    size = record_size(path)
    whole = memoryview(os.pread(shard.fileno(), size + CHECKSUM, place + BEFORE))
    record = whole[:size]
    try:
        content = bytes(_feature(record, ENCODED.encode()))
    except (KeyError, *MALFORMED) as error:
        raise OSError(DAMAGED) from error
    try:
        is_whole = _feature(record, DIGEST.encode()) == hashlib.sha256(content).hexdigest().encode()
    except (KeyError, *MALFORMED):
        is_whole = masked_crc32c(record) == int.from_bytes(whole[size:], "little")
    if not is_whole:
        raise OSError(DAMAGED)
    return content


def features_of(example: memoryview) -> dict[str, bytes | int]:
    """Return the features of a tf.train.Example that hold one text or integer."""
    from alexnet_tf.weights.formats.protobuf import fields, integers  # takes its time

    found: dict[str, bytes | int] = {}
    for _, features in fields(example):
        for _, entry in fields(features):
            key_and_value = dict(fields(entry))
            name = bytes(key_and_value[1]).decode()
            for kind, values in fields(key_and_value[2]):
                several = [value for _, value in fields(values)]
                if kind == INTEGERS and several and len(values) < MOST_INTEGERS:
                    several = [*integers(several)]
                if kind != FLOATS and len(several) == 1:
                    found[name] = bytes(several[0]) if kind == TEXTS else several[0]
    return found


def to_example(content: bytes, name: str, label: str, number: int | None, digest: str) -> bytes:
    """Serialize a picture of the class `label`, perhaps numbered, as a tf.train.Example."""
    values = {
        ENCODED: content,
        FORMAT: (file_type_of(content) or "").encode(),
        NAME: name.encode(),
        CLASS: label.encode(),
        DIGEST: digest.encode(),
    }
    features = {key: _field(1, _field(1, value)) for key, value in values.items()}
    if number is not None:
        features[LABEL] = _field(INTEGERS, _field(1, _varint(number)))
    entries = (
        _field(1, _field(1, key.encode()) + _field(2, features[key])) for key in sorted(features)
    )
    return _field(1, b"".join(entries))


def to_records(examples: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the pieces of the TFRecords of `examples`."""
    lengths = [LENGTH.pack(len(example)) for example in examples]
    sums = [CHECK.pack(number) for number in masked_crc32cs([*lengths, *examples])]
    for pieces in zip(lengths, sums, examples, sums[len(lengths) :]):
        yield from pieces


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    if number < 128:
        return bytes([number])
    return bytes([number & 127 | 128]) + _varint(number >> 7)


def _place(path: object) -> tuple[BinaryIO, int]:
    shard, place, _ = RECORD.findall(str(path))[0]
    found = os.stat(shard)  # the same path may mean another file by now
    return _open(shard, found.st_dev, found.st_ino, found.st_mtime_ns), int(place)


@lru_cache(maxsize=64)  # opens a file once, not for every picture in it
def _open(shard: str, *_: int) -> BinaryIO:
    return open(shard, "rb")


def _feature(example: memoryview, name: bytes) -> memoryview:
    """Return the bytes of a feature of a tf.train.Example (tensorflow/core/example/*.proto)."""
    from alexnet_tf.weights.formats.protobuf import fields  # takes its time

    for _, features in fields(example):
        for _, entry in fields(features):
            key_and_value = dict(fields(entry))
            if key_and_value[1] == name:
                feature = dict(fields(key_and_value[2]))
                return memoryview(dict(fields(feature[1]))[1])
    raise KeyError(name)
