"""A run directory: the settings that a training was started with, and where its files are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.errors import UserError
from alexnet_tf.runs.settings import FREE, NO_WEIGHTS, Settings
from alexnet_tf.system.files import printable, read_json, write_json
from alexnet_tf.system.processor import native_precision
from alexnet_tf.variants import KERAS, Variant, count_parameters
from alexnet_tf.weights.loading import Weights, check_weights, fingerprint, read_weights

DEFAULT_RUN = Path("train_alexnet")
# The settings that say what a network computes from its weights.
NETWORK = ("variant", "activation", "lrn", "overlap", "width")

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

        A setting that is younger than the run had its default; one that is no more is left out.
        """
        config = read_json(self.config)
        default = asdict(Settings())
        if not _fits(config, CONFIG) or not _fits(default | config["settings"], default):
            raise UserError(
                f"{self.config}: is damaged, or not the config.json of a run of alexnet_tf; put a "
                "copy of it back, or give another --run to start afresh"
            )
        settings = {name: config["settings"].get(name, default[name]) for name in default}
        return config | {"settings": settings}

    def check_settings(self, settings: Settings) -> None:
        """UserError, naming each difference, when the run was started with other settings."""
        before, now = self.read_config()["settings"], asdict(settings)
        differences = _differences(before, now, [name for name in now if name not in FREE])
        if differences:
            raise UserError(
                f"{self.directory}: was started with other settings: {differences}. "
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
    if settings.crop and settings.resize == "squash":
        raise UserError("--crop has nothing to cut from after --resize squash; give short or caffe")
    weights = starting_weights(settings, row)
    if weights and not settings.initial:
        row = replace(row, initial=KERAS)  # the variant's own is for inputs as they are
    dataset = open_dataset(run.directory if started else settings.data, settings.seed)
    if "fc8" in weights:
        _check_classes(finished_run(settings.weights), dataset)
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


def starting_weights(settings: Settings, row: Variant) -> Weights:
    """What a training starts from: no weights, the convolutions in a file, or all layers of a
    finished run. UserError when they are not of the network that the settings ask for."""
    if settings.weights == NO_WEIGHTS:
        return {}
    if not Path(settings.weights).is_dir():
        return check_weights(read_weights(settings.weights), row, settings.weights)
    before = finished_run(settings.weights)
    config = before.read_config()
    differences = _differences(config["settings"], asdict(settings), NETWORK)
    if differences:
        raise UserError(
            f"{before.directory}: is another network: {differences}; give the same settings"
        )
    return check_weights(read_weights(before.model), row, before.model, len(config["classes"]))


def _check_classes(before: Run, dataset: Dataset) -> None:
    """UserError unless `before` was trained on the same classes."""
    classes = before.read_config()["classes"]
    if list(dataset.classes) != classes:
        raise UserError(
            f"{before.directory}: was trained on {', '.join(map(printable, classes))}, not on "
            f"{', '.join(map(printable, dataset.classes))}; start from its file {before.model.name}"
            " to take only its convolutions"
        )


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


def _differences(before: dict[str, Any], now: dict[str, Any], names: Sequence[str]) -> str:
    """Those of the settings `names` that differ, with their values."""
    return "; ".join(
        f"{name} was {before[name]!r}, now {now[name]!r}"
        for name in names
        if before[name] != now[name]
    )


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
