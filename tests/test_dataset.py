import os
import shutil
import zipfile

import pytest
from PIL import Image

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.errors import UserError


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(path, number=0):
    """Draw a small picture unlike that of any other number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (number % 256, number // 256, len(path.parent.name))
    Image.new("RGB", (8, 8), color).save(path, format="PNG")
    return path


def class_folders(root, *names, count=20):
    for index, name in enumerate(names):
        for number in range(count):
            picture(root / name / f"{number}.png", 1000 * index + number)
    return root


def sides(dataset):
    return [[one.path for one in pictures] for pictures in (dataset.train, dataset.validation)]


def test_kaggles_names_are_the_labels(faces):
    dataset = open_dataset(faces)
    assert dataset.classes == ("cat", "dog")
    assert [len(pictures) for pictures in (dataset.train, dataset.validation)] == [52, 8]
    assert all(("cat", "dog")[one.label] in one.path for one in dataset.train)
    assert [one.label for one in dataset.validation].count(0) == 4


@pytest.mark.parametrize("inner", ["train", "kaggle/train", "train/train"])
def test_kaggles_folder_may_lie_deeper_beside_its_test_set(here, faces, inner):
    shutil.copytree(faces, here / "photos" / inner)
    picture(here / "photos" / inner / "../test1/1.jpg")
    dataset = open_dataset("photos")
    assert dataset.classes == ("cat", "dog")
    assert len(dataset.train) + len(dataset.validation) == 60
    assert len(dataset.rejected) == 1


def test_each_folder_is_a_class_in_sorted_order(here):
    class_folders(here / "flowers", "tulip", "aster", "rose and thorn")
    picture(here / "flowers/rose and thorn/deeper/x.PNG", 9999)
    picture(here / "flowers/stray.png", 7)
    (here / "flowers/.DS_Store").write_bytes(b"junk")
    dataset = open_dataset("flowers")
    assert dataset.classes == ("aster", "rose and thorn", "tulip")
    assert len(dataset.train) + len(dataset.validation) == 61
    assert [path for path, _ in dataset.rejected] == ["flowers/stray.png"]


def test_microsofts_folders_give_kaggles_classes(here):
    class_folders(here / "PetImages", "Cat", "Dog")
    assert open_dataset(".").classes == ("cat", "dog")


def test_a_zip_is_unpacked_once(here):
    class_folders(here / "PetImages", "Cat", "Dog")
    with zipfile.ZipFile(here / "pets.zip", "w") as file:
        for path in sorted((here / "PetImages").rglob("*.png")):
            file.write(path, path.relative_to(here))
        file.writestr("readme[1].txt", "CDLA")
    shutil.rmtree(here / "PetImages")
    first = open_dataset("pets.zip")
    assert first.classes == ("cat", "dog") and len(first.train) == 34
    times = {path: path.stat().st_mtime_ns for path in (here / "data").rglob("*.png")}
    assert open_dataset("pets.zip") == first
    assert times == {path: path.stat().st_mtime_ns for path in (here / "data").rglob("*.png")}


def test_kaggles_zip_in_the_data_folder_is_the_default(here, faces):
    (here / "data").mkdir()
    with zipfile.ZipFile(here / "data/train.zip", "w") as file:
        for path in faces.iterdir():
            file.write(path, f"train/{path.name}")
    assert len(open_dataset("data").train) == 52


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "a/../../evil.jpg"])
def test_a_zip_that_points_outside_is_refused(here, name):
    with zipfile.ZipFile(here / "a.zip", "w") as file:
        file.writestr(name, "x")
    with pytest.raises(UserError, match=r"a\.zip: refused"):
        open_dataset("a.zip")
    assert not list(here.rglob("evil.jpg"))


def test_a_broken_zip_is_named(here):
    (here / "a.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(UserError, match=r"a\.zip: is not a whole zip"):
        open_dataset("a.zip")


def test_the_split_is_the_same_wherever_and_whenever(here):
    first = open_dataset(class_folders(here / "a", "x", "y"))
    shutil.copytree(here / "a", here / "b")
    second = open_dataset(here / "b")
    assert first.fingerprint() == second.fingerprint()
    assert len(first.validation) == 6
    assert open_dataset(here / "a", seed=1).fingerprint() != first.fingerprint()


def test_identical_pictures_never_land_on_both_sides(here):
    class_folders(here / "photos", "x", "y")
    for number in range(20):
        source = here / f"photos/x/{number}.png"
        shutil.copy(source, here / f"photos/x/copy of {number}.png")
    dataset = open_dataset("photos")
    train, validation = (
        {one.digest for one in pictures} for pictures in (dataset.train, dataset.validation)
    )
    assert not train & validation
    assert len(dataset.train) + len(dataset.validation) == 60


def test_a_picture_with_two_labels_is_left_out(here):
    class_folders(here / "photos", "x", "y")
    shutil.copy(here / "photos/x/3.png", here / "photos/y/other.png")
    dataset = open_dataset("photos")
    assert dict(dataset.rejected) == {
        "photos/x/3.png": "the same picture is labelled x and y",
        "photos/y/other.png": "the same picture is labelled x and y",
    }


def test_unreadable_files_are_left_out_and_named(here):
    class_folders(here / "photos", "x", "y")
    (here / "photos/x/empty.jpg").touch()
    (here / "photos/x/text.jpg").write_text("no picture")
    (here / "photos/x/new\nline.png").write_bytes((here / "photos/x/0.png").read_bytes())
    (here / "photos/y" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    os.mkfifo(here / "photos/y/pipe.jpg")
    dataset = open_dataset("photos")
    assert len(dataset.train) + len(dataset.validation) == 40
    write_lists(dataset, here / "out")
    lines = (here / "out/rejected.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in sorted(lines)] == [
        "photos/x/empty.jpg",
        r"photos/x/new\nline.png",
        "photos/x/text.jpg",
        r"photos/y/\udcff.png",
        "photos/y/pipe.jpg",
    ]
    assert "left out: 5" in dataset.summary()


def test_written_lists_are_read_back(here):
    class_folders(here / "my photos", "class x", "y")
    dataset = open_dataset("my photos")
    write_lists(dataset, here / "out")
    line = (here / "out/train.txt").read_text().splitlines()[0]
    assert line == "my photos/class x/0.png 0"
    for source in ("out", "out/train.txt"):
        again = open_dataset(source)
        assert (again.classes, sides(again)) == (dataset.classes, sides(dataset))
        assert again.fingerprint() == dataset.fingerprint()


def test_lists_from_elsewhere_have_kaggles_classes_where_the_files_have_its_names(here, faces):
    """As the scripts of the TensorFlow 1 days wrote them."""
    files = sorted(faces.iterdir())
    lines = [f"{path} {int('dog' in path.name)}" for path in files]
    (here / "train.txt").write_text("\n".join(lines[::2]))
    (here / "val.txt").write_text("\n".join(lines[1::2]) + "\n\n")
    dataset = open_dataset("train.txt")
    assert dataset.classes == ("cat", "dog")
    assert len(dataset.train) == len(dataset.validation) == 30


def test_a_list_without_a_second_one_is_split_and_its_numbers_are_the_names(here, faces):
    files = sorted(faces.iterdir())
    (here / "train.txt").write_text("\n".join(f"{p}\t{n % 3 + 1}" for n, p in enumerate(files)))
    dataset = open_dataset("train.txt")
    assert dataset.classes == ("1", "2", "3")
    assert len(dataset.validation) == 9


def test_a_picture_of_the_validation_list_is_not_trained_on(here):
    class_folders(here, "x", "y", count=4)
    (here / "val.txt").write_text("x/0.png x\ny/0.png y\n")
    rest = [f"{name}/{number}.png {name}" for name in "xy" for number in range(4)]
    (here / "train.txt").write_text("\n".join(rest))
    dataset = open_dataset("train.txt")
    assert len(dataset.train) == 6 and len(dataset.validation) == 2
    assert dict(dataset.rejected)["x/0.png"] == "the same picture is in the validation list"


def test_a_vanished_picture_of_a_list_is_left_out(here):
    class_folders(here, "x", "y", count=4)
    write_lists(open_dataset("."), here)
    gone = (here / "train.txt").read_text().splitlines()[0].rsplit(" ", 1)[0]
    (here / gone).unlink()
    assert open_dataset(".").rejected == ((gone, "does not exist"),)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train.txt": "x/0.png"}, r"train\.txt, line 1: should be 'path label'"),
        ({"train.txt": "x/0.png 7", "classes.txt": "x\ny\n"}, "has 2 classes, but a label is '7'"),
        ({"train.txt": "\n"}, "no labelled pictures found"),
    ],
)
def test_a_malformed_list_is_explained(here, lists, message):
    for name, text in lists.items():
        (here / name).write_text(text)
    with pytest.raises(UserError, match=message):
        open_dataset("train.txt")


@pytest.mark.parametrize(
    ("source", "problem"),
    [("empty", "no labelled pictures found"), ("nowhere", "there is no such file or folder")],
)
def test_nothing_found_says_what_to_put_there(here, source, problem):
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=rf"^{source}: {problem}. `alexnet-tf data` fetches"):
        open_dataset(source)


def test_one_class_only_is_an_error(here):
    class_folders(here / "photos", "x")
    with pytest.raises(UserError, match="only one class of pictures was found, 'x'"):
        open_dataset("photos")


def test_fewer_than_two_pictures_of_a_class_is_an_error(here):
    class_folders(here / "photos", "x", "y", count=5)
    picture(here / "photos/z/0.png", 77)
    shutil.copy(here / "photos/z/0.png", here / "photos/z/copy.png")
    with pytest.raises(UserError, match="'z' has 1 different readable picture"):
        open_dataset("photos")


def test_two_pictures_of_a_class_are_enough(here):
    dataset = open_dataset(class_folders(here / "photos", "x", "y", "z", count=2))
    assert len(dataset.train) == len(dataset.validation) == 3
