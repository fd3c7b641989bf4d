"""The limits of a training session of the page."""

import re

import pytest

from alexnet_tf.data.images.contents import InMemory
from alexnet_tf.errors import UserError

pytest.importorskip("fastapi")
from alexnet_tf.serving import training_sessions as sessions
from alexnet_tf.serving.application import STATUSES
from alexnet_tf.serving.limits import Limits
from alexnet_tf.serving.trainer_process import SILENCE
from alexnet_tf.serving.training_sessions import TrainingSession, check_classes
from tests.support.places import ROOT


def test_of_two_thousand_pictures_none_is_one_too_many_and_the_next_is(tmp_path):
    session = TrainingSession("lesson", tmp_path / "lesson", None)
    for number in range(1, 2001):
        assert session.add(number % 2, InMemory("a.jpg", b"%d" % number)) == number
    with pytest.raises(UserError, match="that is enough: 2000 pictures; train with these"):
        session.add(0, InMemory("a.jpg", b"x"))
    session.remove(7)
    assert session.add(0, InMemory("a.jpg", b"x")) == 2001
    assert len(list((tmp_path / "lesson/photos").iterdir())) == 2000


def test_a_picture_that_is_sent_again_is_kept_once_in_each_class(tmp_path):
    session = TrainingSession("lesson", tmp_path / "lesson", None)
    labels = (0, 0, 1, 0)
    assert [session.add(label, InMemory("a.jpg", b"x")) for label in labels] == [1, 1, 2, 1]
    assert session.labels() == [(1, 0), (2, 1)]


def test_pictures_take_so_many_bytes_at_most(tmp_path, monkeypatch):
    assert sessions.MOST_BYTES == 1 << 30
    monkeypatch.setattr(sessions, "MOST_BYTES", 10)
    session = TrainingSession("lesson", tmp_path / "lesson", None)
    session.add(0, InMemory("a.jpg", bytes(6)))
    with pytest.raises(UserError, match="that is enough: 1 pictures"):
        session.add(0, InMemory("b.jpg", bytes(5)))
    session.add(0, InMemory("c.jpg", bytes(4)))


def test_fifty_classes_of_sixty_letters_are_the_most():
    names = [f"{number:060}" for number in range(50)]
    assert check_classes(names) == names
    with pytest.raises(UserError, match="names of 50 at most"):
        check_classes([*names, "one more"])
    with pytest.raises(UserError, match="a name of 1 to 60 characters"):
        check_classes(["cat", "x" * 61])


def test_of_each_class_two_pictures_are_the_least(tmp_path):
    session = TrainingSession("lesson", tmp_path / "lesson", None)
    for number, label in enumerate((0, 0, 1)):
        session.add(label, InMemory("a.jpg", b"%d" % number))
    with pytest.raises(UserError, match="'dog' has fewer than 2 pictures"):
        session.begin(["cat", "dog"])
    session.add(1, InMemory("a.jpg", b"x"))
    session.begin(["cat", "dog"])
    assert session.state == "training"


def test_the_page_about_serving_names_all_limits_and_refusals():
    page = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    limits = Limits()
    for words in (
        f"at once | {sessions.MOST_SESSIONS};",
        f"after {sessions.UNUSED / 60:.0f} minutes; an open page",
        f"name | {sessions.MOST_NAME} characters;",
        f"{sessions.MOST_CLASSES} classes, {sessions.MOST_PICTURES:,} pictures and 1 GB;",
        f"ended after {SILENCE / 60:.0f} minutes",
        f"`--megabytes {limits.bytes >> 20}` or `--pictures {limits.pictures}`",
        f"`--waiting {limits.waiting}`",
        f"incomplete after {limits.seconds:.0f} seconds",
    ):
        assert words in page
    code = "".join(path.read_text("utf-8") for path in ROOT.glob("alexnet_tf/serving/*.py"))
    refused = {int(number) for number in re.findall(r"HTTPException\((\d+)", code)}
    refused |= {status for status in STATUSES.values() if status < 500}
    rows = re.findall(r"^\| ((?:[45]\d\d(?:, `Retry-After`|, )?)+)", page, re.MULTILINE)
    assert refused <= {int(number) for row in rows for number in re.findall(r"\d+", row)}
