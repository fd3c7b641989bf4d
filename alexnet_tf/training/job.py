"""All that a training needs, found and checked before TensorFlow is imported."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run, finished_run, starting_weights
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import write_json
from alexnet_tf.system.processor import native_precision
from alexnet_tf.system.text import printable
from alexnet_tf.variants import KERAS, Variant, count_parameters
from alexnet_tf.weights import Weights, fingerprint


@dataclass(frozen=True)
class Job:
    """A training that may begin or go on: its run, settings, network and pictures.

    `weights` are those that it starts from: of conv1 … conv5, of all layers, or none.
    """

    run: Run
    settings: Settings
    variant: Variant
    dataset: Dataset
    weights: Weights

    def size(self) -> int:
        """Return the bytes that checkpoints, model.keras and model.tflite take at most."""
        settings, classes = self.settings, len(self.dataset.classes)
        layers = self.variant.conv_kernels() | self.variant.fc_kernels(classes)
        first = min(settings.first_trained(), "fc6")
        trained = count_parameters({name: layers[name] for name in layers if name >= first})
        # Those kept, the best and the one that is being written have weights and momenta.
        checkpoints = min(max(settings.keep, settings.average) + 2, settings.epochs)
        return 4 * (checkpoints * 2 * trained + 2 * self.variant.parameters(classes))


def prepare(settings: Settings, directory: str | Path) -> Job:
    """Check every setting and file of a training, which starts or goes on in `directory`.

    Needs no TensorFlow, whose import takes seconds. Raises UserError for whatever is wrong.
    """
    run, variant = Run(directory), settings.chosen_variant()
    started = run.config_path.is_file()
    if settings.precision == "auto":
        before = run.read_config()["settings"]["precision"] if started else native_precision()
        settings = replace(settings, precision=before)
    if started:
        run.check_settings(settings)
    settings.check()
    weights = starting_weights(settings, variant)
    if weights and not settings.initial:
        variant = replace(variant, initial=KERAS)  # the variant's own is for inputs as they are
    dataset = open_dataset(run.directory if started else settings.data, settings.seed)
    if "fc8" in weights:
        _check_classes(finished_run(settings.weights), dataset)
    if started:
        _check_unchanged(run, dataset, weights)
    return Job(run, settings, variant, dataset, weights)


def _check_classes(before: Run, dataset: Dataset) -> None:
    """Refuse to start from a run of other classes."""
    classes = before.read_config()["classes"]
    if list(dataset.classes) != classes:
        raise UserError(
            f"{before.directory}: was trained on {', '.join(map(printable, classes))}, not on "
            f"{', '.join(map(printable, dataset.classes))}; start from its file "
            f"{before.model_path.name} to take only its convolutions"
        )


def _check_unchanged(run: Run, dataset: Dataset, weights: Weights) -> None:
    """Refuse to go on with other pictures or weights than those that `run` was started with."""
    config = run.read_config()
    for what, before, now in (
        ("classes", config["classes"], list(dataset.classes)),
        ("weights", config["weights"], fingerprint(weights)),
        ("pictures", config["data"], dataset.fingerprint()),
    ):
        if before != now:
            raise UserError(
                f"{run.directory}: its {what} are no longer those that it was started with; put "
                "them back to go on, or give another --run to start afresh"
                + dataset.first_rejected()
            )


def write_config(job: Job, versions: dict[str, str]) -> None:
    """Write what the run was started with: its lists and config.json."""
    write_lists(job.dataset, job.run.directory)
    config = {
        "settings": asdict(job.settings),
        "classes": job.dataset.classes,
        "data": job.dataset.fingerprint(),
        "weights": fingerprint(job.weights),
        "versions": versions,
    }
    write_json(job.run.config_path, config)
