"""One process at a time in a run directory and in a feature store."""

import os
import sys

import pytest

from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.system.locks import locked
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights
from tests.support.processes import read_until, running


def test_a_folder_is_for_one_process_until_that_ends(tmp_path):
    hold = "from pathlib import Path; from alexnet_tf.system.locks import locked; import time\n"
    hold += f"with locked(Path({str(tmp_path)!r})): print('ready', flush=True); time.sleep(600)"
    with running([sys.executable, "-c", hold]) as holder:
        read_until(holder, "ready")
        words = f"process {holder.pid} is at work in it"
        with pytest.raises(UserError, match=words), locked(tmp_path):
            pass
    for _ in range(2):
        with locked(tmp_path):
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_second_training_is_told_of_the_first(typed, tmp_path, faces, random_weights):
    with locked(tmp_path / "run"):
        result = typed(
            "train_alexnet.py", "--data", faces, "--weights", random_weights, "--run", "run", code=2
        )
    assert f"run: process {os.getpid()} is at work in it" in result.stderr


def test_a_second_extraction_is_told_of_the_first(tmp_path, random_weights):
    weights = read_weights(random_weights)
    store = FeatureStore.of_layer(tmp_path, VARIANTS["bvlc"], "short", weights).open()
    with locked(store.directory), pytest.raises(UserError, match=f"process {os.getpid()} is at"):
        store.fill([], None)
