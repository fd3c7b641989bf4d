"""Several workers on this machine, which train one network over the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from alexnet_tf.weights.loading import read_weights
from tests.support.places import ROOT


def start(
    folder: Path,
    count: int,
    *words: object,
    local: bool = False,
    hosts: Mapping[str, Sequence[str]] | None = None,
) -> list[subprocess.Popen]:
    """Start `train_alexnet.py` with these words as each of `count` workers, in `folder`.

    On `local` disks each has features of its own. `hosts` are addresses, and what to start a
    command with so that it runs there; else all are on the loopback.
    """
    if hosts:
        cluster = {"worker": [f"{host}:2222" for host in hosts]}
    else:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    there = [*(hosts or {}).values()] or [()] * count
    processes = []
    for index in range(count):
        told = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        own = ("--features", f"features-{index}") if local else ()
        environment = {"TF_CONFIG": json.dumps(told)}
        processes.append(start_one(folder, index, environment, *words, *own, there=there[index]))
    return processes


def start_one(
    folder: Path,
    index: int,
    told: Mapping[str, str],
    *words: object,
    there: Sequence[str] = (),
) -> subprocess.Popen:
    """Start worker `index`, with what its environment has `told`; what it says is in its file."""
    with open(folder / f"{index}.txt", "w") as output:
        return subprocess.Popen(
            [*there, sys.executable, ROOT / "train_alexnet.py", *map(str, words)],
            cwd=folder,
            env=os.environ | told,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def free_ports(count: int) -> list[int]:
    """Find ports of the loopback at which nobody listens."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def train(folder: Path, count: int, *words: object, local: bool = False) -> None:
    """Train with so many workers, to the end; AssertionError, with what they said, if any fails."""
    processes = start(folder, count, *words, local=local)
    codes = [process.wait(600) for process in processes]
    assert codes == [0] * count, "\n\n".join(said(folder, index) for index in range(count))


def said(folder: Path, index: int) -> str:
    """Return what a worker has said."""
    return (folder / f"{index}.txt").read_text()


def wait_for(folder: Path, index: int, line: str) -> None:
    """Wait until a worker has said something with `line` in it."""
    end = time.monotonic() + 200
    while line not in said(folder, index):
        assert time.monotonic() < end, said(folder, index)
        time.sleep(0.05)


def difference(run: Path, other: Path) -> float:
    """Return how far the networks of two runs are apart: by which part of the largest number of a
    layer, at most."""
    ours, theirs = (read_weights(each / "model.keras") for each in (run, other))
    return max(
        float(np.abs(mine - yours).max() / max(np.abs(each).max() for each in ours[name]))
        for name in ours
        for mine, yours in zip(ours[name], theirs[name])
    )
