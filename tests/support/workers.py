"""Several workers on this machine, which train one network over the loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from alexnet_tf.weights.loading import read_weights
from tests.support.places import ROOT
from tests.support.processes import running, wait_until


@contextmanager
def start(
    folder: Path,
    count: int,
    *words: object,
    local: bool = False,
    hosts: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[list[subprocess.Popen[str]]]:
    """Run `train_alexnet.py` with these words as each of `count` workers, in `folder`, for a block.

    On `local` disks each has features of its own. `hosts` are addresses, and what to start a
    command with so that it runs there; else all are on the loopback.
    """
    if hosts:
        cluster = {"worker": [f"{host}:2222" for host in hosts]}
    else:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    there = [*(hosts or {}).values()] or [()] * count
    with ExitStack() as stack:
        processes = []
        for index in range(count):
            config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
            own = ("--features", f"features-{index}") if local else ()
            environment = {"TF_CONFIG": json.dumps(config)}
            one = start_one(folder, index, environment, *words, *own, there=there[index])
            processes.append(stack.enter_context(one))
        yield processes


@contextmanager
def start_one(
    folder: Path,
    index: int,
    config: Mapping[str, str],
    *words: object,
    there: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """Run worker `index`, with what its environment has `told`; what it says is in its file."""
    command = [*there, sys.executable, ROOT / "train_alexnet.py", *words]
    options = {"cwd": folder, "env": os.environ | config, "stderr": subprocess.STDOUT}
    with (
        open(folder / f"{index}.txt", "w") as output,
        running(command, stdout=output, **options) as process,
    ):
        yield process


def free_ports(count: int) -> list[int]:
    """Find ports of the loopback at which nobody listens."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def train(folder: Path, count: int, *words: object, local: bool = False) -> None:
    """Train with so many workers, to the end; AssertionError, with what they said, if any fails."""
    with start(folder, count, *words, local=local) as processes:
        codes = [process.wait() for process in processes]
    assert codes == [0] * count, "\n\n".join(said(folder, index) for index in range(count))


def said(folder: Path, index: int) -> str:
    """Return what a worker has said."""
    return (folder / f"{index}.txt").read_text()


def wait_for(processes: list[subprocess.Popen[str]], folder: Path, index: int, line: str) -> None:
    """Wait until a worker has said `line` in something; AssertionError when it ends before."""
    wait_until(lambda: line in said(folder, index) or processes[index].poll() is not None)
    assert line in said(folder, index), said(folder, index)


def difference(run: Path, other: Path) -> float:
    """Return how far the networks of two runs are apart: by which part of the largest number of a
    layer, at most."""
    ours, theirs = (read_weights(each / "model.keras") for each in (run, other))
    return max(
        float(np.abs(mine - yours).max() / max(np.abs(each).max() for each in ours[name]))
        for name in ours
        for mine, yours in zip(ours[name], theirs[name])
    )
