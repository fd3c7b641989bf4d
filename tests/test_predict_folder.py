"""Prediction of a folder of any size: answers in a file that goes on, lists, patterns, shards."""

import argparse
import csv
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from alexnet_tf.commands import cli, predict
from alexnet_tf.data.sources.lists import listed_contents
from alexnet_tf.data.sources.selection import Shard, select
from alexnet_tf.errors import UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.text import decoded
from tests.support.places import ROOT
from tests.support.runs import write_run
from tests.support.verbs import run_verb

RUN = ("--run", "starter")


@pytest.fixture
def place(tmp_path, monkeypatch, faces):
    """Go to a folder with 12 faces, and one that is broken, in ``photos``."""
    monkeypatch.chdir(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    for kind in ("cat", "dog"):
        for number in range(6):
            shutil.copy(faces / f"{kind}.{number}.jpg", photos)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """List the files that the network is asked about."""
    files = []
    classify = Classifier.classify

    def listening(self, pictures, *rest):
        files.extend(pictures)
        yield from classify(self, pictures, *rest)

    monkeypatch.setattr(Classifier, "classify", listening)
    return files


def ask(*words, code=0, run=RUN):
    """Type `predict` with those words, which the starter answers."""
    assert run_verb(predict, "2", *words, *run) == code


def printed(capsys):
    """Return file → label as it was printed."""
    lines = capsys.readouterr().out.splitlines()
    return dict(line.split("\t") for line in lines if "\t" in line)


def test_a_table_holds_what_is_printed(place, capsys):
    ask("photos", code=2)
    labels = printed(capsys)
    ask("photos", "--out", "answers.csv", "--top", "2", code=2)

    assert capsys.readouterr().out == "answers.csv: 13 pictures, of which 1 could not be read\n"
    with open("answers.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(
        f"photos/{name}" for name in os.listdir("photos")
    )
    assert {row["file"]: row["label"] for row in rows if row["label"]} == labels
    (broken,) = (row for row in rows if row["error"])
    assert broken["error"].startswith("photos/broken.jpg: ") and broken["probability"] == ""
    for row in rows[1:]:
        assert float(row["probability"]) + float(row["probability2"]) == pytest.approx(1, abs=1e-5)


def test_lines_of_json_are_those_of_json(place, capsys):
    ask("photos", "--json", code=2)
    expected = capsys.readouterr().out
    ask("photos", "--out", "answers.jsonl", code=2)
    assert (place / "answers.jsonl").read_text() == expected


def test_json_stands_alone_on_standard_output_while_pictures_are_sorted(place, capsys):
    ask("photos", "--sort-into", "sorted", "--json", code=2)
    config, said = capsys.readouterr()
    assert {json.loads(line)["file"] for line in config.splitlines()} == {
        *map(str, select(["photos"]).pictures)
    }
    assert "sorted: cat " in said


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_killed_at_any_byte_it_ends_with_the_same_file(place, asked, name, monkeypatch):
    """The batch where it resumes is predicted whole, because the place in a batch counts."""
    monkeypatch.setattr(Classifier, "batch", 4)
    ask("photos", "--out", name, code=2)
    whole = (place / name).read_bytes()
    for cut in random.Random(0).sample(range(len(whole)), 8):
        (place / name).write_bytes(whole[:cut])
        asked.clear()
        ask("photos", "--out", name, code=2)
        assert (place / name).read_bytes() == whole
        lines = max(whole[:cut].count(b"\n") - name.endswith(".csv"), 0)
        assert len(asked) == (13 - lines + lines % 4 if lines < 13 else 0)


def test_a_finished_file_asks_nobody_and_new_pictures_are_added(place, asked):
    ask("photos", "--out", "answers.csv", code=2)
    before = (place / "answers.csv").read_bytes()
    shutil.copy("photos/cat.0.jpg", "photos/another.jpg")
    asked.clear()
    ask("photos", "--out", "answers.csv", code=2)
    assert asked == ["photos/another.jpg"]
    assert (place / "answers.csv").read_bytes().startswith(before)


def another_picture(place):
    (place / "photos/cat.0.jpg").rename(place / "photos/other.jpg")


def another_content(place):
    shutil.copy(place / "photos/dog.0.jpg", place / "photos/cat.0.jpg")


def another_maker(place):
    shutil.rmtree(place / ".answers.csv.state")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (another_picture, r"has a prediction for photos/cat\.0\.jpg, which is not among"),
        (another_content, r"photos/cat\.0\.jpg: has changed since answers\.csv was begun"),
        (another_maker, r"is there already, and nothing says what made it"),
    ],
)
def test_a_file_about_something_else_is_refused_and_stays(place, change, sentence):
    ask("photos", "--out", "answers.csv", code=2)
    before = (place / "answers.csv").read_bytes()
    change(place)
    with pytest.raises(UserError, match=sentence):
        ask("photos", "--out", "answers.csv")
    assert (place / "answers.csv").read_bytes() == before


def test_another_network_does_not_go_on(place):
    write_run(place / "run")
    ask("photos", "--out", "answers.csv", code=2)
    with pytest.raises(UserError, match=r"answers\.csv: was begun with another network"):
        ask("photos", "--out", "answers.csv", run=("--run", "run"))


def test_other_options_are_refused_by_name(place):
    ask("photos", "--out", "answers.csv", code=2)
    with pytest.raises(UserError, match=r"was begun with another --top and another --shard"):
        ask("photos", "--out", "answers.csv", "--top", "2", "--shard", "1/2")
    with pytest.raises(UserError, match=r"answers\.txt: should end with \.csv or \.jsonl"):
        ask("photos", "--out", "answers.txt")


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_any_name_has_one_line_and_is_known_again(place, asked, name):
    odd = ("new\nline.jpg", '=1+1, "quoted".jpg', "\udcff.jpg", "é\u202e中.jpg", "a\tb.jpg")
    for each in odd:
        shutil.copy("photos/dog.1.jpg", place / "photos" / os.fsdecode(os.fsencode(each)))
    ask("photos", "--out", name, code=2)
    assert len((place / name).read_bytes().splitlines()) == 18 + name.endswith(".csv")
    asked.clear()
    ask("photos", "--out", name, code=2)
    assert asked == []


def test_a_pattern_a_list_and_standard_input_mean_the_same_pictures(place, monkeypatch, capsys):
    names = [f"photos/cat.{number}.jpg" for number in range(6)]
    (place / "plain.txt").write_text("".join(f"{name}\n" for name in names))
    (place / "photos/beside.lst").write_text("".join(f"cat.{n}.jpg\n" for n in range(6)))
    (place / "labelled.txt").write_text("".join(f"{name} cat\n" for name in names))
    (place / "table.csv").write_text("file,label\n" + "".join(f"{name},cat\n" for name in names))
    ask("photos/cat.*.jpg")
    expected = printed(capsys)
    assert list(expected) == names
    for words in ("plain.txt", "photos/beside.lst", "labelled.txt", "table.csv", "**/cat.*"):
        ask(words)
        assert printed(capsys) == expected
    for mark, end in (("", "\n"), ("\ufeff", "\r\n"), ("", "\0")):
        content = BytesIO(f"{mark}{''.join(name + end for name in names)}".encode())
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
        ask("-")
        assert printed(capsys) == expected


# One looks like what escapes would make of another; each has its own answer.
UNFIT = (
    "new\nline.jpg", "new\\nline.jpg", "tab\t.jpg", "\udcff.jpg", "line\u2028.jpg", "file:a.jpg",
    "%0A.jpg", "a.jpg",
)  # fmt: skip


@pytest.fixture
def unfit(place):
    """Have faces under names of which most fit into no line of text; return the photos."""
    faces = sorted((place / "photos").glob("*.*.jpg"))
    (place / "photos/broken.jpg").unlink()
    for face, name in zip(faces, UNFIT):
        shutil.copy(face, os.path.join("photos", name))
        face.unlink()
    return sorted(select(["photos"]).pictures)


def predictions(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [tuple(row.values()) for row in csv.DictReader(file)]


def test_names_in_a_table_of_answers_are_asked_about_again_and_left_out(unfit, place):
    ask("photos", "--out", "answers.csv")
    assert select(["answers.csv"]).pictures == unfit
    ask("answers.csv", "--out", "again.csv")
    again, before = predictions("again.csv"), predictions("answers.csv")
    assert [row[:2] for row in again] == [row[:2] for row in before] and len(unfit) == 12
    assert [float(row[2]) for row in again] == pytest.approx([float(row[2]) for row in before])
    assert all("\n" not in line for line in (place / "answers.csv").read_text().split("\n"))
    assert {*listed_contents("answers.csv")} == {*map(content_digest, unfit)}


def test_sorting_by_a_table_of_answers_puts_each_name_into_its_own_class(unfit, place):
    """Even if it was killed after the predictions were written."""
    ask("photos", "--out", "answers.csv")
    expected = {row[0]: row[1] for row in predictions("answers.csv")}
    ask("photos", "--out", "answers.csv", "--sort-into", "sorted", "--by", "move")
    assert not select(["photos"]).pictures and len(expected) == 12
    for name, label in expected.items():
        assert (place / "sorted" / label / os.path.basename(decoded(name))).is_file()


def test_a_pattern_without_matches_keeps_no_other_from_being_answered(place, capsys):
    ask("photos/*.heic", "photos/cat.1.jpg", code=2)
    streams = capsys.readouterr()
    assert [line.split("\t")[0] for line in streams.out.splitlines()] == ["photos/cat.1.jpg"]
    assert "photos/*.heic: does not exist" in streams.err


def test_an_address_with_a_signature_is_no_pattern(place):
    address = "https://bucket.example.org/cat.jpg?X-Amz-Signature=[0-9]*"
    assert select([address]).pictures == [address]


def parsed(*words):
    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    return cli.parse(parser, words)


def test_a_mode_that_is_a_folder_too_is_asked_about(place, capsys):
    for name in "123":
        (place / name).mkdir()
    with pytest.raises(SystemExit):
        parsed("1", "2", "3")  # what a shell makes of *
    assert (
        "1: is a mode and, here, a file or folder, too; name that as ./1" in capsys.readouterr().err
    )
    for words in (("./1", "2", "3"), ("2",), ("--imagenet", "2", "3")):
        pictures = [word for word in words if word != "--imagenet"]
        assert parsed(*words).pictures == pictures
    shutil.rmtree("2")
    assert (parsed("2", "3").mode, parsed("2", "3").pictures) == ("2", ["3"])


def test_a_pattern_that_matches_nothing_is_a_mistake(place):
    with pytest.raises(UserError, match=r"photos/\*\.heic: matches nothing"):
        ask("photos/*.heic")


def test_a_name_that_looks_like_a_pattern_is_a_name(place, capsys):
    shutil.copy("photos/cat.0.jpg", "[a]*.jpg")
    ask("[a]*.jpg")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_shards_are_disjoint_and_together_everything(place, tmp_path):
    ask("photos", "--out", "whole.jsonl", code=2)
    whole = (place / "whole.jsonl").read_text().splitlines()
    parts = []
    for index in (1, 2, 3):
        out = f"part-{index}.jsonl"
        run_verb(predict, "2", "photos", "--out", out, "--shard", f"{index}/3", *RUN)
        parts.append((place / out).read_text().splitlines())
    assert all(parts) and sorted(line for part in parts for line in part) == whole


def test_a_picture_is_in_the_same_shard_wherever_the_folder_lies(place):
    shutil.copytree("photos", "elsewhere/deep")
    names = sorted(os.listdir("photos"))
    (place / "list.txt").write_text("".join(f"{name}\n" for name in reversed(names)))
    for index in (1, 2):
        shard = Shard(index, 2)
        here, there = (select([folder], shard).pictures for folder in ("photos", "elsewhere/deep"))
        assert [os.path.basename(file) for file in here] == [os.path.basename(f) for f in there]
        listed = select(["list.txt"], shard).pictures
        assert listed[::-1] == here  # found in the folder beside the list


def test_more_shards_than_pictures_leave_whole_empty_files(place):
    for index in range(1, 41):
        run_verb(predict, "2", "photos", "--out", "a.csv", "--shard", f"{index}/40", *RUN)
        lines = (place / "a.csv").read_text().splitlines()
        assert lines[0] == "file,label,probability,error" and len(lines) < 6
        (place / "a.csv").unlink()
        shutil.rmtree(place / ".a.csv.state")


@pytest.mark.parametrize("shard", ["0/4", "5/4", "1", "1/0", "a/b"])
def test_a_shard_that_is_none_is_a_mistake(place, shard, capsys):
    with pytest.raises(SystemExit):
        ask("photos", "--shard", shard)
    assert "should be" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_a_line_that_finds_no_room_is_a_sentence_and_leaves_no_half(place, name):
    """The file may have no more bytes than its first lines and half of another one."""
    words = [sys.executable, "-m", "alexnet_tf", "predict", "2", "photos", *RUN, "--out", name]
    limit = f"ulimit -f 8; exec {shlex.join(words)}"
    for number in range(300):  # so that they take more than that: 8,192 bytes
        shutil.copy("photos/cat.1.jpg", f"photos/a_cat_{number:03}.jpg")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(["bash", "-c", limit], capture_output=True, text=True, env=environment)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert f"{name}: needs" in result.stderr and "the same command goes on" in result.stderr
    content = (place / name).read_text()
    assert content.endswith("\n") and 7800 < len(content) <= 8192
    assert subprocess.run(words, env=environment).returncode == 2  # for the broken one
    assert (place / name).read_text().startswith(content)
    assert len((place / name).read_text().splitlines()) == 313 + name.endswith(".csv")


def test_no_cell_of_the_answers_is_a_formula_and_they_are_gone_on_with(place, monkeypatch):
    """The names of a stranger's files and classes."""
    monkeypatch.chdir(place / "photos")
    names = ["=1+1.jpg", "+1.jpg", "@x.jpg", "-2.jpg", "cat.1.jpg"]
    for name in names[:-1]:
        shutil.copy("cat.1.jpg", name)
    (place / "list.txt").write_text("".join(f"{name}\n" for name in names))
    run = ("--run", write_run(place / "run", classes=("=cat", "-dog")).directory)
    words = (place / "list.txt", "--out", place / "a.csv", "--sort-into", place / "sorted")
    ask(*words, run=run)
    content = (place / "a.csv").read_text()
    rows = [*csv.reader(content.splitlines())]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert [row[0] for row in rows[1:]] == [
        "file:%3D1%2B1.jpg", "file:%2B1.jpg", "file:%40x.jpg", "file:-2.jpg", "cat.1.jpg",
    ]  # fmt: skip
    assert {row[1] for row in rows[1:]} <= {"'=cat", "'-dog"}
    assert {*os.listdir(place / "sorted")} & {"=cat", "-dog"}
    ask(*words, run=run)
    # An earlier version wrote the names as they are.
    before = unquote(content.replace("file:", ""))
    (place / "a.csv").write_text(before)
    ask(*words, run=run)
    assert (place / "a.csv").read_text() == before
