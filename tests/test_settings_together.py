"""Settings beside settings: most pairs of values of two of them, in eleven small trainings."""

from itertools import islice

import pytest

from tests.tools.fuzz_settings import Combinations, rows

# 92 % of the pairs in 80 s of a processor; all take 26, and `make fuzz OF=settings` tries hundreds.
ROWS = 11


@pytest.fixture(scope="module")
def combinations(tmp_path_factory):
    """Draw the pictures, and have a folder for what all rows share."""
    return Combinations(tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize("row", [*islice(rows(0), ROWS)], ids=range(ROWS))
def test_a_training_is_right_with_all_its_settings_together(combinations, row):
    assert combinations.wrong(row) == []
