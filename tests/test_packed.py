"""Pictures packed into large files: imported once, and used as pictures are."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from alexnet_tf.commands import data
from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images.contents import read_content
from alexnet_tf.data.sources.listing import UNPACKED_FOLDER
from alexnet_tf.data.sources.manifest import NoPictures, Wanted
from alexnet_tf.data.sources.packed import importer
from alexnet_tf.errors import UserError
from tests.support.pictures import classes
from tests.support.verbs import run_verb

NAMES = ("tulip", "aster", "rose")
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
        (
            dataset.classes[each.label],
            part,
            decoded(each.path) if pixels else read_content(each.path),
        )
        for part, pictures in parts.items()
        for each in pictures
    }


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
    """Below MNIST/raw, where torchvision puts them; the test set becomes the validation set."""
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


def write_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            chunks = (1, *array.shape[1:]) if array.ndim > 2 else None
            file.create_dataset(name, data=array, chunks=chunks, compression=chunks and "gzip")


def test_hdf5_of_patchcamelyon(here):
    """Pictures and labels of each part in two files; masks are not used."""
    parts = {
        "train": draw(30, 8, 8, 3),
        "valid": draw(9, 8, 8, 3, seed=1),
        "test": draw(6, 8, 8, 3),
    }
    for part, (pictures, labels) in parts.items():
        write_hdf5(f"camelyon_split_{part}_x.h5", x=pictures)
        write_hdf5(f"camelyon_split_{part}_y.h5", y=labels[:, None, None, None].astype(np.uint8))
    write_hdf5("camelyon_split_train_mask.h5", mask=parts["train"][0][..., :1])
    parts["validation"] = parts.pop("valid")
    assert found(".", pixels=True) == meant("012", **parts)


@pytest.mark.parametrize("one_hot", [False, True])
def test_hdf5_with_the_names_of_classes(here, one_hot):
    """Measurements beside the labels are not taken for them, and labels may be one-hot."""
    pictures, labels = draw(30, 8, 8, 3)
    hot = np.eye(3, dtype=bool)[labels] if one_hot else labels
    write_hdf5("a.h5", images=pictures, ans=hot, size=labels / 2, names=np.array(NAMES, "S"))
    dataset = open_dataset("a.h5")
    assert dataset.classes == NAMES and dataset.drawn
    seen = {(name, pixels) for name, _, pixels in found("a.h5", pixels=True)}
    assert seen == {(name, pixels) for name, _, pixels in meant(NAMES, train=(pictures, labels))}


def test_npy_for_each_array(here):
    """Fractions are of 255, and labels may be one-hot, as in Sign-Language-Digits."""
    pictures, labels = draw(30, 20, 20)
    np.save("X.npy", pictures / 255)
    np.save("Y.npy", np.eye(3)[labels])
    seen = {(name, pixels) for name, _, pixels in found(".", pixels=True)}
    assert seen == {(name, pixels) for name, _, pixels in meant("012", train=(pictures, labels))}


def write_cifar(path, pictures, *labels):
    rows = zip(*labels, pictures)
    path.write_bytes(b"".join(bytes(row) + picture.tobytes() for *row, picture in rows))


def test_cifars_binary_version(here):
    train, test = draw(30, 3, 32, 32), draw(9, 3, 32, 32, seed=1)
    for number in range(2):
        half = slice(15 * number, 15 * number + 15)
        write_cifar(here / f"data_batch_{number + 1}.bin", train[0][half], train[1][half])
    write_cifar(here / "test_batch.bin", *test)
    (here / "batches.meta.txt").write_text("\n".join([*NAMES, ""]))
    upright = [(pictures.transpose(0, 2, 3, 1), labels) for pictures, labels in (train, test)]
    assert found(".", pixels=True) == meant(NAMES, train=upright[0], validation=upright[1])
    assert open_dataset(".").classes == NAMES


def test_cifar_100_has_fine_and_coarse_labels(here):
    pictures, labels = draw(30, 3, 32, 32)
    write_cifar(here / "train.bin", pictures, labels // 2, labels)
    (here / "fine_label_names.txt").write_text("\n".join(NAMES))
    (here / "coarse_label_names.txt").write_text("flower\nshrub")
    assert open_dataset(".").classes == NAMES
    assert open_dataset(".", wanted=Wanted(label="coarse")).classes == ("flower", "shrub")
    with pytest.raises(UserError, match="has no labels called kind; CIFAR-100 has fine and coarse"):
        open_dataset(".", wanted=Wanted(label="kind"))


@pytest.mark.parametrize("shape", [(28, 28), (16, 16, 3)])
def test_pixels_in_cells(here, shape):
    """As Kaggle has them: in test.csv without labels, which is not used."""
    for part, count in (("train", 30), ("test", 9)):
        pictures, labels = draw(count, *shape)
        rows = pictures.reshape(count, -1).astype(str)
        heads = [f"pixel{number}" for number in range(rows.shape[1])]
        if part == "train":
            rows, heads = np.column_stack([labels, rows]), ["label", *heads]
        (here / f"{part}.csv").write_text("\n".join(map(",".join, [heads, *rows])))
    seen = {(name, pixels) for name, _, pixels in found(".", pixels=True)}
    truth = meant("012", train=draw(30, *shape))
    assert seen == {(name, pixels) for name, _, pixels in truth}


def test_pixels_in_one_cell(here):
    """FER2013, whose public test set is for validation; a broken picture is left out and named."""
    pictures, labels = draw(30, 48, 48)
    used = np.array(["Training", "Training", "Training", "PublicTest", "PrivateTest"])[
        np.arange(30) % 5
    ]
    cells = [" ".join(map(str, picture.ravel())) for picture in pictures]
    rows = [",".join(map(str, row)) for row in zip(labels, cells, used)]
    lines = ["emotion,pixels,Usage", *rows, "1,1 2 3,Training", f"1,{'999 ' * 2304},Training"]
    (here / "fer2013.csv").write_text("\n".join(lines))
    uses = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    parts = {p: (pictures[used == use], labels[used == use]) for p, use in uses.items()}
    assert found("fer2013.csv", pixels=True) == meant("012", **parts)
    reasons = [reason for _, reason in open_dataset("fer2013.csv").rejected]
    assert reasons == [
        "is no picture: 3 numbers are no square",
        "is no picture: a pixel is not 0 to 255",
    ]


def test_pixels_with_several_labels_ask(here):
    cells = [" ".join(map(str, picture.ravel())) for picture in draw(12, 48, 48)[0]]
    rows = [f"{n % 4},{n % 2},{n}.jpg,{cell}" for n, cell in enumerate(cells)]
    (here / "age_gender.csv").write_text("\n".join(["age,gender,img_name,pixels", *rows]))
    with pytest.raises(UserError, match=r"which column is the label, age, gender, img_name\? Use"):
        open_dataset("age_gender.csv")
    assert open_dataset("age_gender.csv", wanted=Wanted(label="gender")).classes == ("0", "1")


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

    def interrupted(*config):
        written.append(config)
        if len(written) == 30:
            raise KeyboardInterrupt
        return original(*config)

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
    if name == "several.npz":
        np.savez(name, x=pictures, y=np.eye(3)[labels] + 1)
    if name == "signed.npz":
        np.savez(name, x=draw(9, 20, 20)[0] / 100 - 1, y=labels[:9])
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
        (
            "several.npz",
            r"'several/y' \(float64, 30 × 3\) has 3 labels for a picture; this program",
        ),
        ("signed.npz", r"'signed/x' .* holds numbers from -1 to 1.55, where pixels are 0 to 255"),
        ("many", r"is damaged: its .* bytes cannot hold .*2147483648 × 8 × 8"),
        ("short", r"train-images-idx3-ubyte: cannot be read \(it ends after 28 of 30\)"),
    ],
)
def test_damaged_files_are_a_sentence_and_leave_nothing(here, typed, name, message):
    with pytest.raises(UserError, match=message):
        open_dataset(damaged(here, name))
    assert not [path for path in UNPACKED_FOLDER.glob("*") if path.is_dir()]
    assert typed("alexnet_tf", "data", name, code=2).stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["x.npy", "x.h5", "data_batch_1.bin"])
def test_cut_arrays_are_a_sentence(here, typed, kind):
    pictures, labels = draw(30, 3, 32, 32)
    if kind == "x.npy":
        np.save("x.npy", pictures)
        np.save("y.npy", labels)
    elif kind == "x.h5":
        write_hdf5("x.h5", x=pictures, y=labels)
    else:
        write_cifar(here / kind, pictures, labels)
        (here / "batches.meta.txt").write_text("\n".join(NAMES))
    content = (here / kind).read_bytes()
    (here / kind).write_bytes(content[: len(content) * 2 // 3 - 100])
    message = typed("alexnet_tf", "data", ".", code=2).stderr
    assert message.count("\n") == 1 and f"{kind}: cannot be read (" in message
    assert not [path for path in UNPACKED_FOLDER.glob("*") if path.is_dir()]


def test_what_hdf5_takes_from_other_files_or_only_claims_is_not_read(here):
    pictures, labels = draw(30, 8, 8)
    (here / "secret").write_bytes(pictures.tobytes())
    with h5py.File("a.h5", "w") as file:
        file["y"] = labels
        file.create_dataset("x", pictures.shape, np.uint8, external=[("secret", 0, 1920)])
        file["link"] = h5py.ExternalLink("b.h5", "x")
        file.create_dataset("huge", (30, 1 << 20, 1 << 10), np.uint8, chunks=(1, 1 << 20, 1 << 10))
    write_hdf5("b.h5", x=pictures)
    with pytest.raises(
        NoPictures, match=r"holds no pictures with labels.* but 'a/y' \(int64, 30\)"
    ):
        open_dataset("a.h5")
    with h5py.File("a.h5", "a") as file:
        file.create_dataset("many", (30, 1 << 20, 8), np.uint8, chunks=(1, 8, 8))
    with pytest.raises(UserError, match=r"is damaged: its .* bytes cannot hold 'a/many'"):
        open_dataset("a.h5")


def test_pictures_beside_arrays_are_what_is_meant(here):
    classes(here / "photos", "aster", "tulip", count=6)
    np.savez(here / "photos/mnist.npz", x=draw(30, 8, 8)[0], y=draw(30, 8, 8)[1])
    assert open_dataset("photos").classes == ("aster", "tulip")


def test_a_folder_of_other_arrays_is_none_of_pictures(here):
    (here / "arrays").mkdir()
    np.savez(here / "arrays/features.npz", features=np.zeros((3, 4), np.float32))
    message = r"features.npz: holds no pictures with labels, .* but 'features/features' \(float32"
    with pytest.raises(NoPictures, match=message):
        open_dataset("arrays")


def test_shards_of_what_was_imported(here):
    truth = write_mnist(here / "MNIST")
    run_verb(data, "MNIST", "--shards", 2, "--out", "shards")
    assert found("shards", pixels=True) == truth


def encoded(count, seed=0, format="JPEG"):
    """Draw pictures as files, and labels of three classes."""
    files = []
    for pixels in draw(count, 40, 40, 3, seed=seed)[0]:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format)
        files.append(file.getvalue())
    return files, np.arange(count) % 3


def meant_bytes(**parts):
    return {
        (NAMES[label], part, file)
        for part, (files, labels) in parts.items()
        for file, label in zip(files, labels)
    }


def write_svhn(path, pictures, labels, compressed):
    pixels = np.stack([*pictures], axis=-1)
    savemat(path, {"X": pixels, "y": labels[:, None].astype(float)}, do_compression=compressed)


@pytest.mark.parametrize("compressed", [False, True])
def test_svhn(here, compressed):
    """The label 10 is the digit 0; the extra pictures are not used."""
    (train, _), (test, _) = draw(30, 32, 32, 3), draw(10, 32, 32, 3, seed=1)
    for part, pictures in (("train", train), ("test", test), ("extra", test)):
        write_svhn(f"{part}_32x32.mat", pictures, np.arange(len(pictures)) % 10 + 1, compressed)
    digits = "1234567890"
    parts = {"train": (train, np.arange(30) % 10), "validation": (test, np.arange(10))}
    assert found(".", pixels=True) == meant(digits, **parts)
    assert any("extra_32x32.mat: not used" in note for note in open_dataset(".").notes)


def write_tar(path, *samples, mode="w"):
    """Write (name, content) of each file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in samples:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_webdataset_with_cls(here):
    """Samples without a label, or without a picture, are left out and named."""
    train, val = encoded(30), encoded(9, seed=1)
    for name, files, labels in (
        ("0", train[0][:20], train[1]),
        ("1", train[0][20:], train[1][20:]),
    ):
        pairs = [
            (f"{number:06}.{suffix}", content)
            for number, (file, label) in enumerate(zip(files, labels))
            for suffix, content in (("jpg", file), ("cls", str(label).encode()))
        ]
        write_tar(here / f"w/train-00000{name}.tar", *pairs)
    pairs = [(f"a/{n}.jpg", file) for n, file in enumerate(val[0])]
    pairs += [(f"a/{n}.cls", str(label).encode()) for n, label in enumerate(val[1])]
    more = [("a/x.jpg", b""), ("a/y.cls", b"1"), ("a/z.cls", b"99"), ("a/z.jpg", b"")]
    write_tar(here / "w/val-000000.tar", *sorted(pairs), *more)
    (here / "w/classes.txt").write_text("\n".join(NAMES))
    assert found("w") == meant_bytes(train=train, validation=val)
    dataset = open_dataset("w")
    assert dataset.classes == NAMES
    assert [(name.rpartition(", ")[2], reason) for name, reason in dataset.rejected] == [
        ("a/x.jpg", "has no label"),
        ("a/y", "has no picture"),
        ("a/z.jpg", "has a label that cannot be read"),
    ]


def test_webdataset_with_json(here):
    """In one .tar.gz; --label chooses among what the JSON has."""
    files, labels = encoded(30, format="PNG")
    pairs = [
        (f"{number}.{suffix}", content)
        for number, (file, label) in enumerate(zip(files, labels))
        for suffix, content in (
            ("png", file),
            ("json", json.dumps({"label": NAMES[label], "side": "ab"[label % 2]}).encode()),
        )
    ]
    write_tar(here / "a.tar.gz", *pairs, mode="w:gz")
    assert {(name, file) for name, _, file in found("a.tar.gz")} == {
        (NAMES[label], file) for file, label in zip(files, labels)
    }
    assert open_dataset("a.tar.gz", wanted=Wanted(label="side")).classes == ("a", "b")


def test_a_tar_of_class_folders_is_unpacked_as_before(here):
    files, labels = encoded(12)
    pairs = [(f"{NAMES[label]}/{n}.jpg", f) for n, (f, label) in enumerate(zip(files, labels))]
    write_tar(here / "photos.tar", *pairs)
    assert {(name, file) for name, _, file in found("photos.tar")} == {
        (NAMES[label], file) for file, label in zip(files, labels)
    }


def write_records(path, examples):
    tf = pytest.importorskip("tensorflow")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            feature = {}
            for name, value in example.items():
                if isinstance(value, bytes):
                    kind = {"bytes_list": tf.train.BytesList(value=[value])}
                elif isinstance(value, float):
                    kind = {"float_list": tf.train.FloatList(value=[value, value])}
                else:
                    values = value if isinstance(value, list) else [int(value)]
                    kind = {"int64_list": tf.train.Int64List(value=values)}
                feature[name] = tf.train.Feature(**kind)
            features = tf.train.Features(feature=feature)
            writer.write(tf.train.Example(features=features).SerializeToString())


def test_folder_of_tensorflow_datasets(here):
    """The class -1 is none."""
    train, test = encoded(30, format="PNG"), encoded(9, seed=1, format="PNG")
    folder = here / "tfds/flowers/3.0.1"
    for part, (files, labels) in {"train": train, "test": test}.items():
        examples = [{"image": file, "label": label} for file, label in zip(files, labels)]
        examples.append({"image": encoded(1, seed=2)[0][0], "label": -1})
        write_records(folder / f"flowers-{part}.tfrecord-00000-of-00001", examples)
    (folder / "features.json").write_text("{}")
    (folder / "label.labels.txt").write_text("".join(f"{name}\n" for name in NAMES))
    assert found("tfds") == meant_bytes(train=train, validation=test)
    dataset = open_dataset("tfds")
    assert dataset.classes == NAMES
    assert [reason for _, reason in dataset.rejected] == 2 * ["has no label"]


def slim(files, labels):
    return [
        {
            "image/encoded": file,
            "image/class/label": label + 1,
            "image/class/text": NAMES[label].encode(),
            "image/filename": f"{number}.jpg".encode(),
            "image/object/bbox/xmin": 0.5,
            "image/object/class": [1] * 100,
        }
        for number, (file, label) in enumerate(zip(files, labels))
    ]


def test_tfrecords_of_slim(here):
    """A record that is damaged is left out, and named; the others are read."""
    train, val = encoded(30), encoded(9, seed=1)
    write_records(here / "r/train-00000-of-00001", slim(*train))
    write_records(here / "r/validation-00000-of-00001", slim(*val))
    file = here / "r/train-00000-of-00001"
    content = file.read_bytes()
    place = content.index(train[0][7]) + 100
    file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    truth = meant_bytes(train=train, validation=val)
    assert found("r") == truth - {(NAMES[1], "train", train[0][7])}
    assert [*open_dataset("r").rejected] == [
        ("r/train-00000-of-00001, 000007", "is damaged, by its checksum")
    ]


def test_tfrecords_of_kaggle_in_several_sizes(here):
    train, test = encoded(30), encoded(4, seed=1)
    for side in (192, 224):
        rows = [{"image": file, "class": label} for file, label in zip(*train)]
        write_records(here / f"r/tfrecords-jpeg-{side}/train/00-{side}-30.tfrec", rows)
        rows = [{"image": file, "id": b"a"} for file in test[0]]
        write_records(here / f"r/tfrecords-jpeg-{side}/test/00-{side}-4.tfrec", rows)
    with pytest.raises(UserError, match=r"r: holds several data sets, r/.*192, r/.*224; name the"):
        open_dataset("r")
    dataset = open_dataset("r/tfrecords-jpeg-192")
    assert dataset.classes == ("0", "1", "2") and len(dataset.rejected) == 4


def write_parquet(path, files, labels, **more):
    pyarrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    features = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
    features |= {name: {"names": [*"ab"], "_type": "ClassLabel"} for name in more}
    images = [{"bytes": file, "path": f"{number}.jpg"} for number, file in enumerate(files)]
    table = pyarrow.table({"image": images, "label": labels, **more})
    described = {"huggingface": json.dumps({"info": {"features": features}})}
    table = table.replace_schema_metadata(described)
    if path.suffix == ".arrow":
        with pyarrow.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    else:
        pyarrow.parquet.write_table(table, path)


def test_parquet_of_hugging_face(here):
    """Rows without a picture or a label are left out."""
    pytest.importorskip("pyarrow.parquet")
    train, val, test = encoded(30), encoded(9, seed=1), encoded(6, seed=2)
    write_parquet(here / "h/data/train-00000-of-00002.parquet", train[0][:20], train[1][:20])
    write_parquet(here / "h/data/train-00001-of-00002.parquet", train[0][20:], train[1][20:])
    files, labels = [*val[0], None, val[0][0]], [*val[1], 1, -1]
    write_parquet(here / "h/data/validation-00000-of-00001.parquet", files, labels)
    write_parquet(here / "h/data/test-00000-of-00001.parquet", *test)
    assert found("h") == meant_bytes(train=train, validation=val, test=test)
    dataset = open_dataset("h")
    assert dataset.classes == NAMES
    reasons = [reason for _, reason in dataset.rejected]
    assert reasons == ["has no label", "is empty, no picture"]


def test_arrow_as_datasets_saves_it(here):
    """In a folder for each split, beside what its cache leaves there."""
    pytest.importorskip("pyarrow.parquet")
    train, test = encoded(30), encoded(9, seed=1)
    write_parquet(here / "h/train/data-00000-of-00001.arrow", *train)
    write_parquet(here / "h/test/data-00000-of-00001.arrow", *test)
    (here / "h/train/cache-0123456789abcdef.arrow").write_bytes(bytes(9))
    (here / "h/train/state.json").write_text("{}")
    assert found("h") == meant_bytes(train=train, validation=test)
    assert open_dataset("h").classes == NAMES


@pytest.mark.parametrize("more", [{}, {"side": [0] * 30}])
def test_parquet_of_several_data_sets_is_asked_about(here, more):
    pytest.importorskip("pyarrow.parquet")
    write_parquet(here / "h/small/train-00000-of-00001.parquet", *encoded(30))
    write_parquet(here / "h/whole/train-00000-of-00001.parquet", *encoded(30, seed=1), **more)
    with pytest.raises(UserError, match=r"h/small.* h/whole.*(have other classes|folder of one)"):
        open_dataset("h", wanted=Wanted(label="label"))


def test_parquet_of_several_labels_asks(here):
    pytest.importorskip("pyarrow.parquet")
    files, labels = encoded(30)
    write_parquet(here / "train.parquet", files, labels, side=labels % 2)
    with pytest.raises(
        UserError, match=r"which column .* tulip, aster, rose; side: a, b\. Name it"
    ):
        open_dataset("train.parquet")
    assert open_dataset("train.parquet", wanted=Wanted(label="side")).classes == ("a", "b")
    assert open_dataset("train.parquet", wanted=Wanted(label="label")).classes == NAMES


def test_a_picture_that_cannot_be_decoded_is_left_out_and_named(here):
    files, labels = encoded(30)
    files[4] = files[4][:200]
    pairs = [
        (f"{number}.{suffix}", content)
        for number, (file, label) in enumerate(zip(files, labels))
        for suffix, content in (("jpg", file), ("cls", str(label).encode()))
    ]
    write_tar(here / "a.tar", *pairs)
    ((path, _),) = open_dataset("a.tar").rejected
    assert path.endswith("/4.jpg")


@pytest.mark.parametrize(
    "kind", ["a.tar", "b.tar", "a.tfrecord", "zeros.tfrecord", "a.parquet", "a.arrow"]
)
def test_cut_files_of_records_are_a_sentence(here, typed, kind):
    files, labels = encoded(12)
    if kind.endswith("tar"):
        pairs = [(f"{n}.jpg", file) for n, file in enumerate(files)]
        pairs += [(f"{n}.cls", str(label).encode()) for n, label in enumerate(labels)]
        write_tar(here / kind, *sorted(pairs))
    elif kind == "a.tfrecord":
        write_records(here / kind, slim(files, labels))
    elif kind in ("a.parquet", "a.arrow"):
        pytest.importorskip("pyarrow.parquet")
        write_parquet(here / kind, files, labels)
    else:
        (here / kind).write_bytes(bytes(100_000))
    content = (here / kind).read_bytes()
    end = content.index(files[9]) - 512 if kind == "b.tar" else len(content) * 2 // 3
    (here / kind).write_bytes(content[:end])
    message = typed("alexnet_tf", "data", kind, code=2).stderr
    assert message.count("\n") == 1 and ("whole .tar" in message or "cannot be read" in message)
    assert not [path for path in UNPACKED_FOLDER.glob("*") if path.is_dir()]


def write_lmdb(folder, records):
    """Write as the package lmdb does, which is an oracle of the layout."""
    folder.mkdir(parents=True)
    environment = lmdb.open(str(folder), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for key, value in records:
            transaction.put(key, value)
    environment.close()


def datum(picture, label):
    """A Datum of caffe.proto: pixels (channels, height, width), or an encoded picture."""
    is_encoded = isinstance(picture, bytes)
    content = picture if is_encoded else picture.tobytes()
    shape = (0, 0, 0) if is_encoded else picture.shape
    numbers = zip((1, 2, 3, 5, 7), (*shape, int(label), int(is_encoded)))
    fields = b"".join(bytes([number << 3]) + varint(value) for number, value in numbers)
    return fields + b"\x22" + varint(len(content)) + content


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def write_numbered(folder, key, datums):
    write_lmdb(folder, ((key % n, each) for n, each in enumerate(datums)))


def test_lmdb_of_caffe(here):
    """A tree of three levels; long values lie in pages of their own, short ones in leaves."""
    parts = {TRAIN: draw(900, 20, 24, 3), VALIDATION: draw(6, 60, 70, 3)}
    for part, name in ((TRAIN, "train_lmdb"), (VALIDATION, "val_lmdb")):
        planes = (pixels[..., ::-1].transpose(2, 0, 1) for pixels in parts[part][0])  # BGR
        datums = map(datum, planes, parts[part][1])
        write_numbered(here / "caffe" / name, b"%08d_a/b.jpg", datums)
    assert found("caffe", pixels=True) == meant("012", **parts)


def test_lmdb_of_encoded_pictures(here):
    files, labels = encoded(9)
    write_numbered(here / "train_db", b"%08d", map(datum, files, labels))
    write_numbered(here / "val_db", b"%08d", map(datum, *encoded(3, seed=1)))
    pictures = {(label, content) for label, _, content in found(".")}
    both = [*zip(labels, files), *zip(*encoded(3, seed=1)[::-1])]
    assert pictures == {(str(label), file) for label, file in both}


def test_lmdb_of_cifar_is_rgb(here):
    pictures, labels = draw(30, 32, 32, 3)
    write_numbered(here / "train", b"%05d", map(datum, pictures.transpose(0, 3, 1, 2), labels))
    assert {each[2] for each in found("train", pixels=True)} == {
        each.tobytes() for each in pictures
    }


def test_lmdb_of_other_values_is_said(here):
    write_lmdb(here / "other", [(b"a", b"nothing")])
    with pytest.raises(UserError, match="its values are no Datum of a picture"):
        open_dataset("other/data.mdb")


def test_a_damaged_lmdb_is_a_sentence_or_lacks_pictures(here):
    pictures, labels = draw(200, 20, 24, 3)
    write_numbered(here / "a", b"%08d", map(datum, pictures.transpose(0, 3, 1, 2), labels))
    whole, chance = (here / "a/data.mdb").read_bytes(), np.random.default_rng(0)
    assert len([*open_dataset("a").labelled()]) == 200
    refused = 0
    for number in range(60):
        content = bytearray(whole[: chance.integers(1, len(whole))] if number % 3 == 0 else whole)
        places = chance.integers(len(content), size=20)
        for place in places if number % 3 < 2 else places % 8192:
            content[place] = chance.integers(256)
        (here / "damaged").mkdir(exist_ok=True)
        (here / "damaged/data.mdb").write_bytes(content)
        try:
            assert len([*open_dataset("damaged").labelled()]) <= 200
        except UserError:
            refused += 1
    assert refused >= 20
