"""Sort pictures, and take them back, in processes that are killed at drawn moments."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from alexnet_tf.inference.output.sorting import Sorter
from alexnet_tf.inference.output.undo import UNDO, undo
from alexnet_tf.system.transfers import WAYS
from tests.support.forked import SERVER

PICTURES, KILLS = 40, 4
CLASSES = ("cat", "dog")
FAULT = "SIGKILL in sorting"


def try_sorting(folder: Path, random: np.random.Generator) -> tuple[Counter, list[str]]:
    """Sort pictures with sidecars and links in the new `folder`, in each way, and take them back;
    count the processes that were killed, and name what went wrong."""
    struck, wrong = Counter(), []
    for by in WAYS:
        alone, here = folder / f"{by} alone", folder / by
        for place in (alone, here):
            lay(place / "photos", with_links=by != "move")
        before, start = seen(here / "photos"), time.monotonic()
        sort(alone, by)
        seconds, expected = time.monotonic() - start, seen(alone)
        for work, after in (
            (sort, expected),
            (take_back, {f"photos/{n}": before[n] for n in before}),
        ):
            for _ in range(KILLS):
                struck[FAULT] += is_killed(work, here, by, random.uniform(0, seconds))
                if not {*before.values()} <= {*seen(here).values()}:
                    wrong.append(f"a file that was lost, --by {by}")
            work(here, by)
            if seen(here) != after:
                wrong.append(f"what {work.__name__} leaves, --by {by}")
    return struck, wrong


def lay(photos: Path, with_links: bool) -> None:
    """Make pictures, of which every other shares its stem and its sidecars with the one before."""
    photos.mkdir(parents=True)
    for number in range(PICTURES):
        stem = photos / str(number // 2)
        stem.with_suffix((".jpg", ".png")[number % 2]).write_text(f"picture {number}")
        stem.with_suffix(".xmp").write_text(f"of {number // 2}")
        Path(f"{stem}.jpg.aae").write_text(f"of {number // 2}, too")
    if with_links:
        (photos / "soft.jpg").symlink_to("0.jpg")
        os.link(photos / "1.jpg", photos / "hard.jpg")


def sort(folder: Path, by: str) -> None:
    """Sort the pictures as `predict` does, a third of them into another class."""
    sorter = Sorter(folder / "sorted", CLASSES, by)
    with sorter.opened():
        for path in sorted((folder / "photos").iterdir()):
            if path.suffix in (".jpg", ".png") and not sorter.is_placed(str(path)):
                label = CLASSES[path.read_bytes()[-1] % 3 == 0]
                sorter.place(str(path), label, 1)


def take_back(folder: Path, by: str) -> None:
    """Take back what was sorted, unless all of it was."""
    if (folder / "sorted" / UNDO).exists():
        undo(folder / "sorted")


def is_killed(work: Callable, folder: Path, by: str, seconds: float) -> bool:
    """Do some work in a process that is killed after so many seconds; tell whether it was at it."""
    process = SERVER.Process(target=work, args=(folder, by))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode != 0


def seen(folder: Path) -> dict[str, str]:
    """Return path → content, or what a link names, of all files but the program's own."""
    files = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in files
        if path.name not in (UNDO, ".lock")
    }
