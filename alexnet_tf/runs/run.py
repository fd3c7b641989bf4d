"""A run directory: the paths of its files, its config.json, the weights that it starts from."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.data.digests import DIGESTS, read_digests
from alexnet_tf.errors import BadFile, UserError
from alexnet_tf.runs.rules import check_values
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
from alexnet_tf.weights.loading import WeightsFile, open_weights, read_weights_file

DEFAULT_RUN = Path("train_alexnet")
# Settings that the function of a network depends on.
NETWORK_SETTINGS = ("variant", "activation", "lrn", "overlap", "width", "units")
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
        self.card_path = self.directory / "README.md"
        self.label_errors_path = self.directory / "suspects.csv"
        self.seconds_path = self.directory / "seconds.json"
        own = (path.name for path in vars(self).values() if path != self.directory)
        self.names = {*LISTS, *own}

    def read_config(self) -> dict[str, Any]:
        """Read settings, classes, fingerprints and versions; UserError for a damaged config.json.
        Settings of later versions have their defaults; unknown settings are left out."""
        config = read_json(self.config_path)
        try:
            if not isinstance(config, dict):
                raise UserError(f"it is a {type(config).__name__}, no object")
            for name, kind in CONFIG_TYPES.items():
                if not isinstance(config.get(name), kind):
                    raise UserError(f"its {name} should be a {kind.__name__}")
            given = config["settings"]
            settings = {name: given.get(name, default) for name, default in DEFAULTS.items()}
            check_values(Settings(**settings))
            classes = config["classes"]
            names = {name for name in classes if isinstance(name, str) and is_printable(name)}
            if not len(names - {""}) == len(classes) > 1:
                raise UserError("its classes should be two names or more, each another")
        except UserError as error:
            raise UserError(
                f"{self.config_path}: is damaged, or not the config.json of a run of alexnet_tf "
                f"({error}); put a copy of it back, or give another --run to start afresh"
            ) from error
        return config | {"settings": settings}

    def read_digests(self) -> dict[str, str]:
        """Return the SHA-256 of each picture at the start, by path; {} for an earlier version's."""
        return read_digests(self.digests_path)

    def is_cross_validated(self) -> bool:
        """Check whether the run was cross-validated: its train.txt is its val.txt."""
        lists = [self.directory / name for name in ("train.txt", "val.txt")]
        if not all(path.is_file() for path in (self.config_path, *lists)):
            return False
        if self.read_config()["settings"]["head"] != LINEAR:
            return False
        train, validation = (path.read_bytes() for path in lists)
        return train == validation

    def check_folder(self) -> None:
        """Raise UserError for a folder that is no run, before anything in it is touched. A run
        has its config.json or, without one, only hidden files and checkpoints, which have an
        identity."""
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
            self.check_empty(self.names if self.checkpoints_folder.is_dir() else ())

    def check_empty(self, but: Collection[str] = ("checkpoints",)) -> None:
        """Raise UserError for a folder with anything else than hidden files and these names."""
        names = (path.name for path in self.directory.glob("[!.]*") if path.name not in but)
        for name in sorted(names)[:1]:
            raise UserError(
                f"{self.directory}: holds '{printable(name)}' but no config.json, so it is not a "
                f"run; a training starts only in an empty folder: give {other_run()}"
            )

    def remove_leftovers(self) -> None:
        """Delete the temporary files of killed processes."""
        remove_leftovers(self.directory, self.names)
        remove_leftovers(self.checkpoints_folder, ["epoch-*.npz"])

    def check_settings(self, settings: Settings) -> None:
        """Raise UserError, naming each, for other settings than at the start. Pictures and weights
        may have moved; their digests are compared elsewhere."""
        before, now = self.read_config()["settings"], asdict(settings)
        free = (*FREE_SETTINGS, *FOUND_BY_CONTENT)
        different = differences(before, now, [name for name in now if name not in free])
        if different:
            raise UserError(
                f"{self.directory}: was started with other settings: {different}. "
                f"Give the same ones to go on, or {other_run()} to start afresh"
            )


STARTER_RUN = Run(starter.FOLDER, starter.WEIGHTS_PATH.name)


def finished_run(directory: str | Path) -> Run:
    """Return the run in `directory`, or the "starter"; UserError if it has no model."""
    if starter.is_starter(directory):
        return STARTER_RUN
    run = Run(Path(directory).expanduser())
    if not run.model_path.is_file():
        if run.directory.is_file():
            raise UserError(f"{run.directory}: is a file; name the folder of a finished run")
        folder = run.directory if run.directory.is_dir() else run.directory.parent
        runs = [str(path.parent) for path in folder.glob("*/model.keras")]
        near = get_close_matches(str(run.directory), runs, n=1, cutoff=0)
        raise UserError(
            f"{run.directory}: holds no finished model (model.keras); train one with "
            f"`{command('train', run.directory)}`, or name another run"
            + (f", such as {near[0]}" if near else "")
        )
    return run


def starting_weights(settings: Settings, variant: Variant) -> Weights:
    """Read the weights that a training starts from: none, those of a file except fc8, or all of a
    finished run; with frozen layers of the head, and with --head pretrained fc6 and fc7 if there
    are both. Earlier versions, which had no --head, took none of a file. Raises UserError if they
    are of another network than the settings."""
    if settings.weights == NO_WEIGHTS:
        return {}
    first = settings.first_trained()
    if not Path(settings.weights).is_dir():
        return _of_file(settings, variant, first)
    run = finished_run(settings.weights)
    config = run.read_config()
    different = differences(config["settings"], asdict(settings), NETWORK_SETTINGS)
    if different:
        raise UserError(f"{run.directory}: is another network: {different}; give the same settings")
    weights = open_weights(run.model_path, variant, len(config["classes"]))
    if settings.head != RANDOM:
        return weights
    return {name: weights[name] for name in weights if name < max(first, "fc6")}


def _of_file(settings: Settings, variant: Variant, first: str) -> Weights:
    """Read the weights of a file; see `starting_weights`."""
    file = open_file(settings)
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


def open_file(settings: Settings) -> WeightsFile:
    """Read the file of weights that a training starts from."""
    return read_weights_file(starter.weights_path(settings.weights, settings.variant))


def differences(before: dict[str, Any], now: dict[str, Any], names: Iterable[str]) -> str:
    """Describe the settings in `names` that differ, with their values, in one line."""
    return "; ".join(
        f"{name} was {before[name]!r}, now {now[name]!r}"
        for name in names
        if before[name] != now[name]
    )
