"""What several tests need: drawn pictures, random weights, and the real ones where they are."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alexnet_tf.data.drawings import draw_faces
from benchmarks.material import write_random_convolutions
from tests.support.places import MATERIAL, ROOT
from tests.support.site import Site

# A shell starts what is in the background, and nohup everything, with these ignored; the programs
# under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header() -> str:
    """Say whether the tests that need real photos and weights are among these."""
    if MATERIAL:
        return f"real photos and weights: {MATERIAL}"
    return "real photos and weights: none (set ALEXNET_TF_MATERIAL), tests that need them left out"


@pytest.fixture(scope="session")
def material() -> Path:
    """Find the folder of real photos and weights; without one, what asks for it is left out."""
    if not MATERIAL:
        pytest.skip("needs ALEXNET_TF_MATERIAL")
    return Path(MATERIAL).resolve()


@pytest.fixture(scope="session")
def faces(tmp_path_factory) -> Path:
    """Draw a folder of 30 cats and 30 dogs."""
    folder = tmp_path_factory.mktemp("faces")
    draw_faces(folder, per_class=30)
    return folder


@pytest.fixture(scope="session")
def random_weights(tmp_path_factory) -> Path:
    """Write conv1 … conv5 at random, in a .npy."""
    path = tmp_path_factory.mktemp("weights") / "random.npy"
    write_random_convolutions(path)
    return path


@pytest.fixture
def command(tmp_path):
    """Return what runs a script of the project, as a user would, in an empty folder."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        script, *rest = (str(argument) for argument in arguments)
        start = ["-m", "alexnet_tf"] if script == "alexnet_tf" else [str(ROOT / script)]
        result = subprocess.run(
            [sys.executable, *start, *rest], cwd=tmp_path, capture_output=True, text=True
        )
        assert result.returncode == code, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory, faces, random_weights) -> Path:
    """Train a run of three epochs on the faces, copied to ``photos`` beside it."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(faces, folder / "photos")
    subprocess.run(
        [
            sys.executable, str(ROOT / "train_alexnet.py"), "--data", "photos", "--run", "run",
            "--weights", str(random_weights), "--epochs", "3", "--batch-size", "16",
        ],
        cwd=folder,
        check=True,
    )  # fmt: skip
    return folder / "run"


@pytest.fixture
def site():
    """Serve files on the loopback, as a publisher does."""
    with Site() as site:
        yield site
