"""Pictures, weights and runs that were moved, and pictures that came: digests decide."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.training.job import write_config
from alexnet_tf.weights.loading import read_weights
from tests.support.small import LENET, convolutions, job


@pytest.fixture
def here(tmp_path, faces, monkeypatch):
    """Start a run on the folder ``photos`` in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(faces, "photos")
    start("photos")
    return tmp_path


def prepared(data, **config):
    return job(data, Path("run"), features="features", **LENET | config)


def start(data, **config):
    write_config(prepared(data, **config), {})


def folder_of(job):
    pictures = (*job.dataset.train, *job.dataset.validation)
    return {os.path.dirname(picture.path) for picture in pictures}


def test_the_folder_was_moved(here):
    before = prepared("photos").dataset.fingerprint()
    shutil.move("photos", "disk2")
    with pytest.raises(UserError, match=r"photos lacks 60 of 60.*say with --data where they"):
        prepared("photos")
    found = prepared("disk2")
    assert found.dataset.fingerprint() == before and folder_of(found) == {"disk2"}
    write_config(found, {})
    assert Run("run").read_config()["settings"]["data"] == "disk2"
    again = prepared("disk2")
    assert not again.relisted and folder_of(again) == {"disk2"}


def test_the_pictures_were_renamed_and_sorted_into_other_folders(here):
    before = prepared("photos").dataset.fingerprint()
    for animal in ("cat", "dog"):
        for number in range(30):
            place = here / f"pets/{animal}s/{number % 3}/{'x' * number}{number}.jpeg"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(f"photos/{animal}.{number}.jpg", place)
    found = prepared("pets")
    assert found.dataset.fingerprint() == before and found.dataset.classes == ("cat", "dog")


@pytest.mark.parametrize("written", ["photos/", "./photos", "{here}/photos", "photos/../photos"])
def test_the_same_place_in_other_words(here, written):
    before, found = prepared("photos"), prepared(written.format(here=here))
    assert found.dataset == before.dataset and not found.relisted
    assert [warning.split(" ")[:3] for warning in found.warnings] == [
        ["8", "validation", "pictures"]
    ]


def test_the_run_and_the_pictures_on_another_machine(here, monkeypatch):
    before = prepared("photos").dataset.fingerprint()
    other = here / "other/home"
    other.mkdir(parents=True)
    shutil.move("run", other / "run")
    shutil.move("photos", here / "other/photos")
    monkeypatch.chdir(other)
    assert prepared("../photos").dataset.fingerprint() == before


def test_a_run_of_an_earlier_version_knows_its_pictures_too(here):
    before = prepared("photos").dataset.fingerprint()
    os.unlink("run/pictures.sha256")
    shutil.move("photos", "disk2")
    assert prepared("disk2").dataset.fingerprint() == before


def test_a_picture_is_missing_in_the_new_place(here):
    shutil.move("photos", "disk2")
    listed = (here / "run/train.txt").read_text().split(" ")[0]
    os.unlink(listed.replace("photos", "disk2"))
    with pytest.raises(UserError, match=rf"disk2 lacks 1 of 60, the first is {listed}\)"):
        prepared("disk2")


def test_other_pictures_are_no_new_place(here):
    shutil.copytree("photos", "others")
    for number in range(30):
        with open(f"others/cat.{number}.jpg", "ab") as file:
            file.write(b"\0")
    with pytest.raises(UserError, match=r"others lacks 30 of 60.*it was --data photos"):
        prepared("others")


def test_new_pictures_are_counted_and_left_out(here, faces):
    shutil.copy("photos/cat.1.jpg", "photos/cat.99.jpg")  # a copy is nothing new
    for number, color in ((100, b"\xff\xd9"), (101, b"\0")):
        shutil.copy("photos/dog.1.jpg", f"photos/dog.{number}.jpg")
        with open(f"photos/dog.{number}.jpg", "ab") as file:
            file.write(color)
    (here / "photos/dog.102.jpg").touch()  # no picture
    (line,) = [r for r in prepared("photos").warnings if "new in photos" in r]
    assert line == (
        "2 pictures are new in photos since run was started, and left out; to train on all, give "
        "another --run (and --weights run to begin where this one ended)"
    )
    shutil.move("photos", "disk2")
    assert any("2 pictures are new in disk2" in warning for warning in prepared("disk2").warnings)


def test_weights_that_were_moved(here):
    config = {"variant": "starter", "width": 0.1, "train": "head"}
    shutil.rmtree("run")
    weights = convolutions(here / "weights.npy", variant="starter", width=0.1)
    start("photos", weights=weights, **config)
    shutil.move(weights, "moved.npy")
    assert prepared("photos", weights="moved.npy", **config).weights
    other = convolutions(here / "other.npy", variant="starter", width=0.1)
    layers = {name: list(layer) for name, layer in read_weights(other).items()}
    layers["conv1"][1] = layers["conv1"][1] + 1
    np.save(other, np.array(layers, dtype=object))
    with pytest.raises(UserError, match=r"its weights are no longer those .*it was --weights /"):
        prepared("photos", weights=other, **config)


def test_the_digests_are_those_that_sha256sum_checks(here):
    checked = subprocess.run(["sha256sum", "--check", "--quiet", "run/pictures.sha256"])
    assert checked.returncode == 0
