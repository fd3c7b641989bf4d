"""Shared fixtures: drawn pictures, random weights, and real ones where there are any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from alexnet_tf.commands import cli
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.system.processor import VARIABLE
from benchmarks.material import write_random_convolutions
from tests.support.browser import browsing, chromium
from tests.support.engines import ENGINES, Engine, skip_without_bfloat16
from tests.support.pictures import restart_colors
from tests.support.places import MATERIAL, ROOT
from tests.support.shared import made_once, train_faces
from tests.support.site import Site
from tests.support.skips import LIST, OPTION, OnlyKnown
from tests.support.verbs import run_script

# A shell starts what is in the background, and nohup everything, with these ignored; the programs
# under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Tests leave alone what programs remember for the user.
os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
# Started by `make test`, the programs under test would name the commands that make has.
os.environ.pop("MAKELEVEL", None)
# The processor must not decide what is computed in, here and in the programs that tests start.
os.environ.setdefault(VARIABLE, "float32")

# Command lines that end in this process do not end it.
cli.end_process = lambda code: None
# Two workers in one process wait for each other: on one processor TensorFlow would have one thread.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")

# Files that take longest begin first: else one process waits for the other at the end.
LONGEST = (
    "real_photos", "survival", "distribution", "report", "windows", "settings_together",
    "settings_at_work", "litert", "exports", "options", "similar", "trainer", "notebook",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `.ci/run` gives."""
    parser.addoption(OPTION, action="store_true", help=f"fail on a skip that {LIST.name} lacks")


def pytest_configure(config: pytest.Config) -> None:
    """Look at what is skipped, where that is asked for, in the process that hears of all tests;
    begin with the files that take longest."""
    config.option.loadscopereorder = False  # of pytest-xdist, to which a file's tests are its size
    if config.getoption(OPTION) and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(OnlyKnown())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, and leave the others in the order that was drawn."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem.removeprefix("test_"), len(places)))


def pytest_report_header() -> list[str]:
    """Say what is computed in, and whether tests of real photos, or in a browser, are left out."""
    left_out = "tests that need {} left out"
    material = MATERIAL or f"none (set ALEXNET_TF_MATERIAL), {left_out.format('them')}"
    browser = chromium() or f"none (apt-get install chromium), {left_out.format('it')}"
    computed = f"{os.environ[VARIABLE]} ({VARIABLE}); marked engines: {', '.join(ENGINES)}"
    return [
        f"computed in: {computed}",
        f"real photos and weights: {material}",
        f"browser: {browser}",
    ]


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Any:
    """Escape, in what a worker reports, what no UTF-8 can hold: names of files that are no text."""
    return _encodable((yield))


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _encodable(each) for name, each in value.items()}
    if isinstance(value, tuple):  # where a test is skipped, which pytest takes for no list
        return tuple(map(_encodable, value))
    return [*map(_encodable, value)] if isinstance(value, list) else value


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes the fixture `each_engine` with each."""
    if "each_engine" in metafunc.fixturenames:
        marked = [pytest.param(name, marks=pytest.mark.engines) for name in ENGINES]
        metafunc.parametrize("each_engine", marked, indirect=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what computes in bfloat16 where nothing does."""
    if item.get_closest_marker("bfloat16"):
        skip_without_bfloat16()


@pytest.fixture
def each_engine(request, monkeypatch) -> Engine:
    """Compute in one of `ENGINES`, here and in what is started from here."""
    chosen = ENGINES[request.param]
    if chosen.name == "bfloat16":
        skip_without_bfloat16()
    for name, value in chosen.environment.items():
        monkeypatch.setenv(name, value)
    return chosen


@pytest.fixture(scope="module", autouse=True)
def _colors_of_module() -> None:
    """Draw the same pictures whatever was drawn for other files."""
    restart_colors(0)


@pytest.fixture(autouse=True)
def _colors_of_test(_colors_of_module) -> None:
    """Draw the same pictures whatever was drawn for other tests, but none of the file's."""
    restart_colors(2048)


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


@pytest.fixture
def typed(tmp_path, capsys):
    """Return what does as `command`, but in this process, which has imported TensorFlow."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        ended = run_script(tmp_path, *arguments)
        result = subprocess.CompletedProcess(arguments, ended, *capsys.readouterr())
        assert result.returncode == code, result.stdout + result.stderr
        return result

    return run


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory) -> Path:
    """Train a run of three epochs on drawn faces, which are in ``photos`` beside it, to be read.

    Its convolutions of a quarter of BVLC's channels, random, are in ``random.npy``. Whoever changes
    it takes a copy.
    """
    return _trained(tmp_path_factory, os.environ[VARIABLE])


@pytest.fixture
def engine_run(each_engine, tmp_path_factory) -> Path:
    """Train such a run with the engine of the test."""
    return _trained(tmp_path_factory, each_engine.name)


def _trained(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    return made_once(tmp_path_factory, f"trained-{engine}", train_faces) / "run"


@pytest.fixture
def site():
    """Serve files on the loopback, as a publisher does."""
    with Site() as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    """Start Chromium for the tests of one file: while it runs, this thread's event loop does."""
    with browsing() as browser:
        yield browser


@pytest.fixture
def page(browser):
    """Open an empty page of 1280 × 800 pixels; what its scripts or style fail at fails the test,
    but for what says one of the texts in its list `allowed`."""
    errors = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.allowed = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    yield page
    page.unroute_all(behavior="ignoreErrors")
    page.close()
    assert [each for each in errors if not any(map(each.count, page.allowed))] == []
