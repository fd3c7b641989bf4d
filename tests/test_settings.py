"""Recipes and options of the command line become settings."""

import argparse
import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from alexnet_tf.commands import train
from alexnet_tf.errors import UserError
from alexnet_tf.runs import recipes
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.recipes import RECIPES, training_command
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import prepare
from alexnet_tf.variants import PAPER
from tests.support.verbs import own_log, run_verb


@pytest.fixture
def parse(monkeypatch):
    """Return what makes settings of what is typed after train_alexnet.py."""

    def settings(line):
        monkeypatch.setattr("sys.argv", ["train_alexnet.py", *line.split()])
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        options = vars(parser.parse_args())
        return Settings(**{name: options[name] for name in asdict(Settings()) if name in options})

    return settings


def test_the_default_is_a_head(parse):
    assert parse("") == parse("--recipe head") == Settings(**RECIPES["head"])
    assert parse("--weights none --train all") == Settings(weights="none", train="all")


def test_the_help_leaves_to_the_variant_what_is_its_own(parse, capsys):
    with pytest.raises(SystemExit, match="0"):
        parse("--help")
    text = capsys.readouterr().out
    assert "(default: 0.01)" in text and "None" not in text and "SUPPRESS" not in text


def test_the_help_has_what_most_need_before_the_advanced_groups(parse, capsys):
    with pytest.raises(SystemExit, match="0"):
        parse("--help")
    text = capsys.readouterr().out
    first, *advanced = re.split(r"\nadvanced \((.*)\):\n", text)
    options = re.findall(r"^  --([\w-]+)", first, re.MULTILINE)
    assert {"data", "run", "weights", "epochs", "learning-rate"} < {*options} and len(options) == 8
    assert advanced[:8:2] == ["network", "data", "optimization", "files"]
    assert all(f"\n  --{name.replace('_', '-')}" in text for name in asdict(Settings()))


def test_a_part_of_the_options_without_defaults_leaves_out_what_is_not_typed():
    parser = argparse.ArgumentParser()
    add_options(parser, Settings, ("epochs", "seed", "mirror"), defaults=False)
    options = vars(parser.parse_args(["--seed", "3", "--no-mirror"]))
    assert options == {"epochs": None, "seed": 3, "mirror": False}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_how_it_is_typed(name):
    recipe = getattr(recipes, name)
    assert recipe() == RECIPES[name] and "``python " in recipe.__doc__


def test_the_papers_recipe(parse):
    """Krizhevsky 2012, section 5, and section 4.1 for the pictures."""
    settings = parse("--recipe paper")
    assert (settings.train, settings.weights, settings.epochs) == ("all", "none", 90)
    assert (settings.learning_rate, settings.batch_size) == (0.01, 128)
    assert (settings.weight_decay, settings.decoupled) == (0.0005, False)
    assert (settings.schedule, settings.decay) == ("plateau", 0.1)
    assert (settings.crop, settings.mirror, settings.color_shift) == (True, True, 0.1)
    variant = settings.chosen_variant()
    assert (variant.name, variant.initial) == ("paper", PAPER)
    assert (variant.dropout, variant.activation) == (0.5, "relu")
    assert "norm" in variant.after_conv[0] and variant.pool_size > variant.pool_stride


def test_paddles_recipe(parse):
    settings = parse("--recipe paddle")
    assert (settings.variant, settings.train, settings.weights) == ("cifar96", "all", "none")
    # Paddle's example sums over a batch of 128: 0.1 / 128 and 0.0002 × 128.
    assert (settings.learning_rate, settings.weight_decay) == (0.1, 0.0002)
    assert (settings.batch_size, settings.epochs, settings.log_every) == (128, 200, 100)
    assert (settings.schedule, settings.decay, settings.decay_samples) == (
        "exponential", 0.1, 5_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_option_wins_over_the_recipe_wherever_it_stands(parse, recipe):
    config = "--learning-rate 0.5 --no-mirror --epochs 7 --variant lenet5 --dropout 0 --no-lrn"
    before, after = parse(f"{config} --recipe {recipe}"), parse(f"--recipe {recipe} {config}")
    assert before == after
    expected = asdict(Settings(**RECIPES[recipe])) | {
        "learning_rate": 0.5, "mirror": False, "epochs": 7, "variant": "lenet5", "dropout": 0.0,
        "lrn": False,
    }  # fmt: skip
    assert asdict(after) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--train from:conv6", "invalid choice"),
        ("--weight-decay -1", "'-1' should be a number, 0 or above"),
        ("--dropout 2", "'2' should be a number from 0 to 1"),
        ("--width 0", "'0' should be a number above 0"),
    ],
)
def test_what_is_no_setting_is_refused(parse, line, message):
    with pytest.raises(UserError, match=message):
        parse(line)


def test_what_is_trained_and_what_is_kept_of_the_rest():
    def layers(**settings):
        settings = Settings(**settings)
        return settings.first_trained(), settings.first_computed()

    assert layers() == ("fc6", "fc6")
    assert layers(train="all") == ("conv1", "conv1")
    assert layers(train="from:conv4") == ("conv4", "conv4")
    assert layers(train="from:fc8") == ("fc8", "fc6")
    assert layers(train="from:fc8", head="random") == ("fc8", "fc8")
    assert layers(train="from:conv4", head="pretrained") == ("conv4", "conv4")
    assert layers(train="from:conv4", crop=True) == ("conv4", "conv1")
    assert layers(color_shift=0.1) == layers(rotate=10) == ("fc6", "conv1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": "none"}, "leaves the layers below fc6 without weights; give --train all"),
        ({"variant": "lenet5", "train": "from:conv4"}, "the variant lenet5 has no conv4"),
        ({"width": 0.001}, "a width of 0.001 leaves a layer of bvlc without a filter"),
        ({"crop": True, "resize": "squash"}, "--crop has nothing to cut from after --resize sq"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        prepare(Settings(**settings), tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "--data photos --seed 3 --scale 288 --units 1024",
        "--recipe classical --no-mirror",
        "--recipe paper --epochs 3 --no-crop",
        "--weights none --train all --width 0.5",
    ],
)
def test_the_command_of_a_run_says_what_was_typed(parse, line):
    command = training_command(parse(line), Path("my run")).replace("\\\n", "")
    program, _, config = command.partition(" --run 'my run'")
    assert program == "python train_alexnet.py"
    assert parse(config) == parse(line) and len(config.split()) == len(line.split())


def test_what_a_new_run_refuses_does_not_keep_an_old_one_from_going_on(tmp_path, monkeypatch):
    """It was begun by this very command, before options that nothing reads were refused."""
    trained = []
    monkeypatch.setattr(train, "run_pipeline", lambda *config: trained.append(config[1]))
    words = ("--run", tmp_path, "--fall", "5", "--log", tmp_path / "log")
    monkeypatch.setattr(sys, "argv", ["train_alexnet.py", *map(str, words)])
    with own_log():
        with pytest.raises(UserError, match="--fall: is read by --schedule cosine"):
            run_verb(train, *words)
        assert not trained
        (tmp_path / "config.json").write_text("{}")
        run_verb(train, *words)
    assert len(trained) == 1
