"""`make`, with a Python that only shows what it was told."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from dataclasses import fields
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from alexnet_tf.runs.settings import Settings
from tests.support.places import ROOT

SHOW = """#!/bin/sh
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; fi
for word in "$@"; do printf "%s\\n" "$word"; done
"""


@pytest.fixture
def make(tmp_path):
    """Runs `make` in an empty folder where everything is installed; what the program was told."""
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/setup-done").touch()
    (tmp_path / ".venv/bin/python").write_text(SHOW)
    (tmp_path / ".venv/bin/python").chmod(0o755)
    # These tests may run inside of `make test OLDEST=1`.
    ours = ("MAKE", "OLDEST", "VENV")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def run(*words, code=0):
        result = subprocess.run(
            ["make", "-s", *words], cwd=tmp_path, env=clean, capture_output=True, text=True
        )
        assert result.returncode == code, result.stderr
        return result.stderr if code else result.stdout.splitlines()

    return run


def test_every_setting_is_a_variable(make):
    config = {field.name.upper(): "1" for field in fields(Settings)}
    words = make("train", *(f"{name}={value}" for name, value in config.items()))
    options = {field.name.replace("_", "-") for field in fields(Settings)}
    assert {word[2:] for word in words if word.startswith("--")} == {*options, "run"}


def test_switches_are_turned_off_by_0(make):
    words = make("train", "LRN=0", "CROP=1", "MIRROR=0", "DROPOUT=0.3")
    assert words[1:] == [
        "--run", "train_alexnet", "--dropout", "0.3", "--no-lrn", "--crop", "--no-mirror",
    ]  # fmt: skip


def test_a_switch_that_is_neither_on_nor_off_is_refused(make):
    assert "CROP=maybe: should be 1 or 0" in make("train", "CROP=maybe", code=2)


@pytest.mark.parametrize(
    "name", ["my run", "it's", 'a "b" c', "$HOME", "$(shell touch ran)", "a;b"]
)
def test_any_name_arrives_as_it_is(make, name):
    assert make("doctor", f"RUN={name}")[-1] == name
    assert make("train", f"DATA={name}")[-1] == name
    assert make("tensorboard", f"RUN={name}")[3] == name


def test_the_latest_run_is_served_unless_another_is_named(make):
    assert make("serve") == ["-m", "alexnet_tf", "serve", "--host", "localhost"]
    words = make("serve", "RUN=runs/a b", "PORT=80", "HOST=0.0.0.0")
    assert words[2:] == ["serve", "runs/a b", "--host", "0.0.0.0", "--port", "80"]


def test_the_doctor_is_told_of_a_run_only_where_there_is_one(make, tmp_path):
    assert make("doctor") == ["-m", "alexnet_tf", "doctor"]
    (tmp_path / "train_alexnet").mkdir()
    assert make("doctor") == ["-m", "alexnet_tf", "doctor", "train_alexnet"]


@pytest.mark.parametrize("made_with", ["-gpu", "-locked", "-gpu-locked"])
def test_what_was_set_up_is_not_set_up_anew(make, tmp_path, made_with):
    (tmp_path / ".venv/setup-done").rename(tmp_path / f".venv/setup-done{made_with}")
    (tmp_path / "constraints.txt").touch()
    os.utime(tmp_path / "constraints.txt", (0, 0))
    assert make("train") == ["train_alexnet.py", "--run", "train_alexnet"]


def extras_installed(words):
    """The extras that pip was told to install; none if it was not called."""
    config = [words[place + 1] for place, word in enumerate(words) if word == "--editable"]
    return {extra for each in config for extra in each[2:-1].split(",")}


def test_the_first_start_is_light_and_what_tests_adds_the_rest(make, tmp_path):
    """Each package is installed when it is first needed; then nothing is installed any more."""
    (tmp_path / ".venv/bin/python").rename(tmp_path / "python")
    shutil.rmtree(tmp_path / ".venv")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = f"PYTHON={tmp_path / 'python'}"

    def installed(goal):
        return extras_installed(make(goal, python))

    light = {"litert", "openvino", "heic", "report", "serve", "completion", "yaml"}
    assert installed("demo") == light
    assert not any(map(installed, ("train", "weights", "data", "tensorboard", "serve", "doctor")))
    assert installed("test") == {*project["optional-dependencies"]} - {"gpu"}
    assert not any(map(installed, ("setup", "train", "chaos", "fuzz", "mutants", "demo")))
    shutil.rmtree(tmp_path / ".venv")
    assert light < installed("setup") and not installed("train")
    assert extras_installed(make("demo", python, "GPU=1")) == {*light, "gpu"}
    assert "gpu" in installed("test") and not installed("train")


def test_a_variable_that_the_target_does_not_heed_stops_it(make):
    message = make("train", "XYZZY=1", code=2)
    assert "XYZZY: `make train` heeds no variable of this name; it heeds ACTIVATION" in message
    assert "EPOCHS: `make data` heeds no variable" in make("data", "EPOCHS=5", code=2)


@pytest.mark.parametrize(("typed", "meant"), [("EPOHCS", "EPOCHS"), ("batch_size", "BATCH_SIZE")])
def test_a_misspelled_variable_is_answered_by_the_one_that_was_meant(make, typed, meant):
    message = make("train", f"{typed}=1", code=2)
    assert f"heeds no variable of this name; did you mean {meant}?" in message
    assert "ACTIVATION" not in message


def test_a_misspelled_target_is_answered_by_the_one_that_was_meant(make):
    assert "there is no target trian; did you mean train?" in make("trian", code=2)


def test_several_targets_heed_what_any_of_them_does(make):
    words = make("weights", "data", "train", "EPOCHS=5", "MIRROR=here")
    assert words == [
        "-m", "alexnet_tf", "weights", "--mirror", "here",
        "-m", "alexnet_tf", "data", "--mirror", "here",
        "train_alexnet.py", "--run", "train_alexnet", "--epochs", "5",
    ]  # fmt: skip


def python_that_is(version, folder):
    """A script that calls itself that version of Python."""
    path = folder / "old-python"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo Python {version}; else\n'
        f'exec {sys.executable} -c "import sys; sys.version_info = tuple(map(int, '
        f"'{version}'.split('.')))\n$2\"; fi\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["2.7.18", "3.10.13", "3.14.0"])
def test_a_python_that_will_not_do_is_named_before_anything_is_installed(make, tmp_path, version):
    python = python_that_is(version, tmp_path)
    message = make("setup", f"PYTHON={python}", "VENV=new", code=2)
    assert f"{python} is Python {version}; " in message
    assert "needs 3.11, 3.12 or 3.13. Name one: make setup PYTHON=python3.12" in message
    assert not (tmp_path / "new").exists()


def test_a_python_that_is_not_there_is_named(make):
    message = make("setup", "PYTHON=no-such-python", "VENV=new", code=2)
    assert "no-such-python is no Python that starts here; " in message


def locked() -> dict[str, Version]:
    """Read package → version from constraints.txt, of the lines for this Python and system."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    needs = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [need for need in needs if not need.marker or need.marker.evaluate()]
    assert {len(need.specifier) for need in needs} == {1}
    return {canonicalize_name(need.name): Version(str(need.specifier)[2:]) for need in here}


def test_constraints_fit_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    versions = locked()
    for line in (*project["dependencies"], *(line for extra in extras for line in extra)):
        need = Requirement(line)
        assert need.specifier.contains(versions[canonicalize_name(need.name)]), line


@pytest.mark.skipif("CI" not in os.environ, reason="half a minute, and a package index: CI's")
def test_the_newest_pip_takes_constraints(tmp_path):
    """As `make setup LOCKED=1` installs, but for the download."""
    venv.create(tmp_path / "env", with_pip=True)
    pip = [tmp_path / "env/bin/python", "-m", "pip", "--quiet"]
    subprocess.run([*pip, "install", "--upgrade", "pip"], check=True)
    report = tmp_path / "report.json"
    extras = (
        "dev,litert,openvino,onnx,heic,parquet,s3,gs,hf,kaggle,tfds,ray,report,serve,completion"
    )
    words = ["--dry-run", "--ignore-installed", "--report", report, "--constraint"]
    subprocess.run(
        [*pip, "install", *words, ROOT / "constraints.txt", f"{ROOT}[{extras}]"], check=True
    )
    chosen = [each["metadata"] for each in json.loads(report.read_text())["install"]]
    versions = locked() | {"alexnet-tf": Version(version("alexnet_tf"))}
    for each in chosen:
        assert Version(each["version"]) == versions[canonicalize_name(each["name"])], each["name"]
    assert len(chosen) > 100


def test_the_oldest_packages_are_the_lower_bounds_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    limited = [needs for name, needs in extras.items() if name not in ("dev", "gpu")]
    needs = [*project["dependencies"], *(need for extra in limited for need in extra)]
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines()
    oldest = [Requirement(line) for line in lines if not line.startswith("#")]
    assert [each.name for each in oldest] == [Requirement(line).name for line in needs]
    for lowest, line in zip(oldest, needs):
        (version,) = (one.version for one in lowest.specifier)
        (bound,) = (s.version for s in Requirement(line).specifier if s.operator == ">=")
        assert Version(version) == Version(bound), line
