"""A whole training, from its settings to the report, as the command and the library start it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from logging import Logger
from typing import TYPE_CHECKING

from alexnet_tf.errors import UserError
from alexnet_tf.runs.seconds import add_seconds
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.stopwatch import Stopwatch
from alexnet_tf.training.job import prepare

if TYPE_CHECKING:
    from alexnet_tf.training.distribution import Workers


def train_whole(settings: Settings, directory: str, typed: Collection[str], log: Logger) -> bool:
    """Train, or go on training, in `directory`; leave there the network and the report.

    `typed` names the settings that somebody gave, as `prepare` takes them. With a TF_CONFIG this
    process is one of several workers, of which the chief writes the run; returns whether it is
    that. Raises UserError on Windows, where nobody has ever trained, and whatever `prepare` and the
    training raise.
    """
    if sys.platform == "win32":
        raise UserError(
            "training runs on Linux, on macOS and, on Windows, in WSL (`wsl --install`); what was "
            "trained there answers here too"
        )
    watch = Stopwatch()
    workers = _meet(settings) if "TF_CONFIG" in os.environ else None
    if workers:
        job = workers.of_chief(lambda: prepare(settings, directory, typed))
    else:
        job = prepare(settings, directory, typed)
    log.info("training in %s\n%s", directory, job.dataset.summary())
    watch.lap("checking pictures and weights")

    if not workers:
        import_tensorflow(job.settings.threads)  # only now, for it takes seconds
    from alexnet_tf.training.loop import train

    watch.lap("starting TensorFlow")
    train(job, log, watch, workers)
    if workers and not workers.is_chief:
        return False
    add_seconds(job.run, watch.seconds)
    if job.settings.report:
        from alexnet_tf.reports.run_report import leave_report

        leave_report(job.run, log)
    return True


def _meet(settings: Settings) -> Workers:
    """Start TensorFlow as one of several workers, which tell each other what to train."""

    def join() -> Workers:
        from alexnet_tf.training.distribution import Workers

        return Workers.join(settings.worker_timeout)

    return import_tensorflow(settings.threads, join)
