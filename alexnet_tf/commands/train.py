"""``python -m alexnet_tf train``, or train_alexnet.py: train a network, or resume its training."""

import argparse
import os
from typing import Any

from alexnet_tf.api.pipeline import meet, run_pipeline
from alexnet_tf.commands import cli
from alexnet_tf.runs.config_file import read_settings
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.recipes import RECIPES, usual, with_recipe
from alexnet_tf.runs.rules import check_used
from alexnet_tf.runs.run import DEFAULT_RUN, Run
from alexnet_tf.runs.settings import DEFAULTS, Settings
from alexnet_tf.system.program import command

HELP = "train a network on your own pictures, or resume its training"
DESCRIPTION = (
    "Train AlexNet on your own pictures: a new head on pretrained layers, or all layers. Started"
    " again, it resumes where it stopped."
)

# Settings that a newcomer needs; the help text shows all others behind them.
FIRST = ("data", "label", "leave_out", "weights", "epochs", "batch_size", "learning_rate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add recipe, run, log and every setting, with the defaults of the recipe that is given."""
    parser.description = f"{DESCRIPTION} `{command('tensorboard')}` shows it."
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    _add_options(parser)
    given = _given(parser.prog)
    configured = read_settings(str(given.pop("config"))) if "config" in given else {}
    in_file = configured.pop("recipe", None)
    settings, names = with_recipe(configured | given, given.get("recipe", in_file))
    parser.set_defaults(**settings, given=tuple(given), configured=names)


def _given(prog: str) -> dict[str, Any]:
    """Parse what was given, without defaults."""
    parser = cli.Parser(prog=prog, add_help=False)
    _add_options(parser, defaults=False)
    parser.set_defaults(recipe=None, run=None, log=None, config=None)
    options = vars(parser.parse_known_args()[0])
    return {name: value for name, value in options.items() if value is not None}


def _add_options(parser: argparse.ArgumentParser, defaults: bool = True) -> None:
    parser.usage = "%(prog)s [--data PATH] [--run DIR] [option ...]"
    parser.add_argument(
        "--run",
        default=str(DEFAULT_RUN),
        metavar="DIR",
        help="where checkpoints, curves and the finished model.keras go",
    )
    add_options(parser, Settings, defaults=defaults, first=FIRST)
    files = parser.add_argument_group("advanced (many settings at once, and the log)")
    files.add_argument(
        "--recipe",
        default=usual(None),
        choices=RECIPES,
        help="defaults of all settings: a head on frozen convolutions; the same without windows"
        " (the default if --weights is none); or all layers from scratch: as Krizhevsky 2012, for"
        " small pictures, as the starter that comes with the program, or as PaddlePaddle's tutorial"
        " on CIFAR-10",
    )
    files.add_argument(
        "--config",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="settings in a file of JSON, TOML or YAML, such as a run's config.json; options win",
    )
    files.add_argument(
        "--log", default="train_alexnet.log", metavar="FILE", help="file to append messages to"
    )


def run(options: argparse.Namespace) -> None:
    given = vars(options)
    settings = Settings(**{name: given[name] for name in DEFAULTS if name in given})
    if not Run(options.run).config_path.is_file():  # else it resumes with its own settings
        check_used(settings, options.given)
    workers = meet(settings)
    is_chief = not workers or workers.is_chief
    log = cli.open_log(options.log if is_chief else os.devnull)
    run_pipeline(settings, options.run, options.configured, log, workers)
    if is_chief:
        log.info("try it: %s 2 PICTURE --run %s", command("predict"), options.run)
