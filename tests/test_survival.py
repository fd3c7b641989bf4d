"""Runs survive kills, a damaged config, and pictures that change during training."""

import json
import logging
import os
import shutil
import signal
from dataclasses import asdict

import numpy as np
import pytest

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.features.batches import BATCH
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import prepare
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import read_weights
from benchmarks.material import write_random_convolutions
from tests.tools import chaos

LOG = logging.getLogger("tests")


def test_a_run_ends_the_same_whatever_happened_to_it(tmp_path):
    """The short form of `make chaos`; each of these faults strikes, or `survive` fails."""
    material = chaos.prepare(tmp_path / "material")
    expected = chaos.undisturbed(tmp_path / "undisturbed", material)
    faults = (
        chaos.signalled(signal.SIGKILL, chaos.EXTRACTING),
        chaos.signalled(signal.SIGTERM, chaos.EPOCH),
        chaos.signalled(signal.SIGKILL, chaos.CHECKPOINT),
        chaos.damaged("checkpoint truncated", chaos.truncate, "run/checkpoints/epoch-*.npz"),
    )
    training = chaos.Training(tmp_path / "disturbed", material)
    _, lost = chaos.survive(training, faults, np.random.default_rng(0), expected)
    assert lost == []
    assert any(line.startswith("going on after ") for line in training.lines)
    assert not list(training.folder.rglob("*.tmp*"))


def test_a_damaged_config_is_refused_or_read(tmp_path):
    run = Run(tmp_path)
    run.config_path.write_text(
        json.dumps({"settings": {"seed": 0}, "classes": ["a", "b"], "data": "", "weights": ""})
    )
    whole = run.config_path.read_bytes()
    random, refused = np.random.default_rng(0), 0
    for _ in range(300):
        broken = bytearray(whole)
        broken[random.integers(len(whole))] = random.integers(256)
        run.config_path.write_bytes(
            broken[: random.integers(len(whole))] if refused % 2 else broken
        )
        try:
            run.read_config()
        except UserError as error:
            refused += 1
            assert str(run.config_path) in str(error)
    assert refused > 100


def test_a_setting_that_is_younger_than_the_run_had_its_default(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"settings": {"seed": 3, "gone": 1}, "classes": ["a", "b"], "data": "", "weights": ""}'
    )
    assert Run(tmp_path).read_config()["settings"] == asdict(Settings(seed=3))


def test_a_setting_of_the_wrong_kind_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(
        '{"settings": {"seed": "0"}, "classes": ["a", "b"], "data": "", "weights": ""}'
    )
    with pytest.raises(UserError, match="is damaged"):
        Run(tmp_path).read_config()


@pytest.fixture
def changed(tmp_path, faces):
    """Return what prepares a job of 60 pictures, of which one then vanishes, one shrinks and one is
    replaced."""
    photos = shutil.copytree(faces, tmp_path / "photos")
    write_random_convolutions(tmp_path / "random.npy", "cifar64")

    def job(**settings):
        job = prepare(
            Settings(
                data=str(photos), weights=str(tmp_path / "random.npy"), variant="cifar64",
                features=str(tmp_path / "features"), **settings,
            ),
            tmp_path / "run",
        )  # fmt: skip
        (photos / "cat.1.jpg").unlink()
        os.truncate(photos / "cat.2.jpg", 500)
        shutil.copy(photos / "dog.1.jpg", photos / "dog.2.jpg")
        return job

    return job


def test_pictures_that_change_after_the_listing_are_left_out(changed, caplog):
    from alexnet_tf.training.frozen import with_features

    job, store, _ = with_features(changed(), LOG)
    assert len(job.dataset.train) + len(job.dataset.validation) == 57
    assert store.slots([*job.dataset.train, *job.dataset.validation]).size == 57
    reasons = {os.path.basename(path): reason for path, reason in job.dataset.rejected}
    assert set(reasons) == {"cat.1.jpg", "cat.2.jpg", "dog.2.jpg"}
    assert reasons["cat.1.jpg"] == "does not exist"
    assert reasons["dog.2.jpg"] == "has changed since it was listed"
    assert all(name in caplog.text for name in reasons)


def test_too_many_of_them_stop_the_run(changed):
    from alexnet_tf.training.frozen import with_features

    with pytest.raises(UserError, match=r"3 of 60 pictures .* more than --max-lost 0\.04"):
        with_features(changed(max_lost=0.04), LOG)


def test_a_copy_stands_in_for_a_picture_that_vanished(tmp_path, faces, random_weights):
    photos = shutil.copytree(faces, tmp_path / "photos")
    shutil.copy(photos / "cat.1.jpg", photos / "cat.77.jpg")
    dataset = open_dataset(photos)
    pictures = (*dataset.train, *dataset.validation)
    cats = [picture for picture in pictures if "cat" in picture.path]
    (photos / "cat.77.jpg").unlink()
    store = FeatureStore.of_layer(
        tmp_path, VARIANTS["bvlc"], "short", read_weights(random_weights)
    ).open()
    lost = store.fill(cats, lambda inputs: np.zeros((BATCH, 6, 6, 256), np.float32))
    assert lost == {str(photos / "cat.77.jpg"): "does not exist"}
    assert all(picture in store for picture in cats)
