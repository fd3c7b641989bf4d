"""Non-negative numbers in one byte each, five bits of exponent and three of mantissa: float16
without the sign and the last seven bits of the mantissa, rounded, and so within 1/16 of the number.
For the effect on training see docs/accuracy.md."""

import numpy as np

BITS_LESS = 7
LARGEST = 0xF7  # 61,440; the next code would be infinity


def encode(values: np.ndarray) -> np.ndarray:
    """Encode float16 values from 0 to 65,504, any shape, as uint8 of that shape."""
    bits = values.view(np.uint16) + np.uint16(1 << (BITS_LESS - 1))
    return np.minimum(bits >> BITS_LESS, LARGEST).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Decode the result of `encode`: float16 of the same shape."""
    return (codes.astype(np.uint16) << BITS_LESS).view(np.float16)
