"""Train with 1, 2 and 4 workers on this machine and compare; kill one of two and go on.

    python -m tests.tools.workers compare PHOTOS WEIGHTS [1,2,4]
    python -m tests.tools.workers kill

prints the tables of docs/scale.md. PHOTOS is what --data takes, WEIGHTS what --weights does.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.system.text import markdown
from tests.support import workers
from tests.support.workers import difference

PLAIN = ("--precision", "float32", "--no-report", "--tensorboard", "off")
TRAININGS = {
    "head": ("--epochs", 3, "--batch-size", 32),
    "all": ("--train", "all", "--epochs", 2, "--batch-size", 32, "--learning-rate", 0.001),
}
# Of 400 drawn faces: what takes long enough to be killed in.
FACES = ("--weights", "starter", "--variant", "starter", "--head", "random", "--epochs", 20)
# Lines after which a worker is in the midst of it.
MOMENTS = {"feature extraction": "KB a picture", "training": "epoch 1/"}
TIMEOUT = 10


def compare(photos: str, weights: str, counts: str = "1,2,4") -> list[tuple[str, ...]]:
    """Train on photos with several numbers of workers; return a table of what came of it."""
    rows = [("training", "workers", "val_accuracy", "val_loss", "from one worker", "s of an epoch")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = ("--data", Path(photos).absolute(), "--weights", Path(weights).absolute())
        for what, words in TRAININGS.items():
            for count in map(int, counts.split(",")):
                run = f"{what}-{count}"
                workers.train(folder, count, *data, *words, *PLAIN, "--run", run)
                last = read_history(Run(folder / run))[-1]
                away = difference(folder / f"{what}-1", folder / run)
                figures = f"{last['val_accuracy']:.4f}", f"{last['val_loss']:.5f}", f"{away:.1e}"
                rows.append((what, str(count), *figures, f"{last['seconds']:.1f}"))
                print(rows[-1], file=sys.stderr)
    return rows


def kill() -> list[tuple[str, ...]]:
    """Kill one of two workers, see the other end, and go on; return a table of that."""
    rows = [("killed", "in", "the other ends after", "with", "gone on with", "from one worker")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_faces(folder / "faces")
        words = ("--data", "faces", *FACES, *PLAIN, "--worker-timeout", TIMEOUT)
        workers.train(folder, 1, *words, "--run", "whole", "--features", "features-whole")
        for victim, who in enumerate(("the chief", "a worker")):
            for moment, line in MOMENTS.items():
                run = f"{moment}-{victim}".replace(" ", "-")
                told = (*words, "--run", run, "--features", f"features-{run}")
                seconds, sentence, code = kill_one(folder, victim, line, *told)
                count = 2 - victim
                workers.train(folder, count, *told)
                away = difference(folder / "whole", folder / run)
                again = f"{count} worker{'s' * (count > 1)}"
                rows.append(
                    (who, moment, f"{seconds:.1f} s", f"{code}: {sentence}", again, f"{away:.1e}")
                )
                print(rows[-1], file=sys.stderr)
    return rows


def kill_one(folder: Path, victim: int, line: str, *words: object) -> tuple[float, str, int]:
    """Kill worker `victim` of two once it says `line`; return after how many seconds the other one
    has ended, its last line, and its exit code."""
    processes = workers.start(folder, 2, *words)
    workers.wait_for(folder, victim, line)
    time.sleep(0.5)
    processes[victim].send_signal(signal.SIGKILL)
    start = time.monotonic()
    other = processes[1 - victim]
    code = other.wait(120)
    seconds = time.monotonic() - start
    processes[victim].wait()
    return seconds, workers.said(folder, 1 - victim).strip().split("\n")[-1], code


if __name__ == "__main__":
    name, *words = sys.argv[1:]
    print(markdown({"compare": compare, "kill": kill}[name](*words)))
