"""`python -m alexnet_tf features`: what a layer makes of pictures, for other programs."""

import csv
import os
import sys

import keras
import numpy as np
import pytest
from pyarrow import parquet

from alexnet_tf.commands import features
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.output import tables
from alexnet_tf.model import mean_of_views
from alexnet_tf.system.processor import VARIABLE
from tests.support.engines import ENGINES
from tests.support.runs import THIN, write_run
from tests.support.verbs import run_verb


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A thin network of random weights."""
    return write_run(tmp_path_factory.mktemp("thin") / "run")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """80 drawn faces, which are two batches."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_faces(folder, per_class=40)
    return folder


def write_features(run, out, photos, layer="fc7"):
    return run_verb(features, photos, "--run", run.directory, "--layer", layer, "--out", out)


def outputs(run, layer, files):
    """Compute the layer's outputs for pictures with Keras, flat."""
    model = Engine.of_run(run).open_keras()
    part = keras.Model(model.input, model.get_layer(layer).output)
    variant = THIN.chosen_variant()
    pictures = np.stack([load_image(file, variant, THIN.resize) for file in files])
    return part.predict_on_batch(preprocess_input(pictures, variant)).reshape(len(files), -1)


def read(path):
    """The numbers in a file and the names of its lines."""
    if path.suffix == ".npy":
        return np.load(path), tables.names_path(path).read_text().splitlines()
    if path.suffix == ".npz":
        content = np.load(path)
        return content["features"], list(content["names"])
    if path.suffix == ".csv":
        lines = list(csv.reader(path.open(newline="")))[1:]
        return np.array([line[1:] for line in lines], np.float32), [line[0] for line in lines]
    columns = parquet.read_table(path).to_pydict()
    names = columns.pop("name")
    (values,) = columns.values()
    return np.array(values, np.float32), names


@pytest.mark.parametrize("layer", ["pool5", "fc6", "fc7"])
def test_they_are_what_keras_computes(run, photos, tmp_path, layer):
    assert write_features(run, tmp_path / "a.npy", photos, layer=layer) == 0

    found, names = read(tmp_path / "a.npy")
    assert names == [str(path) for path in sorted(photos.iterdir())]
    expected = outputs(run, layer, names)
    error = ENGINES[os.environ[VARIABLE]].error(layers=7)
    np.testing.assert_allclose(found, expected, atol=error * expected.max())


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet"])
def test_every_format_has_the_same_numbers_and_names(run, photos, tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(tables, "BLOCK", 33)
    out = tmp_path / f"b{suffix}"
    write_features(run, tmp_path / "a.npy", photos)

    write_features(run, out, photos)

    (numbers, names), (expected, expected_names) = read(out), read(tmp_path / "a.npy")
    np.testing.assert_array_equal(numbers, expected)
    assert names == expected_names
    assert {path.name for path in tmp_path.iterdir()} == {"a.npy", "a.names.txt", out.name}


def test_a_killed_command_goes_on(run, photos, tmp_path, monkeypatch):
    asked = []

    def layer(self, name, precision=None):
        forward = compute_layer(self, name)

        def stopping(inputs):
            asked.append(len(inputs))
            if len(asked) == 2:
                raise KeyboardInterrupt
            return forward(inputs)

        return stopping

    compute_layer = Engine.layer
    monkeypatch.setattr(Engine, "layer", layer)
    with pytest.raises(KeyboardInterrupt):
        write_features(run, tmp_path / "a.npy", photos)
    assert not (tmp_path / "a.npy").exists()
    (tmp_path / "a.names.txt").write_text("killed just before the numbers had their name")

    write_features(run, tmp_path / "a.npy", photos)

    assert len(asked) == 3 and len(read(tmp_path / "a.npy")[0]) == 80
    assert not (tmp_path / ".a.npy.partial").exists()


def test_what_cannot_be_read_is_named_and_copies_have_lines_of_their_own(
    faces, run, tmp_path, typed
):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("one.jpg", "the same.jpg", 'comma, "quote".jpg'):
        (photos / name).write_bytes((faces / "cat.0.jpg").read_bytes())
    (photos / "broken.jpg").write_bytes(b"nothing")

    result = typed(
        "alexnet_tf", "features", "photos", "--run", run.directory, "gone.jpg",
        "--layer", "pool5", "--out", "a.csv", code=2,
    )  # fmt: skip

    assert "photos/broken.jpg: is text, no picture" in result.stderr
    assert "gone.jpg: does not exist" in result.stderr
    numbers, names = read(tmp_path / "a.csv")
    assert names == [f"photos/{name}" for name in ('comma, "quote".jpg', "one.jpg", "the same.jpg")]
    assert numbers.any() and (numbers == numbers[0]).all()


def test_a_file_that_is_there_is_not_written_over(faces, run, tmp_path, typed):
    (tmp_path / "a.names.txt").write_text("mine")

    result = typed(
        "alexnet_tf", "features", faces, "--run", run.directory, "--out", "a.npy", code=2
    )

    assert "a.names.txt: is there already; delete it, or give --out another name" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.names.txt"]


def test_a_folder_of_somebodys_own_is_not_touched(faces, run, tmp_path):
    mine = tmp_path / ".a.npy.partial/notes/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")

    with pytest.raises(UserError, match=r"\.a\.npy\.partial: is not from this program; move it"):
        write_features(run, tmp_path / "a.npy", faces)

    assert mine.read_text() == "mine"


def test_other_suffixes_and_a_lack_of_pyarrow_are_named_before_any_work(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"a\.txt: should end with \.npy, \.npz, \.csv, \.parquet"):
        tables.check_table_path(tmp_path / "a.txt")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="Parquet needs pyarrow: pip install pyarrow, or give"):
        tables.check_table_path(tmp_path / "a.parquet")


def test_weights_of_convolutions_alone_have_pool5_and_no_fc7(
    faces, random_weights, tmp_path, typed
):
    words = ("alexnet_tf", "features", faces / "cat.0.jpg", "--weights", random_weights)

    error = typed(*words, "--out", "a.npy", code=2).stderr
    typed(*words, "--layer", "pool5", "--out", "a.npy")

    assert "holds convolutions alone, so there is no fc7; ask for pool5" in error
    assert np.load(tmp_path / "a.npy").shape == (1, 9216)


def test_what_sees_several_views_of_a_picture_gives_their_mean():
    """Mirror images stand behind all pictures, windows of a picture side by side."""
    maps = np.zeros((4, 5, 5, 1), np.float32)  # two pictures and their mirror images
    views = np.arange(4 * 3 * 2, dtype=np.float32).reshape(12, 2)  # three windows of each

    found = np.asarray(mean_of_views(views, maps, 2))

    first, second = views[[0, 1, 2, 6, 7, 8]], views[[3, 4, 5, 9, 10, 11]]
    np.testing.assert_allclose(found, [first.mean(axis=0), second.mean(axis=0)])
