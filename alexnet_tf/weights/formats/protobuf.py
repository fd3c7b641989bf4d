"""A reader of Protocol Buffers' wire format, without a schema and without copies."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile

# Wire types (protobuf.dev/programming-guides/encoding): the low three bits of a record's tag.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
LONGEST_TEXT = 1000
MOST_DIMENSIONS = 32  # Caffe's kMaxBlobAxes


def fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) of each record: an int for a varint, a view for bytes, text or a
    message. Consecutive fixed-size values of one field come as one array of their bytes, uint8
    (count, 4 or 8), because a repeated field that is not packed has millions of records."""
    value: Any
    place = 0
    while place < len(message):
        start = place
        tag, place = _varint(message, place)
        wire_type = tag & 7
        if wire_type == VARINT:
            value, place = _varint(message, place)
        elif wire_type == BYTES:
            size, place = _varint(message, place)
            value, place = message[place : place + size], place + size
        elif wire_type in FIXED:
            value = _run(message[start:], place - start, FIXED[wire_type])
            place = start + len(value) * (place - start + FIXED[wire_type])
        else:
            raise BadFile(f"is damaged: byte {start} of a message begins no record")
        if place > len(message):
            raise BadFile("is damaged or cut short: a record is longer than its message")
        yield tag >> 3, value


def read_message(message: memoryview, names: Mapping[int, str], most: int) -> dict[str, list[Any]]:
    """Return the values of the fields `names` (number → name), as in `fields`, by name; BadFile if
    there are more than `most`, whose Python objects could fill the memory."""
    found: dict[str, list[Any]] = {name: [] for name in names.values()}
    for number, value in fields(message):
        if number in names:
            found[names[number]].append(value)
            most -= 1
        if most < 0:
            raise BadFile("has more parts than AlexNet has")
    return found


def last(values: list[Any], default: Any = None) -> Any:
    """Return the value of a field that is not repeated; of several, the last is valid."""
    return values[-1] if values else default


def text(values: list[Any]) -> str:
    """Return the short text in a field that is not repeated."""
    value = last(values, memoryview(b""))
    if not isinstance(value, memoryview) or len(value) > LONGEST_TEXT:
        raise BadFile("is damaged: a name in it is no text")
    return str(value, "utf-8")


def floats(values: list[Any], dtype: str | np.dtype) -> np.ndarray:
    """Return the floats of a repeated field, packed or not: a view if they are contiguous."""
    parts = [
        np.ascontiguousarray(value).view(dtype)[:, 0]
        if isinstance(value, np.ndarray)
        else np.frombuffer(value, dtype)
        for value in values
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def integers(values: list[Any]) -> tuple[int, ...]:
    """Return the dimensions in a repeated field of varints, packed or not."""
    found: list[int] = []
    for value in values:
        is_packed = isinstance(value, memoryview)
        found += islice(_varints(value), MOST_DIMENSIONS + 1) if is_packed else [value]
    if len(found) > MOST_DIMENSIONS:
        raise BadFile(f"is damaged: an array in it has more than {MOST_DIMENSIONS} dimensions")
    return tuple(found)


def _varints(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        number, place = _varint(packed, place)
        yield number


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return the varint at `place` (seven bits a byte, lowest first), and the position after it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise BadFile("is damaged: a number has more than ten bytes")


def _run(message: memoryview, tag_size: int, size: int) -> np.ndarray:
    """Return the values of consecutive records with the same tag as the first."""
    records = np.frombuffer(message, np.uint8)
    records = records[: len(records) // (tag_size + size) * (tag_size + size)]
    records = records.reshape(-1, tag_size + size)
    if not len(records):
        raise BadFile("is damaged or cut short: a record is longer than its message")
    tag = records[0, :tag_size]
    # Doubled each time, so that many short runs do not each scan the whole message.
    count = 1
    while count < len(records):
        others = np.flatnonzero((records[count : 2 * count, :tag_size] != tag).any(axis=1))
        if len(others):
            return records[: count + others[0], tag_size:]
        count = min(2 * count, len(records))
    return records[:count, tag_size:]
