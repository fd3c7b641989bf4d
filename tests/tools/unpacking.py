"""Unpack one archive by several processes at once, some of which are killed at drawn moments."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from tests.support.places import ROOT

FILES, COMMANDS, SECONDS = 1000, 3, 2
FAULT = "SIGKILL in unpacking"
# Waits for a line, so that the moments are not those of starting Python.
UNPACK = """
import sys
from alexnet_tf.data.sources.open import open_source
print("ready", flush=True)
sys.stdin.readline()
print(len(open_source("photos.zip").entries))
"""


def try_unpacking(folder: Path, random: np.random.Generator) -> tuple[Counter, list[str]]:
    """Unpack a zip in the new `folder` until it is unpacked; count the processes that were killed,
    and name what went wrong."""
    folder.mkdir()
    contents = {f"{'ab'[n % 2]}/{n}.jpg": random.bytes(5000) for n in range(FILES)}
    with zipfile.ZipFile(folder / "photos.zip", "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    commands = [_start(folder) for _ in range(COMMANDS)]
    _begin(commands)
    moments = dict(zip(commands[:-1], random.uniform(0, SECONDS, COMMANDS - 1)))
    wrong, start = set(), time.monotonic()
    while any(command.poll() is None for command in commands):
        for command, moment in moments.items():
            if time.monotonic() - start > moment:
                command.kill()
        wrong |= _wrong(folder, FILES)
        time.sleep(0.01)
    killed = sum(command.returncode < 0 for command in moments)
    for command in commands:
        printed, said = command.communicate()
        if command.returncode >= 0 and printed != f"{FILES}\n":
            wrong.add(f"a command that was not killed: {printed}{said}")
    (made,) = (folder / "data/unpacked").glob("photos-*")
    found = {str(p.relative_to(made)): p.read_bytes() for p in made.rglob("*.jpg")}
    if found != contents or [*made.parent.iterdir()] != [made]:
        wrong.add("the folder at the end")
    return Counter({FAULT: killed}), sorted(wrong)


def _start(folder: Path) -> subprocess.Popen[str]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", UNPACK]
    return subprocess.Popen(words, cwd=folder, env=environment, text=True, **pipes)


def _begin(commands: list[subprocess.Popen[str]]) -> None:
    for command in commands:
        assert command.stdout.readline() == "ready\n"
    for command in commands:
        command.stdin.write("\n")
        command.stdin.flush()


def _wrong(folder: Path, count: int) -> set[str]:
    """Look whether what has the name of the unpacked folder, if anything, is whole."""
    for made in (folder / "data/unpacked").glob("photos-*"):
        if len([*made.rglob("*.jpg")]) != count:
            return {"a folder that was seen half unpacked"}
    return set()
