"""A reader of Protocol Buffers' wire format, without a schema and without copies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from alexnet_tf.errors import BadFile

# Wire types (protobuf.dev/programming-guides/encoding): the low three bits of a record's tag.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}


def fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (field number, value) of each record.

    The value is an int for a varint, and a view for bytes, text or a message. Consecutive
    fixed-size values of one field come as one array of their bytes, uint8 (count, 4 or 8), because
    a repeated field that is not packed has millions of records.
    """
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


def numbers(value: memoryview | np.ndarray, dtype: str | np.dtype) -> np.ndarray:
    """Return the values of a packed field, or of consecutive records with one value each."""
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value).view(dtype)[:, 0]
    return np.frombuffer(value, dtype)


def concatenated(parts: list[np.ndarray]) -> np.ndarray:
    """Concatenate the values of all records of a field: a view if there is only one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def varints(packed: memoryview) -> Iterator[int]:
    """Yield the values of a packed field of varints."""
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
