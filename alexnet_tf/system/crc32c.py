"""CRC-32C, the checksum of TFRecord files, computed in NumPy."""

from collections.abc import Sequence
from functools import cache, reduce

import numpy as np

# Castagnoli's polynomial, reversed (RFC 3720, appendix B.4).
POLYNOMIAL = np.uint32(0x82F63B78)
# Bytes of a row. The rows of a content are computed side by side, and then joined.
ROW = 512
# TensorFlow rotates a checksum and adds this (tensorflow/core/lib/hash/crc32c.h).
MASK, ALL = 0xA282EAD8, 0xFFFFFFFF


def masked_crc32c(content: bytes | memoryview) -> int:
    """Return the CRC-32C of `content`, at least 4 bytes, masked as in TFRecord files."""
    return masked_crc32cs([content])[0]


def masked_crc32cs(contents: Sequence[bytes | memoryview]) -> list[int]:
    """Return that of each of `contents`, faster than one by one: 20 kB take 0.1 ms, not 2."""
    counts = [-(-len(content) // ROW) for content in contents]
    rows = np.zeros((sum(counts), ROW), np.uint8)  # zeros at the start change nothing
    starts = np.cumsum(counts, dtype=int)[:-1]
    for content, part in zip(contents, np.split(rows, starts)):
        values = part.reshape(-1)[-len(content) :]
        values[:] = np.frombuffer(content, np.uint8)
        values[:4] ^= 0xFF  # the same as to begin with ones
    fed = np.split(_fed(np.zeros(len(rows), np.uint32), rows), starts)
    sums = [ALL ^ reduce(_join, part.tolist(), 0) for part in fed][: len(contents)]
    return [((each >> 15 | each << 17) + MASK) & ALL for each in sums]


def _join(joined: int, register: int) -> int:
    zeros = _zeros()
    return (
        register
        ^ zeros[0][joined & 0xFF]
        ^ zeros[1][joined >> 8 & 0xFF]
        ^ zeros[2][joined >> 16 & 0xFF]
        ^ zeros[3][joined >> 24]
    )


def _fed(registers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Feed each register, uint32 (n,), with the bytes of its row, uint8 (n, ROW)."""
    table = _table()
    for column in np.ascontiguousarray(rows.view("<u2").T):
        registers = table[(registers & 0xFFFF) ^ column] ^ (registers >> 16)
    return registers


@cache
def _table() -> np.ndarray:
    """Return what two bytes of zeros make of each value of the lower half of a register."""
    table = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * POLYNOMIAL
    return table


@cache
def _zeros() -> list[list[int]]:
    """Return what a row of zeros makes of each value of each byte of a register."""
    values, row = np.arange(256, dtype=np.uint32), np.zeros((256, ROW), np.uint8)
    return [_fed(values << np.uint32(8 * place), row).tolist() for place in range(4)]
