"""A whole training, from its settings to the report, as the command and the library start it."""

from __future__ import annotations

import sys
from collections.abc import Collection
from logging import Logger

from alexnet_tf.errors import UserError
from alexnet_tf.runs.seconds import add_seconds
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import signals
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.stopwatch import Stopwatch
from alexnet_tf.training.job import prepare


def train_whole(settings: Settings, directory: str, typed: Collection[str], log: Logger) -> None:
    """Train, or go on training, in `directory`; leave there the network and the report.

    `typed` names the settings that somebody gave, as `prepare` takes them. Raises UserError on
    Windows, where nobody has ever trained, and whatever `prepare` and the training raise.
    """
    if sys.platform == "win32":
        raise UserError(
            "training runs on Linux, on macOS and, on Windows, in WSL (`wsl --install`); what was "
            "trained there answers here too"
        )
    watch = Stopwatch()
    job = prepare(settings, directory, typed)
    log.info("training in %s\n%s", directory, job.dataset.summary())
    watch.lap("checking pictures and weights")

    with signals.postponed():  # a notebook goes on after Ctrl-C, and can use nothing half imported
        import_tensorflow(job.settings.threads)  # only now, for it takes seconds
        from alexnet_tf.training.loop import train

    watch.lap("starting TensorFlow")
    train(job, log, watch)
    add_seconds(job.run, watch.seconds)
    if job.settings.report:
        from alexnet_tf.reports.run_report import leave_report

        leave_report(job.run, log)
