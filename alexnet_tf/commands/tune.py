"""``python -m alexnet_tf tune``: search for the settings by which a head learns pictures best."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from alexnet_tf.commands import cli, train
from alexnet_tf.errors import UserError
from alexnet_tf.runs.accuracy import CROSS_VALIDATED, Accuracy
from alexnet_tf.runs.recipes import training_command
from alexnet_tf.runs.rules import check_used
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import BALANCED, DEFAULTS, LINEAR, Settings
from alexnet_tf.system import arguments
from alexnet_tf.system.log import LOG
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.text import align
from alexnet_tf.training.job import Job, prepare

if TYPE_CHECKING:
    from alexnet_tf.training.tuning import Trial

HELP = "search for the settings that train the best head"
HEADINGS = ("settings", "accuracy", "95% interval", "balanced accuracy", "loss", "seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `train`, and those of the search."""
    add = parser.add_argument
    train.add_arguments(parser)
    for action in parser._actions:
        if action.dest == "run":
            action.help = "where the command that is printed trains"
        elif action.dest not in (*train.FIRST, "help"):
            action.help = argparse.SUPPRESS  # `train --help` explains them
    parser.usage = "%(prog)s [--data PATH] [--trials N] [--folds N] [option ...]"
    parser.description = (
        "Try random learning rates, weight decays, dropout rates and units of a new head, each"
        " cross-validated on features that are computed once, and print the command that trains"
        " with the best ones. It takes all options of `train`; settings that are given stay."
    )
    parser.set_defaults(run="runs/tuned")
    add("--trials", type=arguments.positive, default=12, metavar="N", help="random settings")
    add("--folds", type=arguments.whole(2), default=5, metavar="N", help="of cross-validation")


def run(options: argparse.Namespace) -> None:
    """Print each trial when it is done; at the end, or when stopped, a table and the command."""
    settings = Settings(
        **{name: value for name, value in vars(options).items() if name in DEFAULTS}
    )
    check_used(settings, options.given)
    if Run(options.run).config_path.is_file():
        raise UserError(
            f"{options.run}: is a run already; give another --run for the best settings"
        )
    if "log" in options.given:
        cli.open_log(options.log)
    job = prepare(settings, options.run, options.configured)
    print(job.dataset.summary())
    for warning in job.warnings:
        LOG.warning(warning)
    import_tensorflow(job.settings.threads)
    from alexnet_tf.training.tuning import settings_of_trials, tune

    trials = settings_of_trials(job, options.trials, options.given)
    done: list[Trial] = []
    try:
        for trial in tune(job, trials, options.folds, LOG):
            done.append(trial)
            print(f"trial {len(done)}/{len(trials)}:", *_row(trial, job), sep="  ", flush=True)
    finally:  # when stopped, too
        if done:
            _print_ranking(done, job, settings)


def _print_ranking(done: Sequence[Trial], job: Job, settings: Settings) -> None:
    """Print a table of the trials, the best first, and the command that trains with the best."""
    name = "val_balanced_accuracy" if settings.best == BALANCED else "val_accuracy"
    ranked = sorted(done, key=lambda trial: (-trial.metrics[name], trial.metrics["val_loss"]))
    print()
    print(*align([HEADINGS, *(_row(trial, job) for trial in ranked)]), sep="\n")
    best = ranked[0]
    low, _ = _accuracy(best, job).interval()
    if best is not done[0] and done[0].metrics["val_accuracy"] >= low:
        print("The best is within the 95% interval of what `train` does anyway.")
    print("The best of several is flattered; a test set would not be. This trains with the best:")
    print(training_command(replace(settings, **best.settings), job.run.directory))


def _row(trial: Trial, job: Job) -> tuple[str, ...]:
    """Return the cells of a trial below HEADINGS."""
    accuracy, metrics = _accuracy(trial, job), trial.metrics
    options = (f"--{name.replace('_', '-')} {value}" for name, value in trial.settings.items())
    low, high = accuracy.interval()
    return (
        " ".join(options) or "as `train` does" + " (--head linear)" * (job.settings.head == LINEAR),
        f"{accuracy.value:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{metrics['val_balanced_accuracy']:.4f}",
        f"{metrics['val_loss']:.4f}",
        f"{metrics['seconds']:.0f} s",
    )


def _accuracy(trial: Trial, job: Job) -> Accuracy:
    """Return the accuracy of a trial on the pictures that validated it."""
    dataset = job.dataset
    validated = dataset.labelled() if dataset.drawn else dataset.validation
    labels = [picture.label for picture in validated]
    return Accuracy.of(CROSS_VALIDATED, trial.metrics["val_accuracy"], labels)
