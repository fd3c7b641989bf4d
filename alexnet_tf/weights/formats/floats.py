"""Numbers as other frameworks name them, among them bfloat16, which NumPy has no type for."""

from __future__ import annotations

import numpy as np

# The upper half of a float32.
BFLOAT16 = np.dtype("<u2", metadata={"is": "bfloat16"})


def as_floats(numbers: np.ndarray) -> np.ndarray:
    """Return `numbers` themselves, or, of the type `BFLOAT16`, as float32 in new memory."""
    if not numbers.dtype.metadata:
        return numbers
    return (numbers.astype("<u4") << np.uint32(16)).view("<f4")
