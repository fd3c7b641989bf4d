"""``python -m alexnet_tf train``, or train_alexnet.py: train a network, or go on training it."""

from __future__ import annotations

import argparse
import os

from alexnet_tf.api.pipeline import meet, run_pipeline
from alexnet_tf.commands import cli
from alexnet_tf.errors import UserError
from alexnet_tf.runs.config_file import read_settings
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.recipes import RECIPES, usual
from alexnet_tf.runs.run import DEFAULT_RUN, Run
from alexnet_tf.runs.settings import DEFAULTS, Settings
from alexnet_tf.system.program import command

HELP = "train a network to tell your own pictures apart, or go on training it"
DESCRIPTION = (
    "Train AlexNet to tell your own pictures apart: a new head on pretrained layers, or all layers."
    " Started again, it goes on where it stopped."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add recipe, run, log and every setting, with the defaults of the recipe that is typed."""
    parser.description = f"{DESCRIPTION} `{command('tensorboard')}` shows it."
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    _add_options(parser)
    told = _typed(parser.prog)
    kept = read_settings(str(told.pop("config"))) if "config" in told else {}
    named = kept.pop("recipe", None)
    recipe = told.get("recipe", named)
    if recipe not in (None, *RECIPES):
        raise UserError(f"recipe: should be one of {', '.join(RECIPES)}, but is {recipe!r:.40}")
    typed = {*kept, *told, *RECIPES.get(recipe or "", ())}
    chosen = RECIPES[recipe or usual((kept | told).get("weights"))]
    parser.set_defaults(**chosen | kept, typed=typed, told=tuple(told))


def _typed(prog: str) -> dict[str, object]:
    """Parse of the command line what was typed."""
    parser = cli.Parser(prog=prog, add_help=False)
    _add_options(parser, defaults=False)
    parser.set_defaults(recipe=None, run=None, log=None, config=None)
    options = vars(parser.parse_known_args()[0])
    return {name: value for name, value in options.items() if value is not None}


def _add_options(parser: argparse.ArgumentParser, defaults: bool = True) -> None:
    parser.add_argument(
        "--recipe",
        default=usual(None),
        choices=RECIPES,
        help="defaults of all settings for a whole way to train: a head on frozen convolutions, or"
        " that as before there were windows (taken where --weights are none); or all layers from"
        " scratch: as Krizhevsky 2012, as suits small pictures, as the starter that comes with the"
        " program, or as PaddlePaddle's tutorial on CIFAR-10",
    )
    parser.add_argument(
        "--config",
        default=argparse.SUPPRESS,
        metavar="FILE",
        help="settings in a file of JSON or TOML, such as the config.json of a run; those that are"
        " typed win",
    )
    parser.add_argument(
        "--run",
        default=str(DEFAULT_RUN),
        metavar="DIR",
        help="where checkpoints, curves and the finished model.keras go",
    )
    parser.add_argument(
        "--log", default="train_alexnet.log", metavar="FILE", help="file to append messages to"
    )
    add_options(parser, Settings, defaults=defaults)


def run(options: argparse.Namespace) -> None:
    """Train as the command line says."""
    told = {name: value for name, value in vars(options).items() if name in DEFAULTS}
    settings = Settings(**told)
    if not Run(options.run).config_path.is_file():  # or it goes on, as it was told at its start
        settings.check_read(options.told)
    workers = meet(settings)
    is_chief = not workers or workers.is_chief
    log = cli.open_log(options.log if is_chief else os.devnull)
    run_pipeline(settings, options.run, options.typed, log, workers)
    if is_chief:
        log.info("try it: %s 2 PICTURE --run %s", command("predict"), options.run)
