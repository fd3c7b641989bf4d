"""Folders that are whole or absent, whoever else is at making them, and whatever ends that."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.sources.zip_archives import unpack
from alexnet_tf.errors import UserError
from alexnet_tf.system.folders import atomic_dir, made_once
from alexnet_tf.system.locks import locked_beside
from tests import test_cifar
from tests.support.processes import running
from tests.tools import unpacking

COUNT = 600
# Unpacks the archive that it is told of, once it is told to, and counts what is there.
UNPACK = """
import sys
from alexnet_tf.data.sources.open import open_source
print("ready", flush=True)
sys.stdin.readline()
print(len(open_source(sys.argv[1]).entries))
"""
# Fills the folder "made" with one file, and then does nothing for ever.
BEGIN = """
import logging, time
from pathlib import Path
from alexnet_tf.system.folders import atomic_dir, made_once
from alexnet_tf.system.log import LOG

LOG.addHandler(logging.StreamHandler())
from alexnet_tf.system.locks import locked_beside

def fill(folder):
    (folder / "half").touch()
    print("begun", flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start():
    """Return what starts a program, which ends with the test."""
    with ExitStack() as stack:

        def start(program, *words):
            command = [sys.executable, "-c", program, *words]
            return stack.enter_context(running(command, stdin=subprocess.PIPE))

        yield start


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def write_zip(path: Path) -> int:
    with zipfile.ZipFile(path, "w") as file:
        for number in range(COUNT):
            file.writestr(f"{'ab'[number % 2]}/{number}.jpg", bytes([number % 256]) * 5000)
    return COUNT


def write_tar(path: Path) -> int:
    write_zip(Path("photos.zip"))
    with zipfile.ZipFile("photos.zip") as file:
        file.extractall("photos")
    with tarfile.open(path, "w") as file:
        file.add("photos")
    return COUNT


def write_cifar(path: Path) -> int:
    names = test_cifar.BATCHES
    batches = {name: test_cifar.batch(*test_cifar.pictures(1, 100)) for name in names}
    test_cifar.write(path, batches)
    return COUNT


def make_again(here: Path) -> None:
    with atomic_dir(here / "made", check=lambda: None) as folder:
        (folder / "new").touch()


@pytest.mark.parametrize("write", [write_zip, write_tar, write_cifar])
def test_three_commands_that_unpack_one_archive_at_once_have_all_of_it(start, write):
    count = write(archive := Path("pictures"))
    commands = [start(UNPACK, archive) for _ in range(3)]
    assert [command.stdout.readline() for command in commands] == ["ready\n"] * 3
    for command in commands:
        command.stdin.write("\n")
        command.stdin.flush()
    results = [command.communicate() for command in commands]
    assert [printed for printed, _ in results] == [f"{count}\n"] * 3, results
    (folder,) = Path("data/unpacked").iterdir()
    assert len([path for path in folder.rglob("*") if path.is_file()]) == count


def test_one_that_waits_takes_over_from_one_that_was_killed(start, here):
    first = start(BEGIN + "made_once(Path('made'), fill)")
    assert first.stdout.readline() == "begun\n"
    second = start(BEGIN + "made_once(Path('made'), lambda folder: (folder / 'whole').touch())")
    said = f"made: process {first.pid} is at work in it, and is waited for\n"
    assert second.stderr.readline() == said and not (here / "made").exists()
    first.kill()
    assert second.wait() == 0
    assert names(here) == ["made", "whole"]
    for process in (first, second):
        process.communicate()


def test_one_that_has_waited_keeps_those_out_that_come_after_it(start, here):
    with locked_beside(here / "made"):
        second = start(BEGIN + "made_once(Path('made'), fill)")
        assert "is waited for" in second.stderr.readline()
    assert second.stdout.readline() == "begun\n"
    with pytest.raises(UserError, match=f"made: process {second.pid} is at work in it; wait"):
        make_again(here)


def test_what_was_made_meanwhile_on_a_disk_without_locks_is_taken(here, monkeypatch):
    def flock(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)

    def fill(folder):
        (folder / "file").write_text("mine")
        made_once(here / "made", lambda other: (other / "file").write_text("theirs"))

    assert (made_once(here / "made", fill) / "file").read_text() == "theirs"
    assert {path.name for path in here.iterdir()} == {"made", ".made.lock"}


def unpack_a_zip(here: Path) -> Path:
    write_zip(here / "photos.zip")
    return unpack(here / "photos.zip", here / "into")


def export(here: Path) -> Path:
    with atomic_dir(here / "saved") as folder:
        (folder / "variables").mkdir()
        for name in ("saved_model.pb", "variables/variables.index"):
            (folder / name).write_text("content")
    return here / "saved"


@pytest.mark.parametrize("make", [unpack_a_zip, export])
def test_all_is_on_the_disk_before_it_has_its_name(here, monkeypatch, make):
    synced, fsync, rename = set(), os.fsync, Path.rename

    def noted_fsync(handle):
        synced.add(os.fstat(handle).st_ino)
        fsync(handle)

    def checked_rename(path, target):
        contents = [path, *path.rglob("*")]
        assert {content.stat().st_ino for content in contents} <= synced
        with pytest.raises(UserError, match="is at work in it"), locked_beside(target):
            pass  # nobody else has begun to make it, until it has its name
        renamed.append(len(contents))
        return rename(path, target)

    renamed: list[int] = []
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", checked_rename)
    folder = make(here)
    assert renamed == [1 + len([*folder.rglob("*")])] and folder.parent.stat().st_ino in synced


def test_an_archive_is_whole_or_absent_whoever_of_three_is_killed(here):
    """The short form of what `make chaos` does with unpacking."""
    killed, wrong = unpacking.try_unpacking(here / "chaos", np.random.default_rng(0))
    assert wrong == [] and killed.total() in (0, 1, 2)


def test_a_second_that_makes_the_same_folder_is_told_of_the_first(start, here):
    first = start(BEGIN + "with atomic_dir(Path('made')) as folder: fill(folder)")
    assert first.stdout.readline() == "begun\n"
    with pytest.raises(UserError, match=f"made: process {first.pid} is at work in it; wait"):
        make_again(here)
    first.kill()
    first.communicate()
    make_again(here)
    assert names(here) == ["made", "new"]


@pytest.mark.parametrize("renames", [1, 2])
def test_killed_while_a_folder_is_replaced_there_is_the_old_one_or_the_new(start, here, renames):
    (here / "made").mkdir()
    (here / "made/old").touch()
    kill = f"""
import os
from pathlib import Path
from alexnet_tf.system.folders import atomic_dir
rename, renames = Path.rename, []

def killed(path, target):
    rename(path, target)
    renames.append(path)
    if len(renames) == {renames}:
        os.kill(os.getpid(), 9)

Path.rename = killed
with atomic_dir(Path("made"), check=lambda: None) as folder:
    (folder / "new").touch()
"""
    process = start(kill)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(OSError, match="full"), atomic_dir(here / "made", check=lambda: None):
        raise OSError("full")
    assert names(here) == sorted(["made", ["old", "new"][renames - 1]])
    make_again(here)
    assert names(here) == ["made", "new"]
