import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.evaluation import Evaluation, wilson_interval
from alexnet_tf.reports.evaluation import evaluation_json, evaluation_text
from tests.support.runs import write_run


@pytest.fixture
def run(trained_run, tmp_path):
    """The trained run and its pictures, in the folder where the commands are given."""
    (tmp_path / "photos").symlink_to(trained_run.parent / "photos")
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.fixture
def opposites(tmp_path):
    """Two runs of the same weights; the names of their two outputs are exchanged."""
    runs = [
        write_run(tmp_path / "one", ("cat", "dog")),
        write_run(tmp_path / "reversed", ("dog", "cat")),
    ]
    for run in runs:
        Engine.of_run(run).write_litert()
    return runs


@pytest.fixture
def labelled(faces, tmp_path):
    """Five cats and one dog in a folder for each class, and a file that is no picture."""
    for name in ("cat.0", "cat.1", "cat.2", "cat.3", "cat.4", "dog.0"):
        (tmp_path / "labelled" / name[:3]).mkdir(parents=True, exist_ok=True)
        shutil.copy(faces / f"{name}.jpg", tmp_path / "labelled" / name[:3])
    (tmp_path / "labelled/cat/broken.jpg").write_bytes(b"x")
    return tmp_path / "labelled"


@pytest.mark.parametrize(
    ("hits", "total", "interval"),
    [(81, 263, (0.2553, 0.3662)), (0, 20, (0, 0.1611)), (29, 29, (0.8830, 1))],
)
def test_the_interval_is_wilsons(hits, total, interval):
    """Against the numbers of Newcombe 1998, table I, method 3."""
    assert wilson_interval(hits, total) == pytest.approx(interval, abs=5e-5)


def evaluation(classes="ab", labels="aaab", predictions=("aabb",), averaged="aabb"):
    """As if the pictures of these classes had been taken for these."""
    indices = [np.array([classes.index(name) for name in names]) for names in (labels, averaged)]
    each = np.array([[classes.index(name) for name in names] for names in predictions])
    runs = tuple(f"run{n}" for n in range(len(predictions)))
    return Evaluation(runs, tuple(classes), indices[0], each, indices[1], (0,) * len(runs))


def test_precision_recall_and_confusions_are_counted():
    """One of three a's is predicted as b, so one of two predictions b is right."""
    result = evaluation()
    assert result.accuracy(result.averaged)["accuracy"] == 0.75
    assert result.by_class() == [
        {"class": "a", "pictures": 3, "precision": 1.0, "recall": 2 / 3, "f1": 0.8},
        {"class": "b", "pictures": 1, "precision": 0.5, "recall": 1.0, "f1": 2 / 3},
    ]
    assert result.confusion().tolist() == [[2, 1], [0, 1]]


def test_the_tables_say_it_to_a_person():
    assert evaluation_text(evaluation()).splitlines() == [
        "4 pictures  accuracy   95% interval",
        "run0           75.0%  30.1% – 95.4%",
        "",
        "class  pictures  precision  recall     F1",
        "a             3     100.0%   66.7%  80.0%",
        "b             1      50.0%  100.0%  66.7%",
        "",
        "rows: labels; columns: predictions",
        "   a  b",
        "a  2  1",
        "b  0  1",
    ]


def test_a_class_without_pictures_or_answers_has_no_share():
    result = evaluation("abc", labels="aab", predictions=("aac",), averaged="aac")
    shares = [(each["precision"], each["recall"]) for each in result.by_class()]
    assert shares == [(1, 1), (None, 0), (0, None)]
    assert "b             1          –    0.0%    0.0%" in evaluation_text(result).splitlines()


def test_each_of_several_runs_has_tables_of_its_own():
    result = evaluation(labels="aaab", predictions=("aabb", "bbbb"), averaged="aaab")
    _, *tables = evaluation_text(result).split("\n\n")
    titles, rows = (
        [lines[place] for lines in map(str.splitlines, tables)][::2] for place in (0, 2)
    )
    assert titles == [f"{name}:" for name in (*result.runs, "averaged")]
    assert [row.split() for row in rows] == [
        ["a", "3", "100.0%", "66.7%", "80.0%"], ["a", "3", "–", "0.0%", "0.0%"],
        ["a", "3", "100.0%", "100.0%", "100.0%"],
    ]  # fmt: skip
    assert tables[3].splitlines()[2].split() == ["a", "0", "3"]
    runs = evaluation_json(result)["runs"]
    assert [run["confusion"] for run in runs] == [[[2, 1], [0, 1]], [[0, 3], [0, 1]]]
    assert runs[1]["classes"][1]["recall"] == 1


def test_the_gain_of_averaging_is_shown():
    result = evaluation(labels="aaaa", predictions=("aabb", "abbb"), averaged="aaab")
    assert result.gain() == {"over_best": 0.25, "over_mean": 0.375}
    assert evaluation_text(result).splitlines()[3:5] == [
        "averaged       75.0%  30.1% – 95.4%",
        "averaging: +25.0 points on the best run, +37.5 on their mean",
    ]


def test_of_many_classes_the_most_frequent_confusions_are_shown():
    classes = "abcdefghijklmnopqrstuvwxyz"
    result = evaluation(classes, "aazbcc", ("bbzbdc",), "bbzbdc")
    assert evaluation_text(result).splitlines()[-3:] == [
        "label  prediction  pictures",
        "a               b         2",
        "c               d         1",
    ]
    assert np.shape(evaluation_json(result)["confusion"]) == (26, 26)


def test_a_run_is_as_right_about_its_validation_list_as_in_training(typed, run, trained_run):
    lines = typed("alexnet_tf", "evaluate", "run").stdout.splitlines()
    log = (trained_run.parent / "train_alexnet.log").read_text()
    said = float(re.findall(r" accuracy ([\d.]+) on 8 validation pictures", log)[0])
    assert lines[0].startswith("8 pictures") and lines[1].split()[:2] == ["run", f"{said:.1%}"]
    assert [line.split()[:2] for line in lines[4:6]] == [["cat", "4"], ["dog", "4"]]


def test_any_labelled_pictures_will_do_and_unreadable_ones_are_left_out(typed, run, labelled):
    result = typed("alexnet_tf", "evaluate", "run", "--data", "labelled", "--json", code=2)
    assert result.stderr.startswith("alexnet_tf: left out: labelled/cat/broken.jpg: is text, no")
    answer = json.loads(result.stdout)
    assert (answer["pictures"], answer["failed"]) == (6, 1)
    assert [sum(counts) for counts in answer["confusion"]] == [5, 1]
    hits = answer["confusion"][0][0] + answer["confusion"][1][1]
    assert answer["accuracy"] == hits / 6
    assert answer["interval95"] == list(wilson_interval(hits, 6))


def test_who_evaluates_on_pictures_of_the_training_is_told(typed, run):
    out = typed("alexnet_tf", "evaluate", "run", "--data", "photos").stdout
    assert "run was trained on 52 of these pictures" in out and out.startswith("60 pictures")


def test_copies_of_training_pictures_are_known_by_their_bytes(typed, run, faces, tmp_path):
    """Under other names, in another folder; the originals are not even there any more."""
    (tmp_path / "photos").unlink()
    first = (run / "train.txt").read_text().splitlines()[0].split(" ")[0]
    for name, source in (("cat/seen", first.removeprefix("photos/")), ("dog/unseen", None)):
        copy = tmp_path / "copies" / f"{name}.jpg"
        copy.parent.mkdir(parents=True)
        if source:
            shutil.copy(faces / source, copy)
        else:
            Image.effect_noise((300, 300), 50).convert("RGB").save(copy)
    command_line = ("alexnet_tf", "evaluate", "run", "--data", "copies")
    assert "run was trained on 1 of these pictures" in typed(*command_line).stdout


def test_a_run_of_an_earlier_version_compares_with_the_pictures_where_they_are(tmp_path, faces):
    """It kept no digests. Of those that are gone nobody knows."""
    run = write_run(tmp_path / "run")
    shutil.copytree(faces, tmp_path / "photos")
    lines = [f"{tmp_path}/photos/cat.{number}.jpg 0\n" for number in range(5)]
    (run.directory / "train.txt").write_text("".join(lines))
    for number in (3, 4):
        (tmp_path / f"photos/cat.{number}.jpg").unlink()
    result = evaluate_runs([run], str(faces))
    assert (result.trained_on, result.untraced) == ((3,), (2,))
    assert "2 training pictures of " in evaluation_text(result)


def test_runs_are_averaged_class_by_class(typed, opposites, labelled):
    """Each is right where the other is wrong: p and 1 - p."""
    (labelled / "cat/broken.jpg").unlink()
    answer = json.loads(
        typed("alexnet_tf", "evaluate", "one", "--json", "reversed", "--data", "labelled").stdout
    )
    first, second = (entry["accuracy"] for entry in answer["runs"])
    assert first + second == pytest.approx(1)
    assert answer["gain"]["over_mean"] == pytest.approx(answer["accuracy"] - 0.5)
    both = ("--run", "one", "--run", "reversed")
    result = typed("predict_alexnet.py", "2", "labelled/cat/cat.0.jpg", "--json", *both)
    top = json.loads(result.stdout)["top"]
    assert [entry["probability"] for entry in top] == pytest.approx([0.5, 0.5])


def test_ten_crops_of_every_picture_are_averaged(tmp_path, monkeypatch):
    """Pictures are bright at the left edge, 14 pixels wide: their centre is dark, and of ten crops
    four are bright there, two corners of the picture and two of its mirror image."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:, :14] = 255
    for name in ("bright", "dark"):
        (tmp_path / "photos" / name).mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "photos/bright/1.png")
    Image.fromarray(0 * pixels).save(tmp_path / "photos/dark/1.png")

    def predict(inputs, among):
        lit = (inputs[..., 0] > 0).mean(axis=(1, 2)) * 227 / 14  # 1 or 0
        return np.stack([lit, np.full(len(lit), 0.3)], axis=1), np.zeros(len(lit))

    engine = SimpleNamespace(
        variant="bvlc", resize="short", classes=("bright", "dark"), source="bvlc.keras",
        predict=predict,
    )  # fmt: skip
    monkeypatch.setattr(Engine, "of_run", lambda run: engine)
    run, photos = write_run(tmp_path / "run", engine.classes), str(tmp_path / "photos")
    one, ten = (evaluate_runs([run], photos, crops) for crops in (1, 10))
    assert one.averaged.tolist() == [1, 1] and ten.averaged.tolist() == [0, 1]
    assert ten.accuracy(ten.averaged)["accuracy"] == 1.0


def test_a_class_that_the_run_does_not_know_is_named(typed, run, labelled):
    shutil.copytree(labelled / "dog", labelled / "fox")
    result = typed("alexnet_tf", "evaluate", "run", "--data", "labelled", code=2)
    assert "labelled: has the class 'fox', which run was not trained on" in result.stderr


def test_runs_validated_with_different_pictures_are_named(typed, opposites, labelled):
    for run, name in zip(opposites, ("cat.0", "cat.1")):
        index = run.read_config()["classes"].index("cat")
        (run.directory / "val.txt").write_text(f"labelled/cat/{name}.jpg {index}\n")
    result = typed("alexnet_tf", "evaluate", "one", "reversed", code=2)
    assert "reversed: was validated with other pictures than one; say with --data" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("alexnet_tf", "evaluate", "one", "other"),
        ("predict_alexnet.py", "2", "a.jpg", "--run", "one", "--run", "other"),
    ],
)
def test_runs_of_different_classes_are_named(typed, tmp_path, arguments):
    write_run(tmp_path / "one")
    write_run(tmp_path / "other", ("cat", "fox"))
    message = typed(*arguments, code=2).stderr
    assert "has other classes than one/model.keras, because only one of them knows 'dog'" in message
