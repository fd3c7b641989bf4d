"""A run directory: the settings that a training was started with, and where its files are."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.errors import UserError
from alexnet_tf.files import printable, read_json, write_json
from alexnet_tf.processor import native_precision
from alexnet_tf.settings import FREE, NO_WEIGHTS, Settings
from alexnet_tf.variants import Variant, count_parameters
from alexnet_tf.weights import Weights, check_weights, fingerprint, read_weights

DEFAULT_RUN = Path("train_alexnet")

# What config.json has, by examples of the kind.
CONFIG: dict[str, Any] = {"settings": {}, "classes": [], "data": "", "weights": ""}


class Run:
    """The files of the run in `directory`, which need not exist yet; its network is in `model`."""

    def __init__(self, directory: str | Path, model: str = "model.keras"):
        self.directory = Path(directory)
        self.config = self.directory / "config.json"
        self.checkpoints = self.directory / "checkpoints"
        self.history = self.directory / "history.csv"
        self.tensorboard = self.directory / "tensorboard"
        self.model = self.directory / model
        self.lite = self.directory / "model.tflite"

    def read_config(self) -> dict[str, Any]:
        """settings, classes, fingerprints, versions; UserError when config.json is unreadable.

        A setting that is younger than the run had its default.
        """
        config = read_json(self.config)
        default = asdict(Settings())
        if not _fits(config, CONFIG) or not _fits(default | config["settings"], default):
            raise UserError(
                f"{self.config}: is damaged, or not the config.json of a run of alexnet_tf; put a "
                "copy of it back, or give another --run to start afresh"
            )
        return config | {"settings": default | config["settings"]}

    def check_settings(self, settings: Settings) -> None:
        """UserError, naming each difference, when the run was started with other settings."""
        before, now = self.read_config()["settings"], asdict(settings)
        differences = [
            f"{name} was {before[name]!r}, now {now[name]!r}"
            for name in now
            if name not in FREE and before[name] != now[name]
        ]
        if differences:
            raise UserError(
                f"{self.directory}: was started with other settings: {'; '.join(differences)}. "
                "Give the same ones to go on, or another --run (RUN=… with make) to start afresh"
            )


# The run that is part of this program.
STARTER = Run(starter.FOLDER, starter.WEIGHTS.name)


@dataclass(frozen=True)
class Job:
    """Everything a training needs, found and checked.

    `weights` are those that it starts from: of conv1 … conv5, of all layers, or none.
    """

    run: Run
    settings: Settings
    row: Variant
    dataset: Dataset
    weights: Weights

    def size(self) -> int:
        """Bytes that the checkpoints, model.keras and model.tflite take, when they take most."""
        settings, classes = self.settings, len(self.dataset.classes)
        layers = self.row.conv_kernels() | self.row.fc_kernels(classes)
        first = min(settings.first_trained(), "fc6")
        trained = count_parameters({name: layers[name] for name in layers if name >= first})
        # Those kept, the best and the one that is being written have weights and momenta.
        checkpoints = min(max(settings.keep, settings.average) + 2, settings.epochs)
        return 4 * (checkpoints * 2 * trained + 2 * self.row.parameters(classes))


def prepare(settings: Settings, directory: str | Path) -> Job:
    """Check every setting and file of a training, which starts or goes on in `directory`.

    Needs no TensorFlow, whose import takes seconds. Raises UserError for whatever is wrong.
    """
    run = Run(directory)
    row, first = settings.row(), settings.first_trained()
    started = run.config.is_file()
    if settings.precision == "auto":
        before = run.read_config()["settings"]["precision"] if started else native_precision()
        settings = replace(settings, precision=before)
    if started:
        run.check_settings(settings)
    if settings.weights == NO_WEIGHTS and first != "conv1":
        raise UserError(
            f"--weights {NO_WEIGHTS} leaves the layers below {first} without weights; give "
            "--train all, or weights"
        )
    weights = _convolutions(settings, row)
    dataset = open_dataset(run.directory if started else settings.data, settings.seed)
    if Path(settings.weights).is_dir():
        weights = _all_layers(settings, row, dataset)
    if started:
        config = run.read_config()
        for what, before, now in (
            ("classes", config["classes"], list(dataset.classes)),
            ("weights", config["weights"], fingerprint(weights)),
            ("pictures", config["data"], dataset.fingerprint()),
        ):
            if before != now:
                raise UserError(
                    f"{run.directory}: its {what} are no longer those that it was started with; "
                    "put them back to go on, or give another --run to start afresh"
                    + dataset.first_rejected()
                )
    return Job(run, settings, row, dataset, weights)


def _convolutions(settings: Settings, row: Variant) -> Weights:
    """The pretrained convolutions to start from, if the settings name a file of weights."""
    if settings.weights == NO_WEIGHTS or Path(settings.weights).is_dir():
        return {}
    return check_weights(read_weights(settings.weights), row, settings.weights)


def _all_layers(settings: Settings, row: Variant, dataset: Dataset) -> Weights:
    """Those of the finished run to start from; UserError unless it has the same classes."""
    before = finished_run(settings.weights)
    classes = before.read_config()["classes"]
    if list(dataset.classes) != classes:
        raise UserError(
            f"{before.directory}: was trained on {', '.join(map(printable, classes))}, not on "
            f"{', '.join(map(printable, dataset.classes))}; start from its file {before.model.name}"
            " to take only its convolutions"
        )
    return check_weights(read_weights(before.model), row, before.model, len(classes))


def write_config(job: Job, versions: dict[str, str]) -> None:
    """Fix what the run was started with: its lists and config.json."""
    write_lists(job.dataset, job.run.directory)
    config = {
        "settings": asdict(job.settings),
        "classes": job.dataset.classes,
        "data": job.dataset.fingerprint(),
        "weights": fingerprint(job.weights),
        "versions": versions,
    }
    write_json(job.run.config, config)


def _fits(content: Any, examples: dict[str, Any]) -> bool:
    """Whether `content` has all keys of `examples`, with values of their kinds."""
    number = (int, float)
    return isinstance(content, dict) and all(
        value is None
        or isinstance(content.get(name), number if isinstance(value, number) else type(value))
        for name, value in examples.items()
    )


def latest_run() -> Run:
    """The run in ./train_alexnet or ./runs/* whose model was finished last, or else the starter."""
    runs = [Run(path) for path in (DEFAULT_RUN, *sorted(Path("runs").glob("*")))]
    finished = [run for run in runs if run.model.is_file()]
    return max(finished, key=lambda run: run.model.stat().st_mtime, default=STARTER)


def finished_run(directory: str | Path | None) -> Run:
    """The run in `directory`, or without one the latest; UserError when it has no finished model.

    "starter" is the starter, unless there is a folder of that name.
    """
    if directory is None:
        return latest_run()
    if starter.is_starter(directory):
        return STARTER
    run = Run(directory)
    if not run.model.is_file():
        raise UserError(
            f"{run.directory}: holds no finished model (model.keras); train one with "
            f"`make train RUN={run.directory}`, or name another with --run"
        )
    return run
