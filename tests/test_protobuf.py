"""Protocol Buffers' wire format, by the bytes that its documentation writes out."""

import struct

import numpy as np
import pytest

from alexnet_tf.errors import BadFile
from alexnet_tf.weights.formats.protobuf import (
    fields,
    floats,
    integers,
    last,
    read_message,
    text,
)


def read(message):
    """Read the records, arrays of fixed-size numbers as lists of bytes."""
    found = []
    for number, value in fields(memoryview(message)):
        if isinstance(value, np.ndarray):
            value = [bytes(row) for row in value]
        found.append((number, value if isinstance(value, int | list) else bytes(value)))
    return found


def test_numbers_words_and_messages_are_told_by_the_low_bits_of_a_tag():
    """The examples of protobuf.dev: 150 is 96 01, "testing" is 7 bytes; a field above 15 has a tag
    of two bytes."""
    assert read(b"\x08\x96\x01") == [(1, 150)]
    assert read(b"\x12\x07testing\x08\x00") == [(2, b"testing"), (1, 0)]
    assert read(b"\xa2\x06\x01x" + b"\x12\x00") == [(100, b"x"), (2, b"")]
    assert read(b"\x08" + b"\xff" * 9 + b"\x01") == [(1, 2**64 - 1)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize(("tag", "size"), [(b"\x2d", 4), (b"\x29", 8), (b"\xa5\x06", 4)])
def test_fixed_numbers_of_one_field_in_a_row_come_together(count, tag, size):
    field = {b"\x2d": 5, b"\x29": 5, b"\xa5\x06": 100}[tag]
    values = [bytes([number + 1] * size) for number in range(count)]
    run = b"".join(tag + value for value in values)
    assert read(run) == [(field, values)]
    assert read(run + b"\x08\x05" + run) == [(field, values), (1, 5), (field, values)]
    other = b"\x35" + b"abcd"  # field 6
    assert read(run + other) == [(field, values), (6, [b"abcd"])]


def test_numbers_are_the_same_packed_or_one_by_one():
    packed = struct.pack("<3f", 1.5, -2, 1e9)
    ((_, one_by_one),) = fields(
        memoryview(b"".join(b"\x2d" + packed[at : at + 4] for at in (0, 4, 8)))
    )
    for value in (memoryview(packed), one_by_one):
        assert floats([value], "<f4").tolist() == [1.5, -2, 1e9]
    assert integers([memoryview(b"\x96\x01\x00\x7f"), 5]) == (150, 0, 127, 5)


def test_records_of_a_field_are_put_together_and_one_alone_is_not_copied():
    one, other = np.array([1, 2], "<f4"), np.array([3], "<f4")
    assert np.shares_memory(floats([memoryview(one).cast("B")], "<f4"), one)
    parts = [memoryview(each).cast("B") for each in (one, other)]
    assert floats(parts, "<f4").tolist() == [1, 2, 3]


def test_the_fields_of_a_message_are_named_and_counted():
    message = memoryview(b"\x08\x96\x01" + b"\x12\x07testing" + b"\x1a\x00" + b"\x08\x02")
    found = read_message(message, {1: "number", 2: "word"}, 3)
    assert found["number"] == [150, 2] and last(found["number"]) == 2
    assert text(found["word"]) == "testing" and text([]) == ""
    with pytest.raises(BadFile, match="has more parts than AlexNet has"):
        read_message(message, {1: "number", 2: "word"}, 2)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x08\x01\x0b", "byte 2 of a message begins no record"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "a number has more than ten bytes"),
        (b"\x12\x05abcd", "a record is longer than its message"),
        (b"\x2dabc", "a record is longer than its message"),
    ],
)
def test_what_is_damaged_is_refused(message, words):
    with pytest.raises(BadFile, match=words):
        read(message)
