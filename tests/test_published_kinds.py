"""Data sets as their authors publish them: the right classes, pictures and split, or a sentence."""

from pathlib import Path

import pytest

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION, Wanted
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.data.sources.zip_archives import UnpackLimits
from alexnet_tf.errors import UserError
from tests.support.published import (
    READ,
    REFUSED,
    Layout,
    breakhis,
    celeba,
    celeba_by_kaggle,
    dtd,
    fashion,
    write_kaggles_zip,
    write_zip,
)


@pytest.fixture(autouse=True)
def layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    return Layout(Path("x"))


def read(source="x", **wanted):
    found = open_source(source, wanted=Wanted(**wanted))
    texts = (".csv", ".txt")  # beside the pictures of a class, and left out when they are opened
    pictures = [entry for entry in found.entries if not entry.path.endswith(texts)]
    return found, {entry.path: (entry.label, entry.part) for entry in pictures}


@pytest.mark.parametrize("source", READ)
def test_a_published_data_set_is_read_as_it_is_meant(layout, source):
    READ[source](layout)
    found, pictures = read()
    assert pictures == layout.meant
    assert {*found.classes} == {label for label, _ in layout.meant.values()}


@pytest.mark.parametrize("source", REFUSED)
def test_what_leaves_the_class_open_is_explained(layout, source):
    make, message = REFUSED[source]
    make(layout)
    with pytest.raises(UserError, match=message):
        read()


def test_the_kind_is_said(layout):
    READ["Oxford-IIIT Pet"](layout)
    assert read()[0].notes == ("Oxford-IIIT Pet, as published: 2 classes",)


def test_a_test_set_that_must_validate_is_said_to(layout):
    READ["CUB-200"](layout)
    assert "there is no part to validate with, so the test set in x/CUB_200" in read()[0].notes[1]


def test_kaggles_zip_of_zips_is_unpacked_with_those(layout):
    write_kaggles_zip(layout)
    found, pictures = read("x/dogs-vs-cats.zip")
    assert found.classes == ("cat", "dog") and len(pictures) == 8
    assert all(path.endswith(f"train/train/{path.split('/')[-1]}") for path in pictures)


def test_zips_in_a_zip_count_towards_its_limits(layout):
    write_kaggles_zip(layout)
    with pytest.raises(
        UserError, match=r"dogs-vs-cats.zip: refused, for it holds more than 11 files"
    ):
        open_source("x/dogs-vs-cats.zip", UnpackLimits(files=11))


def test_archives_in_a_folder_are_unpacked_side_by_side(layout):
    """One for each class, or for each part with the table of Kaggle beside them."""
    for name in ("cats", "dogs"):
        files = {f"{name}/{n}.jpg": name.encode() for n in range(3)}
        write_zip(layout.root / f"a/{name}.zip", files)
    _, pictures = read("x/a")
    assert {label for label, _ in pictures.values()} == {"cats", "dogs"} and len(pictures) == 6
    assert all(path.startswith("data/unpacked/a-") for path in pictures)
    for name in ("train", "test"):
        write_zip(layout.root / f"b/{name}.zip", {f"{name}/{name}{n}.jpg": b"" for n in range(4)})
    layout.write("b/train.csv", "id,has_cactus", *(f"train{n}.jpg,{n % 2}" for n in range(4)))
    assert [label for label, _ in read("x/b")[1].values()] == ["0", "1", "0", "1"]
    layout.write("b/train.csv", "id,has_cactus", *(f"train{n}.jpg,{n // 2}" for n in range(4)))
    assert [label for label, _ in read("x/b")[1].values()] == ["0", "0", "1", "1"]
    write_zip(layout.root / "b/more.zip", {"../x.jpg": b""})
    with pytest.raises(UserError, match=r"b/more.zip: refused, for its member '../x.jpg' points"):
        read("x/b")


@pytest.mark.parametrize(("split", "first"), [(1, 0), (2, 1)])
def test_one_of_ten_splits_is_taken_if_it_is_wanted(layout, split, first):
    dtd(layout)
    _, pictures = read(split=split)
    numbers = {part: set() for part in (TRAIN, VALIDATION, TEST)}
    for path, (_, part) in pictures.items():
        numbers[part].add(int(path[-5]))
    assert numbers == {TRAIN: {first, 2}, VALIDATION: {1 - first}, TEST: {3}}
    with pytest.raises(UserError, match=r"x: has no split 3; it has 1, 2"):
        read(split=3)


def test_tables_that_share_pictures_are_splits(layout):
    for number in range(4):
        layout.put(f"images/2016-{number}.jpg")
    lines = [f"2016-{number}.jpg,{number % 2}" for number in range(4)]
    for split, parts in enumerate(((lines[:2], lines[2:]), (lines[2:] + lines[:1], lines[1:2]))):
        for name, part in zip(("train", "val"), parts):
            layout.write(f"labels/{name}_subset{split}.csv", "Filename,Label", *part)
    with pytest.raises(UserError, match=r"x/labels: has splits 0, 1; take one with --split N"):
        read()
    with pytest.raises(UserError, match=r"x/labels: has no split 2; it has 0, 1"):
        read(split=2)
    split = {path[-5]: part for path, (_, part) in read(split=0)[1].items()}
    assert split == {"0": TRAIN, "1": TRAIN, "2": VALIDATION, "3": VALIDATION}
    layout.write("labels/labels.csv", "Filename,Label", *lines)
    found, pictures = read()
    assert len(pictures) == 4 and "none is used, but --split N takes one" in found.notes[0]


def test_a_column_is_the_label_if_it_is_wanted(layout):
    fashion(layout)
    found, pictures = read(label="masterCategory")
    assert pictures["x/images/1000.jpg"] == ("Apparel", None)
    assert found.classes == ("Apparel", "Footwear") and len(pictures) == 8
    assert read(label="article type")[0].classes == ("Flip Flops", "Jeans", "Shirt", "Shoes")
    with pytest.raises(UserError, match=r"styles.csv: has no column 'colour' for --label; it has"):
        read(label="colour")


@pytest.mark.parametrize(("level", "first"), [("1", "benign"), ("3", "adenosis"), ("5", "100X")])
def test_folders_of_one_level_are_the_classes_if_they_are_wanted(layout, level, first):
    breakhis(layout)
    found, pictures = read(label=level)
    assert found.classes[0] == first and len(found.classes) in (2, 4) and len(pictures) == 16
    with pytest.raises(UserError, match="x: has no pictures in folders of level 9, so --label"):
        read(label="9")


@pytest.mark.parametrize("make", [celeba, celeba_by_kaggle])
def test_an_attribute_of_a_face_is_the_class(layout, make):
    make(layout)
    found, pictures = read(label="Smiling")
    assert found.classes == ("Smiling", "not Smiling") and len(pictures) == 12
    (path,) = (path for path in pictures if path.endswith("/000005.jpg"))
    assert Path(path).is_file() and pictures[path] == ("Smiling", VALIDATION)


def test_a_face_has_an_identity_too(layout):
    celeba(layout)
    assert read(label="identity")[0].classes == ("0", "1", "2")


def test_one_of_several_classes_is_told_from_the_rest(layout):
    REFUSED["VOC"][0](layout)
    pictures = read(label="cat")[1]
    labels = {Path(path).name: label for path, (label, _) in pictures.items()}
    assert labels == {"0.jpg": "not cat", "1.jpg": "cat"}
    with pytest.raises(UserError, match="x: has no class 'cow', but cat"):
        read(label="cow")


def test_a_few_lines_with_a_comma_too_many_are_left_out_and_counted(layout):
    """As in Fashion product images, where 22 of 44,447 lines have one in the name."""
    fashion(layout)
    lines = layout.root.joinpath("styles.csv").read_text().splitlines()
    layout.write("styles.csv", *lines, *[f"{line}, too" for line in lines[1:2]], *lines[2:])
    found, pictures = read(label="articleType")
    assert len(pictures) == 8
    assert any("styles.csv: lines left out: 1, such as line 10: has 7" in n for n in found.notes)
    layout.write("styles.csv", *lines, *[f"{line}, too" for line in lines[1:3]])
    message = r"styles\.csv, line 10: has 7 columns, but the first has 6"
    with pytest.raises(UserError, match=message):
        read(label="articleType")


@pytest.mark.parametrize(
    "content",
    [
        '{"flags": {"a": true}, "flags": [], "shapes": [], "imagePath": "0.jpg"}',
        '{"flags": {"a": true}, "shapes": [], "imagePath": 3}',
        '{"flags": {"a": true}}',
        '{"flags": {"a": true}, ',
    ],
)
def test_a_damaged_file_of_labelme_is_named(layout, content):
    layout.put("images/0.jpg")
    layout.write("images/0.json", content)
    with pytest.raises(UserError, match=r"its tables do not agree|0\.json: is no whole JSON"):
        read()


def test_a_flag_of_several_lines_is_a_class_of_one(layout):
    for n, flag in enumerate(("red\nrose", "tulip")):
        layout.json(f"{n}.json", {"flags": {flag: True}, "shapes": [], "imagePath": f"{n}.jpg"})
        layout.put(f"{n}.jpg")
    assert read()[0].classes == ("red rose", "tulip")


def test_lists_that_give_the_split_are_not_among_what_is_left_out(layout):
    READ["MIT Indoor-67"](layout)
    assert read()[0].rejected == ()


def test_boxes_beside_labels_are_said_not_to_be_used(layout):
    lines = [f"{layout.put(f'{n}.jpg')},{'ab'[n % 2]},1,2,3{n},40" for n in range(6)]
    layout.write("boxes.csv", "filename,class,xmin,ymin,xmax,ymax", *lines)
    assert "boxes.csv has boxes, which are not used: whole pictures" in read()[0].notes[0]


def test_an_aircraft_has_a_family_too(layout):
    READ["FGVC-Aircraft"](layout)
    assert read(label="family")[0].classes == ("Boeing 7",)


@pytest.mark.parametrize(
    ("source", "file", "content", "message"),
    [
        ("Label Studio, JSON", "project-1-at-2024-01-01.json", '[{"id": 1', r"is no whole JSON"),
        ("Flowers-102", "setid.mat", "MATLAB 5.0", r"setid.mat: is no whole .mat file"),
        ("CUB-200", "CUB_200_2011/classes.txt", "1 one", r"CUB.*but its tables do not agree"),
        ("FGVC-Aircraft", "data/images_variant_val.txt", "\x1b", r"val.txt, line 1: holds control"),
    ],
)
def test_a_damaged_table_is_named(layout, source, file, content, message):
    READ[source](layout)
    layout.write(file, content)
    with pytest.raises(UserError, match=message):
        read()


def test_pictures_that_a_split_names_and_are_missing_are_counted_and_named(layout):
    READ["Food-101"](layout)
    (layout.root / "food-101/images/churros/0007.jpg").unlink()
    found, pictures = read()
    assert len(pictures) == 7
    (missing,) = {each for each in found.rejected if "not there" in each[1]}
    assert missing[0] == "churros/0007" and missing[1].startswith("is named in x/food-101/meta/")


def test_a_table_that_names_no_picture_is_not_used(layout):
    READ["Imagenette"](layout)
    layout.write("imagenette2/train.csv", "path,label", "gone/1.jpg,a", "gone/2.jpg,b")
    assert read()[1] == layout.meant


def test_a_picture_with_two_flags_is_named(layout):
    READ["LabelMe's flags"](layout)
    both = {"version": "5.4.1", "flags": {"cat": True, "dog": True}, "shapes": []}
    layout.json("train/cat0.json", both)
    with pytest.raises(UserError, match=r"train/cat0.json: has 2 flags set; this program"):
        read()
