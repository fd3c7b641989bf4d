"""LiteRT validation: a file is checked before the interpreter, which trusts it, reads it.

The interpreter checks that the file is a FlatBuffer, but then reads weights at any offset, executes
any operator and allocates any size that the file specifies. So offsets, operators and sizes are
checked here, without copying anything. The tables and fields are those of TensorFlow's
``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from alexnet_tf.errors import BadFile

# Numbers of the fields that are read, of the tables Model, OperatorCode, SubGraph, Tensor, Operator
# and Buffer.
OPERATOR_CODES, SUBGRAPHS, BUFFERS = 1, 2, 4
DEPRECATED_CODE, CUSTOM_CODE, CODE = 0, 1, 3
TENSORS, GRAPH_INPUTS, GRAPH_OUTPUTS, OPERATORS = 0, 1, 2, 3
SHAPE, BUFFER = 0, 2
STEP, INPUTS, OUTPUTS = 0, 1, 2
DATA, OFFSET, SIZE = 0, 1, 2
# Largest number of entries of any list; an AlexNet has about a hundred.
MOST_ENTRIES = 10_000
# Largest number of values of a layer's output for one picture: fifty times BVLC's conv1. Larger
# tensors are kernels, whose size the interpreter compares with the bytes in the file.
MOST_VALUES = 1 << 24
# Allowed operators (schema.fbs's BuiltinOperator): sums, products and shapes, to which converters
# reduce an AlexNet. None of them loops, calls, reads, or expands a small tensor to a large one.
STEPS = {
    *(0, 1, 2, 3, 4, 6, 9, 13, 14, 17, 18, 19, 21, 22, 25, 28, 34, 39, 40, 41, 42, 43, 45, 47, 49),
    *(53, 54, 55, 57, 59, 60, 65, 70, 73, 74, 75, 76, 77, 78, 83, 92, 98, 101, 102, 105, 111),
    114,
}
# Convolutions and dense layers among them, whose third input is optional.
BIASED_STEPS, NO_BIAS = (3, 4, 9), -1


def check_file(path: Path) -> None:
    """Raise BadFile, without the path, for a LiteRT file that cannot be an AlexNet."""
    try:
        with open(path, "rb") as file, _mapped(file) as content:
            _check(_Tables(content))
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise BadFile(f"is no LiteRT file, or damaged ({error})") from error


def _mapped(file: BinaryIO) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _check(tables: _Tables) -> None:
    (model,) = tables.read("I", 0)
    steps = []
    for code in tables.entries(model, OPERATOR_CODES):
        step = max(tables.number(code, DEPRECATED_CODE, "b"), tables.number(code, CODE, "i"))
        if step not in STEPS or tables.place(code, CUSTOM_CODE):
            raise BadFile(f"does what no AlexNet does (the operator {step})")
        steps.append(step)
    sizes = []
    for buffer in tables.entries(model, BUFFERS):
        offset, size = tables.bytes(buffer, DATA)
        if not size:  # weights are after the tables, as the converter was configured
            offset, size = (tables.number(buffer, field, "Q") for field in (OFFSET, SIZE))
        if offset + size > len(tables.content):
            raise BadFile("has weights that lie beyond its end")
        sizes.append(size)
    (graph,) = tables.entries(model, SUBGRAPHS)
    tensors = [*tables.entries(graph, TENSORS)]
    for tensor in tensors:
        values = math.prod(map(abs, tables.numbers(tensor, SHAPE)))
        if values > max(MOST_VALUES, sizes[tables.number(tensor, BUFFER, "I")]):
            raise BadFile(f"has a layer of {values:,} values for one picture")
    lists = [tables.numbers(graph, field) for field in (GRAPH_INPUTS, GRAPH_OUTPUTS)]
    if [len(each) for each in lists] != [1, 1]:
        raise BadFile("has not one input and one output")
    for operator in tables.entries(graph, OPERATORS):
        inputs, outputs = (tables.numbers(operator, field) for field in (INPUTS, OUTPUTS))
        if inputs[2:] == (NO_BIAS,) and steps[tables.number(operator, STEP, "I")] in BIASED_STEPS:
            inputs = inputs[:2]
        lists += [inputs, outputs]
    if not all(each and 0 <= min(each) <= max(each) < len(tensors) for each in lists):
        raise BadFile("has steps without inputs or outputs")


class _Tables:
    """Reader of the tables in a FlatBuffer ("FlatBuffer binary wire format" in its documentation),
    each identified by its offset; damage raises an error."""

    def __init__(self, content: mmap.mmap):
        self.content = content

    def read(self, kind: str, place: int) -> tuple[Any, ...]:
        """Read numbers at `place`, with `kind` a format of `struct`."""
        return struct.unpack_from(f"<{kind}", self.content, place)

    def place(self, table: int, field: int) -> int:
        """Return the offset of a field of the table at `table`; 0 if it is absent."""
        fields = table - self.read("i", table)[0]
        start = 4 + 2 * field
        if fields < 0 or start >= self.read("H", fields)[0]:
            return 0
        (offset,) = self.read("H", fields + start)
        return offset and table + offset

    def number(self, table: int, field: int, kind: str) -> int:
        """Return a numeric field; if it is absent, 0, the default of all fields read here."""
        place = self.place(table, field)
        return self.read(kind, place)[0] if place else 0

    def numbers(self, table: int, field: int) -> tuple[int, ...]:
        start, count = self._list(table, field)
        return self.read(f"{count}i", start)

    def entries(self, table: int, field: int) -> Iterator[int]:
        """Yield the offsets of the tables in a field that is a list."""
        start, count = self._list(table, field)
        for place in range(start, start + 4 * count, 4):
            yield place + self.read("I", place)[0]

    def bytes(self, table: int, field: int) -> tuple[int, int]:
        """Return the offset of the bytes in a field, and their declared number."""
        place = self.place(table, field)
        if not place:
            return 0, 0
        start = place + self.read("I", place)[0]
        return start + 4, self.read("I", start)[0]

    def _list(self, table: int, field: int) -> tuple[int, int]:
        """Return the offset of a list's entries, and their number."""
        start, count = self.bytes(table, field)
        if count > MOST_ENTRIES:
            raise ValueError(f"{count:,} entries in a list")
        return start, count
