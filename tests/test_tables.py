"""Tables as pandas, Excel and people write them: what was meant is read, or asked about."""

import csv
import io
import unicodedata
import zipfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.imagenet import read_classes
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.data.sources.lists import read_lists
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.data.sources.selection import Shard, select
from alexnet_tf.errors import UserError
from tests.support.pictures import classes, picture

QUIET = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*paths):
    """Make files that nobody opens: what lists name is only looked for."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def labels(source):
    """Read a source: the name of each file, and its label."""
    return {entry.path: entry.label for entry in open_source(source).entries}


@pytest.fixture
def numbered(here):
    """Lay pictures 0.png … 39.png in pets/, in another order than that of the rows."""
    names = [f"{7 * n % 40}.png" for n in range(40)]
    touch(*(here / "pets" / name for name in names))
    return [(name, "cat" if n % 3 else "dog") for n, name in enumerate(names)]


TABLES = {
    "pandas' index": lambda frame: frame.to_csv(),
    "no index": lambda frame: frame.to_csv(index=False),
    "neither index nor headings": lambda frame: frame.to_csv(index=False, header=False),
    "an index without headings": lambda frame: frame.to_csv(header=False),
    "columns called 0 and 1": lambda frame: frame.set_axis([0, 1], axis=1).to_csv(),
    "an id": lambda frame: frame.to_csv(index_label="id"),
    "the label first": lambda frame: frame[["label", "filename"]].to_csv(index=False),
    "an age": lambda frame: frame.assign(age=range(40))[["filename", "age", "label"]].to_csv(),
    "an age before it": lambda frame: frame.assign(age=range(40))[
        ["age", "filename", "label"]
    ].to_csv(index=False),
}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("table", TABLES)
def test_a_column_of_names_is_the_path_whatever_numbers_stand_beside_it(
    here, numbered, table, missing
):
    if missing:
        (here / "pets/21.png").unlink()
    frame = pd.DataFrame(numbered, columns=["filename", "label"])
    (here / "pets/labels.csv").write_text(TABLES[table](frame))
    assert labels("pets/labels.csv") == {f"pets/{name}": label for name, label in numbered}


def test_numbers_as_labels_are_not_taken_for_the_pictures_of_these_numbers(here, numbered):
    rows = [f"{n % 2},{name}" for n, (name, _) in enumerate(numbered)]
    (here / "pets/labels.csv").write_text("\n".join(["label,filename", *rows]))
    assert labels("pets/labels.csv") == {
        f"pets/{name}": str(n % 2) for n, (name, _) in enumerate(numbered)
    }


def test_numbers_name_pictures_where_nothing_else_does_and_that_is_said(here, numbered):
    rows = [f"{name[:-4]},{label}" for name, label in numbered]
    (here / "pets/labels.csv").write_text("\n".join(["id,label", *rows]))
    found = open_source("pets/labels.csv")
    assert {e.path: e.label for e in found.entries} == {f"pets/{n}": label for n, label in numbered}
    assert any("the numbers in the column 'id' name the pictures" in note for note in found.notes)


def test_a_label_is_no_path_though_there_are_pictures_of_that_name(here):
    names = ("ash", "elm", "fir", "oak", "yew", "box")
    touch(*(here / f"{n}.png" for n in range(10)), *(here / f"{name}.png" for name in names))
    rows = [f"{n},{names[n % 6]}" for n in range(10)]
    (here / "t.csv").write_text("\n".join(["id,label", *rows]))
    assert labels("t.csv") == {f"{n}.png": names[n % 6] for n in range(10)}


def test_two_columns_of_pictures_are_asked_about(here):
    touch(*(here / f"{side}{n}.png" for side in "ab" for n in range(4)))
    (here / "t.csv").write_text("".join(f"a{n}.png,b{n}.png,{n % 2}\n" for n in range(4)))
    with pytest.raises(UserError, match=r"name pictures, column 1 \(a0.png, .*which one is meant"):
        open_source("t.csv")
    (here / "t.csv").write_text(
        "a,path,label\n" + "".join(f"a{n}.png,b{n}.png,{n % 2}\n" for n in range(4))
    )
    assert labels("t.csv") == {f"b{n}.png": str(n % 2) for n in range(4)}


def test_several_columns_that_could_be_labels_are_asked_about_with_their_values(here):
    touch(*(here / f"{n}.png" for n in range(8)))
    rows = [
        f"{n}.png,{'Men' if n % 2 else 'Women'},{'Shoes' if n > 3 else 'Hats'}" for n in range(8)
    ]
    (here / "t.csv").write_text("\n".join(["image,gender,masterCategory", *rows]))
    question = r"'gender' \(Women, Men\); the column 'masterCategory' \(Hats, Shoes\). Name it with"
    with pytest.raises(UserError, match=question):
        open_source("t.csv")


def test_the_one_column_that_could_be_the_label_is_taken_and_said(here):
    touch(*(here / f"{n}.png" for n in range(8)))
    rows = [f"{n}.png,{n * 7},{n / 3},dog{n % 2},a caption of {n}" for n in range(8)]
    (here / "t.csv").write_text("\n".join(["image,width,score,what,caption", *rows]))
    found = open_source("t.csv")
    assert [entry.label for entry in found.entries] == [f"dog{n % 2}" for n in range(8)]
    assert "in t.csv the label is taken from the column 'what'" in found.notes


def test_the_folder_with_most_of_the_pictures_wins_and_then_the_lists_own(here):
    names = [f"{n:03}.jpg" for n in range(6)] + ["cat.jpg"]
    touch(*(here / "pets" / name for name in names), here / "cat.jpg", here / "001.jpg")
    rows = [f"{name},{'cat' if n % 2 else 'dog'}" for n, name in enumerate(names)]
    (here / "pets/labels.csv").write_text("\n".join(["filename,label", *rows]))
    assert {*labels("pets/labels.csv")} == {f"pets/{name}" for name in names}
    touch(*(here / name for name in names))
    assert {*labels("pets/labels.csv")} == {f"pets/{name}" for name in names}


DIALECTS = {
    "a newline in a quoted label": 'a.png,"golden\nretriever"\nb.png,pug\n',
    "a comma in a quoted name": '"x, y.png",golden retriever\nb.png,pug\n',
    "semicolons, and a comma in a label": "a.png;golden, retriever\nb.png;pug\n",
    "semicolons inside quotes in line 1": '"a;b;c;d.png",golden retriever\nb.png,pug\n',
    "Excel's sep=": "sep=;\na.png;golden retriever\nb.png;pug\n",
    "single quotes": "'a, b.png','golden retriever'\n'b.png','pug'\n",
    "bars": "a.png|golden retriever\nb.png|pug\n",
    "escaped quotes": 'file,label\n"a \\"1\\", b.png","golden retriever"\n"b.png","pug"\n',
}


@pytest.mark.parametrize("text", DIALECTS)
def test_a_table_is_read_as_its_program_wrote_it(here, text):
    first = {"a comma in a quoted name": "x, y.png", "single quotes": "a, b.png",
             "semicolons inside quotes in line 1": "a;b;c;d.png",
             "escaped quotes": 'a "1", b.png'}.get(text, "a.png")  # fmt: skip
    touch(here / first, here / "b.png")
    (here / "t.csv").write_text(DIALECTS[text])
    label = "golden, retriever" if "in a label" in text else "golden retriever"
    assert labels("t.csv") == {first: label, "b.png": "pug"}


def test_a_quote_that_nobody_closes_is_said_not_read_to_the_end(here):
    touch(here / "a.png", here / "b.png")
    (here / "t.csv").write_text('file,label\na.png,"cat\nb.png,dog\n')
    with pytest.raises(UserError, match=r"t.csv, line 3: is no table"):
        open_source("t.csv")


def test_a_list_with_one_tab_a_line_has_labels_of_several_words(here):
    touch(here / "a b.png", here / "c d.png")
    (here / "train.txt").write_text("a b.png\tGolden Retriever\nc d.png\tPug dog\n")
    assert labels("train.txt") == {"a b.png": "Golden Retriever", "c d.png": "Pug dog"}
    assert select(["train.txt"]).pictures == ["a b.png", "c d.png"]


@pytest.mark.parametrize("first", ["gone.png,cat", "gone,cat", "gone,3"])
def test_a_first_row_without_its_picture_is_no_heading(here, first):
    touch(*(here / f"x{n}.png" for n in range(4)))
    suffix = ".png" if "." in first else ""
    kinds = ("3", "4") if first[-1] == "3" else ("cat", "dog")
    rows = [f"x{n}{suffix},{kinds[n % 2]}" for n in range(4)]
    (here / "t.csv").write_text("\n".join([first, *rows]))
    assert labels("t.csv") == {first.split(",")[0]: first.split(",")[1]} | {
        f"x{n}.png": kinds[n % 2] for n in range(4)
    }


@pytest.mark.parametrize(
    "text",
    [
        "file\na.png\nb, c.png\n", "a.png\nb, c.png\n", '"a.png"\n"b, c.png"\n',
        'file,width,height\na.png,8,8\n"b, c.png",9,7\n', '"file"\n"a.png"\n"b, c.png"\n',
        'id;image;note\n1;a.png;"x;y"\n2;"b, c.png";z\n', "sep=,\nfile\na.png\n\"b, c.png\"\n",
    ],
)  # fmt: skip
def test_predict_takes_the_column_of_pictures_of_any_table(here, text):
    touch(here / "a.png", here / "b, c.png", here / "8.png")
    (here / "t.csv").write_text(text)
    assert select(["t.csv"]).pictures == ["a.png", "b, c.png"]


PARTS = [
    ("train_labels.csv", "val_labels.csv", "test_labels.csv"),
    ("my_train.csv", "my_val.csv", "my_test.csv"),
    ("labels_train.csv", "labels_valid.csv", "labels_test.csv"),
    ("trainLabels.csv", "validLabels.csv", "testLabels.csv"),
    ("Train.csv", "Validation.csv", "Test.csv"),
    ("train_list.txt", "val_list.txt", "test_list.txt"),
    ("TRAIN.TXT", "VAL.TXT", "TEST.TXT"),
    ("trainset.CSV", "devset.CSV", "testset.CSV"),
]


@pytest.mark.parametrize("as_folder", [True, False])
@pytest.mark.parametrize("names", PARTS)
def test_tables_are_parts_by_the_words_of_their_names(here, names, as_folder):
    for part, name in enumerate(names):
        paths = [f"{part}{n}.png" for n in range(4)]
        touch(*(here / "x" / path for path in paths))
        between = " " if name.lower().endswith("txt") else ","
        rows = [f"{path}{between}{'cat' if n % 2 else 'dog'}" for n, path in enumerate(paths)]
        (here / "x" / name).write_text("\n".join(rows))
    found = open_source("x" if as_folder else f"x/{names[0]}")
    parts = ["train", "validation", "test"]
    assert [(e.path, e.part) for e in found.entries] == [
        (f"x/{part}{n}.png", parts[part]) for part in range(3) for n in range(4)
    ]


def test_two_tables_that_name_no_part_are_asked_about_unless_they_agree(here):
    touch(*(here / "x" / f"{n}.png" for n in range(8)))
    rows = [f"{n}.png,{'cat' if n % 2 else 'dog'},{n}" for n in range(8)]
    (here / "x/birds.csv").write_text("\n".join(["file,label,age", *rows[:4]]))
    (here / "x/flowers.csv").write_text("\n".join(["file,label,age", *rows[4:]]))
    found = open_source("x")
    assert len(found.entries) == 8
    assert "x/birds.csv and x/flowers.csv are taken together" in found.notes[0]
    (here / "x/flowers.csv").write_text("\n".join(["file,label,age", *rows[3:]]))
    with pytest.raises(UserError, match=r"x: has several tables .*, x/birds.csv and .*which one"):
        open_source("x")
    (here / "x/flowers.csv").write_text("\n".join(["file,kind,label", *rows[4:]]))
    with pytest.raises(UserError, match=r"which one is meant"):
        open_source("x")


@pytest.mark.parametrize("none", ["", "nan", "NaN", "None", "?", "NA", "<NA>", "NULL"])
def test_rows_without_a_label_are_left_out_counted_and_named(here, none, command):
    paths = [picture(here / f"x/{n}.png") for n in range(8)]
    rows = [f"{path.name},{'cat' if n % 2 else 'dog'}" for n, path in enumerate(paths[:6])]
    rows += [f"6.png,{none}", f'7.png,"{none}"']
    (here / "x/labels.csv").write_text("\n".join(["file,label", *rows]))
    found = open_source("x")
    assert found.classes == ("cat", "dog")
    assert found.rejected == tuple((f"x/{n}.png", "has no label in x/labels.csv") for n in (6, 7))
    assert "2 × has no label in x/labels.csv" in open_dataset("x").summary()


def test_one_column_for_each_class_is_read(here):
    touch(*(here / f"x/images/{n}.png" for n in range(4)))
    rows = ["0.png,1,0,0", "1.png,0,1,0", "2.png,0,0,1.0", "3.png,1,0,0"]
    (here / "x/_classes.csv").write_text("\n".join(["filename, rose, lily, oak", *rows]))
    assert [entry.label for entry in open_source("x").entries] == ["rose", "lily", "oak", "rose"]


@pytest.mark.parametrize("row", ["3.png,1,1,0", "3.png,0,0,0"])
def test_several_classes_in_a_row_are_said_to_be_too_many(here, row):
    touch(*(here / f"x/images/{n}.png" for n in range(4)))
    rows = ["0.png,1,0,0", "1.png,0,1,0", "2.png,0,0,1", row]
    (here / "x/t.csv").write_text("\n".join(["filename,rose,lily,oak", *rows]))
    with pytest.raises(UserError, match=r"x/t.csv: the columns rose, lily, oak hold 0 and 1, but"):
        open_source("x")


def test_a_table_that_lacks_a_label_is_named_with_what_it_lacks(here):
    touch(*(here / f"ham/images/ISIC_{n}.jpg" for n in range(8)))
    kinds = [("bkl", "scalp", "male"), ("nv", "ear", "male"), ("nv", "ear", "female"),
             ("mel", "scalp", "female")]  # fmt: skip
    rows = [f"HAM_{n // 2},ISIC_{n},{','.join(kinds[n % 4])}" for n in range(8)]
    (here / "ham/metadata.csv").write_text(
        "\n".join(["lesion_id,image_id,dx,localization,sex", *rows])
    )
    with pytest.raises(UserError, match=r"ham/metadata.csv: .*which one is the label\? .*'dx' \("):
        open_source("ham")


def test_labels_are_numbers_where_all_of_a_column_are(here):
    touch(*(here / f"{n}.png" for n in range(6)))
    written = ["1", "1.0", "01", "2", "2.0", "02"]
    rows = [f"{n}.png,{label}" for n, label in enumerate(written)]
    (here / "t.csv").write_text("\n".join(["file,label", *rows]))
    assert [entry.label for entry in open_source("t.csv").entries] == ["1"] * 3 + ["2"] * 3
    (here / "t.csv").write_text("\n".join(["file,label", *rows, "0.png,one"]))
    assert len(open_source("t.csv").classes) == 7


@pytest.mark.parametrize("value", [lambda n: f"{n / 100:.2f}", lambda n: 20 + 7 * n])
def test_measured_numbers_are_no_classes(here, value):
    touch(*(here / f"{n}.png" for n in range(40)))
    rows = [f"{n}.png,{value(n)}" for n in range(40)]
    (here / "t.csv").write_text("\n".join(["file,age", *rows]))
    with pytest.raises(UserError, match=r"t.csv: the column 'age' looks like numbers, 40"):
        open_source("t.csv")


def test_names_of_classes_may_begin_with_a_mark(here):
    (here / "classes.txt").write_text("\ufeffcat\ndog\n", encoding="utf-8")
    assert read_classes("classes.txt") == ["cat", "dog"]


def test_names_in_a_zip_of_macos_are_utf_8(here):
    name = unicodedata.normalize("NFD", "café")
    with zipfile.ZipFile("x.zip", "w") as file:
        for label in (name, "thé"):
            for number in range(2):
                file.writestr(
                    zipfile.ZipInfo(f"{label}/{number}.png"), picture(here / "p").read_bytes()
                )
    content = (here / "x.zip").read_bytes()
    with zipfile.ZipFile("x.zip") as file:
        for member in file.infolist():
            assert member.flag_bits & 0x800
    (here / "x.zip").write_bytes(without_flags(content))
    assert open_source("x.zip").classes == ("café", "thé")


def without_flags(content):
    """Clear bit 11 of the flags of all members, as the Mac's Archive Utility writes them."""
    changed = bytearray(content)
    for mark, place in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        start = changed.find(mark)
        while start >= 0:
            changed[start + place] &= ~8
            start = changed.find(mark, start + 1)
    return bytes(changed)


def test_links_are_followed_in_the_order_of_their_names_after_real_folders(here):
    classes(here / "x", "b", "c", count=1)
    (here / "x/a").symlink_to("b")
    (here / "y").mkdir()
    for name in ("z", "m", "n"):
        (here / "y" / name).symlink_to(here / "x/c")
    assert list_files("x")[0] == ["x/b/0.png", "x/c/0.png"]
    assert list_files("y")[0] == ["y/m/0.png"]


def test_which_shard_a_name_is_in_does_not_depend_on_the_locale(here, monkeypatch):
    names = ["é.png", "日本.png", "a\udcff.png"]
    before = [[Shard(n, 7).has(name) for n in range(1, 8)] for name in names]
    monkeypatch.setattr("os.fsencode", lambda name: name.encode("latin-1", "replace"))
    assert [[Shard(n, 7).has(name) for n in range(1, 8)] for name in names] == before


# Names of pictures: numbers, blanks, quotes, delimiters, letters of any kind.
STEMS = st.one_of(
    st.integers(0, 30).map(str),
    st.text("ab 0,;|'\"é-_.", min_size=1, max_size=6).map(str.strip).filter(bool),
)
KINDS = st.sampled_from(["cat", "golden retriever", "a,b", "x;y", 'say "hi"', "3", "né", "it's"])


@st.composite
def tables(draw):
    """Draw rows (picture, label) with whatever people write beside and around them."""
    stems = draw(st.lists(STEMS, min_size=4, max_size=12, unique=True))
    assume(not any(stem.startswith(".") for stem in stems))
    names = [stem + draw(st.sampled_from([".png", ".jpg"])) for stem in stems]
    kinds = draw(st.lists(KINDS, min_size=2, max_size=4, unique=True))
    if draw(st.booleans()):
        kinds = ["0", "1", "2"]
    frame = pd.DataFrame({"path": names, "label": [draw(st.sampled_from(kinds)) for _ in names]})
    headings = (
        draw(st.sampled_from(["filename", "image", "Image Path", "file_name"])),
        draw(st.sampled_from(["label", "class", "Category"])),
    )
    frame.columns = headings
    for extra in draw(st.lists(st.sampled_from(["age", "id", "score"]), max_size=2, unique=True)):
        values = draw(st.permutations(range(len(names))))
        frame[extra] = [n / 4 for n in values] if extra == "score" else values
    frame = frame[draw(st.permutations(list(frame.columns)))]
    if draw(st.booleans()):
        frame = frame.sample(frac=1, random_state=draw(st.integers(0, 9)))
    return frame, headings


@st.composite
def texts(draw, frame):
    """Write a frame as pandas, or as Python's csv in each of its dialects, does."""
    if draw(st.booleans()):
        return frame.to_csv(
            sep=draw(st.sampled_from(",;\t|")),
            index=draw(st.booleans()),
            quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
            quotechar=draw(st.sampled_from("\"'")),
        )
    file = io.StringIO()
    dialect = draw(st.sampled_from(csv.list_dialects()))
    escaped = {"doublequote": False, "escapechar": "\\"} if draw(st.booleans()) else {}
    writer = csv.writer(file, dialect, **escaped)
    writer.writerow(frame.columns)
    writer.writerows(frame.itertuples(index=False))
    return file.getvalue()


@QUIET
@given(data=st.data())
def test_any_table_comes_back_as_it_was_meant_or_is_asked_about(tmp_path_factory, data):
    frame, (path, label) = data.draw(tables())
    folder = tmp_path_factory.mktemp("table")
    touch(*(folder / name for name in frame[path][data.draw(st.integers(0, 1)) :]))
    with open(folder / "t.csv", "w", encoding="utf-8", newline="") as file:
        file.write(data.draw(texts(frame)))
    try:
        found = read_lists(folder / "t.csv")
    except UserError as error:
        assert str(error).endswith(QUESTIONS), str(error)
        return
    meant = {str(folder / name): str(value) for name, value in zip(frame[path], frame[label])}
    assert {entry.path: entry.label for entry in found.entries} == meant


# How sentences end that put a question.
QUESTIONS = ("and leave the other out",)


@QUIET
@given(data=st.data())
def test_headings_may_be_missing_and_names_lack_their_suffix(tmp_path_factory, data):
    stems = data.draw(st.lists(STEMS, min_size=3, max_size=9, unique_by=str.casefold))
    assume(not any(stem.startswith(".") or stem.endswith((".", " ")) for stem in stems))
    folder = tmp_path_factory.mktemp("table")
    touch(*(folder / f"{stem}.jpg" for stem in stems))
    kinds = [data.draw(st.sampled_from(["cat", "dog", "3"])) for _ in stems]
    frame = pd.DataFrame({"id": stems, "breed": kinds})
    header, index = data.draw(st.booleans()), data.draw(st.booleans())
    frame.to_csv(folder / "t.csv", header=header, index=index)
    try:
        found = read_lists(folder / "t.csv")
    except UserError as error:
        assert any(word in str(error) for word in ("which one is", "may be headings")), str(error)
        return
    meant = {str(folder / f"{stem}.jpg"): kind for stem, kind in zip(stems, kinds)}
    assert {entry.path: entry.label for entry in found.entries} == meant
