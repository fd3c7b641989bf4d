"""The command that trains what a run was told."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from alexnet_tf.runs.settings import Settings


def training_command(settings: Settings, directory: Path) -> str:
    """Spell the command of a run in `directory`, with every setting that is not its default.

    Each option is in a line of its own, as a shell takes it.
    """
    lines = [["python", "train_alexnet.py", "--run", str(directory)]]
    for each in fields(Settings):
        value, option = getattr(settings, each.name), each.name.replace("_", "-")
        if value == each.default:
            continue
        if isinstance(value, bool):
            lines.append([f"--{option}" if value else f"--no-{option}"])
        else:
            lines.append([f"--{option}", str(value)])
    return " \\\n  ".join(map(shlex.join, lines))
