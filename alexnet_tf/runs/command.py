"""The command that trains what a run was told."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from alexnet_tf.runs.recipes import RECIPES, usual
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.program import command


def training_command(settings: Settings, directory: Path) -> str:
    """Spell the command of a run in `directory`, by the recipe that leaves least to be told.

    Each option is in a line of its own, as a shell takes it.
    """
    commands = []
    for name, recipe in RECIPES.items():
        if any(getattr(settings, each) is None for each in recipe):  # which no option says
            continue
        lines = [[*command("train").split(), "--run", str(directory)]]
        if name != usual(settings.weights):
            lines.append(["--recipe", name])
        commands.append(lines + _differences(settings, Settings(**recipe)))
    shortest: list[list[str]] = min(commands, key=len)
    return " \\\n  ".join(map(shlex.join, shortest))


def _differences(settings: Settings, told: Settings) -> list[list[str]]:
    """Spell the options that make of what is `told` without them these settings."""
    lines = []
    for each in fields(Settings):
        value, option = getattr(settings, each.name), each.name.replace("_", "-")
        if value == getattr(told, each.name):
            continue
        if isinstance(value, bool):
            lines.append([f"--{option}" if value else f"--no-{option}"])
        else:
            lines.append([f"--{option}", str(value)])
    return lines
