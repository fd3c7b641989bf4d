"""Folders and trainings that are made once, by the first worker of pytest-xdist that needs them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alexnet_tf.data.drawings import draw_faces
from tests.support.places import ROOT
from tests.support.small import convolutions

# A sixteenth of the parameters: what is asked of a run does not depend on its size.
NARROW = {"width": 0.25, "units": 256}


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """Return the folder `name` of this session, which `make` fills when it is first asked for.

    The other workers wait meanwhile; what failed to be made is made again.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with open(root / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def train_faces(folder: Path) -> None:
    """Draw 60 faces into ``photos``, and train ``run`` on them as a user does, in `folder`."""
    draw_faces(folder / "photos", per_class=30)
    convolutions(folder / "random.npy", **NARROW)
    words = [word for name, value in NARROW.items() for word in (f"--{name}", str(value))]
    subprocess.run(
        [
            sys.executable, str(ROOT / "train_alexnet.py"), "--data", "photos", "--run", "run",
            "--weights", str(folder / "random.npy"), "--epochs", "3", "--batch-size", "16", *words,
        ],
        cwd=folder,
        check=True,
    )  # fmt: skip
