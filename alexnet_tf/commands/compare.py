"""``python -m alexnet_tf compare``: variants, trained alike one after the other by the command."""

import argparse
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tf.commands import cli
from alexnet_tf.data.sources.cifar import CIFAR10
from alexnet_tf.data.sources.listing import DATA_FOLDER
from alexnet_tf.reports.comparison import comparison_table, write_comparison
from alexnet_tf.runs.history import Outcome, read_outcome
from alexnet_tf.runs.options import add_options
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import children, signals
from alexnet_tf.system.program import command
from alexnet_tf.variants import VARIANTS

HELP = "train several variants alike, and compare them in a table and a plot"
# Arguments of Python to train.
TRAIN = ("-m", "alexnet_tf", "train")
# Settings that can be changed for all trainings; the rest are the recipe's.
SETTINGS = ("epochs", "batch_size", "learning_rate", "weight_decay", "seed", "precision", "threads")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "variants",
        nargs="+",
        type=_variant,
        choices=tuple(VARIANTS),
        metavar="VARIANT",
        help=", ".join(VARIANTS),
    )
    add(
        "--data",
        metavar="DATA",
        help="pictures as `train` takes them, best with folders of classes in train/ and"
        f" test/, or {CIFAR10.name} (without it, that is fetched to {DATA_FOLDER}/)",
    )
    add(
        "--run",
        dest="directory",
        default="runs/compare",
        metavar="DIR",
        help="where table.md, table.csv, curves.png and a run for each variant go (%(default)s)",
    )
    add(
        "--recipe",
        default="scratch",
        choices=RECIPES,
        help="defaults of all settings, as `train` explains them (%(default)s)",
    )
    add_options(parser, Settings, SETTINGS, defaults=False)
    cli.add_places(parser)


def _variant(text: str) -> str:
    if text not in VARIANTS and Path(text).is_dir():
        raise argparse.ArgumentTypeError(
            f"{text} is a folder, and no variant to train; `{command('report')} RUN RUN` compares "
            "finished runs"
        )
    return text


def run(options: argparse.Namespace) -> int:
    """Train and compare; return the exit code of `compare`."""
    if options.data:
        reason = "nothing is fetched where --data names pictures; leave it out"
        cli.refuse(options, cli.PLACES, reason)
    data = options.data or CIFAR10.fetch(DATA_FOLDER, *cli.places(options))
    values = {name.replace("_", "-"): getattr(options, name) for name in ("recipe", *SETTINGS)}
    settings = {name: value for name, value in values.items() if value is not None}
    directory, variants = Path(options.directory), list(dict.fromkeys(options.variants))
    outcomes, code = compare(variants, directory, {"data": data, **settings})
    if outcomes:
        print(f"\n{comparison_table(outcomes)}")
        print(f"In {directory}/: table.md, table.csv and curves.png. Next:")
        print(f"  {command('tensorboard', directory)}")
        print(f"  {command('predict')} 2 PICTURE --run {directory}/VARIANT")
    return code


def compare(
    variants: Sequence[str], directory: Path, options: Mapping[str, object]
) -> tuple[list[Outcome], int]:
    """Train each variant in ``directory/VARIANT``; return the outcomes and an exit code.

    `options` (name → value) are those of `train`. Runs that exist are resumed. A training that
    fails makes the code 1; one that is refused or stopped ends the comparison with its own code.
    The outcomes so far are written each time, because a comparison may take days.
    """
    outcomes: list[Outcome] = []
    for variant in variants:
        run = Run(directory / variant)
        places = {"features": directory / "features", "log": directory / "train.log"}
        code = train_apart({"variant": variant, **options, "run": run.directory, **places})
        if code > 1:
            return outcomes, code
        outcomes.append(read_outcome(run, variant, finished=code == 0))
        write_comparison(outcomes, directory)
    return outcomes, 0 if all(outcome.finished for outcome in outcomes) else 1


def train_apart(options: Mapping[str, object]) -> int:
    """Train in a process of its own with `options` (name → value); return its exit code, below 0
    after a signal. It is in a session of its own, so that Ctrl-C stops it only once, by us."""
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    print(f"\n$ {command('train')} {shlex.join(words)}", flush=True)
    child = children.python(*TRAIN, *words)
    with subprocess.Popen(**child, start_new_session=True) as process:
        try:
            return process.wait()
        except signals.Stopped:
            process.terminate()  # it saves where it is; leaving the block waits for that
            raise
