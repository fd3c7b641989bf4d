"""Files that go with a picture are sorted and taken back with it."""

import os
import shutil
from pathlib import Path

import pytest

from alexnet_tf.commands import predict
from alexnet_tf.inference.batch import BatchPredictor
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.inference.output.sorting import Sorter
from alexnet_tf.inference.output.undo import undo
from alexnet_tf.system.transfers import WAYS
from tests.support.verbs import run_verb
from tests.test_sorting import Killed, contents

# The beginnings of a NEF and of an iPhone's video.
NEF, MOV = b"MM\0*\0\0\0\x08", b"\0\0\0\x14ftypqt  "
# Two pictures in different classes share a.xmp; another two of one class share c.xmp.
FILES = {
    "a.jpg": b"dog", "a.png": b"cat", "a.xmp": b"of a", "a.nef": NEF,
    "b.HEIC": b"cat", "b.MOV": MOV, "b.AAE": b"of b", "b.HEIC.xmp": b"of b, too",
    "b.HEIC.supplemental-metadata.json": b"{}", "b.b.txt": b"of none",
    "c.jpg": b"dog", "c.png": b"dog", "c.xmp": b"of c",
    "more/b.HEIC": b"cat, too", "more/b.AAE": b"of the other b",
    "d.txt": b"of none",
}  # fmt: skip
SORTED = {
    "dog/a.jpg": "a.jpg", "dog/a.xmp": "a.xmp", "dog/a.nef": "a.nef",
    "cat/a.png": "a.png", "cat/a.xmp": "a.xmp", "cat/a.nef": "a.nef",
    "cat/b.HEIC": "b.HEIC", "cat/b.MOV": "b.MOV", "cat/b.AAE": "b.AAE",
    "cat/b.HEIC.xmp": "b.HEIC.xmp",
    "cat/b.HEIC.supplemental-metadata.json": "b.HEIC.supplemental-metadata.json",
    "dog/c.jpg": "c.jpg", "dog/c.png": "c.png", "dog/c.xmp": "c.xmp",
    "cat/b (2).HEIC": "more/b.HEIC", "cat/b (2).AAE": "more/b.AAE",
}  # fmt: skip


@pytest.fixture(autouse=True)
def without_sync(monkeypatch):
    """Leave out what matters in a power cut alone, and takes long on a busy disk."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


def lay(folder):
    """Make a folder of FILES."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def sort(photos, by, **options):
    """Sort `photos` as `predict` does; return what it is asked about."""
    names = (".jpg", ".png", ".heic", ".nef")
    files = sorted(str(path) for path in photos.rglob("*") if path.suffix.lower() in names)
    sorter = Sorter(photos.parent / "sorted", ("cat", "dog"), by, **options)

    def ask(files):
        for file in files:
            yield Prediction(file, ((Path(file).read_bytes()[:3].decode(), 0.9),))

    with sorter.opened():
        predictor = BatchPredictor(ask, sorter=sorter)
        asked = [*predictor.predict(predictor.remaining(files))]
    return [each.file for each in asked], dict(sorter.counts())


@pytest.mark.parametrize("by", WAYS)
def test_sidecars_go_with_their_pictures_and_come_back(tmp_path, by):
    photos = lay(tmp_path / "photos")
    asked, counts = sort(photos, by)
    assert counts == {"cat": 3, "dog": 3} and not any(file.endswith(".nef") for file in asked)
    assert contents(tmp_path / "sorted") == {to: FILES[name] for to, name in SORTED.items()}
    left = {"b.b.txt", "d.txt"} if by == "move" else set(FILES)
    assert set(contents(photos)) == left
    assert undo(tmp_path / "sorted")[1] == []
    assert contents(photos) == FILES and not (tmp_path / "sorted").exists()


def test_a_sidecar_stays_with_a_picture_that_stays(tmp_path):
    """It goes along as a copy."""
    photos = lay(tmp_path / "photos")
    (photos / "a.gif").write_bytes(b"not asked about")
    sort(photos, "move")
    assert {"a.gif", "a.xmp", "a.nef"} <= set(contents(photos))
    assert contents(tmp_path / "sorted")["dog/a.xmp"] == b"of a"
    assert undo(tmp_path / "sorted")[1] == []
    assert contents(photos) == FILES | {"a.gif": b"not asked about"}


def test_a_name_that_is_taken_gives_picture_and_sidecar_the_same_number(tmp_path):
    photos = lay(tmp_path / "photos")
    for name in ("cat/b.AAE", "cat/b (2).HEIC.xmp"):
        path = tmp_path / "sorted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    sort(photos, "move")
    found = contents(tmp_path / "sorted/cat")
    assert found["b.AAE"] == found["b (2).HEIC.xmp"] == b"mine"
    assert found["b (3).HEIC"] == b"cat" and found["b (3).AAE"] == b"of b"
    assert found["b (3).HEIC.xmp"] == b"of b, too" and found["b (2).HEIC"] == b"cat, too"


def killed(number, work, *words):
    """Do some work, killed before or after one of its steps on the disk; tell whether it was."""

    def dying(function):
        def call(*words, **options):
            die_at_zero()
            result = function(*words, **options)
            die_at_zero()
            return result

        return call

    def die_at_zero():
        nonlocal number
        number -= 1
        if number < 0:
            raise Killed

    steps = ((os, "link"), (os, "unlink"), (os, "mkdir"), (shutil, "copy2"))
    with pytest.MonkeyPatch.context() as patch:
        for module, name in steps:
            patch.setattr(module, name, dying(getattr(module, name)))
        try:
            work(*words)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("by", WAYS)
def test_killed_anywhere_it_loses_nothing_and_ends_as_if_it_had_not_been(tmp_path, by):
    number, was_killed = 0, True
    while was_killed:
        here = tmp_path / str(number)
        photos, into = lay(here / "photos"), here / "sorted"
        was_killed = killed(number, sort, photos, by)
        assert {*contents(photos).values(), *contents(into).values()} == {*FILES.values()}
        if number % 2 == 0:
            sort(photos, by)
            assert contents(into) == {to: FILES[name] for to, name in SORTED.items()}
        for moment in range(number, 200, 7):
            if (into / "undo.csv").exists() and not killed(moment, undo, into):
                break
        assert contents(photos) == FILES and not contents(into)
        shutil.rmtree(here)
        number += 1
    assert number > 30


def test_without_sidecars_pictures_go_alone(tmp_path, faces, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    os.mkdir("photos")
    for name in ("cat.0.jpg", "dog.0.jpg"):
        shutil.copy(faces / name, "photos")
    for name in ("cat.0.xmp", "dog.0.jpg.aae"):
        Path("photos", name).write_text(name)
    words = ("photos", "--sort-into", "sorted", "--by", "move", "--run", "starter")
    assert run_verb(predict, *words, "--no-sidecars") == 0
    assert {*contents(Path("photos"))} == {"cat.0.xmp", "dog.0.jpg.aae"}
    assert run_verb(predict, "--undo", "sorted") == 0
    assert run_verb(predict, *words) == 0
    assert "sorted: cat 1, dog 1" in capsys.readouterr().out
    assert contents(Path("photos")) == {} and len(contents(Path("sorted"))) == 4
