"""A run directory: where its files are, what it was told, whether it is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.data.digests import DIGESTS, read_digests
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.runs.settings import (
    DEFAULTS,
    FOUND_BY_CONTENT,
    FREE_SETTINGS,
    LINEAR,
    NO_WEIGHTS,
    PRETRAINED,
    RANDOM,
    Settings,
)
from alexnet_tf.system.files import read_json, remove_leftovers
from alexnet_tf.system.program import command, other_run
from alexnet_tf.system.text import is_printable, printable
from alexnet_tf.variants import Variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import open_weights, read_weights_file

DEFAULT_RUN = Path("train_alexnet")
# The settings that say what a network computes from its weights.
NETWORK_SETTINGS = ("variant", "activation", "lrn", "overlap", "width", "units")
# What config.json has, by type.
CONFIG_TYPES = {"settings": dict, "classes": list, "data": str, "weights": str}
LISTS = ("train.txt", "val.txt", "test.txt", "classes.txt", "rejected.txt")


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
        self.digests_path = self.directory / DIGESTS
        self.predictions_path = self.directory / "predictions.npz"
        self.report_path = self.directory / "report.html"
        # Pictures that are probably labelled wrongly.
        self.label_errors_path = self.directory / "suspects.csv"
        self.seconds_path = self.directory / "seconds.json"

    def read_config(self) -> dict[str, Any]:
        """Return settings, classes, fingerprints and versions; UserError for a damaged config.json.

        A setting that is younger than the run had its default; one that is no more is left out.
        """
        config = read_json(self.config_path)
        try:
            if not isinstance(config, dict):
                raise UserError(f"it is a {type(config).__name__}, no object")
            for name, kind in CONFIG_TYPES.items():
                if not isinstance(config.get(name), kind):
                    raise UserError(f"its {name} should be a {kind.__name__}")
            settings = {
                name: config["settings"].get(name, default) for name, default in DEFAULTS.items()
            }
            Settings(**settings).check_values()
            _check_classes(config["classes"])
        except UserError as error:
            raise UserError(
                f"{self.config_path}: is damaged, or not the config.json of a run of alexnet_tf "
                f"({error}); put a copy of it back, or give another --run to start afresh"
            ) from error
        return config | {"settings": settings}

    def read_digests(self) -> dict[str, str]:
        """Return the SHA-256 that each listed picture had at the start, by path.

        {} for a run of an earlier version; UserError for a damaged file.
        """
        return read_digests(self.digests_path)

    def is_cross_validated(self) -> bool:
        """Tell whether its validation pictures are those that it was trained on, each answered by
        what was taught without it."""
        lists = [self.directory / name for name in ("train.txt", "val.txt")]
        if not all(path.is_file() for path in (self.config_path, *lists)):
            return False
        if self.read_config()["settings"]["head"] != LINEAR:
            return False
        train, validation = (path.read_bytes() for path in lists)
        return train == validation

    def check_folder(self) -> None:
        """Refuse a folder that no run made: UserError, before anything in it is touched.

        A run is known by its config.json. Without one there may be nothing, but for hidden files
        and for checkpoints, which say themselves whose they are.
        """
        if not self.directory.exists():
            return
        if not self.directory.is_dir():
            raise UserError(f"{self.directory}: is no folder; give another --run")
        curves = (self.tensorboard_folder / name for name in ("", "train", "validation"))
        for folder in (self.checkpoints_folder, *curves):
            if folder.is_symlink():
                raise UserError(
                    f"{folder}: is a link, and no link in a run is written through; make the whole "
                    "run a link, or give another --run"
                )
        if not self.config_path.is_file():
            own = {*LISTS, *(path.name for path in vars(self).values() if path != self.directory)}
            self.check_empty(own if self.checkpoints_folder.is_dir() else ())

    def check_empty(self, but: Collection[str] = ("checkpoints",)) -> None:
        """Refuse a folder that holds anything but hidden files and these names: UserError."""
        names = (path.name for path in self.directory.glob("[!.]*") if path.name not in but)
        for name in sorted(names)[:1]:
            raise UserError(
                f"{self.directory}: holds '{printable(name)}' but no config.json, so it is not a "
                f"run; a training starts only in an empty folder: give {other_run()}"
            )

    def remove_leftovers(self) -> None:
        """Delete what a process that was killed left of a file that it was writing."""
        names = [*LISTS, *(path.name for path in vars(self).values() if path != self.directory)]
        remove_leftovers(self.directory, names)
        remove_leftovers(self.checkpoints_folder, ["epoch-*.npz"])

    def check_settings(self, settings: Settings) -> None:
        """Refuse to go on with other settings than at the start: UserError, naming each.

        Pictures and weights may lie in another place; their digests are compared elsewhere.
        """
        before, now = self.read_config()["settings"], asdict(settings)
        free = (*FREE_SETTINGS, *FOUND_BY_CONTENT)
        different = differences(before, now, [name for name in now if name not in free])
        if different:
            raise UserError(
                f"{self.directory}: was started with other settings: {different}. "
                f"Give the same ones to go on, or {other_run()} to start afresh"
            )


# The run that is part of this program.
STARTER_RUN = Run(starter.FOLDER, starter.WEIGHTS_PATH.name)


def finished_run(directory: str | Path) -> Run:
    """Return the run in `directory`; UserError when it has no model.

    "starter" is the starter, unless there is a folder of that name.
    """
    if starter.is_starter(directory):
        return STARTER_RUN
    run = Run(Path(directory).expanduser() if str(directory).startswith("~") else directory)
    if not run.model_path.is_file():
        raise UserError(
            f"{run.directory}: holds no finished model (model.keras); train one with "
            f"`{command('train', run.directory)}`, or name another with --run"
        )
    return run


def starting_weights(settings: Settings, variant: Variant) -> Weights:
    """Read what a training starts from: no weights, those in a file but for fc8, or all of a
    finished run. UserError when they are not of the network that the settings ask for.

    Of the layers of the head those below the trained ones are taken, and with --head pretrained
    fc6 and fc7 where there are both. An earlier version, which knew no --head, took none of a file.
    """
    if settings.weights == NO_WEIGHTS:
        return {}
    first = settings.first_trained()
    if not Path(settings.weights).is_dir():
        return _of_file(settings, variant, first)
    before = finished_run(settings.weights)
    config = before.read_config()
    different = differences(config["settings"], asdict(settings), NETWORK_SETTINGS)
    if different:
        raise UserError(
            f"{before.directory}: is another network: {different}; give the same settings"
        )
    weights = open_weights(before.model_path, variant, len(config["classes"]))
    if settings.head != RANDOM:
        return weights
    return {name: weights[name] for name in weights if name < max(first, "fc6")}


def _of_file(settings: Settings, variant: Variant, first: str) -> Weights:
    """Read what a training takes of a file of weights; see `starting_weights`."""
    file = read_weights_file(settings.weights)
    weights = file.check(variant)
    if not settings.head:
        return weights
    # As `fc_kernels` has them for whatever classes.
    hidden = {name: shape for name, shape in variant.fc_kernels(1).items() if name != "fc8"}
    frozen = {name: hidden[name] for name in hidden if name < first and name in file.layers}
    weights |= file.take(frozen)
    if settings.head == PRETRAINED:
        with suppress(BadFile):  # they start at random
            weights |= file.take({name: hidden[name] for name in hidden if name >= first})
    return weights


def differences(before: dict[str, Any], now: dict[str, Any], names: Iterable[str]) -> str:
    """Name those of the settings `names` that differ, with their values, in a line of text."""
    return "; ".join(
        f"{name} was {before[name]!r}, now {now[name]!r}"
        for name in names
        if before[name] != now[name]
    )


def _check_classes(classes: list[Any]) -> None:
    """Raise UserError unless these are names of two classes or more."""
    names = [name for name in classes if isinstance(name, str) and name and is_printable(name)]
    if len({*names}) != len(classes) or len(classes) < 2:
        raise UserError("its classes should be two names or more, each another")
