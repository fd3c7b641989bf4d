"""A finished run learns more: new pictures of its classes, and a new class."""

import shutil

import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import read_lines
from tests.support.pictures import classes
from tests.support.small import without_litert  # noqa: F401 - used by every test

SMALL = {"weights": "starter", "tensorboard": "off", "report": False}


@pytest.fixture
def before(faces, tmp_path):
    """A run of twelve pictures a class, trained for two epochs, and the folder of its pictures."""
    photos = tmp_path / "before"
    photos.mkdir()
    for label in ("cat", "dog"):
        for number in range(12):
            shutil.copy(faces / f"{label}.{number}.jpg", photos)
    head = {"head": "random", "units": 16, "epochs": 2, "batch_size": 8}
    return alexnet_tf.train(photos, tmp_path / "run", features=tmp_path / "f", **SMALL | head)


def test_a_class_is_added_splits_stay_and_features_are_used_again(before, faces, tmp_path):
    more = classes(tmp_path / "more", "bird", count=8)
    (more / "dog").mkdir()
    shutil.copy(faces / "dog.20.jpg", more / "dog")
    shutil.copy(faces / "dog.3.jpg", more / "dog/copy.jpg")
    shutil.rmtree(tmp_path / "before")  # nothing is computed anew for what the run has seen
    run = before.train_more(more, tmp_path / "next")
    assert run.classes == ("cat", "dog", "bird")
    assert (run.settings["units"], run.settings["batch_size"]) == (16, 8)
    assert run.predict_proba(faces / "cat.0.jpg").shape == (3,)

    old, new = Run(before.directory), Run(run.directory)
    for name, own in (("train.txt", 7 + 1), ("val.txt", 1)):
        lists = [{*read_lines(each.directory / name)} for each in (old, new)]
        assert lists[0] < lists[1]
        added = [line for line in lists[1] - lists[0] if "copy.jpg" not in line]
        assert len(added) == own
    # The copy is where its original is.
    digests = new.read_digests()
    parts = {
        line.rsplit(" ", 1)[0]: name
        for name in ("train.txt", "val.txt")
        for line in read_lines(new.directory / name)
    }
    same = [parts[path] for path in digests if path.endswith(("before/dog.3.jpg", "copy.jpg"))]
    assert len(same) == 2 and len({*same}) == 1


def test_a_folder_that_grew_is_taken_once(before, faces, tmp_path, monkeypatch):
    photos = tmp_path / "before"
    shutil.copy(faces / "dog.20.jpg", photos)
    monkeypatch.chdir(tmp_path)
    run = Run(before.train_more("before", tmp_path / "next").directory)
    paths = [
        line.rsplit(" ", 1)[0].rsplit("/", 1)[1]
        for name in ("train.txt", "val.txt")
        for line in read_lines(run.directory / name)
    ]
    assert sorted(paths) == sorted(path.name for path in photos.iterdir())


def test_few_pictures_of_both_are_cross_validated_and_the_command_resumes(
    faces, tmp_path, typed, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    first = tmp_path / "first"
    first.mkdir()
    for number in range(6):
        for label in ("cat", "dog"):
            shutil.copy(faces / f"{label}.{number}.jpg", first)
    alexnet_tf.train(first, tmp_path / "one", features=tmp_path / "f", **SMALL)
    more = classes(tmp_path / "more", "bird", count=5)
    config = ("train_alexnet.py", "--from", "one", "--data", more, "--run", "two")
    typed(*config)
    assert "has 12 of 17" in caplog.text  # features
    run = Run(tmp_path / "two")
    assert run.is_cross_validated() and run.read_config()["settings"]["head"] == "linear"
    assert len([*read_lines(run.directory / "train.txt")]) == 12 + 5
    before = run.history_path.read_bytes()
    typed(*config)  # it is finished already
    assert run.history_path.read_bytes() == before
    assert np.isfinite(alexnet_tf.load_run(run.directory).predict_proba(faces / "dog.9.jpg")).all()


def test_a_run_is_no_start_for_itself(before, faces):
    with pytest.raises(UserError, match="is the run to start from"):
        before.train_more(faces, before.directory)


def test_what_is_no_finished_run_is_said(faces, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: holds no finished model"):
        alexnet_tf.train(faces, tmp_path / "run", from_run=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="the starter was trained on pictures that are not here"):
        alexnet_tf.train(faces, tmp_path / "run", from_run="starter")
