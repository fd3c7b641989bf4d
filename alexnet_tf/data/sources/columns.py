"""Column storage of rows, in a quarter of the memory of objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

Row = TypeVar("Row")


class Columns(Sequence[Row]):
    """Rows of `kind`, a dataclass, stored in `columns`, one per field, in order.

    A row object is created on access.
    """

    def __init__(self, kind: type[Row], *columns: Any):
        self._kind, self._columns, self._names = kind, columns, [*kind.__annotations__]
        self._fields = attrgetter(*self._names)

    def append(self, row: Row) -> None:
        for value, column in zip(self._fields(row), self._columns):
            column.append(value)

    def column(self, name: str) -> Any:
        return self._columns[self._names.index(name)]

    def __len__(self) -> int:
        return len(self._columns[0])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return tuple(map(self.__getitem__, range(len(self))[key]))
        number = range(len(self))[key]
        return self._kind(*(column[number] for column in self._columns))

    def __iter__(self) -> Iterator[Row]:
        return map(self._kind, *self._columns)

    def __add__(self, others: Iterable[Row]) -> tuple[Row, ...]:
        return (*self, *others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and (*self,) == (*other,)


class Digests(Sequence[str]):
    """SHA-256 in hex, or "", stored in 32 bytes each."""

    SIZE = 32
    _NONE = bytes(SIZE)

    def __init__(self) -> None:
        self.content = bytearray()

    def append(self, digest: str) -> None:
        self.content += bytes.fromhex(digest) if digest else self._NONE

    def __len__(self) -> int:
        return len(self.content) // self.SIZE

    def __getitem__(self, number: Any) -> str:
        content = self.content[number * self.SIZE : (number + 1) * self.SIZE]
        return "" if content == self._NONE else content.hex()
