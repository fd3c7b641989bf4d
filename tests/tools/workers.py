"""Train with 1, 2 and 4 workers on this machine and compare; kill one of two and go on.

What rounding alone makes of a training is beside them: one worker again, with weights of which each
is the next float32.

    python -m tests.tools.workers compare PHOTOS WEIGHTS VARIANT
    python -m tests.tools.workers kill [0|1 training]
    python -m tests.tools.workers cut     # as root

prints the tables of docs/scale.md. PHOTOS is what --data takes and WEIGHTS what --weights does, as
absolute paths; VARIANT is whose network they are.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import markdown
from alexnet_tf.weights.loading import read_weights
from tests.support import workers
from tests.support.formats import write_npy
from tests.support.workers import difference

QUICK = ("kill", "1", "training")
PLAIN = ("--precision", "float32", "--no-report", "--tensorboard", "off")
TRAININGS = {
    "head": ("--epochs", 3, "--batch-size", 32),
    "all": ("--train", "all", "--epochs", 2, "--batch-size", 32, "--learning-rate", 0.001),
}
MADE = re.compile(r"^\w+: made in ([\d.]+) s", re.MULTILINE)
# Of 400 drawn faces: what takes long enough to be killed in.
FACES = ("--weights", "starter", "--variant", "starter", "--head", "random", "--epochs", 20)
# Lines after which a worker is in the midst of it.
MOMENTS = {"feature extraction": "KB a picture", "training": "epoch 1/"}
TIMEOUT = 10
# How far a network may be from one that was never disturbed: docs/scale.md has what was seen.
MOST_APART = 1e-4
SWITCH = "alexnet-switch"


def compare(photos: str, weights: str, variant: str) -> list[tuple[str, ...]]:
    """Train on photos with several numbers of workers; return a table of what came of it."""
    rows = [(
        *("training", "workers", "val_accuracy", "val_loss", "from one worker"),
        *("s of an epoch", "s of what is computed once, by worker"),
    )]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rounded = {
            name: tuple(np.nextafter(each, np.float32(np.inf)) for each in pair)
            for name, pair in read_weights(weights).items()
        }
        write_npy(folder / "rounded.npy", rounded)
        data = ("--data", Path(photos).absolute(), "--variant", variant)
        sides = {"1": weights, "2": weights, "4": weights, "1, rounded": "rounded.npy"}
        for what, words in TRAININGS.items():
            for side, file in sides.items():
                count, run = int(side[0]), f"{what}-{side}"
                config = (*data, "--weights", file, *words, *PLAIN, "--run", run)
                workers.train(folder, count, *config, "--features", f"features-{run}")
                last = read_history(Run(folder / run))[-1]
                away = difference(folder / f"{what}-1", folder / run)
                figures = f"{last['val_accuracy']:.4f}", f"{last['val_loss']:.5f}", f"{away:.1e}"
                said = "".join(workers.said(folder, index) for index in range(count))
                seconds = f"{last['seconds']:.1f}", ", ".join(MADE.findall(said))
                rows.append((what, side, *figures, *seconds))
                print(rows[-1], file=sys.stderr)
    return rows


def kill(victims: str = "01", *moments: str) -> list[tuple[str, ...]]:
    """Kill one of two workers, see the other end, and go on; return a table of that.

    Each of `victims` is killed at each of `moments`, or all of them. AssertionError where the other
    one does not end with 1, or what goes on comes to another network.
    """
    rows = [("killed", "in", "the other ends after", "with", "gone on with", "from one worker")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_faces(folder / "faces")
        words = ("--data", "faces", *FACES, *PLAIN, "--worker-timeout", TIMEOUT)
        workers.train(folder, 1, *words, "--run", "whole", "--features", "features-whole")
        for victim, moment in product(map(int, victims), moments or MOMENTS):
            run = f"{moment}-{victim}".replace(" ", "-")
            config = (*words, "--run", run, "--features", f"features-{run}")
            seconds, sentence, code = kill_one(folder, victim, MOMENTS[moment], *config)
            count = 2 - victim
            workers.train(folder, count, *config)
            away = difference(folder / "whole", folder / run)
            assert code == 1 and away < MOST_APART, (code, sentence, away)
            again = f"{count} worker{'s' * (count > 1)}"
            who = ("the chief", "a worker")[victim]
            rows.append(
                (who, moment, f"{seconds:.1f} s", f"{code}: {sentence}", again, f"{away:.1e}")
            )
            print(rows[-1], file=sys.stderr)
    return rows


def kill_one(folder: Path, victim: int, line: str, *words: object) -> tuple[float, str, int]:
    """Kill worker `victim` of two once it says `line`; return after how many seconds the other one
    has ended, its last line, and its exit code."""
    with workers.start(folder, 2, *words) as processes:
        workers.wait_for(processes, folder, victim, line)
        time.sleep(0.5)
        processes[victim].send_signal(signal.SIGKILL)
        start = time.monotonic()
        code = processes[1 - victim].wait(120)
        seconds = time.monotonic() - start
    return seconds, workers.said(folder, 1 - victim).strip().split("\n")[-1], code


def cut() -> list[tuple[str, ...]]:
    """Train on two hosts, which are network namespaces, and cut the cable between them once an
    epoch is over; needs root. Return a table of what came of it."""
    if os.geteuid():
        sys.exit("cut: needs root, which alone makes network namespaces")
    rows = [("host", "ends after", "with")]
    with tempfile.TemporaryDirectory() as name, hosts() as found:
        folder = Path(name)
        draw_faces(folder / "faces")
        words = ("--data", "faces", *FACES, *PLAIN, "--worker-timeout", TIMEOUT, "--run", "cut")
        with workers.start(folder, 2, *words, local=True, hosts=found) as processes:
            workers.wait_for(processes, folder, 0, "epoch 1/")
            start = time.monotonic()
            ip(f"-n {SWITCH} link set port-b down")
            for index, process in enumerate(processes):
                code = process.wait(120)
                rows.append((
                    f"worker {index}", f"{time.monotonic() - start:.1f} s",
                    f"{code}: {workers.said(folder, index).strip().split(chr(10))[-1]}",
                ))  # fmt: skip
                print(rows[-1], file=sys.stderr)
    return rows


@contextmanager
def hosts() -> Iterator[dict[str, tuple[str, ...]]]:
    """Make two network namespaces with a switch between them, a third; yield, for the address of
    each host, what a command there begins with."""
    names = {"10.77.0.1": "alexnet-a", "10.77.0.2": "alexnet-b"}
    try:
        ip(f"netns add {SWITCH}")
        ip(f"-n {SWITCH} link add switch up type bridge")
        for address, name in names.items():
            ip(f"netns add {name}")
            end = name[-1]
            ip(f"-n {SWITCH} link add name port-{end} up type veth peer name eth0 netns {name}")
            ip(f"-n {SWITCH} link set port-{end} master switch")
            ip(f"-n {name} address add {address}/24 dev eth0")
            ip(f"-n {name} link set eth0 up")
            ip(f"-n {name} link set lo up")
        yield {a: ("ip", "netns", "exec", name) for a, name in names.items()}
    finally:
        for name in (SWITCH, *names.values()):
            subprocess.run(["ip", "netns", "del", name], check=False)


def ip(words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words.split()], check=True)


if __name__ == "__main__":
    name, *words = sys.argv[1:]
    print(markdown({"compare": compare, "kill": kill, "cut": cut}[name](*words)))
