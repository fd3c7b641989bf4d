"""CRC-32C, the checksum of TFRecord files, computed in NumPy."""

from __future__ import annotations

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
    rows = np.zeros((-(-len(content) // ROW), ROW), np.uint8)  # zeros at the start change nothing
    values = rows.reshape(-1)[-len(content) :]
    values[:] = np.frombuffer(content, np.uint8)
    values[:4] ^= 0xFF  # the same as to begin with ones
    zeros = _zeros()

    def join(joined: int, register: int) -> int:
        return reduce(
            lambda a, place: a ^ zeros[place][joined >> 8 * place & 0xFF], range(4), register
        )

    joined = ALL ^ reduce(join, _fed(np.zeros(len(rows), np.uint32), rows).tolist(), 0)
    return ((joined >> 15 | joined << 17) + MASK) & ALL


def _fed(registers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Feed each register, uint32 (n,), with the bytes of its row, uint8 (n, ROW)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * POLYNOMIAL
    for column in np.ascontiguousarray(rows.T):
        registers = table[(registers & 0xFF) ^ column] ^ (registers >> 8)
    return registers


@cache
def _zeros() -> list[list[int]]:
    """Return what a row of zeros makes of each value of each byte of a register."""
    values, row = np.arange(256, dtype=np.uint32), np.zeros((256, ROW), np.uint8)
    return [_fed(values << np.uint32(8 * place), row).tolist() for place in range(4)]
