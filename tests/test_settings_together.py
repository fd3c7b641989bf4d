"""Settings beside settings: each value of one with each of every other, in small trainings."""

import random

import pytest

from alexnet_tf.system.processor import BFLOAT16
from tests.tools.fuzz_settings import Combinations, array

# The seed with the fewest rows out of ten: 27. `make fuzz OF=settings` tries hundreds.
ROWS = array(random.Random(6))


@pytest.fixture(scope="module")
def combinations(tmp_path_factory):
    """Draw the pictures, and have a folder for what all rows share."""
    return Combinations(tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=[pytest.mark.bfloat16] if row["precision"] == BFLOAT16 else [])
        for row in ROWS
    ],
    ids=range(len(ROWS)),
)
def test_a_training_is_right_with_all_its_settings_together(combinations, row):
    assert combinations.wrong(row) == []
