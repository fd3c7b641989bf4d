"""Pictures and weights in buckets: an S3 server that fails, stalls and breaks off loses none."""

from __future__ import annotations

import sys
import time

import pytest

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images import remote
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.data.sources import named
from alexnet_tf.errors import UserError
from alexnet_tf.system import buckets
from tests.support.pictures import classes, picture
from tests.support.s3 import bucket
from tests.support.small import LENET, job, train, weights_of, without_litert  # noqa: F401


@pytest.fixture(autouse=True)
def patient(monkeypatch, tmp_path):
    """Work in an empty folder; forget which servers have failed, and how they were reached."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.02)
    remote._failures.clear()
    forget_servers()


def forget_servers() -> None:
    """Have the next address in a bucket open its server anew, as the environment says by then."""
    buckets._system.cache_clear()
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()


def reason(address: str) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(address)
    return caught.value.reason


def test_a_training_from_a_bucket_that_fails_is_that_from_the_folder(faces, tmp_path, monkeypatch):
    """To the bit; it is copied once, and what has changed in it is copied again."""
    with bucket(monkeypatch, faces) as site:
        site.fails, site.breaks = 9, 7
        train(job("s3://photos", tmp_path / "run", epochs=1, **LENET))
        train(job(faces, tmp_path / "local", epochs=1, features="others", **LENET))
        assert weights_of(tmp_path / "run") == weights_of(tmp_path / "local")

        site.fails = site.breaks = 0
        site.asked.clear()
        assert len([*open_dataset("s3://photos/").pictures()]) == 60 and not site.asked
        site.put("cat.30.jpg", picture(tmp_path / "new.png").read_bytes())
        site.put("cat.31.jpg", b"")
        site.delete("dog.7.jpg")
        dataset = open_dataset("s3://photos")
        assert [path.rpartition("/")[2] for path in sorted(site.asked)] == ["cat.30.jpg"]
        assert len([*dataset.pictures()]) == 60
        assert [path.rpartition("/")[2] for path, _ in dataset.rejected] == ["cat.31.jpg"]


def test_a_list_of_addresses_loses_none_to_slow_and_truncated_answers(faces, tmp_path, monkeypatch):
    names = sorted(path.name for path in faces.glob("*.jpg"))
    lines = [f"s3://photos/{name} {name[:3]}\n" for name in [*names, "cat.99.jpg"]]
    (tmp_path / "list.txt").write_text("".join(lines))
    with bucket(monkeypatch, faces) as site:
        site.stalls, site.breaks, site.fails = 23, 11, 13
        dataset = open_dataset("list.txt")
        assert dataset.fingerprint() == open_dataset(faces).fingerprint()
        assert dataset.rejected == (("s3://photos/cat.99.jpg", "does not exist"),)


def test_an_archive_and_a_folder_below_another_are_copied_by_their_names(tmp_path, monkeypatch):
    classes(tmp_path / "set/a/b", "aster", "tulip", count=6)
    classes(tmp_path / "set/a/b2", "others", count=1)
    with bucket(monkeypatch, tmp_path / "set"):
        assert open_dataset("s3://photos/a/b").classes == ("aster", "tulip")
        with pytest.raises(UserError, match="s3://photos/none: "):
            open_dataset("s3://photos/none")


def test_a_bucket_is_not_written_out_of_its_folder(tmp_path, monkeypatch):
    with bucket(monkeypatch) as site:
        site.put("..%2f../x.txt", b"x")
        with pytest.raises(UserError, match="s3://photos: there is nothing"):
            open_dataset("s3://photos")
        assert not (tmp_path / "data").exists()
        site.put("cats/1.jpg", bytes(2000))
        monkeypatch.setattr(named, "free_room", lambda _: 1000)
        with pytest.raises(UserError, match="needs 2,000 bytes on the disk, where 1,000 bytes are"):
            open_dataset("s3://photos")


def test_predictions_of_a_bucket_are_those_of_its_pictures(faces, tmp_path, monkeypatch, typed):
    names = [f"{kind}.{number}.jpg" for kind in ("cat", "dog") for number in range(3)]
    for name in names:
        (tmp_path / "set/x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set/x" / name).write_bytes((faces / name).read_bytes())
    with bucket(monkeypatch, tmp_path / "set") as site:
        words = ("predict_alexnet.py", "2", "--run", "starter", "--json")
        local = typed(*words, "set/x").stdout
        found = typed(*words, "s3://photos/x").stdout
        assert local.count("probability") >= 6
        assert found.replace("s3://photos/", "set/") == local
        assert sorted(site.asked) == [f"/photos/x/{name}" for name in names]
        one = typed(*words, "s3://photos/x/cat.1.jpg", "s3://photos/x/none.jpg", code=2)
        assert "s3://photos/x/none.jpg: does not exist" in one.stderr + one.stdout


def test_weights_come_from_a_bucket_once(random_weights, monkeypatch, typed):
    with bucket(monkeypatch) as site:
        site.put("nets/random.npy", random_weights.read_bytes())
        site.breaks = 3
        words = ("alexnet_tf", "weights")
        shown = typed(*words, "s3://photos/nets/random.npy").stdout
        assert shown.partition("\n")[2] == typed(*words, random_weights).stdout.partition("\n")[2]
        site.asked.clear()
        typed(*words, "s3://photos/nets/random.npy")
        assert not site.asked
        refused = typed(*words, "s3://photos/nets/no.npy", code=2).stderr
        assert "s3://photos/nets/no.npy: there is nothing" in refused


def test_shards_written_into_a_bucket_are_trained_from(faces, tmp_path, monkeypatch, typed):
    with bucket(monkeypatch) as site:
        words = ("alexnet_tf", "data", faces, "--shards", "2", "--out", "s3://photos/sets/faces")
        shown = typed(*words).stderr
        assert "s3://photos/sets/faces/train.txt: written" in shown
        dataset = open_dataset("s3://photos/sets/faces")
        assert dataset.fingerprint() == open_dataset(faces).fingerprint()
        assert sum(".tfrecord" in path for path in site.asked) == 3
        assert [*(tmp_path / "outgoing").iterdir()] == []
        assert "sets/faces: is there already; delete it" in typed(*words, code=2).stderr


def test_predictions_go_into_a_bucket_when_they_are_complete(faces, tmp_path, monkeypatch, typed):
    """Interrupted, the same command goes on with those that are there."""
    with bucket(monkeypatch) as site:
        words = ("predict_alexnet.py", "2", faces, "--run", "starter", "--out")
        typed(*words, "first.csv")  # by TensorFlow in a fresh clone, later ones by LiteRT
        typed(*words, "local.csv")
        site.refuses = True
        assert "access is denied" in typed(*words, "s3://photos/new/p.csv", code=2).stderr
        site.refuses = False
        assert "p.csv: written" in typed(*words, "s3://photos/new/p.csv").stderr
        found = site.request("GET", "/photos/new/p.csv")[1]
        assert found == (tmp_path / "local.csv").read_bytes()
        assert [*(tmp_path / "outgoing").iterdir()] == []


def test_what_is_not_there_or_not_allowed_is_said(tmp_path, monkeypatch):
    picture(tmp_path / "set/cat.png")
    with bucket(monkeypatch, tmp_path / "set") as site:
        assert load_image("s3://photos/cat.png").shape == (227, 227, 3)
        assert reason("s3://photos/dog.png") == "does not exist"
        with pytest.raises(UserError, match="s3://none: The specified bucket does not exist"):
            open_dataset("s3://none")
        site.refuses = True
        assert reason("s3://photos/cat.png") == "cannot be read: access is denied (Forbidden)"
        site.refuses = False
        monkeypatch.setattr(remote, "MOST_BYTES", 9)
        assert reason("s3://photos/cat.png") == "cannot be read: it has more than 9 bytes"
        monkeypatch.undo()
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        forget_servers()
        assert reason("s3://photos/cat.png").startswith(
            "cannot be read: there are no credentials for it here (Unable to locate credentials"
        )


@pytest.mark.parametrize("address", ["file:///etc/hostname", "local:///etc/hostname"])
def test_an_address_leads_to_no_file_here(address):
    assert reason(address).startswith("cannot be read: ") and "mount it" in reason(address)
    assert reason(f"simplecache::{address}") == "does not exist"
    assert "[Errno" not in reason(f"s3://a::{address}")


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr(buckets, "find_spec", lambda name: None if name == "s3fs" else name)
    assert reason("s3://photos/cat.png").startswith("cannot be read: s3:// needs s3fs: ")
    assert "names a password" in reason("sftp://me:secret@host/cat.png")


def test_a_server_that_says_nothing_ends_in_time(tmp_path, monkeypatch):
    picture(tmp_path / "set/cat.png")
    with bucket(monkeypatch, tmp_path / "set") as site:
        site.stalls = 1
        monkeypatch.setattr(remote, "MOST_SECONDS", 2)
        start = time.monotonic()
        assert reason("s3://photos/cat.png") == "cannot be read: it takes too long"
        assert time.monotonic() - start < 4
