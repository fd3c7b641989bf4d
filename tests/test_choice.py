"""The default run, and how it is announced."""

import os

import pytest

from alexnet_tf.commands import use
from alexnet_tf.errors import UserError
from alexnet_tf.runs.accuracy import Accuracy, keep_accuracy, read_accuracy
from alexnet_tf.runs.choice import default_run, number_finished
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.system.files import write_json
from tests.support.runs import write_run
from tests.support.verbs import run_verb

PETS, FLOWERS = ("cat", "dog"), ("daisy", "rose", "tulip")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def finished(directory, accuracy=0.95, classes=PETS, pictures=180):
    """Write a run that was finished after those before, right about so many of its pictures."""
    run = write_run(directory, classes)
    chance = 1 / len(classes)
    keep_accuracy(run, Accuracy("validation", accuracy, pictures, chance))
    number_finished(run)
    return run


def said(run):
    """The sentences about the default run, which must be `run`."""
    predictor, sentences = default_run()
    assert str(predictor.directory) == str(run)
    return sentences


def test_it_is_named_with_its_classes_and_its_accuracy():
    finished(Run("runs/pets").directory)
    expected = "using runs/pets (cat, dog; accuracy 0.9500 on 180 validation pictures)"
    assert said("runs/pets") == [expected]


def test_a_run_that_is_hardly_better_than_chance_gives_way_to_the_one_before_it():
    finished(Run("runs/pets").directory)
    finished(Run("runs/ablation").directory, accuracy=0.51)
    first, second = said("runs/pets")
    assert first.startswith("using runs/pets (cat, dog; ")
    assert second == (
        "warning: runs/ablation (cat, dog; accuracy 0.5100 on 180 validation pictures) was "
        "finished later, but may be no better than chance; --run runs/ablation uses it"
    )


@pytest.mark.parametrize(
    ("accuracy", "pictures", "is_good"),
    [(0.56, 180, False), (0.58, 180, True), (7 / 9, 9, False), (8 / 9, 9, True), (0, 9, False)],
)
def test_few_pictures_prove_less(accuracy, pictures, is_good):
    assert Accuracy("validation", accuracy, pictures, 0.5).is_better_than_chance() == is_good


def test_always_naming_the_frequent_class_is_chance():
    labels = ["cat"] * 160 + ["dog"] * 20
    assert not Accuracy.of("validation", 160 / 180, labels).is_better_than_chance()


def test_a_run_alone_that_is_hardly_better_than_chance_answers_and_that_is_said():
    finished(Run("train_alexnet").directory, accuracy=0.5)
    assert said("train_alexnet")[1] == "warning: train_alexnet may be no better than chance"


def test_a_run_of_other_classes_than_the_one_before_is_said_until_one_is_chosen(capsys):
    finished(Run("runs/pets").directory)
    finished(Run("runs/flowers").directory, 0.7, FLOWERS)
    assert said("runs/flowers")[1].startswith("warning: runs/pets (cat, dog; accuracy 0.9500 on ")
    assert "`alexnet-tf use RUN` chooses" in said("runs/flowers")[1]
    run_verb(use, "runs/pets")
    assert said("runs/pets") == [
        "using runs/pets (cat, dog; accuracy 0.9500 on 180 validation pictures), chosen by "
        "`alexnet-tf use`"
    ]
    finished(Run("runs/later").directory)
    capsys.readouterr()
    run_verb(use)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:14] for line in lines[:3]] == [
        "  runs/later (",
        "  runs/flowers",
        "* runs/pets (c",
    ]
    run_verb(use, "--latest")
    assert said("runs/later")


def test_a_run_anywhere_can_be_chosen_and_the_starter(tmp_path):
    finished(tmp_path / "elsewhere/mine")
    run_verb(use, tmp_path / "elsewhere/mine")
    assert said(tmp_path / "elsewhere/mine")
    run_verb(use, "starter")
    assert said(STARTER_RUN.directory)


def test_what_is_no_finished_run_is_not_chosen_and_one_that_is_gone_is_told(tmp_path):
    with pytest.raises(UserError, match="nowhere: holds no finished model"):
        run_verb(use, "nowhere")
    finished(Run("runs/pets").directory)
    run_verb(use, "runs/pets")
    os.rename("runs/pets", "gone")
    with pytest.raises(UserError, match=r"default_run.json: does not name .*use --latest`"):
        default_run()
    with pytest.raises(UserError, match="--latest: chooses no RUN"):
        run_verb(use, "gone", "--latest")


def test_a_run_of_an_earlier_version_is_as_good_as_its_best_epoch():
    run = write_run(Run("runs/old").directory)
    assert read_accuracy(run) is None and said("runs/old")[0].endswith("accuracy not known)")
    columns = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"
    run.history_path.write_text(f"{columns}\n1,0.6,0.7,0.6,0.75,0.01,1\n")
    (run.directory / "val.txt").write_text("a.jpg 0\nb.jpg 0\nc.jpg 0\nd.jpg 1\n")
    assert read_accuracy(run) == Accuracy("validation", 0.75, 4, 0.75)


@pytest.mark.parametrize(
    "accuracy",
    [7, {}, {"part": "x", "value": 1, "pictures": 1, "chance": 1}, {"value": "much"},
     {"part": "test", "value": 2, "pictures": 1, "chance": 0},
     {"part": "test", "value": 1, "pictures": 0.5, "chance": 0}],
)  # fmt: skip
def test_an_accuracy_that_is_none_is_not_known(accuracy):
    run = write_run(Run("runs/odd").directory)
    keep_accuracy(run, Accuracy("test", 1, 1, 0))
    write_json(run.config_path, run.read_config() | {"accuracy": accuracy})
    assert read_accuracy(run) is None
