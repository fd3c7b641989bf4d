"""``python -m alexnet_tf.commands.teach``: the process that trains for the page of ``serve``.

It reads orders as lines of JSON, ``{"order": "look" or "train", "folder": …, "run": …}``, reports
progress in lines ``{"at_work": …}``, and replies to each with ``{"error": "", "by_user": false}``.
When its input ends, the server is dead: it deletes the server's files and exits.
"""

import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from alexnet_tf.commands import cli
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.settings import LINEAR, Settings
from alexnet_tf.system import children
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.training.job import Job, prepare

LOG = logging.getLogger("alexnet_tf.teach")
# A linear head, which takes no time once there are features.
SESSION = RECIPES["head"] | {
    "head": LINEAR, "keep": 1, "tensorboard": "off", "report": False,
}  # fmt: skip


def command(weights: str, variant: str, kept: Path) -> dict[str, Any]:
    """Return the arguments of `subprocess` for this process; its sessions are in `kept`."""
    return children.python("-m", "alexnet_tf.commands.teach", weights, variant, kept)


def main() -> None:
    """Carry out orders until there are no more."""
    weights, variant, kept = sys.argv[1:]
    orders: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, Path(kept)), daemon=True).start()
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else is printed is no reply
    import_tensorflow()
    import alexnet_tf.training.loop  # noqa: F401 - now, while pictures are chosen

    def say(reply: dict[str, Any]) -> None:
        print(json.dumps(reply), file=replies, flush=True)

    LOG.addHandler(_Progress(say))
    while True:
        say(_carry_out(json.loads(orders.get()), weights, variant))


def _listen(orders: SimpleQueue[str], kept: Path) -> None:
    """Pass orders on; end the process at once when its input ends."""
    with open(os.dup(0), encoding="utf-8") as lines:
        for line in lines:
            orders.put(line)
    shutil.rmtree(kept, ignore_errors=True)
    os._exit(1)


class _Progress(logging.Handler):
    """Reports what is logged, which shows the server that the process is alive."""

    def __init__(self, say: Callable[[dict[str, Any]], None]):
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say({"at_work": record.getMessage()})


def _carry_out(order: dict[str, str], weights: str, variant: str) -> dict[str, Any]:
    from alexnet_tf.training.frozen import with_features
    from alexnet_tf.training.loop import train

    try:
        job = _job(order, weights, variant)
        if order["order"] == "look":
            with_features(job, LOG)
        else:
            train(job, LOG)
            # In this process, where TensorFlow is imported already.
            Engine.of_run(job.run).write_litert()
    except UserError as error:
        return {"error": str(error), "by_user": True}
    except (RunError, OSError) as error:
        return {"error": str(error), "by_user": False}
    return {"error": "", "by_user": False}


def _job(order: dict[str, str], weights: str, variant: str) -> Job:
    """Prepare a training on the pictures in a session's folder, in one of its runs."""
    folder = Path(order["folder"])
    places = {"data": str(folder / "photos.csv"), "features": str(folder / "features")}
    network = {"weights": weights, "variant": variant}
    return prepare(Settings(**SESSION | network | places), folder / order["run"])


if __name__ == "__main__":
    cli.run(main, "teach")
