"""A small network learns what a large one outputs."""

import csv
from dataclasses import replace

import keras
import numpy as np
import pytest

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.variants import VARIANTS, change
from alexnet_tf.weights.formats.npz import write_npz
from make_starter import distillation
from make_starter.distillation import (
    UNLABELLED,
    distill,
    last_convolution,
    pool,
    write_crops,
)

TEACHER = change(VARIANTS["cifar32"], width=0.25)
STUDENT = replace(VARIANTS["distilled"], image_size=96, filters=(8, 12, 16, 16, 24))


@pytest.fixture
def small(monkeypatch):
    """Few crops a file, in float32, which every processor computes fast."""
    for name, value in (("SHARD", 96), ("BATCH", 16), ("FORWARD", 32), ("WARM_UP", 4)):
        monkeypatch.setattr(distillation, name, value)
    monkeypatch.setattr(distillation, "PRECISION", "float32")
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def crops(small, faces, tmp_path, random_convolutions):
    """Two files of crops of the faces, cats labelled and dogs not."""
    sources = [
        (0.7, [(path, 0) for path in sorted(faces.glob("cat.*.jpg"))]),
        (0.3, [(path, UNLABELLED) for path in sorted(faces.glob("dog.*.jpg"))]),
    ]
    write_crops(sources, random_convolutions, TEACHER, STUDENT, tmp_path / "crops", 2)
    return tmp_path / "crops"


@pytest.fixture
def random_convolutions(tmp_path):
    from benchmarks.material import write_random_convolutions

    write_random_convolutions(tmp_path / "teacher.npy", TEACHER)
    return tmp_path / "teacher.npy"


def test_maxima_and_means_of_all_and_of_nine_places():
    maps = np.random.default_rng(0).random((2, 7, 7, 5), np.float32)
    whole, grid = np.split(pool(maps) ** 2, [10], axis=1)
    np.testing.assert_allclose(whole[:, :5], maps.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(whole[:, 5:], maps.max((1, 2)), rtol=1e-6)
    # Of 7 rows the places have rows 0–2, 2–4 and 4–6.
    expected = [maps[:, r : r + 3, c : c + 3].max((1, 2)) for r in (0, 2, 4) for c in (0, 2, 4)]
    np.testing.assert_allclose(grid, np.concatenate(expected, axis=1), rtol=1e-6)


def test_crops_are_those_whose_features_are_kept_and_files_that_exist_stay(crops):
    first = np.load(crops / "000.npz")
    assert first["96"].shape == (96, 96, 96, 3) and first["72"].shape == (96, 72, 72, 3)
    assert first["features"].shape == (96, 11 * TEACHER.filters[-1])
    assert {*first["labels"]} == {0, UNLABELLED}
    assert not np.array_equal(first["96"], np.load(crops / "001.npz")["96"])
    before = (crops / "000.npz").stat()
    (crops / "001.npz").unlink()
    write_crops([(1.0, [])], "none", TEACHER, STUDENT, crops, 1)  # would fail if it made any
    assert (crops / "000.npz").stat() == before


def test_the_student_learns_is_folded_exactly_and_goes_on_where_it_was(crops, faces, tmp_path):
    weights = distill(crops, STUDENT, 1, 20, tmp_path / "student")
    with open(tmp_path / "student/history.csv", newline="") as file:
        losses = [float(row["whole_loss"]) for row in csv.DictReader(file)]
    # A student that learns nothing has the variance of the standardized targets: 1.
    assert len(losses) == 20 and losses[-1] < 0.75 < losses[0]

    write_npz(weights, None, tmp_path / "student.npz")
    pictures = np.stack([load_image(path, STUDENT) for path in sorted(faces.glob("*.1.jpg"))])
    found = last_convolution(tmp_path / "student.npz", STUDENT, len(pictures))(pictures)
    student = distillation.build_student(STUDENT, TEACHER.filters[-1], 1)
    student.load_weights(tmp_path / "student/backup/latest.weights.h5")
    last = keras.Model(student.input, student.get_layer("places").input)
    expected = last.predict_on_batch(preprocess_input(pictures, STUDENT))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * expected.max())

    again = distill(crops, STUDENT, 1, 20, tmp_path / "student")
    for name in weights:
        np.testing.assert_array_equal(again[name][0], weights[name][0])
