"""Every writer on a full disk: a small one, mounted for the test."""

import errno
import logging
import os
import re
import shutil
import subprocess
from contextlib import suppress
from hashlib import sha256

import numpy as np
import pytest

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Dataset, Picture, write_lists
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.features.batches import BATCH
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.runs.checkpoints import load_latest, save_checkpoint
from alexnet_tf.system import disk
from alexnet_tf.system.disk import NoRoom, shortages
from alexnet_tf.system.files import atomic_write
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights
from tests.support.small import LENET, job

LOG = logging.getLogger("tests")


@pytest.fixture
def small_disk(tmp_path):
    """Mount a folder with room for 100 kB; give it, and a function that makes more room."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(size):
        options = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder]
        return subprocess.run(options, capture_output=True).returncode == 0

    if not mount("size=100k"):
        pytest.skip("may not mount a disk")
    yield folder, lambda: mount("remount,size=100m")
    subprocess.run(["umount", "--lazy", folder], check=True)


def write_features(folder, weights):
    draw_faces(folder.parent / "faces", per_class=1)
    pictures = [
        Picture(str(path), 0, sha256(path.read_bytes()).hexdigest())
        for path in (folder.parent / "faces").iterdir()
    ]
    store = FeatureStore.of_layer(folder, VARIANTS["bvlc"], "short", weights, mirror=True).open()
    store.fill(pictures, lambda inputs: np.zeros((BATCH, 6, 6, 256), np.float32))


def write_log(folder, weights):
    before = list(cli.LOG.handlers)
    log = cli.open_log(folder / "log")
    opened = [handler for handler in log.handlers if handler not in before]
    try:
        for _ in range(1000):
            log.warning("%0200d", 1)
    finally:
        for handler in opened:
            log.removeHandler(handler)
            with suppress(OSError):
                handler.close()


def write_events(folder, weights, size=150_000):
    from alexnet_tf.training.tensorboard.events import Events
    from alexnet_tf.training.tensorboard.summaries import text

    events = Events(folder / "run", "epochs")
    events.write(1, text("settings", ["x" * size]))
    events.show([1])


def show_events(folder, weights):
    write_events(folder, weights, 90_000)


def write_model(folder, weights):
    import keras

    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(300)])
    with atomic_write(folder / "model.keras", 4 * model.count_params()) as temporary:
        model.save(temporary)


def write_split(folder, weights):
    write_lists(Dataset(("x" * 150_000, "y"), (), ()), folder)


def write_checkpoint(folder, weights):
    save_checkpoint(folder, {"kernel": np.ones(50_000, np.float32)}, [{"epoch": 1}])


@pytest.mark.parametrize(
    ("write", "needed"),
    [
        (write_features, "2.4 MB"),
        (write_log, "220 bytes"),
        (write_events, "0.2 MB"),
        (show_events, "90,113 bytes"),
        (write_model, "0.4 MB"),
        (write_split, "more room"),
        (write_checkpoint, "0.2 MB"),
    ],
)
def test_a_full_disk_is_a_sentence_and_room_helps(small_disk, random_weights, write, needed):
    folder, make_room = small_disk
    weights = read_weights(random_weights)
    with pytest.raises(NoRoom, match=f"needs {needed} on the disk, where .* are free"):
        write(folder, weights)
    assert not list(folder.rglob("*.tmp*"))
    make_room()
    write(folder, weights)


def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, {"kernel": np.ones(5)}, [])

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoom, match=r"epoch-0000.npz: needs 40 bytes on the disk"):
        save_checkpoint(tmp_path, {"kernel": np.zeros(5)}, [])
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-0000.npz"]
    assert load_latest(tmp_path, LOG)[0]["kernel"].sum() == 5


def test_nothing_is_said_of_enough_room(tmp_path):
    assert shortages({tmp_path / "run": 0, tmp_path / "features": 0}) == []


def test_too_little_room_is_said_before(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    (sentence,) = shortages({tmp_path / "run": free, tmp_path / "features": 10**9})
    assert sentence.startswith("this run needs ") and " are free; it will stop when" in sentence
    assert f"{tmp_path}/run and {tmp_path}/features" in sentence


def test_features_and_checkpoints_are_counted_before_a_training(tmp_path, faces, monkeypatch):
    monkeypatch.setattr(disk, "free_room", lambda path: 10**6)
    *_, sentence = job(faces, tmp_path / "run", **LENET, color_shift=0.1).warnings
    assert re.match(r"this run needs [\d.]+ MB on the disk of .*/run and .*/features/", sentence)
    monkeypatch.setattr(disk, "free_room", lambda path: 10**9)
    assert not any("disk" in each for each in job(faces, tmp_path / "run", **LENET).warnings)
