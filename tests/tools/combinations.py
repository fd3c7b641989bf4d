"""Every free setting against every kind of checkpoint: what a start makes of what it finds.

A case is a training that was left somewhere, and then started with other free settings. Its model
and history must be those of a training that had these settings from the first start on.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.runs.checkpoints import (
    checkpoint_path,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from alexnet_tf.runs.history import best_epoch, read_history
from alexnet_tf.runs.run import Run
from tests.support.small import LENET, heard, job, stopped, weights_of

# Some 6 steps in each of these epochs, in which the best one is not always the last.
TOLD = LENET | {"learning_rate": 0.05, "batch_size": 10, "log_every": 1}
MOST_EPOCHS = 4


@dataclass(frozen=True)
class Case:
    """A training of `before`, left whole or `within` the epoch after, whose checkpoints get
    `damage`; then settings `after`."""

    before: dict[str, Any]
    within: bool
    damage: str
    after: dict[str, Any]


def truncate_last(run: Run, random: np.random.Generator) -> None:
    """Cut the last checkpoint off somewhere."""
    path = list_checkpoints(run.checkpoints_folder)[-1]
    with open(path, "r+b") as file:
        file.truncate(int(random.integers(path.stat().st_size)))


def lose_best(run: Run, random: np.random.Generator) -> None:
    """Delete the checkpoint of the best epoch."""
    history = read_history(run)
    if history:  # else it was left within its first epoch
        best = best_epoch(history, run.read_config()["settings"]["best"])
        checkpoint_path(run.checkpoints_folder, best).unlink(missing_ok=True)


def lose_all(run: Run, random: np.random.Generator) -> None:
    """Delete all checkpoints."""
    shutil.rmtree(run.checkpoints_folder)


def put_nan(run: Run, random: np.random.Generator) -> None:
    """Put NaN into a hidden layer of the last checkpoint, which is a whole file all the same."""
    _rewrite(run, lambda arrays: arrays["fc7/kernel"].fill(np.nan))


def widen(run: Run, random: np.random.Generator) -> None:
    """Give a layer of the last checkpoint another shape."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays["fc7/kernel"] = np.zeros((120, 85), np.float32)

    _rewrite(run, change)


def exchange(run: Run, random: np.random.Generator) -> None:
    """Let the last checkpoint be another training's."""
    _rewrite(run, lambda arrays: None, identity="another")


def age(run: Run, random: np.random.Generator) -> None:
    """Leave the last checkpoint as an earlier version wrote it, which did not say whose it is."""
    _rewrite(run, lambda arrays: None, identity="")


def _rewrite(run: Run, change: Callable[[dict[str, np.ndarray]], None], **config: str) -> None:
    path = list_checkpoints(run.checkpoints_folder)[-1]
    arrays, history = load_checkpoint(path)
    change(arrays)
    unfinished = path.name.endswith(".unfinished.npz")
    save_checkpoint(path.parent, arrays, history, unfinished, **config)


DAMAGES = {
    "none": lambda run, random: None,
    "last truncated": truncate_last,
    "best lost": lose_best,
    "all lost": lose_all,
    "NaN in it": put_nan,
    "another shape": widen,
    "another training's": exchange,
    "an earlier version's": age,
}


class Combinations:
    """Cases tried with the pictures in `photos`, in `folder`."""

    def __init__(self, photos: Path, folder: Path):
        self.photos, self.folder = photos, folder
        self._expected: dict[str, tuple] = {}

    def cases(self, random: np.random.Generator, count: int) -> Iterator[Case]:
        """Draw `count` cases; every damage comes as often."""
        for number in range(count):
            before, after = (
                {
                    "epochs": int(random.integers(1, MOST_EPOCHS + 1)),
                    "keep": int(random.integers(1, 4)),
                    "average": int(random.choice([0, 0, 2])),
                    "best": str(random.choice(["accuracy", "balanced"])),
                }
                for _ in range(2)
            )
            damage = [*DAMAGES][number % len(DAMAGES)]
            yield Case(before, bool(random.integers(2)), damage, after)

    def lost(self, case: Case, random: np.random.Generator) -> list[str]:
        """Try a case; name what came out another than undisturbed."""
        directory = self.folder / "tried"
        shutil.rmtree(directory, ignore_errors=True)
        self._train(directory, case.before, case.within)
        DAMAGES[case.damage](Run(directory), random)
        heard(job(self.photos, directory, **TOLD | case.after))
        expected, found = self._undisturbed(case.after), self._result(directory)
        names = ("weights", "history")
        return [name for name, one, other in zip(names, expected, found) if one != other]

    def _train(self, directory: Path, config: dict[str, Any], within: bool) -> None:
        asked = job(self.photos, directory, **TOLD | config)
        if within:
            stopped(asked, f"epoch {config['epochs']}/{config['epochs']}  step 3/")
        else:
            heard(asked)

    def _undisturbed(self, config: dict[str, Any]) -> tuple:
        key = repr({name: config[name] for name in ("epochs", "average", "best")})
        if key not in self._expected:
            directory = self.folder / f"expected{len(self._expected)}"
            self._train(directory, config, False)
            self._expected[key] = self._result(directory)
            shutil.rmtree(directory)
        return self._expected[key]

    @staticmethod
    def _result(directory: Path) -> tuple:
        history = [epoch | {"seconds": 0} for epoch in read_history(Run(directory))]
        return weights_of(directory), history


def try_combinations(
    photos: Path, folder: Path, random: np.random.Generator, count: int
) -> list[tuple[Counter, list[str]]]:
    """Try `count` cases; return of each what was tried, once, and what was lost."""
    combinations = Combinations(photos, folder)
    return [
        (
            Counter({f"other settings, {case.damage}": 1}),
            [f"{name} of {case}" for name in combinations.lost(case, random)],
        )
        for case in combinations.cases(random, count)
    ]
