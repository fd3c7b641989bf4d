"""``python -m alexnet_tf compare``: variants against each other."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.commands.comparing import compare
from alexnet_tf.data.sources import DATA
from alexnet_tf.reports.comparison import table
from alexnet_tf.runs.settings import RECIPES, Settings
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.published import CIFAR10

HELP = "train several variants alike, and put what came of each into a table and a picture"

# What may be told to all trainings; the rest is their recipe's.
SETTINGS = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed", "precision", "threads")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "variants", nargs="+", choices=VARIANTS, metavar="VARIANT", help=", ".join(VARIANTS)
    )
    parser.add_argument(
        "--data",
        metavar="DATA",
        help="pictures as train_alexnet.py takes them, best with folders of classes in train/ and"
        f" test/, or {CIFAR10.name} (without it, that is fetched to {DATA}/)",
    )
    parser.add_argument(
        "--run",
        dest="directory",
        default="runs/compare",
        metavar="DIR",
        help="where table.md, table.csv, curves.png and a run for each variant go (%(default)s)",
    )
    parser.add_argument(
        "--recipe",
        default="scratch",
        choices=RECIPES,
        help="defaults of all settings, as train_alexnet.py explains them (%(default)s)",
    )
    for setting in fields(Settings):
        if setting.name in SETTINGS:
            name = setting.name.replace("_", "-")
            parser.add_argument(f"--{name}", **setting.metadata["argument"])
    cli.add_places(parser)


def run(options: argparse.Namespace) -> int:
    """1 if a training failed; the code of one that was refused or stopped."""
    data = options.data or CIFAR10.fetch(DATA, options.mirror, options.places)
    settings = {"data": data, "recipe": options.recipe}
    for name in SETTINGS:
        if (value := getattr(options, name)) is not None:
            settings[name.replace("_", "-")] = value
    directory, variants = Path(options.directory), list(dict.fromkeys(options.variants))
    results, code = compare(variants, directory, settings)
    if results:
        print(f"\n{table(results)}\nIn {directory}/: table.md, table.csv and curves.png. Next:")
        print(f"  make tensorboard RUN={directory}")
        print(f"  python predict_alexnet.py 2 PICTURE --run {directory}/VARIANT")
    return code
