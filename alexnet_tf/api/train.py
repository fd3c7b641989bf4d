"""Training as a function."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from alexnet_tf.api.finished_run import FinishedRun, load_run
from alexnet_tf.api.messages import in_python
from alexnet_tf.api.pipeline import meet, run_pipeline
from alexnet_tf.errors import UserError, tell_all
from alexnet_tf.runs.options import reason_against
from alexnet_tf.runs.recipes import RECIPES, usual, with_recipe
from alexnet_tf.runs.rules import check_used
from alexnet_tf.runs.run import DEFAULT_RUN, Run
from alexnet_tf.runs.settings import DEFAULTS, Settings
from alexnet_tf.system import signals
from alexnet_tf.system.log import LOG
from alexnet_tf.system.progress import one_bar

if TYPE_CHECKING:
    import keras


def train(
    data: str | os.PathLike[str],
    run: str | os.PathLike[str] = str(DEFAULT_RUN),
    recipe: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] | None = (),
    **settings: Any,
) -> FinishedRun:
    """Train on pictures, or resume a training.

    Ctrl-C leaves a checkpoint of the current step and raises KeyboardInterrupt; the same call
    resumes. The log goes to the logger "alexnet_tf", its warnings to standard error too.

    Args:
        data: The pictures, in any form that ``alexnet-tf train --data`` takes.
        run: The folder of the run, new or to be resumed.
        recipe: One of `alexnet_tf.runs.recipes`, by default as the weights decide.
        callbacks: Keras's, which are called at the start, after each epoch and at the end. Their
            `params` are the settings; their `model` is None, because the network is complete
            only at the end, when the run has it.
        **settings: Those of the command line, with _ for -, listed below with the same defaults.

    Returns:
        The finished run.

    Raises:
        UserError: For whatever is wrong with settings or files.
        RunError: For a failed training.

    Example:
        >>> run = alexnet_tf.train("photos", run="runs/mine", weights="starter")
        >>> run.classes
        ('cat', 'dog')
    """
    configured = {name: _plain(value) for name, value in {"data": data, **settings}.items()}
    wrong = _reasons(configured)
    checks = [partial(_refuse, wrong), partial(_check_callbacks, callbacks)]
    if "data" in wrong or not isinstance(run, str | os.PathLike):
        tell_all(partial(_check_run, run), *checks)
    run = os.path.expanduser(run)
    known = {name: value for name, value in configured.items() if name not in wrong}
    with one_bar() as show, _interruptible(), in_python():
        values, names = with_recipe(known, recipe)
        job_settings = Settings(**values)
        if not Run(run).config_path.is_file():  # else it resumes with its own settings
            checks.append(partial(check_used, job_settings, known))
        run_pipeline(job_settings, run, names, LOG, meet(job_settings), callbacks or (), checks)
        finished = load_run(run)
        show(repr(finished))
    return finished


def _plain(value: Any) -> Any:
    """Return what the command line would make of a path, or of a number of NumPy's."""
    if isinstance(value, np.generic):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _reasons(values: Mapping[str, Any]) -> dict[str, str]:
    """Return why there is no setting of a name, with the nearest name, or not of such a value."""
    known = {setting.name: setting for setting in fields(Settings)}
    reasons = {}
    for name, value in values.items():
        if name in known:
            reasons[name] = reason_against(known[name], value)
        else:
            reasons[name] = f"there is no such setting; {meant(name)}"
    return {name: reason for name, reason in reasons.items() if reason}


def meant(name: str) -> str:
    """Say which setting an unknown name is nearest to."""
    near = get_close_matches(name, [*DEFAULTS, "run", "recipe", "callbacks"], n=1)
    return f"did you mean {near[0]}?" if near else "help(alexnet_tf.train) lists them"


def _refuse(reasons: Mapping[str, str]) -> None:
    if reasons:
        raise UserError("\n".join(f"{name}: {reason}" for name, reason in reasons.items()))


def _check_run(run: Any) -> None:
    if not isinstance(run, str | os.PathLike):
        raise UserError(f"run: should be the path of a folder, but is {run!r:.60}")


def _check_callbacks(callbacks: Any) -> None:
    """Refuse what is no list of Keras's callbacks: UserError. Who has one has imported Keras."""
    kind = sys.modules["keras"].callbacks.Callback if "keras" in sys.modules else ()
    is_list = isinstance(callbacks, list | tuple)
    wrong = [each for each in callbacks if not isinstance(each, kind)] if is_list else [callbacks]
    if wrong and callbacks is not None:
        raise UserError(
            f"callbacks: should be keras.callbacks.Callback, in a list, not {wrong[0]!r:.60}"
        )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Run a block that Ctrl-C ends after the current step; a second one raises KeyboardInterrupt at
    once. Other signals keep their handlers. Only the main thread receives signals."""
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


def declare_settings(function: Any, defaults: Mapping[str, Any]) -> None:
    """Give a function the settings but `data` as its parameters in place of ``**settings``."""
    signature = inspect.signature(function)
    parameters, kind = [*signature.parameters.values()][:-1], inspect.Parameter.KEYWORD_ONLY
    settings = [
        inspect.Parameter(each.name, kind, default=defaults.get(each.name), annotation=each.type)
        for each in fields(Settings)
        if each.name != "data"
    ]
    function.__signature__ = signature.replace(parameters=[*parameters, *settings])


declare_settings(train, DEFAULTS | RECIPES[usual(None)])
if train.__doc__:  # there is none with `python -OO`
    train.__doc__ += "\n    Settings:\n\n" + "".join(
        f"    {each.name}: {each.metadata['argument']['help']}\n"
        for each in fields(Settings)
        if each.name != "data"
    )
