"""Pictures packed into large files: imported once, and used as pictures are."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.commands import data
from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images.contents import read_content
from alexnet_tf.data.sources.listing import UNPACKED_FOLDER
from alexnet_tf.data.sources.manifest import NoPictures
from alexnet_tf.data.sources.packed import importer
from alexnet_tf.errors import UserError
from tests.support.pictures import classes
from tests.support.verbs import run_verb

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw(count, *shape, seed=0):
    """Draw pictures, uint8 (count, *shape), and labels of three classes, int64 (count,)."""
    chance = np.random.default_rng([seed, count, *shape])
    return chance.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % 3


def found(source, pixels=False):
    """Open `source`; return its pictures as (class, split, content or pixels)."""
    dataset = open_dataset(source)
    parts = {TRAIN: dataset.train, VALIDATION: dataset.validation, TEST: dataset.test}
    return {
        (dataset.classes[each.label], part, decoded(each.path) if pixels else content(each.path))
        for part, pictures in parts.items()
        for each in pictures
    }


def content(path):
    return read_content(path)


def decoded(path):
    with Image.open(io.BytesIO(read_content(path))) as image:
        assert image.format == "PNG"
        return np.asarray(image).tobytes()


def meant(names, **parts):
    """Return the same of the (pictures, labels) of each split."""
    return {
        (names[label], part, picture.tobytes())
        for part, (pictures, labels) in parts.items()
        for picture, label in zip(pictures, labels)
    }


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        axes = array.ndim
        file.write(struct.pack(f">HBB{axes}I", 0, 8, axes, *array.shape))
        file.write(array.astype(np.uint8).tobytes())


def write_mnist(folder, suffix=""):
    sets = {"train": draw(30, 28, 28), "t10k": draw(12, 28, 28, seed=1)}
    for name, (pictures, labels) in sets.items():
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", pictures)
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", labels)
    return meant("012", train=sets["train"], validation=sets["t10k"])


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_of_mnist(here, suffix):
    """Also below MNIST/raw, where torchvision puts them; the test set is validated with."""
    truth = write_mnist(here / "MNIST/raw", suffix)
    assert found("MNIST", pixels=True) == truth
    notes = open_dataset("MNIST").notes
    assert "42 pictures are imported into data/unpacked/MNIST-" in notes[0]
    assert "the test set in MNIST/raw/t10k-images-idx3-ubyte" in notes[1]


def test_npz_of_keras(here):
    train, test = draw(30, 8, 8, 3), draw(9, 8, 8, 3, seed=1)
    np.savez("cifar.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    assert found("cifar.npz", pixels=True) == meant("012", train=train, validation=test)


def test_npz_of_medmnist(here):
    """A test set beside a validation set is kept apart; labels may be a column."""
    parts = {"train": draw(30, 8, 8), "val": draw(9, 8, 8, seed=1), "test": draw(6, 8, 8, seed=2)}
    arrays = {f"{part}_images": pictures for part, (pictures, _) in parts.items()}
    arrays |= {f"{part}_labels": labels[:, None] for part, (_, labels) in parts.items()}
    np.savez_compressed("blood.npz", **arrays)
    truth = meant("012", train=parts["train"], validation=parts["val"], test=parts["test"])
    assert found("blood.npz", pixels=True) == truth


def test_arrays_without_a_split_and_with_channels_first(here):
    pictures, labels = draw(20, 3, 8, 8)
    names = np.array(["rose", "aster", "tulip"])
    np.savez("flowers.npz", images=pictures, labels=names[labels])
    dataset = open_dataset("flowers.npz")
    assert dataset.classes == ("aster", "rose", "tulip") and dataset.drawn
    seen = {pixels for _, _, pixels in found("flowers.npz", pixels=True)}
    assert seen == {picture.transpose(1, 2, 0).tobytes() for picture in pictures}


def test_stl10(here):
    """Unlabelled pictures are not used; each is stored by columns, and classes count from 1."""
    train, test = draw(6, 3, 96, 96), draw(3, 3, 96, 96, seed=1)
    for name, (pictures, labels) in {"train": train, "test": test}.items():
        Path(f"{name}_X.bin").write_bytes(pictures.tobytes())
        Path(f"{name}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    Path("unlabeled_X.bin").write_bytes(test[0].tobytes())
    Path("class_names.txt").write_text("bird\nairplane\ncat\n")
    (train, test) = (([p.T for p in pictures], labels) for pictures, labels in (train, test))
    names = ["bird", "airplane", "cat"]
    assert found(".", pixels=True) == meant(names, train=train, validation=test)
    assert open_dataset(".").classes == tuple(names)


def test_imported_once_by_contents_wherever_they_lie(here, monkeypatch):
    truth = write_mnist(here / "a")
    assert found("a", pixels=True) == truth
    (here / "elsewhere").mkdir()
    (here / "a").rename(here / "elsewhere/a")
    monkeypatch.setattr(importer, "to_example", lambda *_: 1 / 0)
    assert found("elsewhere/a", pixels=True) == truth
    (here / "elsewhere/a/train-labels-idx1-ubyte").unlink()
    with pytest.raises(ZeroDivisionError):
        open_dataset("elsewhere/a")


def test_a_killed_import_goes_on_after_the_last_whole_shard(here, monkeypatch):
    truth = write_mnist(here / "MNIST")
    original, written = importer.to_example, []

    def interrupted(*told):
        written.append(told)
        if len(written) == 30:
            raise KeyboardInterrupt
        return original(*told)

    monkeypatch.setattr(importer, "to_example", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_dataset("MNIST")
    assert not [*UNPACKED_FOLDER.glob("[!.]*")]
    assert found("MNIST", pixels=True) == truth
    assert len(written) == 30 + 30  # twelve of the first file were whole
    assert not [*UNPACKED_FOLDER.glob(".*.partial")]


def damaged(here, name):
    """Write a damaged file, or one with something else inside; return what is said of it."""
    pictures, labels = draw(30, 8, 8)
    np.savez("whole.npz", x=pictures, y=labels)
    whole = Path("whole.npz").read_bytes()
    if name == "cut.npz":
        Path(name).write_bytes(whole[: len(whole) // 2])
    if name == "flipped.npz":
        Path(name).write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    if name == "pickles.npz":
        np.savez(name, x=pictures, y=np.array([*"abc"] * 10, object))
    if name == "features.npz":
        np.savez(name, x=pictures.astype(np.float32), y=labels)
    if name == "columns.npz":
        np.savez(name, x=np.asfortranarray(pictures), y=labels)
    if name == "two.npz":
        np.savez(name, x=pictures, y=labels, coarse=labels // 2)
    if name in ("many", "short"):
        write_idx(here / f"{name}/train-images-idx3-ubyte", pictures)
        write_idx(here / f"{name}/train-labels-idx1-ubyte", labels)
        file = here / f"{name}/train-images-idx3-ubyte"
        content = file.read_bytes()
        file.write_bytes(content[:-100])
        if name == "many":
            for each, axes in (
                (file, b"\x03"),
                (file.with_name("train-labels-idx1-ubyte"), b"\x01"),
            ):
                content = each.read_bytes()
                each.write_bytes(b"\0\0\x08" + axes + struct.pack(">I", 1 << 31) + content[8:])
    return name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut.npz", r"cut.npz: cannot be read .*fetch it anew"),
        ("flipped.npz", r"flipped.npz: cannot be read .*CRC.*fetch it anew"),
        ("pickles.npz", r"'y.npy' is a pickle, .* is not read; save it as numbers"),
        ("features.npz", r"holds no pictures with labels.* 'features/x' \(float32, 30 × 8 × 8\)"),
        ("columns.npz", r"'x.npy' is in Fortran order"),
        ("two.npz", r"which labels belong to which pictures\? .*'two/coarse'"),
        ("many", r"is damaged: its .* bytes cannot hold .*2147483648 × 8 × 8"),
        ("short", r"train-images-idx3-ubyte: cannot be read \(it ends after 28 of 30\)"),
    ],
)
def test_damaged_files_are_a_sentence_and_leave_nothing(here, typed, name, message):
    with pytest.raises(UserError, match=message):
        open_dataset(damaged(here, name))
    assert not [path for path in UNPACKED_FOLDER.glob("*") if path.is_dir()]
    assert typed("alexnet_tf", "data", name, code=2).stderr.count("\n") == 1


def test_pictures_beside_arrays_are_what_is_meant(here):
    classes(here / "photos", "aster", "tulip", count=6)
    np.savez(here / "photos/mnist.npz", x=draw(30, 8, 8)[0], y=draw(30, 8, 8)[1])
    assert open_dataset("photos").classes == ("aster", "tulip")


def test_a_folder_of_other_arrays_is_none_of_pictures(here):
    (here / "arrays").mkdir()
    np.savez(here / "arrays/features.npz", features=np.zeros((3, 4), np.float32))
    with pytest.raises(NoPictures, match="no labelled pictures found"):
        open_dataset("arrays")


def test_shards_of_what_was_imported(here):
    truth = write_mnist(here / "MNIST")
    run_verb(data, "MNIST", "--shards", 2, "--out", "shards")
    assert found("shards", pixels=True) == truth
