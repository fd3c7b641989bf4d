"""Kill, stop and damage trainings and starve them of room, at moments drawn by a seed.

Each round puts a new training through every fault, starts it with the same command after each, and
compares what it ends with, bit for bit, with a training that was left alone. And it starts small
trainings again with other free settings, on every kind of checkpoint; kills servers that teach,
after which neither a process nor a photo should be left; sorts pictures with sidecars and links,
and takes them back; and unpacks an archive by several at once, some of which are killed. Prints a
table; exits with 1 if anything was lost. Needs 2 GB in $TMPDIR.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.runs.checkpoints import checkpoint_path, load_checkpoint
from alexnet_tf.runs.history import best_epoch, read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import align
from benchmarks.material import write_random_convolutions
from tests.support.forked import SERVER, Disturbance, Moment, run_forked
from tests.support.processes import wait_until
from tests.support.serving import serving, teachers
from tests.tools.sorting import try_sorting
from tests.tools.unpacking import try_unpacking

VARIANT, EPOCHS = "lenet5", 6  # the smallest checkpoints
PER_CLASS = 80  # three batches of features
COMBINATIONS = 8  # in each round
MOUNT_SIZES = 0.05, 4  # megabytes: from no room for features to none for the last checkpoint

# Seconds from the beginning of a lesson's training until its end, at most; and in which the process
# that trains ends after its server.
TAUGHT, ENDING = 10, 10

EPOCH_LINE, MODEL_LINE = r"epoch \d+/", r".*model\.keras: the network of epoch "
START = Moment("the start", "", "features: ", 1)
EXTRACTING = Moment("extraction", "features: ", f"features: made |{EPOCH_LINE}", 1)
EPOCH = Moment("an epoch", EPOCH_LINE, f"{EPOCH_LINE}|{MODEL_LINE}", 0.2)
CHECKPOINT = Moment("a checkpoint write", r"open .*checkpoints/\..+\.tmp\.npz", EPOCH.ends, 0.02)
EXPORT = Moment("the export", MODEL_LINE, "try it: ", 2)
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}

# How often each fault struck, and what was lost by that.
Outcome = tuple[Counter, list[str]]


@dataclass
class Training:
    """A training in `folder`, whose photos and weights are in `material`."""

    folder: Path
    material: Path

    def run(self, disturbance: Disturbance | None = None) -> int:
        """Train by the command, always the same, to the end or to what disturbs it; return the exit
        code."""
        self.folder.mkdir(exist_ok=True)
        words = (
            "--data", self.material / "photos", "--weights", self.material / "random.npy",
            "--variant", VARIANT, "--epochs", EPOCHS, "--batch-size", 16, "--run", "run",
            "--features", "features",
        )  # fmt: skip
        return run_forked("train_alexnet.py", words, self.folder, self._output, disturbance)

    @property
    def lines(self) -> list[str]:
        """Return the output of the last process."""
        return self._output.read_text().splitlines()

    @property
    def _output(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.txt")

    def result(self) -> dict[str, bytes]:
        """Return, as bytes by name, the state in the last checkpoint, model.keras, and the history
        but for the seconds."""
        arrays, _ = load_checkpoint(self.folder / f"run/checkpoints/epoch-{EPOCHS:04}.npz")
        lines = (self.folder / "run/history.csv").read_text().splitlines()
        with zipfile.ZipFile(self.folder / "run/model.keras") as file:
            model = file.read("model.weights.h5")
        return {name: array.tobytes() for name, array in arrays.items()} | {
            "history.csv": repr([line.rsplit(",", 1)[0] for line in lines]).encode(),
            "model.keras": model,
        }


def prepare(material: Path) -> Path:
    """Make photos and weights to train with in the folder `material`, which is returned."""
    draw_faces(material / "photos", PER_CLASS)
    write_random_convolutions(material / "random.npy", VARIANT)
    return material


def undisturbed(folder: Path, material: Path) -> dict[str, bytes]:
    """Train once without any fault; return what comes of it, and delete the folder."""
    training = Training(folder, material)
    assert training.run() == 0, training.lines
    result = training.result()
    shutil.rmtree(folder)
    return result


@dataclass(frozen=True)
class Fault:
    """A `name`, and what lets the fault strike a training."""

    name: str
    strike: Callable[[Training, np.random.Generator], None]


def signalled(number: signal.Signals, moment: Moment) -> Fault:
    """Return the fault that a training gets a signal at `moment`."""

    def strike(training: Training, random: np.random.Generator) -> None:
        code = training.run(Disturbance(number, moment, random.random()))
        assert code == CODES[number], (code, training.lines)

    return Fault(f"{number.name} in {moment.name}", strike)


def damaged(name: str, damage: Callable, files: str) -> Fault:
    """Return the fault that the last of such `files` is found damaged."""

    def strike(training: Training, random: np.random.Generator) -> None:
        found = [file for file in sorted(training.folder.glob(files)) if file.stat().st_size]
        damage(found[-1], random)

    return Fault(name, strike)


def flip_a_bit(path: Path, random: np.random.Generator) -> None:
    """Change one bit of a file."""
    place = int(random.integers(path.stat().st_size))
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << int(random.integers(8))]))


def truncate(path: Path, random: np.random.Generator) -> None:
    """Cut a file off somewhere."""
    with open(path, "r+b") as file:
        file.truncate(int(random.integers(path.stat().st_size)))


def damage_best(training: Training, random: np.random.Generator) -> None:
    """Truncate the checkpoint of the best epoch, which is exported."""
    run = Run(training.folder / "run")
    best = best_epoch(read_history(run), run.read_config()["settings"]["best"])
    truncate(checkpoint_path(run.checkpoints_folder, best), random)


# In the order of a run's life.
FAULTS = (
    signalled(signal.SIGKILL, START),
    signalled(signal.SIGKILL, EXTRACTING),
    signalled(signal.SIGTERM, EXTRACTING),
    signalled(signal.SIGKILL, EPOCH),
    damaged("bit flipped in the features", flip_a_bit, "features/*/values"),
    signalled(signal.SIGTERM, EPOCH),
    damaged("checkpoint truncated", truncate, "run/checkpoints/*.npz"),
    signalled(signal.SIGINT, EPOCH),
    signalled(signal.SIGKILL, CHECKPOINT),
    damaged("bit flipped in a checkpoint", flip_a_bit, "run/checkpoints/*.npz"),
    signalled(signal.SIGKILL, CHECKPOINT),
    signalled(signal.SIGKILL, EXPORT),
    Fault("best checkpoint truncated", damage_best),
    signalled(signal.SIGKILL, EXPORT),
)


def survive(
    training: Training, faults: tuple[Fault, ...], random: np.random.Generator, expected: dict
) -> Outcome:
    """Let `faults` strike one after another, and train to the end; lost is what of `expected` came
    out otherwise."""
    for fault in faults:
        fault.strike(training, random)
    assert training.run() == 0, training.lines
    result = training.result()
    struck = Counter(fault.name for fault in faults)
    return struck, [name for name in expected if result.get(name) != expected[name]]


def starve(folder: Path, material: Path, random: np.random.Generator, expected: dict) -> Outcome:
    """Train on a disk of a few megabytes, which then grows; return what `survive` does."""
    folder.mkdir()
    kilobytes = int(1000 * np.exp(random.uniform(*np.log(MOUNT_SIZES))))
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"]
    subprocess.run(["mount", *options, folder], check=True)
    try:
        training = Training(folder, material)
        code = training.run()
        assert code in (0, 1) and not any("Traceback" in line for line in training.lines), (
            training.lines
        )
        assert code == 0 or any(" on the disk, where " in line for line in training.lines)
        subprocess.run(["mount", "-o", "remount,size=2g", folder], check=True)
        struck, lost = survive(training, (), random, expected)
        return struck + Counter({"full disk": int(code == 1)}), lost
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # an ended child may hold it yet


def can_mount(folder: Path) -> bool:
    """Tell whether this process may mount a disk, for which it makes `folder`."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
    return mounted.returncode == 0 and subprocess.run(["umount", folder]).returncode == 0


def kill_server(
    folder: Path, photos: Path, random: np.random.Generator, with_teacher: bool
) -> Outcome:
    """Kill a server somewhere in a lesson, perhaps with the process that trains, and start another;
    lost is the privacy of photos that are still there."""
    folder.mkdir()
    with serving(folder, "starter", TMPDIR=str(folder)) as server:
        pictures = [[photos / f"{name}.{n}.jpg" for n in range(8)] for name in ("cat", "dog")]
        server.train(server.begin_lesson(*pictures), "cat", "dog")
        wait_until(lambda: teachers(folder))
        time.sleep(random.uniform(0, TAUGHT))
        for trainer_process in teachers(folder) if with_teacher else ():
            os.kill(trainer_process, signal.SIGKILL)
        server.stop(signal.SIGKILL)
    end = time.monotonic() + ENDING
    while teachers(folder) and time.monotonic() < end:
        time.sleep(0.1)
    left = [f"process {number}, which outlives its server" for number in teachers(folder)]
    with serving(folder, "starter", TMPDIR=str(folder)):
        left += [f"{path}, of a dead server" for path in folder.glob("*/*/photos/*")]
    shutil.rmtree(folder)
    name = "SIGKILL of a server and of what trains" if with_teacher else "SIGKILL of a server"
    return Counter({name: 1}), left


def try_trainings(
    folder: Path, material: Path, random: np.random.Generator, expected: dict, mounts: bool
) -> Iterator[Outcome]:
    """Put a training through all faults and, where disks can be mounted, another on a small one;
    kill what sorts pictures."""
    yield survive(Training(folder / "run", material), FAULTS, random, expected)
    if mounts:
        yield starve(folder / "small", material, random, expected)
    yield try_sorting(folder / "sorted", random)


def try_processes(folder: Path, photos: Path, random: np.random.Generator) -> Iterator[Outcome]:
    """Kill servers, and some of several processes that unpack one archive."""
    for with_teacher in (False, True):
        yield kill_server(folder / "served", photos, random, with_teacher)
    yield try_unpacking(folder / "unpacked", random)


def try_settings(folder: Path, photos: Path, random: np.random.Generator) -> list[Outcome]:
    """Start trainings again with other settings, on every kind of checkpoint."""
    from tests.tools.combinations import try_combinations  # imports TensorFlow

    return try_combinations(photos, folder, random, COMBINATIONS)


def main() -> int:
    """Put trainings through all faults; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all moments (%(default)s)")
    options = parser.parse_args()
    # In the background it would be ignored, and the trainings would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tried, survived, lost = Counter(), Counter(), set()
    # The trials of a round run side by side; only this thread forks.
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(1, SERVER) as process,
        ThreadPoolExecutor(1) as thread,
    ):
        material = prepare(Path(name, "material"))
        expected = undisturbed(Path(name, "undisturbed"), material)
        mounts = can_mount(Path(name, "mount"))
        for number in range(1, options.rounds + 1):
            one, photos = Path(name, f"round{number}"), material / "photos"
            one.mkdir()
            first, second, third = np.random.default_rng((options.seed, number)).spawn(3)
            combined = process.submit(try_settings, one, photos, second)
            beside = thread.submit(lambda: [*try_processes(one, photos, third)])  # noqa: B023
            outcomes = [*try_trainings(one, material, first, expected, mounts)]
            for struck, missing in (*outcomes, *combined.result(), *beside.result()):
                tried += struck
                survived += struck if not missing else Counter()
                lost.update(missing)
            shutil.rmtree(one)
            print(f"round {number}: {tried.total()} faults so far", flush=True)
    table = [("fault", "tried", "survived")]
    table += [(name, times, survived[name]) for name, times in sorted(tried.items())]
    table.append(("all", tried.total(), survived.total()))
    print("", *align(table), sep="\n")
    print(f"lost: {', '.join(sorted(lost)) or 'nothing'}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
