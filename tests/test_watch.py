"""A folder is watched: what arrives is answered once it is whole."""

import os
import shutil
import signal
import sys
import time
from contextlib import nullcontext

import pytest

from alexnet_tf.data.sources import watcher
from alexnet_tf.data.sources.watcher import PATIENCE, watch_folder
from alexnet_tf.inference.batch import BatchPredictor
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.inference.output.prediction_file import PredictionFile
from alexnet_tf.inference.output.sorting import Sorter
from tests.support.places import ROOT
from tests.support.processes import running


@pytest.fixture
def inbox(tmp_path, monkeypatch):
    """Go to a folder with ``inbox``, in which nothing is yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def aged(path, seconds=PATIENCE + 1):
    """Have a file last written to so many seconds ago."""
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_a_picture_counts_once_it_is_whole(inbox, faces):
    whole = (faces / "cat.0.jpg").read_bytes()
    half, name = whole[: len(whole) // 2], inbox / "slow.jpg"
    # What happens between two scans, and what the next scan finds.
    story = [
        (lambda: name.write_bytes(half[:100]), []),
        (lambda: name.write_bytes(half), []),
        (lambda: None, []),
        (lambda: None, []),  # still, but it cannot be read, and was written to a moment ago
        (lambda: name.write_bytes(whole), []),
        (lambda: None, ["inbox/slow.jpg"]),
        (lambda: None, []),
        (lambda: shutil.copy(faces / "dog.0.jpg", inbox / "sudden.jpg.part"), []),
        (lambda: None, []),
        (lambda: (inbox / "sudden.jpg.part").rename(inbox / "sudden.jpg"), []),
        (lambda: None, ["inbox/sudden.jpg"]),
        (lambda: shutil.copy(faces / "dog.1.jpg", name), []),  # another one under the same name
        (lambda: None, ["inbox/slow.jpg"]),
        (lambda: (inbox / "broken.jpg").write_bytes(half), []),
        (lambda: aged(inbox / "broken.jpg"), []),
        (lambda: None, ["inbox/broken.jpg"]),  # nobody completes it any more
        (lambda: (inbox / "tomorrow.jpg").write_bytes(half), []),
        (lambda: aged(inbox / "tomorrow.jpg", -86_400), []),  # the clock was set back since
        (lambda: None, ["inbox/tomorrow.jpg"]),
        (lambda: (inbox / "note.txt").write_text("no picture"), []),
        (lambda: aged(inbox / "note.txt"), []),
        (lambda: None, []),
    ]
    looks = watch_folder("inbox", wait=lambda seconds: None)
    assert next(looks) == []
    for number, (act, found) in enumerate(story):
        act()
        assert next(looks) == found, number


def watched(files_of_looks, predictions, sorter):
    """Return the files answered while a folder is watched that holds those in each look."""
    asked = []

    def ask(files):
        asked.extend(files)
        return (Prediction(file, (("cat", 0.9),)) for file in files)

    with (
        predictions.opened(),
        sorter.opened() if sorter else nullcontext(),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(watcher, "watch_folder", lambda folder: iter(files_of_looks))
        list(BatchPredictor(ask, 1, predictions, sorter).watch("inbox"))
    return asked


def test_watched_again_it_answers_what_was_replaced_meanwhile(inbox, faces):
    """Under the same name, and with the same date."""
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(faces / "cat.0.jpg", inbox / name)
    looks = [["inbox/a.jpg", "inbox/b.jpg"]]

    def parts():
        return PredictionFile(inbox.parent / "a.csv", {}, 1), None

    assert watched(looks, *parts()) == looks[0]
    shutil.copy(faces / "dog.0.jpg", inbox / "b.jpg")
    for path in inbox.iterdir():
        os.utime(path, (1, 1))
    assert watched(looks, *parts()) == ["inbox/b.jpg"]
    assert watched(looks, *parts()) == []
    shutil.rmtree(inbox.parent / ".a.csv.state")
    (inbox.parent / ".a.csv.state").mkdir()
    (inbox.parent / ".a.csv.state/made_by.json").write_text("{}")  # as earlier versions left it
    assert watched(looks, *parts()) == []


@pytest.mark.parametrize("by", ["copy", "move"])
def test_watched_again_it_answers_what_is_new(inbox, by):
    for name in "ab":
        (inbox / f"{name}.jpg").write_text(name)

    def parts():
        return PredictionFile(inbox.parent / "a.csv", {}, 1), Sorter("sorted", ["cat"], by)

    assert watched([["inbox/a.jpg"], [], ["inbox/b.jpg"]], *parts()) == [
        "inbox/a.jpg",
        "inbox/b.jpg",
    ]
    there = sorted(f"inbox/{path.name}" for path in inbox.iterdir())
    assert watched([there, []], *parts()) == []
    # Cameras count from 1 again.
    (inbox / "a.jpg").write_text("another")
    looks = [there] if by == "copy" else [["inbox/a.jpg"]]
    assert watched(looks, *parts()) == ["inbox/a.jpg"]
    names = sorted(path.name for path in (inbox.parent / "sorted/cat").iterdir())
    assert names == ["a (2).jpg", "a.jpg", "b.jpg"]


def test_what_arrives_is_printed_until_ctrl_c(inbox, faces):
    words = [str(ROOT / "predict_alexnet.py"), "2", "--watch", "inbox", "--run", "starter"]
    with running([sys.executable, *words]) as process:
        assert "watching; Ctrl-C ends it" in process.stderr.readline()
        for name, number in (("cat", 1), ("dog", 4)):  # the starter is sure of these
            shutil.copy(faces / f"{name}.{number}.jpg", inbox / f"{number}.jpg")
            assert process.stdout.readline() == f"inbox/{number}.jpg\t{name}\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130 and out == ""
    assert err == "predict_alexnet.py: stopped by SIGINT\n"
