"""Settings beside settings: every two values of two of them in one small training."""

from itertools import islice

import pytest

from tests.tools.fuzz_settings import Combinations, rows

# As many as every pair takes; `make fuzz OF=settings` tries hundreds.
ROWS = 26


@pytest.fixture(scope="module")
def combinations(tmp_path_factory):
    """Draw the pictures, and have a folder for what all rows share."""
    return Combinations(tmp_path_factory.mktemp("settings"))


@pytest.mark.parametrize("row", islice(rows(0), ROWS), ids=range(ROWS))
def test_a_training_is_right_with_all_its_settings_together(combinations, row):
    assert combinations.wrong(row) == []
