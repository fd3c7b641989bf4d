"""Damaged checkpoints."""

import json
import logging
import re
import tracemalloc

import numpy as np
import pytest

from alexnet_tf.runs.checkpoints import (
    BrokenCheckpoint,
    load_checkpoint,
    load_latest,
    prune_checkpoints,
    save_checkpoint,
)
from tests.support.small import CIFAR, LENET, STARTER, convolutions, epochs, job, trainer
from tests.tools import chaos

LOG = logging.getLogger("tests")


@pytest.fixture
def folder(tmp_path):
    """Write checkpoints of 0 to 3 epochs, with as much in the kernel, and 3.5 for one within the
    fourth."""
    for epoch in range(4):
        save_checkpoint(tmp_path, {"kernel": np.full(1000, epoch)}, epochs(epoch))
    save_checkpoint(tmp_path, {"kernel": np.full(1000, 3.5)}, epochs(3), unfinished=True)
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
    path = save_checkpoint(tmp_path, arrays, epochs(1))
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
            assert history == epochs(1) and set(read) == set(arrays)
            assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
    assert noticed > 250


def test_epoch_10000_follows_epoch_9999(tmp_path):
    for epoch in (9998, 9999, 10000):
        save_checkpoint(tmp_path, {"kernel": np.full(5, epoch)}, epochs(epoch))
    assert load_latest(tmp_path, LOG)[0]["kernel"][0] == 10000
    prune_checkpoints(tmp_path, keep=1, best=9998)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"epoch-9998.npz", "epoch-10000.npz"}


def test_nan_in_a_hidden_layer_is_seen(folder, caplog):
    kernel = np.ones((40, 40), np.float32)
    kernel[3, 30] = np.nan
    save_checkpoint(folder, {"fc7/kernel": kernel}, epochs(4))
    arrays, history = load_latest(folder, LOG)
    assert arrays["kernel"][0] == 3.5 and len(history) == 3
    assert "epoch-0004.npz: is broken (fc7/kernel holds NaN or infinite numbers)" in caplog.text


NETWORKS = {
    "lenet5": LENET,
    "slopes": CIFAR | {"activation": "prelu"},
    "upper": STARTER | {"train": "from:conv4"},
    "head": STARTER | {"train": "head", "dropout": 0.0},
}


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_expected_in_a_checkpoint_is_what_a_training_keeps(tmp_path, faces, network):
    config = NETWORKS[network]
    if "train" in config:
        config = config | {"weights": convolutions(tmp_path / "weights.npy", **STARTER)}
    asked = job(faces, tmp_path / "run", **config)
    state = trainer(asked).state()
    shapes = {name: array.shape for name, array in state.items() if not name.startswith("epoch/")}
    assert asked.expected().shapes == shapes
    path = save_checkpoint(tmp_path, state, epochs(2), identity=asked.expected().identity)
    assert set(load_checkpoint(path, asked.expected())[0]) == set(state)


@pytest.fixture(scope="module")
def lenet(tmp_path_factory, faces):
    """Return a job, and the state that its trainer begins with."""
    asked = job(faces, tmp_path_factory.mktemp("lenet") / "run", **LENET)
    return asked.expected(), trainer(asked).state()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"fc6/kernel": np.ones((400, 121), np.float32)}, "fc6/kernel has the shape (400, 121)"),
        ({"fc6/bias": np.ones((120, 1), np.float32)}, "not (120,)"),
        ({"fc6/kernel": None}, "it lacks fc6/kernel"),
        ({"epoch/hits": None}, "it lacks epoch/hits"),
        ({"fc9/kernel": np.ones(3)}, "it should not have fc9/kernel"),
        ({"fc8/bias": np.array(["a", "b"])}, "fc8/bias is of the type <U1"),
        ({"epoch/hits": np.ones(0)}, "epoch/hits is of the type float64"),
        ({"epoch/steps": np.array(2)}, "it is after step 2 of 4"),
        ({"epoch/losses": np.ones(1000)}, "epoch/losses has the shape (1000,)"),
        ({"optimizer/learning_rate": np.array(np.inf)}, "optimizer/learning_rate holds NaN"),
    ],
)  # fmt: skip
def test_whole_as_a_zip_and_wrong_inside(lenet, tmp_path, changed, reason):
    expected, state = lenet
    arrays = {name: array for name, array in (state | changed).items() if array is not None}
    path = save_checkpoint(tmp_path, arrays, epochs(1), identity=expected.identity)
    with pytest.raises(BrokenCheckpoint, match=f"epoch-0001.npz: is broken .*{re.escape(reason)}"):
        load_checkpoint(path, expected)


@pytest.mark.parametrize(
    "history",
    [[], {}, [{}], epochs(2), [epochs(1)[0] | {"loss": "low"}], [epochs(1)[0] | {"loss": np.nan}]],
)
def test_a_checkpoint_whose_history_is_none(lenet, tmp_path, history):
    expected, state = lenet
    path = tmp_path / "epoch-0001.npz"
    np.savez(path, history=np.array(json.dumps(history)), **state)
    with pytest.raises(BrokenCheckpoint):
        load_checkpoint(path, expected)


def test_a_small_file_that_unpacks_to_much_is_not_unpacked(lenet, tmp_path):
    expected, state = lenet
    path = tmp_path / "epoch-0001.npz"
    large = np.zeros((4000, 20_000), np.float32)  # 320 MB
    texts = {"history": np.array(json.dumps(epochs(1)))}
    np.savez_compressed(path, **texts, **state | {"fc6/kernel": large})
    del large
    assert path.stat().st_size < 2_000_000
    tracemalloc.start()
    with pytest.raises(BrokenCheckpoint, match=r"fc6/kernel has the shape \(4000, 20000\)"):
        load_checkpoint(path, expected)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_checkpoint_of_another_training_is_set_aside(lenet, tmp_path, caplog):
    expected, state = lenet
    save_checkpoint(tmp_path, state, epochs(1), identity=expected.identity)
    save_checkpoint(tmp_path, state, epochs(2), identity="0" * 64)
    _, history = load_latest(tmp_path, LOG, expected=expected)
    assert len(history) == 1 and (tmp_path / "epoch-0002.npz.broken").exists()
    assert "it is of a training with other settings, pictures or weights" in caplog.text
