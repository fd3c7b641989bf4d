"""Values of pictures with more than 8 bits, or fractions, scaled to bytes."""

import numpy as np

MOST_8_BITS, MOST_16_BITS = (1 << 8) - 1, (1 << 16) - 1
# NumPy's kind of number → the largest values that pictures of such numbers are scaled to.
RANGES = {
    "b": (1,),
    "u": (MOST_8_BITS, MOST_16_BITS),
    "i": (MOST_8_BITS, MOST_16_BITS),
    "f": (1, MOST_8_BITS, MOST_16_BITS),
}


class OutOfRange(ValueError):
    """Values in no known range. The message is the end of a sentence about the picture."""


def to_bytes(values: np.ndarray, tops: tuple[int, ...]) -> np.ndarray:
    """Scale `values` of 0 to the least of `tops` that none exceeds: uint8 of the same shape. Raises
    OutOfRange for values below 0, above all `tops`, or NaN."""
    low, high = values.min(), values.max()
    top = next((top for top in tops if 0 <= low <= high <= top), None)
    if top is None:
        raise OutOfRange(
            f"has values from {low:g} to {high:g}, and 0 to {' or '.join(map(str, tops))} is read; "
            "scale them"
        )
    if top == MOST_16_BITS:  # as libpng and Pillow do
        return (values // 256).astype(np.uint8)
    return np.rint(values * (MOST_8_BITS / top)).astype(np.uint8)
