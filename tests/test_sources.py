"""Folders whose pictures somebody has split already."""

import shutil
import zipfile

import pytest
from PIL import Image

from alexnet_tf.data.dataset import open_dataset


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def class_folders(root, *names, first=0, count=4):
    """Draw small pictures, all different for different numbers from `first`, a folder per class."""
    for index, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(count):
            color = (first + number, index, 7)
            Image.new("RGB", (8, 8), color).save(root / name / f"{number}.png")


def split(root, *parts):
    for index, part in enumerate(parts):
        class_folders(root / part, "aster", "tulip", first=10 * index)
    return root


def folders(pictures):
    """List the folders that the pictures lie in."""
    return sorted({picture.path.rsplit("/", 1)[0] for picture in pictures})


@pytest.mark.parametrize("part", ["test", "val", "validation"])
@pytest.mark.parametrize("above", ["", "deeper/"])
def test_train_and_a_folder_with_the_same_classes_are_a_split(here, part, above):
    split(here / "flowers" / above, "train", part)
    (here / "flowers" / above / part / "stray.png").write_bytes(b"x")
    dataset = open_dataset("flowers")
    assert dataset.classes == ("aster", "tulip")
    assert folders(dataset.train) == [f"flowers/{above}train/{c}" for c in dataset.classes]
    assert folders(dataset.validation) == [f"flowers/{above}{part}/{c}" for c in dataset.classes]
    ((stray, reason),) = dataset.rejected
    assert stray.endswith("stray.png")
    assert reason.startswith(f"is in no folder of a class below flowers/{above}train or flowers/")


def test_so_they_are_in_a_zip(here):
    split(here / "flowers", "train", "test")
    with zipfile.ZipFile("flowers.zip", "w") as file:
        for path in sorted((here / "flowers").rglob("*.png")):
            file.write(path, path.relative_to(here))
    dataset = open_dataset("flowers.zip")
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [8, 8]


def test_of_val_and_test_the_former_is_for_validation(here):
    split(here / "flowers", "train", "test", "val")
    dataset = open_dataset("flowers")
    assert folders(dataset.validation) == ["flowers/val/aster", "flowers/val/tulip"]
    assert folders(dataset.test) == ["flowers/test/aster", "flowers/test/tulip"]


def test_a_picture_on_both_sides_is_kept_for_validation_alone(here):
    split(here / "flowers", "train", "test")
    shutil.copy("flowers/test/tulip/0.png", "flowers/train/tulip/copy.png")
    assert open_dataset("flowers").rejected == (
        ("flowers/train/tulip/copy.png", "the same picture is in the validation list"),
    )


def test_a_test_folder_with_none_of_the_classes_is_left_out(here):
    class_folders(here / "flowers/train", "aster", "tulip")
    class_folders(here / "flowers/test", "rose", "lily", first=50)
    class_folders(here / "flowers/test1", ".", first=90)
    dataset = open_dataset("flowers")
    assert folders((*dataset.train, *dataset.validation)) == [
        "flowers/train/aster",
        "flowers/train/tulip",
    ]
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [6, 2]
    assert len(dataset.rejected) == 4 * 2 + 4


def test_train_itself_is_a_folder_of_classes_whatever_lies_beside_it(here):
    split(here / "flowers", "train", "test")
    dataset = open_dataset("flowers/train")
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [6, 2]


def test_classes_may_be_called_train_and_test(here):
    class_folders(here / "vehicles", "car", "test", "train", "val")
    assert open_dataset("vehicles").classes == ("car", "test", "train", "val")


def test_a_class_may_be_called_test_inside_of_a_split(here):
    class_folders(here / "words/train", "test", "trial")
    class_folders(here / "words/test", "test", "trial", first=50)
    dataset = open_dataset("words")
    assert dataset.classes == ("test", "trial")
    assert folders(dataset.validation) == ["words/test/test", "words/test/trial"]
