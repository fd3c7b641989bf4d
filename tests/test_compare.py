"""`python -m alexnet_tf compare`, with a stand-in for the training that takes no time."""

import csv
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from PIL import Image
from test_cifar import batches
from test_cifar import write as write_archive

from alexnet_tf.runs.history import read_outcome
from alexnet_tf.weights.loading import read_weights
from tests.support.pictures import answer_of
from tests.support.places import ROOT
from tests.support.processes import read_until, running
from tests.support.runs import write_run

# Starts the verb, which then trains by another program.
COMPARE = """
from alexnet_tf import __main__
from alexnet_tf.commands import compare

compare.TRAIN = ["train.py"]
__main__.start()
"""
# The longer the name of the variant, the more it learns; cifar64 fails after two epochs.
TRAIN = """
import argparse, json, os, sys
from dataclasses import asdict
from pathlib import Path
from alexnet_tf.runs.settings import Settings

parser = argparse.ArgumentParser()
for name in ("data", "recipe", "variant", "run", "features", "log", "epochs", "seed"):
    parser.add_argument("--" + name)
options = parser.parse_args()
run = Path(options.run)
run.mkdir(parents=True, exist_ok=True)
print("training", options.variant)
(run / "told.json").write_text(json.dumps(vars(options)))
settings = asdict(Settings(variant=options.variant))
config = {"settings": settings, "classes": list("abc"), "data": "", "weights": ""}
(run / "config.json").write_text(json.dumps(config))
lines = ["epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"]
for epoch in range(1, int(options.epochs) + 1):
    learned = len(options.variant) / 20 - (epoch - 2) ** 2 / 100
    lines.append(f"{epoch},1,0.5,{2 - learned},{learned},0.1,{9 if epoch == 1 else 3}")
(run / "history.csv").write_text("\\n".join(lines[: 3 if options.variant == "cifar64" else None]))
sys.exit(options.variant == "cifar64")
"""

TABLE = """\
| variant       | accuracy | best (epoch) |   loss | seconds per epoch | parameters |
| ------------- | -------: | -----------: | -----: | ----------------: | ---------: |
| cifar96       |   0.3400 |   0.3500 (2) | 1.6600 |               3.0 | 21,593,475 |
| cifar96-nolrn |   0.6400 |   0.6500 (2) | 1.3600 |               3.0 | 21,593,475 |
"""


@pytest.fixture
def compare(command, tmp_path):
    """The verb, in a folder where training is TRAIN, and the folder of the comparison."""
    (tmp_path / "compare.py").write_text(COMPARE)
    (tmp_path / "train.py").write_text(TRAIN)

    def run(*arguments, code=0):
        verb = ("compare", *arguments, "--run", "runs/lrn")
        return command(tmp_path / "compare.py", *verb, code=code)

    return run, tmp_path / "runs/lrn"


def test_every_variant_is_told_the_same_and_a_table_and_a_picture_tell_what_came_of_it(compare):
    run, folder = compare
    options = ("--data", "cifar", "--epochs", "3", "--seed", "7")
    result = run("cifar96", "cifar96-nolrn", "cifar96", *options)
    table = (folder / "table.md").read_text()
    assert table == TABLE
    assert table in result.stdout and "alexnet-tf tensorboard runs/lrn" in result.stdout
    assert result.stdout.count("training cifar96\n") == 1
    for name in ("cifar96", "cifar96-nolrn"):
        assert json.loads((folder / name / "told.json").read_text()) == {
            "data": "cifar", "recipe": "scratch", "variant": name, "run": f"runs/lrn/{name}",
            "features": "runs/lrn/features", "log": "runs/lrn/train.log", "epochs": "3",
            "seed": "7",
        }  # fmt: skip
    with (folder / "table.csv").open() as file:
        first, _ = csv.DictReader(file)
    assert first == {
        "variant": "cifar96", "state": "finished", "epochs": "3", "accuracy": "0.33999999999999997",
        "best_accuracy": "0.35", "best_epoch": "2", "loss": "1.6600000000000001",
        "seconds_per_epoch": "3.0", "parameters": "21593475",
    }  # fmt: skip
    assert Image.open(folder / "curves.png").size == (1200, 500)


def test_a_training_that_fails_leaves_the_others_alone(compare):
    run, folder = compare
    run("cifar64", "cifar96", "--data", "cifar", "--epochs", "3", code=1)
    failed, finished = (folder / "table.md").read_text().splitlines()[2:]
    assert failed.replace(" ", "") == "|cifar64|failed|–|–|–|20,315,971|"
    assert finished.startswith("| cifar96 |   0.3400 |")
    with (folder / "table.csv").open() as file:
        first = next(csv.DictReader(file))
    assert (first["state"], first["accuracy"], first["parameters"]) == ("failed", "", "20315971")


def test_a_setting_that_no_training_takes_is_refused_before_any(compare):
    run, folder = compare
    result = run("cifar96", "owt", "--data", "cifar", "--epochs", "many", code=2)
    assert "'many' should be a whole number above 0" in result.stderr and not folder.exists()


def test_what_a_training_refuses_no_other_is_asked(compare):
    run, folder = compare
    Path(folder.parents[1], "train.py").write_text("import sys; sys.exit('a' and 2)")
    result = run("cifar96", "owt", "--data", "cifar", code=2)
    assert result.stdout.count("$ alexnet-tf train") == 1 and not folder.exists()


SLOW = """
import signal, sys, time
from pathlib import Path

def stop(number, frame):
    with open("stopped", "a") as file:
        file.write(signal.Signals(number).name)
    time.sleep(0.3)
    Path("saved").touch()
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
while True:
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_asked_to_stop_it_lets_the_training_save_first(tmp_path, number, code):
    (tmp_path / "compare.py").write_text(COMPARE)
    (tmp_path / "train.py").write_text(SLOW)
    words = (sys.executable, "compare.py", "compare", "cifar96", "owt", "--data", "x")
    with running(words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        read_until(process, "ready")
        os.killpg(process.pid, number)  # as a terminal does
        _, message = process.communicate()
    assert process.returncode == code and f"stopped by {number.name}" in message
    assert (tmp_path / "saved").exists() and (tmp_path / "stopped").read_text() == "SIGTERM"


def test_the_real_training_answers_with_cifars_classes(command, tmp_path):
    archive = write_archive(tmp_path / "cifar-10-python.tar.gz", batches())
    config = ("compare", "lenet5", "--data", archive.name, "--epochs", "1", "--threads", "1")
    assert "| lenet5  |" in command("alexnet_tf", *config, "--run", "runs/all").stdout
    picture = next(tmp_path.glob("data/unpacked/cifar-10-*/test/dog/*.png"))
    answer = command("predict_alexnet.py", "2", picture, "--run", "runs/all/lenet5")
    assert answer.stdout == f"{answer_of(tmp_path / 'runs/all/lenet5', picture)}\n"


def test_without_data_cifar_10_is_fetched(typed):
    result = typed("alexnet_tf", "compare", "cifar96", "--from", "nowhere.tar.gz", code=1)
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in result.stderr
    assert "    as data/cifar-10-python.tar.gz" in result.stderr


def test_the_parameters_are_those_of_the_network_as_it_was_told(tmp_path):
    """The variant has 46 million of them; at a width of 0.05 there are few."""
    run = write_run(tmp_path / "run")
    weights = read_weights(run.model_path)
    count = sum(array.size for pair in weights.values() for array in pair)
    assert read_outcome(run, "cifar96", finished=True).parameters == count
