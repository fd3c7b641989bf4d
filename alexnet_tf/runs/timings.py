"""Durations of the phases of a run: seconds.json."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import read_json, write_json


def add_seconds(run: Run, seconds: dict[str, float]) -> None:
    """Add the seconds of each phase to those of earlier starts; a damaged file is replaced."""
    try:
        before = read_seconds(run)
    except UserError:
        before = {}
    total = {name: round(before.get(name, 0.0) + seconds[name], 3) for name in seconds}
    write_json(run.seconds_path, before | total)


def read_seconds(run: Run) -> dict[str, float]:
    """Read the seconds of all completed starts by phase; {} without any, UserError if damaged."""
    if not run.seconds_path.is_file():
        return {}
    seconds = read_json(run.seconds_path)
    values: Iterable[Any] = seconds.values() if isinstance(seconds, dict) else [None]
    if not all(type(each) in (int, float) and 0 <= each < math.inf for each in values):
        raise UserError(f"{run.seconds_path}: is damaged; delete it, for nothing depends on it")
    return seconds
