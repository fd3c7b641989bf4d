"""Names of files and classes are data, whatever is in them."""

import json
import logging
import os
import shutil

import pytest
from PIL import Image

from alexnet_tf.commands import cli, predict
from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.system.files import read_json, write_json
from alexnet_tf.system.text import printable

# Any of them may name a class or a file.
ODD = (
    "--help",
    "-rf",
    "<script>alert(1)<",
    "a b  c",
    "' OR 1=1; $(touch ran) `touch ran` \\",
    "{0.__class__} %s %n",
    "gnp.\u202egpj",
    "\u200f\u05d0",
    "x" * 240,
    "\u00e9\u4e2d\U0001f469\u200d\U0001f680",
    "..hidden"[2:],
)
# None of these can be written on a line of a list.
UNFIT = ("new\nline", "return\r", "escape\x1b[2J", "null-ish\x7f", "line\u2028", "\udcff", "tab\t.")


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Make a folder for each odd name, of two pictures with odd names and some that are unfit."""
    monkeypatch.chdir(tmp_path)
    for index, name in enumerate(ODD):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number, file in enumerate((f"{ODD[index - 1][:200]}.png", "other.png")):
            Image.new("RGB", (8, 8), (index, number, 0)).save(folder / file, "PNG")
    for name in UNFIT:
        folder = tmp_path / "photos" / os.fsdecode(os.fsencode(name))
        folder.mkdir()
        Image.new("RGB", (8, 8)).save(folder / "1.png", "PNG")
        shutil.copy(folder / "1.png", tmp_path / "photos/-rf" / f"{name}.png")
    return tmp_path / "photos"


def test_odd_names_come_back_from_the_lists_and_unfit_ones_are_left_out(photos, tmp_path):
    dataset = open_dataset("photos")
    assert dataset.classes == tuple(sorted(ODD))
    assert len(dataset.train) == len(dataset.validation) == len(ODD)
    assert len(dataset.rejected) == 2 * len(UNFIT)
    write_lists(dataset, tmp_path / "out")
    again = open_dataset("out")
    assert (again.classes, again.train) == (dataset.classes, dataset.train)
    lines = (tmp_path / "out/rejected.txt").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 2 * len(UNFIT) + 1
    for line in lines[:-1]:
        assert line.endswith("\thas a name that no line of text can hold")
        assert_harmless(line.replace("\t", " "))


def test_the_verb_shows_them_in_one_line_each(photos, typed, tmp_path):
    result = typed("alexnet_tf", "data", "photos")
    lines = result.stdout.splitlines()
    assert len(lines) == len(ODD) + 3
    assert_harmless(*lines)
    assert any(line.startswith("gnp.\\u202egpj ") for line in lines)
    assert not list(tmp_path.rglob("ran"))


def test_a_terminal_of_ascii_gets_escapes_not_an_error(photos, command, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "\\xe9\\u4e2d" in command("alexnet_tf", "data", "photos").stdout


def test_predictions_are_one_line_each_and_json_is_ascii():
    for name in (*ODD, *UNFIT):
        answer = Prediction(name, ((name, 0.75), ("other", 0.25)))
        for line in predict.as_lines(answer, False, False):
            file, label, probability = line.split("\t")
            assert_harmless(file, label, probability)
        text = json.dumps(predict.as_json(answer))
        assert text.isascii() and json.loads(text)["label"] == name
    error = Prediction("a", error=ImageError("escape\x1b[2J", "is a broken picture: \x1b]0;x\x07"))
    assert_harmless(str(error.error))


def test_the_log_has_only_the_lines_that_were_meant(tmp_path, capsys):
    handlers = list(cli.LOG.handlers)
    log = cli.open_log(tmp_path / "a.log")
    try:
        log.info("two\nlines %s", "\x1b[2J\r\u202e\udcff")
    finally:
        for handler in set(cli.LOG.handlers) - set(handlers):
            cli.LOG.removeHandler(handler)
            handler.close()
    assert capsys.readouterr().out == "two\nlines \\x1b[2J\\r\\u202e\\udcff\n"
    assert (tmp_path / "a.log").read_text().endswith(" two\nlines \\x1b[2J\\r\\u202e\\udcff\n")
    assert logging.getLogger("alexnet_tf") is log


def test_json_files_hold_any_name(tmp_path):
    names = [*ODD, *UNFIT]
    write_json(tmp_path / "a.json", names)
    assert read_json(tmp_path / "a.json") == names


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("train.txt", "a.png 0\nb\x1b[2J.png 1\n"),
        ("train.txt", "a.png 0\nb.png \x1b[2J\n"),
        ("train.txt", "a.png 0\nb\0.png 1\n"),
        ("classes.txt", "cat\nd\x1bog\n"),
    ],
)
def test_control_characters_in_a_strangers_list_are_refused(tmp_path, monkeypatch, file, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.txt").write_text("a.png 0\nb.png 1\n")
    (tmp_path / file).write_text(text)
    with pytest.raises(UserError, match=rf"{file}, line 2: holds control characters"):
        open_dataset("train.txt")


@pytest.mark.parametrize("label", ["²", "9" * 5000, "٣", "--", "<b>"])
def test_any_other_label_is_a_name(tmp_path, monkeypatch, faces, label):
    monkeypatch.chdir(tmp_path)
    files = sorted(faces.iterdir())
    lines = [f"{path} {label if number % 2 else 1}" for number, path in enumerate(files)]
    (tmp_path / "train.txt").write_text("\n".join(lines))
    assert set(open_dataset("train.txt").classes) == {"1", label}


def test_what_is_shown_is_what_it_is():
    assert printable("a\u202eb\u2066\ufeff") == "a\\u202eb\\u2066\\ufeff"
    assert printable("👩‍🚀 می‌خواهم שלום") == "👩‍🚀 می‌خواهم שלום"


def assert_harmless(*lines):
    for line in lines:
        assert not any(c in line for c in "\n\r\t\x1b\x07\x7f\u2028\u202e\u200f\udcff"), ascii(line)
