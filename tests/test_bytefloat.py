"""Features in a byte each."""

import numpy as np
import pytest

from alexnet_tf.data.features.bytefloat import decode, encode


@pytest.mark.parametrize(
    ("value", "code", "found"),
    [
        (0, 0x00, 0),
        (1, 0x78, 1),  # float16 has the bits 0x3C00, of which 7 go
        (1.0615, 0x78, 1),  # just below the middle of 1 and 1.125, and that middle
        (1.0625, 0x79, 1.125),
        (1.9, 0x7F, 1.875),
        (57_344, 0xF6, 57_344),
        (65_504, 0xF7, 61_440),  # the largest float16 would be infinite
    ],
)
def test_a_number_keeps_three_bits_of_its_mantissa_rounded(value, code, found):
    codes = encode(np.float16([[value]]))
    assert (codes.dtype, codes.tolist()) == (np.uint8, [[code]])
    assert (decode(codes).dtype, decode(codes).tolist()) == (np.float16, [[found]])
