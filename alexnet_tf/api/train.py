"""Training as a function."""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

import numpy as np

from alexnet_tf.api.finished_run import FinishedRun, audible, load_run
from alexnet_tf.api.pipeline import meet, run_pipeline
from alexnet_tf.errors import UserError
from alexnet_tf.runs.recipes import RECIPES, usual
from alexnet_tf.runs.run import DEFAULT_RUN, Run
from alexnet_tf.runs.settings import DEFAULTS, Settings
from alexnet_tf.system import signals
from alexnet_tf.system.log import LOG
from alexnet_tf.system.progress import one_bar


def train(
    data: str | os.PathLike[str],
    run: str | os.PathLike[str] = str(DEFAULT_RUN),
    recipe: str | None = None,
    **settings: Any,
) -> FinishedRun:
    """Train on the pictures `data`, or go on training, in the folder `run`; return what came of it.

    Names, defaults and rules of the settings are those of the command line, with _ for -. Ctrl-C
    leaves a checkpoint of the very step and raises KeyboardInterrupt; called again, it goes on.
    Raises UserError for whatever is wrong with settings or files, and RunError for a failed run.
    The log goes to the logger "alexnet_tf", and what it warns of to standard error.
    """
    told = {"data": data, **settings}
    told = {name: _plain(value) for name, value in told.items()}
    run = os.path.expanduser(run)
    _check_names(told)
    if recipe not in (None, *RECIPES):
        raise UserError(f"--recipe: should be one of {', '.join(RECIPES)}, but is {recipe!r:.40}")
    chosen = RECIPES[recipe or usual(told.get("weights"))]
    with one_bar() as show, _heeding_interrupts(), audible():
        typed = {*told, *RECIPES.get(recipe or "", ())}
        chosen_settings = Settings(**chosen | told)
        if not Run(run).config_path.is_file():  # or it goes on, as it was told at its start
            chosen_settings.check_read(told)
        run_pipeline(chosen_settings, run, typed, LOG, meet(chosen_settings))
        finished = load_run(run)
        show(repr(finished))
    return finished


def _plain(value: Any) -> Any:
    """Return what the command line would make of a path, or of a number of NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _check_names(told: Mapping[str, Any]) -> None:
    """Refuse names that no setting has: UserError, saying which may be meant."""
    for name in told:
        if name not in DEFAULTS:
            near = get_close_matches(name, [*DEFAULTS, "run", "recipe"], n=1)
            meant = f"did you mean {near[0]}?" if near else "help(alexnet_tf.train) lists them"
            raise UserError(f"{name}: there is no such setting; {meant}")


@contextmanager
def _heeding_interrupts() -> Iterator[None]:
    """Run a block in which Ctrl-C ends a step, not a run; other signals stay whose they are.

    A second one is a KeyboardInterrupt at once. Only the main thread can be told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        with signals.listening([signal.SIGINT], again=signal.default_int_handler):
            yield
    except signals.Stopped:
        raise KeyboardInterrupt(
            "the training was stopped, and nothing is lost: called again, it goes on from there"
        ) from None


def _document(function: Any) -> None:
    """Give `train` the settings as arguments, with the defaults of the usual recipe, and their
    help, for whoever asks `help` or completes a name."""
    usually = DEFAULTS | RECIPES[usual(None)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    settings = [each for each in fields(Settings) if each.name != "data"]
    first = list(inspect.signature(function).parameters.values())[:-1]
    function.__signature__ = inspect.Signature(
        [
            *first,
            *(
                inspect.Parameter(
                    each.name, keyword, default=usually[each.name], annotation=each.type
                )
                for each in settings
            ),
        ],
        return_annotation="FinishedRun",
    )
    if function.__doc__:  # there is none with `python -OO`
        lines = (f"{each.name}: {each.metadata['argument']['help']}" for each in settings)
        function.__doc__ += "\n    Settings:\n\n" + "".join(f"    {line}\n" for line in lines)


_document(train)
