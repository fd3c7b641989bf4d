"""Lists as Notepad, pandas, Kaggle and people write them."""

import pytest

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.sources.lists import listed_contents, read_lists, read_paths
from alexnet_tf.errors import UserError
from tests.support.pictures import classes, picture

NAMES = [f"{label}/{number}.png" for label in ("aster", "tulip") for number in range(4)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes(tmp_path / "set", "aster", "tulip")
    return tmp_path


def lines(separator=" ", before="", label=lambda name: name.split("/")[0]):
    return [f"{before}{name}{separator}{label(name)}" for name in NAMES]


def table(heading, separator=",", quote="", **options):
    rows = [f"{quote}{row}{quote}" for row in lines(f"{quote}{separator}{quote}", **options)]
    return "\n".join([separator.join(heading), *rows]) + "\n"


TEXTS = {
    "UTF-8 with a mark (Notepad)": ("train.txt", "\ufeff" + "\n".join(lines())),
    "CRLF": ("train.txt", "\r\n".join(lines())),
    "backslashes": ("train.txt", "\n".join(lines()).replace("/", "\\")),
    "relative to here": ("train.txt", "\n".join(lines(before="set/"))),
    "headings": ("train.txt", "\n".join(["filename label", *lines()])),
    "commas without a heading": ("train.txt", "\n".join(lines(","))),
    "CSV": ("labels.csv", table(["filename", "label"])),
    "CSV of Excel in Europe": ("labels.csv", "\ufeff" + table(["File name", "Class"], ";")),
    "TSV": ("labels.tsv", table(["path", "category"], "\t")),
    "quoted": ("labels.csv", table(["image_id", "breed"], quote='"')),
    "columns in the other order": (
        "labels.csv",
        "label,path\n" + "".join(f"{name.split('/')[0]},{name}\n" for name in NAMES),
    ),
    "an index of pandas": (
        "labels.csv",
        ",file,label,size\n"
        + "".join(f"{n},{name},{name.split('/')[0]},8\n" for n, name in enumerate(NAMES)),
    ),
    "another name of the label": ("labels.csv", table(["Image", "whale"])),
    "without a heading": ("labels.csv", "\n".join(lines(","))),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_list_is_understood_however_it_is_written(here, text):
    name, content = TEXTS[text]
    (here / "set" / name).write_text(content, encoding="utf-8", newline="")
    dataset = open_dataset(f"set/{name}")
    assert dataset.classes == ("aster", "tulip") and not dataset.rejected
    assert sorted(p.path for p in (*dataset.train, *dataset.validation)) == [
        f"set/{name}" for name in NAMES
    ]


def test_powershell_writes_utf_16(here):
    (here / "set/train.txt").write_text("\n".join(lines()), encoding="utf-16")
    assert len(open_dataset("set").train) == 6


def test_kaggles_ids_are_files_in_the_folder_beside_the_table(here):
    """As for dog breeds: labels.csv with id,breed, and train/ID.jpg; test/ has no labels."""
    names = [f"{number:032x}" for number in range(12)]
    for name in names:
        picture(here / "dogs/train" / f"{name}.jpg", "JPEG")
        picture(here / "dogs/test" / f"{name[::-1]}.jpg", "JPEG")
    rows = [f"{name},{'beagle' if n % 2 else 'pug'}" for n, name in enumerate(names)]
    (here / "dogs/labels.csv").write_text("\n".join(["id,breed", *rows]))
    (here / "dogs/sample_submission.csv").write_text(f"id,pug\n{names[0][::-1]},0.5\n")
    dataset = open_dataset("dogs")
    assert dataset.classes == ("beagle", "pug")
    assert {len(dataset.train), len(dataset.validation)} == {10, 2}
    assert {p.path for p in (*dataset.train, *dataset.validation)} == {
        f"dogs/train/{name}.jpg" for name in names
    }
    assert dataset.notes == ("the paths in dogs/labels.csv are relative to dogs/train/",)


def test_a_table_may_say_which_part_a_picture_is_of(here):
    parts = ["train", "train", "valid", "test"] * 2
    rows = [f"{name},{name[:5]},{part}" for name, part in zip(NAMES, parts)]
    (here / "set/birds.csv").write_text("\n".join(["filepaths,labels,data set", *rows]))
    dataset = open_dataset("set/birds.csv")
    assert [len(p) for p in (dataset.train, dataset.validation, dataset.test)] == [4, 2, 2]


def test_numbers_are_labels_by_their_value(here):
    rows = [f"{name} {'00' if n == 1 else n // 4}" for n, name in enumerate(NAMES)]
    (here / "set/train.txt").write_text("\n".join(rows))
    assert open_dataset("set").classes == ("0", "1")


def test_names_of_numbers_stay_as_they_are(here):
    (here / "set/train.txt").write_text(
        "\n".join(f"{name} {n // 4:03}" for n, name in enumerate(NAMES))
    )
    assert open_dataset("set").classes == ("000", "001")


def test_labels_may_be_names_beside_classes_txt(here):
    (here / "set/train.txt").write_text("\n".join(lines()))
    (here / "set/classes.txt").write_text("tulip\naster\n")
    assert open_dataset("set").classes == ("tulip", "aster")


def test_test_txt_is_kept_apart_and_need_not_have_labels(here):
    (here / "set/train.txt").write_text("\n".join([*lines()[:3], *lines()[4:7]]))
    (here / "set/test.txt").write_text("\n".join(lines()[3::4]))
    dataset = open_dataset("set")
    assert [len(p) for p in (dataset.train, dataset.validation, dataset.test)] == [4, 2, 2]
    (here / "set/test.txt").write_text("\n".join(NAMES[3::4]))
    dataset = open_dataset("set")
    assert dataset.test == () and "set/test.txt is no list of labelled" in dataset.notes[-1]


def test_a_class_that_only_the_validation_list_has_is_left_out(here):
    picture(here / "set/rose/0.png")
    (here / "set/train.txt").write_text("\n".join([*lines()[:3], *lines()[4:7]]))
    (here / "set/val.txt").write_text("\n".join([*lines()[3::4], "rose/0.png rose"]))
    dataset = open_dataset("set")
    assert dataset.classes == ("aster", "tulip") and len(dataset.validation) == 2
    assert "the validation set has pictures of 'rose'" in dataset.summary()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,c\nx,y,z\n", "has the columns a, b, c; which one is the label"),
        ("filename,label\na.png\n", "line 2: has 1 columns, but the first has 2"),
        ("filename,label\na.png,\x1b[2J\n", "line 2: holds control characters"),
        (b"filename,label\n\xff\xfe.png,x\n", "cannot be read"),
    ],
)
def test_a_table_that_is_not_understood_is_explained(here, content, message):
    path = here / "set/labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"labels\.csv.*{message}"):
        open_dataset("set/labels.csv")


def test_pictures_to_predict_are_never_left_out_for_a_comma(here):
    """Nothing would say so there."""
    rows = [*(f"{name},x" for name in NAMES), "aster/9.png,x,y"]
    (here / "set/some.csv").write_text("\n".join(["filename,label", *rows]))
    with pytest.raises(UserError, match=r"some\.csv, line 10: has 3 columns"):
        read_paths("set/some.csv")


def test_a_line_without_a_label_is_named(here):
    (here / "set/train.txt").write_text("\n".join([*lines()[:2], "aster/2.png"]))
    with pytest.raises(UserError, match=r"train\.txt, line 3: should be 'path label', but is 'as"):
        open_dataset("set")


@pytest.mark.parametrize(
    ("labels", "are_classes"), [("10 11 12", True), ("0 2 3", False), ("0 5 0 5 5", True)]
)
def test_numbers_are_classes_where_they_count_or_repeat(here, labels, are_classes):
    rows = [f"{name},{label}" for name, label in zip(NAMES, labels.split())]
    path = here / "set/labels.csv"
    path.write_text("\n".join(["filename,label", *rows]))
    if are_classes:
        assert read_lists(path).classes == tuple(sorted({*labels.split()}))
    else:
        with pytest.raises(UserError, match="column 'label' looks like numbers, 3 different ones"):
            read_lists(path)


def test_label_errors_that_are_only_possible_are_not_left_out(here):
    rows = ("path,grade", "set/aster/0.png,likely", "set/aster/1.png,possible")
    (here / "suspects.csv").write_text("\n".join(rows))
    assert [*listed_contents("suspects.csv").values()] == ["set/aster/0.png"]


def test_a_table_that_is_a_pipe_does_not_hang(here, typed):
    import os

    os.mkfifo(here / "labels.csv")
    assert (
        "there is no such file or folder"
        in typed("alexnet_tf", "data", "labels.csv", code=2).stderr
    )


def test_a_line_that_stands_there_twice_counts_once(here):
    once = table(["filename", "label"])
    twice = once + "aster/1.png,aster\naster/1.png,aster\n"
    (here / "set/labels.csv").write_text(once)
    expected = open_dataset("set/labels.csv")
    (here / "set/labels.csv").write_text(twice)
    dataset = open_dataset("set/labels.csv")
    assert (dataset.train, dataset.validation) == (expected.train, expected.validation)
    assert "lines that stand there before, and count once: 2" in dataset.notes


def test_a_table_of_both_splits_is_not_taken_for_the_validation_list(here):
    rows = lines(",")
    for name, part in (("labels", rows[::2]), ("val", rows[1::2]), ("train_val", rows)):
        (here / "set" / f"{name}.csv").write_text("\n".join(["path,label", *part]))
    dataset = open_dataset("set/labels.csv")
    assert [p.path for p in dataset.validation] == [f"set/{name}" for name in NAMES[1::2]]
    assert len(dataset.train) == len(rows[::2])
