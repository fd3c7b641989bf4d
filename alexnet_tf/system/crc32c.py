"""CRC-32C, the checksum of TFRecord files, computed in NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np

# Castagnoli's polynomial, reversed (RFC 3720, appendix B.4).
POLYNOMIAL = 0x82F63B78
# Bytes of a row. The rows of a content are computed side by side, and then joined.
ROW = 512
# TensorFlow rotates a checksum and adds this (tensorflow/core/lib/hash/crc32c.h).
MASK = 0xA282EAD8


def masked_crc32c(content: bytes | memoryview) -> int:
    """Return the CRC-32C of `content`, at least 4 bytes, masked as in TFRecord files."""
    values = np.frombuffer(content, np.uint8)
    rows = np.zeros(-(-len(values) // ROW) * ROW, np.uint8)
    rows[-len(values) :] = values  # zeros before the first bytes change nothing
    first = len(rows) - len(values)
    rows[first : first + 4] ^= 0xFF  # the same as to begin with ones
    registers = _fed(np.zeros(len(rows) // ROW, np.uint32), rows.reshape(-1, ROW))
    joined = 0
    for register in registers.tolist():
        joined = _moved(joined) ^ register
    joined ^= 0xFFFFFFFF
    return (((joined >> 15) | (joined << 17)) + MASK) & 0xFFFFFFFF


def _fed(registers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Feed each register, uint32 (n,), with the bytes of its row, uint8 (n, ROW)."""
    table = _table()
    for column in np.ascontiguousarray(rows.T):
        registers = table[(registers & 0xFF) ^ column] ^ (registers >> 8)
    return registers


@cache
def _table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ (table & 1) * np.uint32(POLYNOMIAL)
    return table


def _moved(register: int) -> int:
    """Feed a register with a row of zeros."""
    low, second, third, high = _zeros()
    return (
        low[register & 0xFF]
        ^ second[register >> 8 & 0xFF]
        ^ third[register >> 16 & 0xFF]
        ^ high[register >> 24]
    )


@cache
def _zeros() -> list[list[int]]:
    """Return what a row of zeros makes of each value of each byte of a register."""
    registers = (np.arange(256, dtype=np.uint32) << np.uint32(8 * place) for place in range(4))
    return [_fed(each, np.zeros((256, ROW), np.uint8)).tolist() for each in registers]
