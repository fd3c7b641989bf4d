"""Recipes: functions that return the settings of a whole way to train, by name, each with its
command and its accuracy. `--recipe NAME` makes them the defaults."""

import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import flag
from alexnet_tf.runs.run import STARTER_RUN, finished_run
from alexnet_tf.runs.settings import LINEAR, NO_WEIGHTS, Settings
from alexnet_tf.system.program import command


def head() -> dict[str, Any]:
    """Train fc6, fc7 and fc8 on frozen ImageNet convolutions; fc6 and fc7 as the file has them.

    ``python train_alexnet.py --data PICTURES --weights FILE --variant caffenet``: after 5,950
    photos of cats and dogs the accuracy on 1,050 others is 0.958 to 0.974, by seed, and after 1,020
    on 5,800 others 0.947 to 0.949. fc6 and fc7 of a file that has both keep their size.
    """
    return {
        "resize": "caffe",
        "scale": 0,
        "units": 0,
        "epochs": 30,
        "batch_size": 128,
        "warm_up": 1.0,
        "clip": 10.0,
        "ema": 1.5,
        "stop_early": 4,
        "best": "loss",
        "calibrate": True,
    }


def best() -> dict[str, Any]:
    """Train as `head` does, with twice the units and a falling learning rate, which takes longer.

    ``python train_alexnet.py --recipe best --data PICTURES --weights FILE --variant caffenet``:
    after 5,950 photos of cats and dogs the accuracy on 1,050 others is 0.973 (seed 0), where `head`
    has 0.970; an epoch takes twice as long. For small objects give --scale 320, too.
    """
    return {
        **head(),
        "units": 2048,
        "epochs": 24,
        "learning_rate": 0.02,
        "schedule": "cosine",
        "stop_early": 0,
    }


def classical() -> dict[str, Any]:
    """Train without windows: a centre crop, 4,096 units, the best of ten epochs.

    ``python train_alexnet.py --recipe classical --data PICTURES --weights FILE --variant
    caffenet``: on 1,020 photos of cats and dogs 28 to 30 s on 2 cores of an AMD EPYC with
    AVX512-BF16; the accuracy on 180 others is 0.911 to 0.950, by seed.
    """
    return {}


def paper() -> dict[str, Any]:
    """Train all layers on ImageNet as Krizhevsky 2012 did (sections 4 and 5).

    ``python train_alexnet.py --recipe paper --data imagenet``. The paper says five to six
    days on two GTX 580; not measured here.
    """
    return {
        "variant": "paper",
        "weights": NO_WEIGHTS,
        "train": "all",
        "initial": "paper",
        "epochs": 90,
        "batch_size": 128,
        "learning_rate": 0.01,
        "schedule": "plateau",
        "weight_decay": 0.0005,
        "crop": True,
        "color_shift": 0.1,
    }


def scratch() -> dict[str, Any]:
    """Train all layers of a variant for small pictures, in some ten epochs of 10,000 of them.

    ``python -m alexnet_tf compare cifar32 --epochs 10`` trains by this recipe: on 1,000 pictures of
    each class of CIFAR-10 the accuracy on 2,000 others is 0.606, the mean of three seeds.
    """
    return {
        "weights": NO_WEIGHTS,
        "train": "all",
        "initial": "keras",
        "batch_size": 64,
        "learning_rate": 0.02,
        "weight_decay": 0.0005,
    }


def starter() -> dict[str, Any]:
    """Train the network that comes with the program: see alexnet_tf/starter/README.md.

    ``python train_alexnet.py --recipe starter --data data/starter``: 61 minutes of epochs for
    14,500 photos of cats and dogs on 2 cores of a Xeon with AMX; the accuracy on 200 others is
    0.935.
    """
    return {
        "variant": "starter",
        "weights": NO_WEIGHTS,
        "train": "all",
        "epochs": 30,
        "batch_size": 64,
        "learning_rate": 0.01,
        "schedule": "exponential",
        "decay": 0.5,
        "decay_samples": 110_000,
        "weight_decay": 0.0005,
        "crop": True,
        "color_shift": 0.1,
        "average": 5,
    }


def paddle() -> dict[str, Any]:
    """Train all layers on CIFAR-10 as PaddlePaddle's tutorial on image classification does.

    ``python train_alexnet.py --recipe paddle --data cifar-10-python.tar.gz``; not measured here.
    Its loss is the sum over a batch, ours the mean, so that its rate 0.1 / 128 and its L2
    0.0002 × 128 are these.
    """
    return {
        "variant": "cifar96",
        "weights": NO_WEIGHTS,
        "train": "all",
        "epochs": 200,
        "batch_size": 128,
        "learning_rate": 0.1,
        "schedule": "exponential",
        "weight_decay": 0.0002,
        "mirror": False,
        "log_every": 100,
    }


RECIPES = {f.__name__: f() for f in (head, best, classical, paper, scratch, starter, paddle)}


def usual(weights: str | None) -> str:
    """Return the default recipe of a training that starts from `weights` (None: the default)."""
    return "classical" if weights == NO_WEIGHTS else next(iter(RECIPES))


def with_recipe(
    configured: dict[str, Any], recipe: str | None = None
) -> tuple[dict[str, Any], set[str]]:
    """Return the settings of a recipe, overridden by those `configured`, and the names of all that
    were asked for: those, and the settings of a recipe or a run that was named. Raises UserError
    for an unknown recipe, and for a `from_run` that is no finished run."""
    if recipe not in (None, *RECIPES):
        raise UserError(f"--recipe: should be one of {', '.join(RECIPES)}, but is {recipe!r:.40}")
    if from_run := configured.get("from_run"):
        configured = _settings_of(from_run) | configured
    defaults = RECIPES[recipe or usual(configured.get("weights"))]
    return {**defaults, **configured}, {*configured, *(defaults if recipe else ())}


def _settings_of(directory: str) -> dict[str, Any]:
    """Return the settings of a run that hold for more pictures, too."""
    run = finished_run(directory)
    if run is STARTER_RUN:
        raise UserError(
            "the starter was trained on pictures that are not here; --weights starter "
            "begins with its convolutions"
        )
    given = run.read_config()["settings"]
    own = ["data", "label", "split", "leave_out", "from_run"]
    if given["head"] == LINEAR:  # as the number of pictures decides
        own += ["head", "units"]
    return {name: value for name, value in given.items() if value is not None and name not in own}


def training_command(settings: Settings, directory: Path) -> str:
    """Spell the command of a run in `directory`, with the recipe that needs the fewest options,
    each on a line of its own, quoted for a shell."""
    commands = []
    for name, recipe in RECIPES.items():
        if any(getattr(settings, each) is None for each in recipe):  # which no option expresses
            continue
        lines = [[*command("train").split(), "--run", str(directory)]]
        if name != usual(settings.weights):
            lines.append(["--recipe", name])
        commands.append(lines + _differences(settings, Settings(**recipe)))
    shortest: list[list[str]] = min(commands, key=len)
    return " \\\n  ".join(map(shlex.join, shortest))


def _differences(settings: Settings, default: Settings) -> list[list[str]]:
    """Spell the options of the settings that differ from the `default`."""
    lines = []
    for each in fields(Settings):
        value = getattr(settings, each.name)
        if value == getattr(default, each.name):
            continue
        if isinstance(value, bool):
            lines.append([flag(each.name if value else f"no_{each.name}")])
        else:
            lines.append([flag(each.name), str(value)])
    return lines
