"""Damaged checkpoints."""

import logging

import numpy as np
import pytest

from alexnet_tf.runs.checkpoints import (
    BrokenCheckpoint,
    load_checkpoint,
    load_latest,
    save_checkpoint,
)
from tests.tools import chaos

LOG = logging.getLogger("tests")


@pytest.fixture
def folder(tmp_path):
    """Write checkpoints of 0 to 3 epochs, with as much in the kernel, and 3.5 for one within the
    fourth."""
    for epoch in range(4):
        save_checkpoint(tmp_path, {"kernel": np.full(1000, epoch)}, [{}] * epoch)
    save_checkpoint(tmp_path, {"kernel": np.full(1000, 3.5)}, [{}] * 3, unfinished=True)
    return tmp_path


def test_the_latest_is_that_within_an_epoch(folder):
    arrays, history = load_latest(folder, LOG)
    assert arrays["kernel"][0] == 3.5 and len(history) == 3


def test_a_broken_checkpoint_gives_way_to_the_one_before(folder, caplog):
    random = np.random.default_rng(0)
    chaos.flip_a_bit(folder / "epoch-0003.unfinished.npz", random)
    chaos.truncate(folder / "epoch-0003.npz", random)
    arrays, history = load_latest(folder, LOG)
    assert arrays["kernel"][0] == 2 and len(history) == 2
    assert (folder / "epoch-0003.npz.broken").exists()
    assert "epoch-0003.unfinished.npz: is broken" in caplog.text


def test_none_after_the_epoch_asked_for_is_looked_at(folder):
    for name in ("epoch-0001.npz", "epoch-0002.npz"):
        (folder / name).write_bytes(b"")
    assert load_latest(folder, LOG, last=1)[0]["kernel"][0] == 0
    assert (folder / "epoch-0002.npz").exists()


def test_no_bit_of_a_checkpoint_goes_wrong_unnoticed(tmp_path):
    arrays = {"kernel": np.arange(6.0), "bias": np.arange(2)}
    path = save_checkpoint(tmp_path, arrays, [{"epoch": 1}])
    whole, noticed = path.read_bytes(), 0
    for bit in np.random.default_rng(0).integers(8 * len(whole), size=500):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        try:
            read, history = load_checkpoint(path)
        except BrokenCheckpoint:
            noticed += 1
        else:  # it was the time of a member, or the like
            assert history == [{"epoch": 1}] and set(read) == set(arrays)
            assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert noticed > 250
