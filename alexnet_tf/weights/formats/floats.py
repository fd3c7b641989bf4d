"""The float types of other frameworks, including bfloat16, which NumPy lacks."""

import numpy as np

# bfloat16: the upper half of a float32.
BFLOAT16 = np.dtype("<u2", metadata={"is": "bfloat16"})


def as_floats(numbers: np.ndarray) -> np.ndarray:
    """Return `numbers` unchanged, or, if their type is `BFLOAT16`, as float32 in new memory."""
    if not numbers.dtype.metadata:
        return numbers
    return (numbers.astype("<u4") << np.uint32(16)).view("<f4")
