"""Kill, stop and damage trainings and starve them of room, at moments drawn by a seed.

Each round puts a new training through every fault, starts it with the same command after each, and
compares what it ends with, bit for bit, with a training that was left alone. And it starts small
trainings again with other free settings, on every kind of checkpoint; kills servers that teach,
after which neither a process nor a photo should be left; and unpacks an archive by several at once,
some of which are killed. Prints a table; exits with 1 if anything was lost. Needs 2 GB in $TMPDIR.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.runs.checkpoints import checkpoint_path, load_checkpoint
from alexnet_tf.runs.history import best_epoch, read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import align
from benchmarks.material import write_random_convolutions
from tests.support.places import ROOT
from tests.support.serving import serving, teachers
from tests.tools.combinations import try_combinations
from tests.tools.unpacking import try_unpacking

VARIANT, EPOCHS = "cifar64", 3  # the smallest checkpoints
COMBINATIONS = 8  # in each round
MOUNT_SIZES = 0.1, 420  # megabytes: from no room for features to none for the last checkpoint

# Seconds from the beginning of a lesson's training until its end, at most; and in which the process
# that trains ends after its server.
TAUGHT, ENDING = 30, 10

EXTRACTION = re.compile(r"features: .* has (\d+) of (?!\1$)")
TRAINING = re.compile(r"features: (made in|.* has (\d+) of \2$)")
LAST_EPOCH = re.compile(rf"epoch {EPOCHS}/{EPOCHS} ")


@dataclass(frozen=True)
class Moment:
    """When a signal is sent: up to `seconds` after such a `line`, once there are such `files`."""

    name: str
    line: re.Pattern[str]
    seconds: float
    files: str = "*"


START = Moment("the start", re.compile(""), 5)
EXTRACTING = Moment("extraction", EXTRACTION, 2)
EPOCH = Moment("an epoch", TRAINING, 10)
CHECKPOINT = Moment("a checkpoint write", TRAINING, 0.3, "run/checkpoints/.*.tmp.npz")
EXPORT = Moment("the export", LAST_EPOCH, 1)
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143, signal.SIGINT: 130}


@dataclass
class Training:
    """A training in `folder`, whose photos and weights are in `material`."""

    folder: Path
    material: Path
    lines: list[str] = field(default_factory=list)  # what the last process has printed so far

    def start(self) -> subprocess.Popen[str]:
        """Start the training by its command, always the same; collect its lines."""
        self.folder.mkdir(exist_ok=True)
        self.lines = ["started"]
        process = subprocess.Popen(
            [
                sys.executable, str(ROOT / "train_alexnet.py"), "--data", self.material / "photos",
                "--weights", self.material / "random.npy", "--variant", VARIANT,
                "--epochs", str(EPOCHS), "--batch-size", "16", "--run", "run",
                "--features", "features",
            ],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self.lines.extend, args=(process.stdout,)).start()
        return process

    def run(self) -> int:
        """Train to the end; return the exit code."""
        return self.start().wait()

    def disturb(self, number: signal.Signals, moment: Moment, random: np.random.Generator) -> int:
        """Send the signal at `moment`; return the exit code, 0 when the training was faster."""
        process = self.start()
        while process.poll() is None and not (
            any(moment.line.match(line) for line in self.lines)
            and any(self.folder.glob(moment.files))
        ):
            time.sleep(0.002)
        time.sleep(random.uniform(0, moment.seconds))
        process.send_signal(number)
        return process.wait()

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


def damage_best(training: Training, random: np.random.Generator) -> bool:
    """Truncate the checkpoint of the best epoch, which is exported."""
    run = Run(training.folder / "run")
    truncate(checkpoint_path(run.checkpoints_folder, best_epoch(read_history(run))), random)
    return True


def prepare(material: Path) -> Path:
    """Make photos and weights to train with in the folder `material`, which is returned."""
    draw_faces(material / "photos", per_class=100)
    write_random_convolutions(material / "random.npy", VARIANT)
    return material


def undisturbed(folder: Path, material: Path) -> dict[str, bytes]:
    """Train once without any fault; return what comes of it, and delete the folder."""
    training = Training(folder, material)
    assert training.run() == 0, training.lines
    result = training.result()
    shutil.rmtree(folder)
    return result


Fault = tuple[str, Callable[[Training, np.random.Generator], bool]]


def signalled(number: signal.Signals, moment: Moment) -> Fault:
    """Return the fault that a training gets a signal at `moment`."""

    def fault(training: Training, random: np.random.Generator) -> bool:
        code = training.disturb(number, moment, random)
        assert code in (0, CODES[number]), training.lines
        return code != 0

    return f"{number.name} in {moment.name}", fault


def damaged(name: str, damage: Callable, files: str) -> Fault:
    """Return the fault that the last of such `files` is found damaged."""

    def fault(training: Training, random: np.random.Generator) -> bool:
        found = [file for file in sorted(training.folder.glob(files)) if file.stat().st_size]
        if found:
            damage(found[-1], random)
        return bool(found)

    return name, fault


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
    ("best checkpoint truncated", damage_best),
    signalled(signal.SIGKILL, EXPORT),
)


def survive(
    training: Training, faults: tuple[Fault, ...], random: np.random.Generator, expected: dict
) -> tuple[Counter, list[str]]:
    """Count how often each of `faults` struck, one after another; name what of `expected` was then
    lost."""
    struck: Counter = Counter()
    for name, fault in faults:
        struck[name] += fault(training, random)
    assert training.run() == 0, training.lines
    result = training.result()
    return struck, [name for name in expected if result.get(name) != expected[name]]


def starve(
    folder: Path, material: Path, random: np.random.Generator, expected: dict
) -> tuple[Counter, list[str]]:
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
        subprocess.run(["umount", folder], check=True)


def kill_server(
    folder: Path, photos: Path, random: np.random.Generator, with_teacher: bool
) -> tuple[Counter, list[str]]:
    """Kill a server somewhere in a lesson, perhaps with the process that trains, and start another;
    return what `survive` does: lost is the privacy of photos that are still there."""
    folder.mkdir()
    with serving(folder, "starter", TMPDIR=str(folder)) as server:
        pictures = [[photos / f"{name}.{n}.jpg" for n in range(8)] for name in ("cat", "dog")]
        server.train(server.begin_lesson(*pictures), "cat", "dog")
        time.sleep(random.uniform(0, TAUGHT))
        for teacher in teachers(folder) if with_teacher else ():
            os.kill(teacher, signal.SIGKILL)
        server.stop(signal.SIGKILL)
    time.sleep(ENDING)
    left = [f"process {number}, which outlives its server" for number in teachers(folder)]
    with serving(folder, "starter", TMPDIR=str(folder)):
        left += [f"{path}, of a dead server" for path in folder.glob("*/*/photos/*")]
    shutil.rmtree(folder)
    name = "SIGKILL of a server and of what trains" if with_teacher else "SIGKILL of a server"
    return Counter({name: 1}), left


def can_mount(folder: Path) -> bool:
    """Tell whether this process may mount a disk, for which it makes `folder`."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
    return mounted.returncode == 0 and subprocess.run(["umount", folder]).returncode == 0


def main() -> int:
    """Put trainings through all faults; return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all moments (%(default)s)")
    options = parser.parse_args()
    # In the background it would be ignored, and the trainings would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random = np.random.default_rng(options.seed)
    tried, survived, lost = Counter(), Counter(), set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        material = prepare(folder / "material")
        expected = undisturbed(folder / "undisturbed", material)
        mounts = can_mount(folder / "mount")
        for number in range(1, options.rounds + 1):
            one = folder / f"round{number}"
            outcomes = [survive(Training(one, material), FAULTS, random, expected)]
            shutil.rmtree(one)
            if mounts:
                outcomes.append(starve(folder / f"small{number}", material, random, expected))
            moments = np.random.default_rng((options.seed, number))
            for with_teacher in (False, True):
                served, photos = folder / f"served{number}", material / "photos"
                outcomes.append(kill_server(served, photos, moments, with_teacher))
            outcomes.append(try_unpacking(folder / f"unpacked{number}", moments))
            for struck, missing in outcomes:
                tried += struck
                survived += struck if not missing else Counter()
                lost.update(missing)
            one.mkdir()
            struck, whole, missing = try_combinations(
                material / "photos", one, random, COMBINATIONS
            )
            tried, survived = tried + struck, survived + whole
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
