"""The installed wheel works in an environment of its own, outside a checkout."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.places import ROOT

# The first that knows `license = "Apache-2.0"`, as pyproject.toml has it.
SETUPTOOLS = 77


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> Path:
    """Build the source distribution, and from that the wheel; return the folder of both."""
    setuptools = pytest.importorskip("setuptools")
    pytest.importorskip("build")
    if int(setuptools.__version__.split(".")[0]) < SETUPTOOLS:
        pytest.skip(f"needs setuptools {SETUPTOOLS} (`make setup`)")
    folder = tmp_path_factory.mktemp("dist")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in files.stdout.decode().split("\0")[:-1]:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "source"],
        capture_output=True,
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory) -> Path:
    """Install the wheel into a fresh environment, beside the packages of this one; return it."""
    place = tmp_path_factory.mktemp("elsewhere")
    venv.create(place / "venv", with_pip=False)
    python = place / "venv/bin/python"
    (wheel,) = distributions.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([*pip, wheel], check=True, capture_output=True, env=clean)
    (packages,) = (place / "venv/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return place


@pytest.fixture(scope="module")
def alexnet_tf(installed):
    """Return what types ``alexnet-tf …`` there."""
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}

    def run(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [installed / "venv/bin/alexnet-tf", *map(str, words)],
            cwd=installed,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result

    return run


def test_wheel_and_source_hold_every_file_of_the_package(distributions):
    source, (wheel,) = distributions / "source", distributions.glob("*.whl")
    (archive,) = distributions.glob("*.tar.gz")
    ours = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    package = {name for name in ours if name.startswith("alexnet_tf/")}
    with zipfile.ZipFile(wheel) as files:
        assert package - {*files.namelist()} == set()
    with tarfile.open(archive) as files:
        held = {name.partition("/")[2] for name in files.getnames()}
    assert {
        name for name in ours - held if not name.startswith((".", "data/", "weights/"))
    } == set()


def test_it_says_its_version(alexnet_tf):
    assert alexnet_tf("--version").stdout == "alexnet_tf 0.1.0\n"


def test_the_starter_answers_there(alexnet_tf, faces):
    result = alexnet_tf("predict", faces / "cat.1.jpg")
    assert result.stdout == "cat\n"
    assert result.stderr.startswith("alexnet-tf: there is no finished run, so the starter is used")
    assert "`alexnet-tf train --data PICTURES` trains a network on your own" in result.stderr
    assert alexnet_tf("predict", "2", faces / "dog.4.jpg").stdout == "dog\n"


def test_messages_name_the_command_there(alexnet_tf):
    message = alexnet_tf("train", code=2).stderr
    assert message.startswith(
        "alexnet-tf: data: there is no such file or folder. `alexnet-tf data` "
    )
    assert "`alexnet-tf train --run x`" in alexnet_tf("evaluate", "x", code=2).stderr
    message = alexnet_tf("train", "--epochs", "0", code=2).stderr
    assert message.startswith("alexnet-tf: argument --epochs: ")
    assert "`alexnet-tf train --help`" in message


def test_the_demo_learns_and_answers_there(alexnet_tf, installed):
    shown, made = alexnet_tf("demo").stdout.split("\nMade in ")
    with (installed / "demo/run/history.csv").open() as file:
        assert max(float(epoch["val_accuracy"]) for epoch in csv.DictReader(file)) >= 0.90
    assert "\n$ alexnet-tf train --data demo --run demo/run" in shown
    assert "try it: alexnet-tf predict 2 PICTURE --run demo/run" in shown
    assert "alexnet-tf tensorboard demo/run" in made
    predictions = [line.split("\t") for line in shown.splitlines() if line.count("\t") == 2]
    assert len(predictions) == 8
