"""Wrong labels are found, and left out."""

import logging
import os
import shutil

import numpy as np
import pytest

from alexnet_tf.data.dataset import Picture, open_dataset
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.label_errors import (
    POSSIBLE_FROM,
    find_label_errors,
    out_of_fold_predictions,
)
from alexnet_tf.runs.run import Run
from tests.support.small import LENET, heard, job

LOG = logging.getLogger("tests")


def blobs(classes, wrong):
    """Vectors of pictures around a place for each class; the numbers in `wrong` have the label of
    the next class."""
    random = np.random.default_rng(0)
    places = 4 * random.standard_normal((classes, 16))
    true = np.arange(60 * classes) % classes
    vectors = (places[true] + random.standard_normal((len(true), 16))).astype(np.float32)
    labels = [(label + (number in wrong)) % classes for number, label in enumerate(true)]
    pictures = [Picture(f"{n}.jpg", int(label), str(n)) for n, label in enumerate(labels)]
    return pictures, vectors / vectors.std()


@pytest.mark.parametrize("classes", [2, 5])
def test_planted_labels_are_suspected_and_what_is_right_is_suggested(classes):
    wrong = {7, 20, 51, 77}
    pictures, vectors = blobs(classes, wrong)
    names = [f"class {number}" for number in range(classes)]
    label_errors = find_label_errors(out_of_fold_predictions(names, pictures, vectors))
    assert {int(label_error.picture.digest) for label_error in label_errors} == wrong
    for label_error in label_errors:
        assert label_error.suggested == int(label_error.picture.digest) % classes
        assert label_error.probability >= POSSIBLE_FROM
    order = [label_error.probability for label_error in label_errors]
    assert order == sorted(order, reverse=True)


def test_a_class_of_two_pictures_is_answered_about_too():
    pictures, vectors = blobs(2, set())
    few = [*pictures[:40], Picture("a", 2, "a"), Picture("b", 2, "b")]
    predictions = out_of_fold_predictions(("a", "b", "c", "none"), few, vectors[:42])
    assert predictions.probabilities.shape == (42, 4)
    assert np.allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)


def test_so_do_a_few_pictures_of_each_class():
    pictures, vectors = blobs(2, set())
    predictions = out_of_fold_predictions(("a", "b"), pictures[:6], vectors[:6])
    assert (predictions.predicted == predictions.labels).all()


@pytest.fixture
def photos(faces, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(faces, tmp_path / "photos")


def label_errors(path, *pictures):
    """Write a list as a report does."""
    lines = [f"{picture},cat,dog,0.9" for picture in pictures]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["path,label,suggested,probability", *lines]) + "\n")
    return path


def test_what_is_listed_is_left_out_and_all_others_stay_where_they_are(photos, tmp_path):
    whole = open_dataset("photos")
    gone = {whole.train[3].path, whole.validation[0].path}
    dataset = open_dataset("photos", leave_out=label_errors(tmp_path / "suspects.csv", *gone))
    assert dataset.train == tuple(p for p in whole.train if p.path not in gone)
    assert dataset.validation == tuple(p for p in whole.validation if p.path not in gone)
    assert {path for path, _ in dataset.rejected} == gone
    assert "left out: 2, named with the reason in rejected.txt: 2 × is named in" in (
        dataset.summary()
    )
    assert dataset.fingerprint() != whole.fingerprint()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_possible_errors_stay_until_they_are_called_likely(photos, tmp_path, delimiter):
    likely, possible = (picture.path for picture in open_dataset("photos").train[:2])
    rows = [
        ("path", "label", "suggested", "probability", "grade"),
        (likely, "cat", "dog", "0.95", "likely"),
        (possible, "cat", "dog", "0.8", "possible"),
    ]
    listed = tmp_path / "suspects.csv"
    text = "\n".join(delimiter.join(row) for row in rows) + "\n"
    for written, gone in (
        (text, {likely}),
        (
            text.replace("0.8" + delimiter + "possible", "0.8" + delimiter + "likely"),
            {likely, possible},
        ),
    ):
        listed.write_text(written)
        dataset = open_dataset("photos", leave_out=listed)
        assert {path for path, _ in dataset.rejected} == gone


def test_pictures_that_were_moved_since_are_known_by_what_they_hold(photos, tmp_path):
    digest = open_dataset("photos").train[0].digest
    moved = open_dataset("photos").train[0].path
    listed = label_errors(tmp_path / "run" / "suspects.csv", moved)
    (tmp_path / "run/pictures.sha256").write_text(f"{digest}  {moved}\n")
    photos.rename(tmp_path / "elsewhere")
    dataset = open_dataset("elsewhere", leave_out=listed)
    assert digest not in {picture.digest for picture in dataset.train}
    assert len(dataset.rejected) == 1


@pytest.mark.parametrize(
    "written",
    [
        lambda path: path.replace("/", "\\"),
        lambda path: f"{path};cat;dog;0.9",
        lambda path: path.removeprefix("photos/"),
        os.path.abspath,
    ],
)
def test_what_is_listed_is_found_however_it_is_written_and_that_is_said(photos, tmp_path, written):
    (tmp_path / "deep").mkdir()
    names = [picture.path for picture in open_dataset("photos").train[:3]]
    lines = [written(name) for name in names] + [written("photos/gone.jpg")]
    listed = tmp_path / "deep/bad.csv"
    heading = "path;label;suggested;probability" if ";" in lines[0] else "path"
    listed.write_text("\n".join([heading, *lines]))
    dataset = open_dataset("photos", leave_out=listed)
    assert {path for path, _ in dataset.rejected} == {*names}
    assert dataset.notes[-1].endswith("bad.csv: 3 of 4 were found, and are left out")


@pytest.mark.parametrize("text", ["", "\n", "path,label\nother/1.jpg,cat\n", "x/y.jpg\nx/z.jpg\n"])
def test_a_list_of_which_nothing_is_found_is_an_error(photos, tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(UserError, match=r"bad.csv: (is empty|names \d picture)"):
        open_dataset("photos", leave_out="bad.csv")


def test_nothing_is_left_out_by_an_empty_list(photos, tmp_path):
    listed = label_errors(tmp_path / "suspects.csv")
    dataset = open_dataset("photos", leave_out=listed)
    assert dataset.fingerprint() == open_dataset("photos").fingerprint()
    assert dataset.notes[-1].endswith("suspects.csv names no picture: none is left out")


def test_a_list_that_is_not_there_is_named(photos):
    with pytest.raises(UserError, match=r"no/suspects.csv: cannot be read"):
        open_dataset("photos", leave_out="no/suspects.csv")


def test_a_run_goes_on_with_its_pictures_and_says_which_are_in_the_list_since(photos, tmp_path):
    first = open_dataset("photos").train[0].path
    listed = label_errors(tmp_path / "suspects.csv", first)
    config = {**LENET, "leave_out": str(listed), "epochs": 1}
    heard(job(photos, tmp_path / "run", **config))
    assert first not in Run(tmp_path / "run").read_digests()
    another = open_dataset("photos").train[1].path
    label_errors(listed, first, another)
    lines = heard(job(photos, tmp_path / "run", **config | {"epochs": 2}))
    (line,) = [line for line in lines if "stay there" in line]
    assert line.startswith("1 of the pictures that") and "give another --run" in line
