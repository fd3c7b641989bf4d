"""Several workers on this machine, which train one network over the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support.places import ROOT


def free_ports(count: int) -> list[int]:
    """Find ports of the loopback that nobody listens at."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(folder: Path, count: int, *words: object, local: bool = False) -> list[subprocess.Popen]:
    """Start `train_alexnet.py` with these words as each of `count` workers, in `folder`.

    What worker n says is in its file n.txt. On `local` disks each has features of its own, and a
    run that only the chief's is one.
    """
    ports = free_ports(count)
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    processes = []
    for index in range(count):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        own = ("--features", f"features-{index}") if local else ()
        with open(folder / f"{index}.txt", "w") as output:
            processes.append(
                subprocess.Popen(
                    [sys.executable, ROOT / "train_alexnet.py", *map(str, words), *own],
                    cwd=folder,
                    env=os.environ | {"TF_CONFIG": json.dumps(task)},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
    return processes


def said(folder: Path, index: int) -> str:
    """Return what a worker has said."""
    return (folder / f"{index}.txt").read_text()


def train(folder: Path, count: int, *words: object, local: bool = False) -> None:
    """Train with so many workers, to the end; AssertionError, with what they said, if any fails."""
    processes = start(folder, count, *words, local=local)
    codes = [process.wait(300) for process in processes]
    assert codes == [0] * count, "\n\n".join(said(folder, index) for index in range(count))
