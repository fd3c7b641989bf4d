"""Folders as people have them: split under every name, wrapped, with things beside them."""

import os
import shutil
from unicodedata import normalize

import pytest

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.sources.listing import find_pictures
from alexnet_tf.data.sources.selection import select
from alexnet_tf.errors import UserError
from tests.support.pictures import classes, picture


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def counts(dataset):
    return [len(pictures) for pictures in (dataset.train, dataset.validation, dataset.test)]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Train", "Valid", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "VAL", "TEST"),
        ("train_images", "val_images", "test_images"),
        ("TrainingSet", "ValidationSet", "TestSet"),
        ("training_set/training_set", "dev", "test_set/test_set"),
        ("archive/seg_train/seg_train", "archive/seg_dev/seg_dev", "archive/seg_test/seg_test"),
        ("flowers_train", "flowers_valid", "flowers_test"),
        ("wrapped/in/train", "wrapped/in/val", "wrapped/in/test"),
        ("train2017", "val2017", "test2017"),
        ("trainset", "validset", "testset"),
        ("XTrain", "XValidData", "XTest"),
        ("my_train", "my_val", "my_test"),
    ],
)
def test_parts_are_known_under_every_name(here, train, validation, test):
    for part, count in ((train, 4), (validation, 3), (test, 2)):
        classes(here / "data set" / part, "aster", "tulip", count=count)
    dataset = open_dataset("data set")
    assert dataset.classes == ("aster", "tulip") and not dataset.rejected and not dataset.notes
    assert counts(dataset) == [8, 6, 4]


@pytest.mark.parametrize("names", [("Rose", "rose"), ("Cat", "cat")])
def test_capitals_tell_classes_apart_and_that_is_said(here, names):
    classes(here / "x", *names, "tulip")
    dataset = open_dataset("x")
    assert dataset.classes == (*names, "tulip")
    assert f"'{names[0]}' and '{names[1]}' differ in capitals alone" in dataset.notes[0]


def test_microsofts_folders_are_kaggles_classes(here):
    classes(here / "PetImages", "Cat", "Dog")
    dataset = open_dataset("PetImages")
    assert dataset.classes == ("cat", "dog") and not dataset.notes


def test_classes_of_macs_zips_are_those_of_other_systems(here):
    name = "café"
    classes(here / "x/train", normalize("NFD", name), "thé")
    classes(here / "x/val", normalize("NFC", name), normalize("NFD", "thé"))
    dataset = open_dataset("x")
    assert dataset.classes == (normalize("NFC", name), "thé") and not dataset.notes
    assert counts(dataset) == [8, 8, 0]
    (here / "classes.csv").write_text(
        "filename,label\n"
        + "".join(f"x/train/{name}/{n}.png,{normalize('NFD', name)}\n" for n in range(4))
        + "".join(f"x/train/thé/{n}.png,thé\n" for n in range(4))
    )
    assert open_dataset("classes.csv").classes == (normalize("NFC", name), "thé")
    assert select([f"x/train/{name}"]).total == 4


def test_the_same_pictures_in_both_parts_are_named_as_the_reason(here):
    classes(here / "x/train", "aster", "tulip")
    shutil.copytree(here / "x/train", here / "x/val")
    with pytest.raises(UserError, match=r"'aster' are held out to validate with, and none is left"):
        open_dataset("x")


def test_a_table_beside_class_folders_is_said_not_to_be_used(here):
    classes(here / "x", "aster", "tulip")
    rows = [f"{label}/{n}.png,mine" for label in ("aster", "tulip") for n in range(4)]
    (here / "x/labels.csv").write_text("\n".join(["filename,label", *rows]))
    dataset = open_dataset("x")
    assert dataset.classes == ("aster", "tulip")
    assert dataset.notes == (
        "x/labels.csv: not used, for the folders or names of the pictures are the classes",
    )


def test_folders_for_pictures_of_any_class_are_labelled_by_a_table(here):
    for number in (1, 2):
        for name in range(4):
            picture(here / f"x/images_{number:03}/{number}{name}.png")
    rows = [
        f"images_{n:03}/{n}{k}.png,{'cat' if k % 2 else 'dog'}" for n in (1, 2) for k in range(4)
    ]
    (here / "x/Data_Entry.csv").write_text("\n".join(["Image Index,finding", *rows]))
    assert open_dataset("x").classes == ("cat", "dog")


def test_an_unlabelled_part_is_left_out(here):
    for part in ("seg_train", "seg_test"):
        classes(here / "intel" / part / part, "forest", "sea")
    for number in range(3):
        picture(here / f"intel/seg_pred/seg_pred/{number}.jpg")
    dataset = open_dataset("intel")
    assert counts(dataset) == [8, 8, 0]
    assert len(dataset.rejected) == 3 and "seg_pred" in dataset.rejected[0][0]


def test_a_test_set_that_must_validate_is_said_to(here):
    classes(here / "x/Training", "glioma", "notumor")
    classes(here / "x/Testing", "glioma", "notumor")
    dataset = open_dataset("x")
    assert counts(dataset) == [8, 8, 0]
    assert "there is no folder to validate with, so x/Testing is used for that" in dataset.summary()


def test_a_test_set_beside_a_validation_set_is_kept_named_and_listed(here, typed):
    for part in ("train", "val", "test"):
        classes(here / "x" / part, "aster", "tulip")
    shutil.copy(here / "x/train/aster/0.png", here / "x/test/aster/copy.png")
    lines = typed("alexnet_tf", "data", "x", "--out", "lists").stdout.splitlines()
    assert lines[0] == "class  training  validation  test"
    assert lines[3] == "all           8           8     8"
    assert lines[4].endswith(": 1 × the same picture is trained on or validated with")
    again = open_dataset("lists")
    assert counts(again) == [8, 8, 8]
    assert again.fingerprint() == open_dataset("x").fingerprint()


def test_a_list_of_another_test_set_does_not_stay(here):
    for part in ("train", "val", "test"):
        classes(here / "x" / part, "aster", "tulip")
    write_lists(open_dataset("x"), here / "lists")
    shutil.rmtree(here / "x/test")
    write_lists(open_dataset("x"), here / "lists")
    assert counts(open_dataset("lists")) == [8, 8, 0]


def test_a_validation_set_is_used_as_far_as_it_goes(here):
    classes(here / "x/train", "aster", "rose", "Tulip")
    classes(here / "x/val", "aster", "tulip", "weed")
    dataset = open_dataset("x")
    assert dataset.classes == ("Tulip", "aster", "rose")
    assert counts(dataset) == [12, 8, 0]
    assert dataset.notes == (
        "capitals do not count where they tell no classes apart: 'tulip' is 'Tulip'",
        "the validation set has no pictures of 'rose'",
        "the validation set has pictures of 'weed', which there is nothing to train with for: they "
        "are left out",
    )


@pytest.mark.parametrize("folders", [("fold1", "fold2", "fold3"), ("cats_first", "cats_second")])
def test_classes_that_hold_the_same_folders_are_no_classes(here, folders):
    for name in folders:
        classes(here / "x" / name, "aster", "tulip")
    with pytest.raises(UserError, match=r"hold the same folders, aster and tulip, so they look"):
        open_dataset("x")


def test_of_many_folders_that_are_the_same_three_are_named(here):
    for name in ("fold1", "fold2"):
        classes(here / "x" / name, "aster", "rose", "tulip", "weed")
    with pytest.raises(UserError, match=r"hold the same folders, aster and rose and tulip, so"):
        open_dataset("x")


def test_one_folder_of_the_same_name_in_each_class_holds_its_pictures(here):
    for name in ("aster", "tulip"):
        classes(here / "x" / name, "images")
    dataset = open_dataset("x")
    assert dataset.classes == ("aster", "tulip") and counts(dataset) == [6, 2, 0]


def test_parts_within_classes_are_no_classes(here):
    for name in ("aster", "tulip"):
        classes(here / "x" / name, "train", "test")
    with pytest.raises(UserError, match=r"aster and x/tulip: have the parts test and train inside"):
        open_dataset("x")


def test_parts_without_classes_are_no_classes(here, typed):
    for part in ("train", "test"):
        picture(here / "x" / part / "1.png")
        picture(here / "x" / part / "2.png")
    message = typed("alexnet_tf", "data", "x", code=2).stderr
    assert "x/test and x/train: look like the parts of a dataset, but hold no folders" in message


def lay_junk(root):
    """Lay what lies in people's folders, and return the kinds of it."""
    picture(root / "$RECYCLE.BIN/S-1-5/$R1.jpg")
    picture(root / "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg")
    picture(root / "__MACOSX/aster/._1.jpg")
    picture(root / ".ipynb_checkpoints/1-checkpoint.jpg")
    picture(root / "cat.1.jpg")
    picture(root / "aster/.ipynb_checkpoints/0-checkpoint.png")
    (root / "aster/._0.png").write_bytes(b"\0\5\x16\7")
    (root / "aster/.DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (root / "aster/Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (root / "aster/notes.txt").write_text("taken in May")
    (root / "aster/gone.jpg").symlink_to("nowhere.jpg")
    (root / "aster/a.jpg").mkdir()
    (root / "empty").mkdir()
    (root / "logs").mkdir()
    (root / "logs/events.out").write_text("epoch 1")
    (root / "old run").mkdir()
    for name in ("config.json", "classes.txt"):
        (root / "old run" / name).write_text("{}")
    picture(root / "old run/curves.png")
    return {
        "is put there by a system or a program": 4,
        "is hidden": 3,
        "is in no folder of a class and not named cat.N or dog.N": 2,
        "is text, no picture": 1,
        "is a link to nothing": 1,
        "is a run of this program": 1,
    }


def test_what_lies_beside_the_pictures_is_left_out_and_counted_by_kind(here, typed):
    classes(here / "photos", "aster", "tulip", count=10)
    kinds = lay_junk(here / "photos")
    dataset = open_dataset("photos")
    assert dataset.classes == ("aster", "tulip") and counts(dataset) == [16, 4, 0]
    reasons = [reason for _, reason in dataset.rejected]
    assert {reason: reasons.count(reason) for reason in reasons} == kinds
    line = typed("alexnet_tf", "data", "photos").stdout.splitlines()[-1]
    assert line.startswith("left out: 12, named with the reason in rejected.txt: 4 × is put there")
    assert "; 3 × is hidden; " in line and line.endswith("; 2 × other reasons")


def test_a_prediction_leaves_out_the_same(here, typed):
    classes(here / "photos", "aster", "tulip", count=2)
    lay_junk(here / "photos")
    dataset = open_dataset("photos")
    found, rejected = find_pictures(["photos"])
    listed = {picture.path for picture in (*dataset.train, *dataset.validation)}
    assert {*found} == listed | {"photos/cat.1.jpg"}
    assert len(rejected) == 11
    result = typed("predict_alexnet.py", "2", "photos")
    assert "left out: 4 × is put there by a system or a program; 3 × is hidden" in result.stderr


def test_training_and_predicting_know_pictures_by_their_content(here):
    for name, format in (("a.jfif", "JPEG"), ("b", "JPEG"), ("c.png", "GIF"), ("d.txt", "WEBP")):
        for label in ("aster", "tulip"):
            picture(here / "photos" / label / name, format)
    os.symlink(here / "photos", here / "link")
    classes(here / "elsewhere", "rose")
    os.symlink(here / "elsewhere/rose", here / "photos/rose")
    dataset = open_dataset("link")
    assert dataset.classes == ("aster", "rose", "tulip") and not dataset.rejected
    trained = sorted(picture.path for picture in (*dataset.train, *dataset.validation))
    assert (trained, []) == find_pictures(["link"]) and len(trained) == 12


def test_a_store_of_features_is_no_class_whatever_it_is_called(here):
    classes(here / "data", "aster", "tulip")
    store = here / "data/fast/0123456789abcdef"
    store.mkdir(parents=True)
    (store / "recipe.json").write_text('{"side": 227, "resized": 256, "resize": "short"}')
    (store / "values").write_bytes(bytes(100))
    dataset = open_dataset("data")
    assert dataset.classes == ("aster", "tulip")
    assert dataset.rejected == (("data/fast", "holds features that this program computed"),)


def test_kaggles_photos_are_the_classes_where_they_are_most(here, faces):
    shutil.copytree(faces, here / "photos")
    classes(here / "photos", "extra", "others")
    assert open_dataset("photos").classes == ("cat", "dog")


@pytest.mark.parametrize(("others", "names"), [(4, ("cat", "dog")), (5, ("rose", "weed"))])
def test_as_many_of_kaggles_photos_as_there_are_others_are_enough(here, others, names):
    for number in range(2):
        picture(here / f"photos/cat.{number}.png")
        picture(here / f"photos/dog.{number}.png")
    classes(here / "photos", "rose", count=2)
    classes(here / "photos", "weed", count=others - 2)
    assert open_dataset("photos").classes == names


def test_lists_of_somebodys_own_are_not_written_over(here, typed):
    classes(here / "photos", "aster", "tulip")
    (here / "data").mkdir()
    (here / "data/train.txt").write_text("mine/1.jpg 0\n")
    message = typed("alexnet_tf", "data", "photos", code=2).stderr
    assert "data/train.txt: was not written by this program, and would be overwritten" in message
    assert (here / "data/train.txt").read_text() == "mine/1.jpg 0\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("beans", None, r"beans: there is no such file or folder. `alexnet-tf data` fetches"),
        ("https://example.org/a.zip", None, r"is an address; download what is there"),
        ("photos/*.jpg", None, r"nothing has such a name; name the folder instead"),
        ("0", None, r"is no file or folder, and cameras are not read"),
        ("a.tfrecord", b"\x10\0\0\0", r"a.tfrecord: cannot be read .*fetch it anew"),
        ("a.parquet", b"PAR1....", r"a.parquet: cannot be read .*fetch it anew"),
        ("a.mp4", b"\0\0\0\x20ftypisom", r"is a video, .*take pictures out of it first"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c", r"is an archive that must be unpacked first"),
        ("a.jpg", b"\xff\xd8\xff\xe0", r"is JPEG, .*name the folder in which all of them are"),
        ("a.csv", b"filename,label\n", r"no labelled pictures found"),
        ("a.tar.gz", b"no gzip", r"is not a whole .tar or .tar.gz file"),
    ],
)
def test_each_other_source_has_a_sentence_of_its_own(here, name, content, message):
    if content:
        (here / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        open_dataset(name)


def test_a_tilde_in_quotes_is_the_home(here, monkeypatch):
    classes(here / "home/photos", "aster", "tulip")
    monkeypatch.setenv("HOME", str(here / "home"))
    assert len(open_dataset("~/photos").train) == 6
