"""A run directory: where its files are, what it was told, whether it is finished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.errors import UserError
from alexnet_tf.runs.settings import FREE_SETTINGS, NO_WEIGHTS, Settings
from alexnet_tf.system.files import read_json
from alexnet_tf.variants import Variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import open_weights

DEFAULT_RUN = Path("train_alexnet")
# The settings that say what a network computes from its weights.
NETWORK_SETTINGS = ("variant", "activation", "lrn", "overlap", "width")
# What config.json has, by examples of the kind.
CONFIG_KINDS: dict[str, Any] = {"settings": {}, "classes": [], "data": "", "weights": ""}


class Run:
    """The files of the run in `directory`, which need not exist yet; its network is in `model`."""

    def __init__(self, directory: str | Path, model: str = "model.keras"):
        self.directory = Path(directory)
        self.config_path = self.directory / "config.json"
        self.checkpoints_folder = self.directory / "checkpoints"
        self.history_path = self.directory / "history.csv"
        self.tensorboard_folder = self.directory / "tensorboard"
        self.model_path = self.directory / model
        self.litert_path = self.directory / "model.tflite"

    def read_config(self) -> dict[str, Any]:
        """Return settings, classes, fingerprints and versions; UserError for a damaged config.json.

        A setting that is younger than the run had its default; one that is no more is left out.
        """
        config = read_json(self.config_path)
        default = asdict(Settings())
        if not _fits(config, CONFIG_KINDS) or not _fits(default | config["settings"], default):
            raise UserError(
                f"{self.config_path}: is damaged, or not the config.json of a run of alexnet_tf; "
                "put a copy of it back, or give another --run to start afresh"
            )
        settings = {name: config["settings"].get(name, default[name]) for name in default}
        return config | {"settings": settings}

    def check_settings(self, settings: Settings) -> None:
        """Refuse to go on with other settings than at the start: UserError, naming each."""
        before, now = self.read_config()["settings"], asdict(settings)
        different = differences(before, now, [name for name in now if name not in FREE_SETTINGS])
        if different:
            raise UserError(
                f"{self.directory}: was started with other settings: {different}. "
                "Give the same ones to go on, or another --run (RUN=… with make) to start afresh"
            )


# The run that is part of this program.
STARTER_RUN = Run(starter.FOLDER, starter.WEIGHTS_PATH.name)


def latest_run() -> Run:
    """Return the run in ./train_alexnet or ./runs/* that was finished last, or else the starter."""
    runs = [Run(path) for path in (DEFAULT_RUN, *sorted(Path("runs").glob("*")))]
    finished = [run for run in runs if run.model_path.is_file()]
    return max(finished, key=lambda run: run.model_path.stat().st_mtime, default=STARTER_RUN)


def finished_run(directory: str | Path | None) -> Run:
    """Return the run in `directory`, or without one the latest; UserError when it has no model.

    "starter" is the starter, unless there is a folder of that name.
    """
    if directory is None:
        return latest_run()
    if starter.is_starter(directory):
        return STARTER_RUN
    run = Run(directory)
    if not run.model_path.is_file():
        raise UserError(
            f"{run.directory}: holds no finished model (model.keras); train one with "
            f"`make train RUN={run.directory}`, or name another with --run"
        )
    return run


def starting_weights(settings: Settings, variant: Variant) -> Weights:
    """Read what a training starts from: no weights, the convolutions in a file, or all layers of a
    finished run. UserError when they are not of the network that the settings ask for."""
    if settings.weights == NO_WEIGHTS:
        return {}
    if not Path(settings.weights).is_dir():
        return open_weights(settings.weights, variant)
    before = finished_run(settings.weights)
    config = before.read_config()
    different = differences(config["settings"], asdict(settings), NETWORK_SETTINGS)
    if different:
        raise UserError(
            f"{before.directory}: is another network: {different}; give the same settings"
        )
    return open_weights(before.model_path, variant, len(config["classes"]))


def differences(before: dict[str, Any], now: dict[str, Any], names: Iterable[str]) -> str:
    """Name those of the settings `names` that differ, with their values, in a line of text."""
    return "; ".join(
        f"{name} was {before[name]!r}, now {now[name]!r}"
        for name in names
        if before[name] != now[name]
    )


def _fits(content: Any, examples: dict[str, Any]) -> bool:
    """Tell whether `content` has all keys of `examples`, with values of their kinds."""
    number = (int, float)
    return isinstance(content, dict) and all(
        value is None
        or isinstance(content.get(name), number if isinstance(value, number) else type(value))
        for name, value in examples.items()
    )
