"""A data set as a few large files: the same training, whatever it is read from."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.commands import data, predict
from alexnet_tf.data import shards as shards_module
from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images import records
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_image
from alexnet_tf.data.images.records import list_records, to_example
from alexnet_tf.data.shards import write_shards
from alexnet_tf.data.sources.selection import Shard, select
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import Run
from alexnet_tf.system.crc32c import masked_crc32c
from tests.support.pictures import classes
from tests.support.small import LENET, convolutions, job, train, weights_of
from tests.support.verbs import run_verb

FEATURES = {"image/encoded", "image/format", "image/filename", "image/class/label",
            "image/class/text", "image/key/sha256"}  # fmt: skip


@pytest.fixture(scope="module")
def shards(faces, tmp_path_factory):
    """Write the faces into shards."""
    folder = tmp_path_factory.mktemp("sharded") / "shards"
    run_verb(data, faces, "--shards", 3, "--out", folder)
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def everything(dataset):
    return [*dataset.train, *dataset.validation, *dataset.test]


def test_pictures_go_into_as_many_files_as_asked_for(shards):
    assert sorted(path.name for path in shards.iterdir()) == [
        "classes.txt", "pictures.sha256", "rejected.txt",
        *(f"train-0000{n}-of-00003.tfrecord" for n in range(3)),
        "train.txt", "val.txt", "validation-00000-of-00001.tfrecord",
    ]  # fmt: skip


def test_a_record_is_read_at_its_place(shards, faces):
    """And has the name that the picture had; the others may be damaged."""
    sharded, original = open_dataset(shards), open_dataset(faces)
    assert sharded.fingerprint() == original.fingerprint()
    for one, other in zip(everything(sharded), everything(original)):
        assert one.path.endswith(other.path.lstrip("/"))
        assert (load_image(one.path) == load_image(other.path)).all()


def test_plain_tf_data_reads_them(shards, faces):
    import tensorflow as tf

    files = sorted(map(str, shards.glob("*.tfrecord")))
    text, number = tf.io.FixedLenFeature((), tf.string), tf.io.FixedLenFeature((), tf.int64)
    features = {name: number if name.endswith("label") else text for name in FEATURES}
    records = tf.data.TFRecordDataset(files).map(lambda r: tf.io.parse_single_example(r, features))
    found = {}
    for record in records.as_numpy_iterator():
        name = record["image/filename"].decode()
        found[name] = record["image/encoded"]
        assert name.rpartition("/")[2].startswith(record["image/class/text"].decode())
        assert record["image/class/label"] == (record["image/class/text"] == b"dog")
        assert tf.io.decode_image(record["image/encoded"]).shape == (256, 256, 3)
        assert record["image/format"] == b"JPEG"
    assert found == {str(path): path.read_bytes() for path in faces.iterdir()}


def test_a_training_from_them_is_the_same_to_the_bit(shards, faces, tmp_path):
    """Even a head on frozen layers, whose last bits depend on the other pictures of a batch."""
    weights = convolutions(tmp_path / "weights.npy", **LENET)
    config = {**LENET, "weights": weights, "train": "from:fc6", "epochs": 1}
    for name, source in (("folder", faces), ("shards", shards)):
        train(job(source, tmp_path / name, features=str(tmp_path / f"{name}.features"), **config))
    assert weights_of(tmp_path / "folder") == weights_of(tmp_path / "shards")
    one, other = (
        next((tmp_path / f"{name}.features").glob("*/values")).read_bytes()
        for name in ("folder", "shards")
    )
    assert one == other


def test_a_training_goes_on_from_them_where_the_folder_is_gone(faces, shards, tmp_path):
    photos, run = shutil.copytree(faces, tmp_path / "photos"), tmp_path / "run"
    train(job(photos, run, epochs=1, **LENET))
    shutil.rmtree(photos)
    moved = shutil.copytree(shards, tmp_path / "elsewhere")
    train(job(moved, run, epochs=2, **LENET))
    assert f"{moved}/train-00000-of-00003.tfrecord@" in (run / "train.txt").read_text()


def test_a_network_answers_about_a_picture_in_a_shard(shards, faces, trained_run):
    sharded, original = open_dataset(shards), open_dataset(faces)
    ask = Classifier([Engine.of_run(Run(trained_run))]).probabilities
    predictions = [
        list(ask([each.path for each in dataset.validation])) for dataset in (sharded, original)
    ]
    assert all((one == other).all() for one, other in zip(*predictions))


@pytest.mark.parametrize(
    "named", ["shards", "shards/*.tfrecord", "shards/train.txt shards/val.txt"]
)
def test_all_pictures_in_a_folder_of_shards_are_answered(
    shards, faces, tmp_path, monkeypatch, capsys, named
):
    monkeypatch.chdir(shards.parent)
    predictions = {}
    for source in (*named.split(), faces):
        assert run_verb(predict, "2", source, "--run", "starter") == 0
        lines = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
        predictions |= {(source == faces, name.rpartition("/")[2]): lines[name] for name in lines}
    found, expected = (
        {name: predictions[kind, name] for kind, name in predictions if kind == is_face}
        for is_face in (False, True)
    )
    assert len(found) == 60 and found == expected


def test_a_shard_elsewhere_of_the_same_relative_path_is_another(shards, tmp_path, monkeypatch):
    (shard,) = shards.glob("validation-*")
    (tmp_path / "shards").mkdir()
    shutil.copy(next(shards.glob("train-00000-*")), tmp_path / "shards" / shard.name)
    record = f"shards/{shard.name}@{0:012}/a.jpg"
    pictures = []
    for folder in (shards.parent, tmp_path):
        monkeypatch.chdir(folder)
        pictures.append(records.read_record(record))
    assert pictures[0] != pictures[1]
    assert pictures[0] in shard.read_bytes()


def test_parts_of_one_shard_are_disjoint_wherever_it_lies(shards, tmp_path):
    (here,) = map(str, shards.glob("validation-*"))
    there = shutil.copy(here, tmp_path)
    found = [
        [path.removeprefix(shard) for path in select([shard], Shard(index, 3)).pictures]
        for index in (1, 2, 3)
        for shard in (here, there)
    ]
    assert found[::2] == found[1::2]
    # One of three may happen to be empty.
    assert len(set().union(*found)) == sum(map(len, found[::2])) == len([*list_records(here)])


def test_a_record_goes_into_no_folder(shards):
    with pytest.raises(UserError, match="is no file of its own here, and goes into no folder"):
        run_verb(predict, "2", shards, "--run", "starter", "--sort-into", shards.parent / "sorted")


def test_shards_of_shards_have_the_same_names(shards, tmp_path):
    run_verb(data, shards, "--shards", 1, "--out", tmp_path / "one")
    again, before = open_dataset(tmp_path / "one"), open_dataset(shards)
    names = [
        [each.path.partition(".tfrecord@")[2].partition("/")[2] for each in everything(dataset)]
        for dataset in (again, before)
    ]
    assert names[0] == names[1] and again.fingerprint() == before.fingerprint()


def test_parts_copies_and_what_is_left_out_stay_as_they_are(tmp_path):
    for part, count in (("train", 6), ("val", 2), ("test", 2)):
        classes(tmp_path / "set" / part, "aster", "tulip", count=count)
    shutil.copy(tmp_path / "set/train/aster/0.png", tmp_path / "set/train/aster/copy.png")
    (tmp_path / "set/train/aster/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    original = open_dataset(tmp_path / "set")
    run_verb(data, tmp_path / "set", "--shards", 2, "--out", tmp_path / "shards")
    sharded = open_dataset(tmp_path / "shards")
    assert sharded.fingerprint() == original.fingerprint()
    assert [p.digest for p in sharded.test] == [p.digest for p in original.test]
    assert (tmp_path / "shards/rejected.txt").read_text().startswith(original.rejected[0][0])


def test_a_picture_that_changes_meanwhile_is_left_out(tmp_path):
    classes(tmp_path / "set", "aster", "tulip")
    dataset = open_dataset(tmp_path / "set")
    (tmp_path / "set/aster/0.png").write_bytes((tmp_path / "set/tulip/0.png").read_bytes())
    found = write_shards(dataset, tmp_path / "shards", 1)
    assert len(everything(found)) == len(everything(open_dataset(tmp_path / "shards"))) == 7
    assert found.rejected == (
        (str(tmp_path / "set/aster/0.png"), "has changed since it was listed"),
    )


def test_shards_are_never_written_over(shards, faces):
    with pytest.raises(UserError, match="is there already; delete it, or name another folder"):
        run_verb(data, faces, "--shards", 3, "--out", shards)


def test_shards_are_the_same_bytes_each_time(shards, faces, command, tmp_path):
    """In another process, whose hash tables have another order."""
    command("alexnet_tf", "data", faces, "--shards", 3, "--out", "again")
    assert contents(tmp_path / "again") == contents(shards)


def test_interrupted_they_go_on_with_the_shard_under_way(faces, tmp_path, monkeypatch):
    """Until then there is no folder; what is written in the end is what is written at once."""
    written = []

    def interrupted(*config):
        written.append(config)
        if len(written) == 40:
            raise KeyboardInterrupt
        return to_example(*config)

    dataset = open_dataset(faces)
    write_shards(dataset, tmp_path / "at once", 4)
    monkeypatch.setattr(records, "to_example", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shards(dataset, tmp_path / "shards", 4)
    assert not (tmp_path / "shards").exists()
    write_shards(dataset, tmp_path / "shards", 4)
    # 39 of the 51 training pictures filled three shards; the unfinished shard is started again.
    assert len(written) == 40 + 51 - 39 + 9
    assert contents(tmp_path / "shards") == contents(tmp_path / "at once")
    assert {path.name for path in tmp_path.iterdir()} == {"at once", "shards"}


def test_what_was_begun_of_other_pictures_is_not_gone_on_with(faces, tmp_path, monkeypatch):
    fewer = shutil.copytree(faces, tmp_path / "fewer")
    (fewer / "cat.0.jpg").unlink()
    with monkeypatch.context() as patched:
        patched.setattr(shards_module, "write_lists", lambda *_: 1 / 0)
        for source, count in ((faces, 2), (faces, 3), (fewer, 3)):
            with pytest.raises(ZeroDivisionError):
                write_shards(open_dataset(source), tmp_path / "shards", count)
    write_shards(open_dataset(faces), tmp_path / "shards", 3)
    write_shards(open_dataset(faces), tmp_path / "at once", 3)
    assert contents(tmp_path / "shards") == contents(tmp_path / "at once")


def with_another_pixel(shard: bytes, place: int) -> bytes:
    """Change a byte of the JPEG in a record, which can be decoded as before."""
    middle = shard.index(b"\xff\xda", place) + 200  # of its scan
    return shard[:middle] + bytes([shard[middle] ^ 1]) + shard[middle + 1 :]


DAMAGE = {
    "another pixel": with_another_pixel,
    "cut short": lambda shard, place: shard[: place + 100],
    "cut at a record": lambda shard, place: shard[:place],
    "an endless record": lambda shard, place: (
        shard[:place] + struct.pack("<Q", 1 << 60) + shard[place + 8 :]
    ),
    "zeros": lambda shard, place: shard[:place] + bytes(len(shard) - place),
    "ones": lambda shard, place: shard[: place + 12] + b"\xff" * (len(shard) - place - 12),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_no_picture(shards, tmp_path, damage):
    moved = shutil.copytree(shards, tmp_path / "shards")
    picture = open_dataset(moved).train[0]
    shard, _, rest = picture.path.partition("@")
    place = int(rest[:12])
    with open(shard, "rb") as file:
        content = file.read()
    with open(shard, "wb") as file:
        file.write(DAMAGE[damage](content, place))
    with pytest.raises(ImageError, match=r"cannot be read: its shard is damaged there|is a broken"):
        load_image(picture.path)
    whole, left = (
        [path.partition("@")[2] for path in list_records(str(folder / Path(shard).name))]
        for folder in (shards, moved)
    )
    assert [each for each in left if each[:12] < rest[:12]] == whole[: whole.index(rest)]


def test_a_record_of_somebody_elses_is_held_to_its_checksum(faces, tmp_path):
    """It has no digest, and its JPEG can be decoded as before."""
    import tensorflow as tf

    file, content = str(tmp_path / "a.tfrecord"), (faces / "cat.0.jpg").read_bytes()
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[content]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": image}))
    with tf.io.TFRecordWriter(file) as writer:
        for _ in range(2):
            writer.write(example.SerializeToString())
    first, second = list_records(file)
    assert (load_image(second) == load_image(faces / "cat.0.jpg")).all()
    damaged = with_another_pixel(Path(file).read_bytes(), int(second.split("@")[1][:12]))
    shutil.copy(file, tmp_path / "b.tfrecord")
    (tmp_path / "b.tfrecord").write_bytes(damaged)
    first, second = list_records(str(tmp_path / "b.tfrecord"))
    assert (load_image(first) == load_image(faces / "cat.0.jpg")).all()
    with pytest.raises(ImageError, match="its shard is damaged there"):
        load_image(second)


@pytest.mark.parametrize("size", [4, 511, 512, 513, 5000])
def test_the_checksum_of_records_is_tensorflows(size, tmp_path):
    import tensorflow as tf

    content = np.random.default_rng(size).bytes(size)
    with tf.io.TFRecordWriter(str(tmp_path / "a")) as writer:
        writer.write(content)
    assert masked_crc32c(content).to_bytes(4, "little") == (tmp_path / "a").read_bytes()[-4:]


def test_a_shard_that_is_gone_is_named(shards, tmp_path):
    path = open_dataset(shards).train[0].path.replace(str(shards), str(tmp_path))
    with pytest.raises(ImageError, match="does not exist"):
        load_image(path)


def test_lists_of_shards_may_be_shortened_and_turned_around(shards, tmp_path):
    moved = shutil.copytree(shards, tmp_path / "shards")
    lines = (moved / "train.txt").read_text().splitlines(keepends=True)
    before = {picture.path: picture.digest for picture in open_dataset(moved).train}
    for kept in (lines[::2], lines[::-1]):
        (moved / "train.txt").write_text("".join(kept))
        after = {picture.path: picture.digest for picture in open_dataset(moved).train}
        assert len(after) == len(kept) and after.items() <= before.items()
