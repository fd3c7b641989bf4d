"""``python -m alexnet_tf.commands.teach``: the process that trains for the page of ``serve``.

It reads orders as lines of JSON, ``{"order": "look" or "train", "folder": …, "run": …}``, answers
each with one, ``{"error": "", "by_user": false}``, and ends with its input.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alexnet_tf.commands import cli
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import children
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.training.job import Job, prepare

LOG = logging.getLogger("alexnet_tf.teach")
# For some dozens of pictures a class, in seconds.
LESSON = RECIPES["head"] | {
    "units": 256, "batch_size": 16, "epochs": 12, "keep": 1, "tensorboard": "off", "report": False,
}  # fmt: skip


def command(weights: str, variant: str) -> dict[str, Any]:
    """Return what `subprocess` is told to start this process, to train on such weights."""
    return children.python("-m", "alexnet_tf.commands.teach", weights, variant)


def main() -> None:
    """Carry out orders until there are no more."""
    weights, variant = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no answer
    import_tensorflow()
    import alexnet_tf.training.loop  # noqa: F401 - now, while pictures are chosen

    for line in sys.stdin:
        told = json.loads(line)
        answer = _carry_out(told, weights, variant)
        print(json.dumps(answer), file=answers, flush=True)


def _carry_out(told: dict[str, str], weights: str, variant: str) -> dict[str, Any]:
    try:
        {"look": _look, "train": _train}[told["order"]](_job(told, weights, variant))
    except UserError as error:
        return {"error": str(error), "by_user": True}
    except (RunError, OSError) as error:
        return {"error": str(error), "by_user": False}
    return {"error": "", "by_user": False}


def _job(told: dict[str, str], weights: str, variant: str) -> Job:
    """Prepare a training on the pictures in a lesson's folder, in one of its runs."""
    folder = Path(told["folder"])
    places = {"data": str(folder / "photos.csv"), "features": str(folder / "features")}
    network = {"weights": weights, "variant": variant}
    return prepare(Settings(**LESSON | network | places), folder / told["run"])


def _look(job: Job) -> None:
    """Compute what the frozen layers make of the pictures."""
    from alexnet_tf.training.frozen import with_features

    with_features(job, LOG)


def _train(job: Job) -> None:
    from alexnet_tf.training.loop import train

    train(job, LOG, exporting=_exporting_here)


@contextmanager
def _exporting_here(run: Path, log: logging.Logger) -> Iterator[None]:
    """Write the LiteRT file of a run in this process, where TensorFlow is imported already."""
    yield
    Engine.of_run(Run(run)).write_litert()


if __name__ == "__main__":
    cli.run(main, "teach")
