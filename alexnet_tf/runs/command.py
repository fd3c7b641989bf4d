"""The command that trains with given settings."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from alexnet_tf.runs.recipes import RECIPES, usual
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.program import command


def training_command(settings: Settings, directory: Path) -> str:
    """Spell the command of a run in `directory`, with the recipe that needs the fewest options.

    Each option is on a line of its own, quoted for a shell.
    """
    commands = []
    for name, recipe in RECIPES.items():
        if any(getattr(settings, each) is None for each in recipe):  # which no option expresses
            continue
        lines = [[*command("train").split(), "--run", str(directory)]]
        if name != usual(settings.weights):
            lines.append(["--recipe", name])
        commands.append(lines + _differences(settings, Settings(**recipe)))
    shortest: list[list[str]] = min(commands, key=len)
    return " \\\n  ".join(map(shlex.join, shortest))


def _differences(settings: Settings, default: Settings) -> list[list[str]]:
    """Spell the options of the settings that differ from the `default`."""
    lines = []
    for each in fields(Settings):
        value, option = getattr(settings, each.name), each.name.replace("_", "-")
        if value == getattr(default, each.name):
            continue
        if isinstance(value, bool):
            lines.append([f"--{option}" if value else f"--no-{option}"])
        else:
            lines.append([f"--{option}", str(value)])
    return lines
