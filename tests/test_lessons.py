"""What the page teaches with at most."""

import pytest

from alexnet_tf.data.images.contents import InMemory
from alexnet_tf.errors import UserError

pytest.importorskip("fastapi")
from alexnet_tf.serving import training_sessions as sessions
from alexnet_tf.serving.training_sessions import TrainingSession, check_classes


def test_of_two_thousand_pictures_none_is_one_too_many_and_the_next_is(tmp_path):
    session = TrainingSession("lesson", tmp_path / "lesson")
    for number in range(1, 2001):
        assert session.add(number % 2, InMemory("a.jpg", b"x")) == number
    with pytest.raises(UserError, match="that is enough: 2000 pictures; train with these"):
        session.add(0, InMemory("a.jpg", b"x"))
    session.remove(7)
    assert session.add(0, InMemory("a.jpg", b"x")) == 2001
    assert len(list((tmp_path / "lesson/photos").iterdir())) == 2000


def test_pictures_take_so_many_bytes_at_most(tmp_path, monkeypatch):
    assert sessions.MOST_BYTES == 1 << 30
    monkeypatch.setattr(sessions, "MOST_BYTES", 10)
    session = TrainingSession("lesson", tmp_path / "lesson")
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
    session = TrainingSession("lesson", tmp_path / "lesson")
    for label in (0, 0, 1):
        session.add(label, InMemory("a.jpg", b"x"))
    with pytest.raises(UserError, match="'dog' has fewer than 2 pictures"):
        session.begin(["cat", "dog"])
    session.add(1, InMemory("a.jpg", b"x"))
    session.begin(["cat", "dog"])
    assert session.state == "training"
