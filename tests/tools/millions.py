"""Lists, splits and shares out millions of made-up pictures: python -m tests.tools.millions.

Prints after each step its seconds, those of a processor, the memory of this one process, and the
peak so far, in which mapped files count.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.runs.pictures import find_pictures, newcomers
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import write_json

QUICK = ("{scratch}", "--rows", "20000")
CLASSES, FILES, WORKERS = 1000, 20, 8
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the lists go; 3 GB for ten million")
    parser.add_argument("--rows", type=int, default=10_000_000)
    options = parser.parse_args()
    lists, again = options.folder / "lists", options.folder / "again"
    step("writing them", lambda: _write(lists, options.rows))
    step("listing", lambda: len(open_source(lists).entries))
    dataset = step("listing, splitting", lambda: open_dataset(lists))
    step("writing train.txt, val.txt", lambda: write_lists(dataset, again))
    share = step(f"what one of {WORKERS} workers takes", lambda: dataset.train[::WORKERS])
    before = step("fingerprint", dataset.fingerprint)
    print(f"{len(dataset.train):,} to train with, of which a worker takes {len(share):,}")
    dataset = share = None
    same = step("listing those", lambda: open_dataset(again).fingerprint() == before)
    assert same, "another split the second time"
    step("going on with a run of those", lambda: _go_on(Run(again), lists, before))


def _go_on(run: Run, lists: Path, fingerprint: str) -> None:
    """Find the pictures of a run again, and those that were added meanwhile, as a training does."""
    settings = Settings(data=str(lists))
    config = {"settings": asdict(settings), "classes": ["a", "b"], "weights": ""}
    write_json(run.config_path, config | {"data": fingerprint})
    dataset, _ = find_pictures(run, settings)
    assert newcomers(run, dataset, settings.data) == 0


def _write(folder: Path, rows: int) -> None:
    """Write lists of addresses that lead nowhere, and what is said of the pictures there."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "pictures.sha256", "w") as digests:
        for number in range(FILES):
            with open(folder / f"part-{number:05}-of-{FILES:05}.txt", "w") as file:
                for row in range(number, rows, FILES):
                    name = f"https://pictures.example.org/{row % 4096:04}/picture-{row:010}.jpg"
                    file.write(f"{name} class-{row // FILES % CLASSES:04}\n")
                    digests.write(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")


def step(what: str, act: Callable[[], Result]) -> Result:
    """Run a step, and print a row of a table about it."""
    start = time.monotonic(), time.process_time()
    result = act()
    seconds = time.monotonic() - start[0], time.process_time() - start[1]
    status = Path("/proc/self/status").read_text()
    memory = (int(re.search(rf"{name}:\s*(\d+) kB", status)[1]) for name in ("RssAnon", "VmHWM"))
    cells = [
        what,
        *(f"{each:,.0f} s" for each in seconds),
        *(f"{each / 1e6:.2f} GB" for each in memory),
    ]
    print(f"| {' | '.join(cells)} |", flush=True)
    return result


if __name__ == "__main__":
    main()
