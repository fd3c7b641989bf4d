"""A whole training, from its settings to the report, for the command and the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet_tf.errors import UserError
from alexnet_tf.inference.litert.convert import exporting_in_child
from alexnet_tf.runs.history import Stopwatch, add_seconds
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import signals
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.training.job import prepare
from alexnet_tf.training.resolve import Checks

if TYPE_CHECKING:
    import keras

    from alexnet_tf.training.distribution import Workers


def meet(settings: Settings) -> Workers | None:
    """Start TensorFlow as one of the workers that TF_CONFIG names; None without TF_CONFIG.
    UserError if it cannot be used, RunError when the others do not come."""
    if "TF_CONFIG" not in os.environ:
        return None

    def join() -> Workers:
        from alexnet_tf.training.distribution import Workers

        return Workers.join(settings.worker_timeout)

    return import_tensorflow(settings.threads, join)


def run_pipeline(
    settings: Settings,
    directory: str,
    configured: Collection[str],
    log: Logger,
    workers: Workers | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checks: Checks = (),
) -> None:
    """Train, or resume training, in `directory`; leave the network and the report there.

    `configured` names the settings that were given, and `checks` are more, as for `prepare`. Of
    several `workers` the chief writes. Raises UserError on Windows, and what `prepare` and the
    training raise.
    """
    if sys.platform == "win32":
        raise UserError(
            "training runs on Linux, on macOS and, on Windows, in WSL (`wsl --install`); runs that "
            "were trained there predict here too"
        )
    watch = Stopwatch()
    if workers:
        job = workers.run_on_chief(lambda: prepare(settings, directory, configured, checks))
        # Each machine may have its own folder for features.
        job = replace(job, settings=replace(job.settings, features=settings.features))
    else:
        job = prepare(settings, directory, configured, checks)
    log.info("training in %s\n%s", directory, job.dataset.summary())
    watch.lap("checking pictures and weights")

    with signals.postponed():  # a notebook survives Ctrl-C, and half an import is of no use to it
        if not workers:
            import_tensorflow(job.settings.threads)  # only now, because it takes seconds
        from alexnet_tf.training.loop import train

    watch.lap("starting TensorFlow")
    with ExitStack() as beside:  # the LiteRT file is written while the report is

        def export(directory: Path, log: Logger) -> Callable[[], None]:
            return beside.enter_context(exporting_in_child(directory, log))

        train(job, log, watch, workers, export, callbacks)
        if workers and not workers.is_chief:
            return
        add_seconds(job.run, watch.seconds)
        if job.settings.report:
            from alexnet_tf.reports.run_report import leave_report

            leave_report(job.run, log)
