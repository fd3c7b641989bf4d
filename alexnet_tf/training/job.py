"""All that a training needs, found and checked before TensorFlow is imported."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from alexnet_tf.data.dataset import Dataset, write_lists
from alexnet_tf.data.features.batches import stored_digests
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.data.sources.lists import listed_contents
from alexnet_tf.errors import UserError, tell_all
from alexnet_tf.runs.checkpoint_spec import CheckpointSpec
from alexnet_tf.runs.checkpoints import list_checkpoints, read_identity
from alexnet_tf.runs.pictures import find_pictures, newcomers
from alexnet_tf.runs.rules import check_settings
from alexnet_tf.runs.run import Run, finished_run, starting_weights
from alexnet_tf.runs.settings import LINEAR, Settings
from alexnet_tf.runs.warnings import warnings
from alexnet_tf.system.disk import shortages
from alexnet_tf.system.files import write_json
from alexnet_tf.system.processor import PRECISIONS
from alexnet_tf.system.text import printable
from alexnet_tf.training.resolve import Checks, chosen_variant, missing_layers, resolve
from alexnet_tf.variants import Variant, count_parameters
from alexnet_tf.weights import Weights, fingerprint

# Values that are resolved when a run starts; a run that is resumed keeps what they came to.
AUTO = {"precision": "auto", "scale": 0, "units": 0, "fall": 0, "head": None, "leave_out": None}


@dataclass(frozen=True)
class Job:
    """A training that may start or resume. `weights` are the initial ones of some layers, of all,
    or of none; `relisted` means that the run's lists have to be written, because they are missing
    or the pictures were moved; `warnings` are sentences for the log; `config` was config.json when
    the job was prepared, {} without one."""

    run: Run
    settings: Settings
    variant: Variant
    dataset: Dataset
    weights: Weights
    relisted: bool = True
    warnings: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    def expected(self) -> CheckpointSpec:
        """Return the expected contents of its checkpoints."""
        dataset, weights = self.dataset, fingerprint(self.weights)
        pictures, data = len(dataset.train), dataset.fingerprint()
        return CheckpointSpec(self.settings, dataset.classes, pictures, data, weights)

    def entries(self) -> dict[str, Any]:
        """Return its entries of config.json."""
        return {
            "settings": asdict(self.settings),
            "classes": list(self.dataset.classes),
            "data": self.dataset.fingerprint(),
            "weights": fingerprint(self.weights),
        }

    def check_unchanged(self) -> None:
        """Raise UserError if another process has changed the run since this job was prepared. Call
        it while the run is locked, before anything is written."""
        now, entries = _read_config(self.run), self.entries()
        if now != self.config and any(now.get(name) != entries[name] for name in entries):
            raise UserError(
                f"{self.run.directory}: another process has changed the settings of the run since "
                "this one was started; type the same command again, or give another --run"
            )

    def size(self) -> int:
        """Return the most bytes of checkpoints, model.keras and model.tflite."""
        settings, classes = self.settings, len(self.dataset.classes)
        layers = self.variant.conv_kernels() | self.variant.fc_kernels(classes)
        first = settings.first_kept()
        trained = count_parameters({name: layers[name] for name in layers if name >= first})
        # The best checkpoint and the one being written come on top. Each has weights and momenta.
        checkpoints, arrays = min(max(settings.keep, settings.average) + 2, settings.epochs), 2
        arrays += bool(settings.ema)
        return 4 * (checkpoints * arrays * trained + 2 * self.variant.parameters(classes))

    def shortages(self) -> list[str]:
        """Return a sentence for each disk that has no room for what it will write."""
        stored = stored_digests(self.settings.features)
        new = sum(picture.digest not in stored for picture in self.dataset.labelled())
        written = sum(path.stat().st_size for path in list_checkpoints(self.run.checkpoints_folder))
        needs = {store.directory: store.size(new) for store in feature_stores(self)}
        return shortages({self.run.directory: max(0, self.size() - written), **needs})


def prepare(
    settings: Settings,
    directory: str | Path,
    configured: Collection[str] | None = None,
    checks: Checks = (),
) -> Job:
    """Check every setting and file of a training, which starts or resumes in `directory`; UserError
    for whatever is wrong, and for what `checks` refuse. One that resumes keeps its settings, except
    for the names in `configured` (None: all), which have to be the same, or free to change. Needs
    no TensorFlow, whose import takes seconds."""
    run = Run(directory)
    config = _read_config(run)
    checks = (run.check_folder, lambda: _check_start(settings, run), *checks)
    if config:
        tell_all(*checks)
        return _resumed(run, config, settings, configured)
    settings, variant, dataset, weights, said = resolve(settings, configured, checks)
    _check_classes(settings, weights, dataset)
    job = Job(run, settings, variant, dataset, weights)
    job = replace(job, warnings=(*warnings(dataset), *said, *job.shortages()))
    return _of_checkpoints(job)


def _check_start(settings: Settings, run: Run) -> None:
    start = settings.from_run and Path(settings.from_run).expanduser().absolute()
    if start == run.directory.absolute():
        raise UserError(f"{run.directory}: is the run to start from; name another with --run")


def _read_config(run: Run) -> dict[str, Any]:
    return run.read_config() if run.config_path.is_file() else {}


def _resumed(
    run: Run, config: dict[str, Any], settings: Settings, configured: Collection[str] | None
) -> Job:
    """Check a training that resumes."""
    now = asdict(settings)
    kept = {name for name, value in AUTO.items() if now[name] == value}
    if configured is not None:
        kept |= now.keys() - set(configured)
    settings = Settings(**now | {name: config["settings"][name] for name in kept})
    run.check_settings(settings)
    check_settings(settings)
    weights = starting_weights(settings, settings.chosen_variant())
    dataset, relisted = find_pictures(run, settings)
    if config["weights"] != fingerprint(weights):
        raise UserError(
            f"{run.directory}: its weights are no longer those that it was started with (it was "
            f"--weights {printable(config['settings']['weights'])}); put them back, or say with "
            "--weights where they are now, to go on; or give another --run to start afresh"
        )
    _check_classes(settings, weights, dataset)
    variant = chosen_variant(settings, weights)
    job = Job(run, settings, variant, dataset, weights, relisted, config=config)
    said = warnings(dataset)
    if settings.head != LINEAR:
        said += missing_layers(settings, weights)
    return replace(job, warnings=(*said, *_changed_pictures(job), *job.shortages()))


def _of_checkpoints(job: Job) -> Job:
    """Return the job with the precision of its checkpoints, if any; refuse those of another job."""
    run = job.run
    paths = list_checkpoints(run.checkpoints_folder)
    if not paths:
        run.check_empty()
        return job
    precision = job.settings.precision
    jobs = [
        replace(job, settings=replace(job.settings, precision=each))
        for each in (PRECISIONS if precision == "auto" else [precision])
    ]
    by_identity = {each.expected().identity: each for each in jobs}
    for path in paths:
        owner = read_identity(path)
        if owner not in by_identity:
            of = "does not say of which training it is"
            if owner:
                of = "is of a training with other settings, pictures or weights"
            raise UserError(
                f"{path}: {of}, and {run.config_path.name}, which would, is gone; put a copy of "
                "that back, or give another --run to start afresh"
            )
    return by_identity[owner]


def _changed_pictures(job: Job) -> Iterator[str]:
    """Warn of pictures that are new, and of those that are to be left out now, but stay."""
    settings, directory = job.settings, job.run.directory
    new = newcomers(job.run, job.dataset, settings.data)
    if new:
        verb = "picture is" if new == 1 else "pictures are"
        yield (
            f"{new} {verb} new in {settings.data} since {directory} was started, and left out; to "
            f"train on all, give another --run (and --weights {directory} to begin where this one "
            "ended)"
        )
    leave_out = settings.leave_out
    unwanted = listed_contents(leave_out) if leave_out and Path(leave_out).is_file() else {}
    kept = sum(not unwanted.keys().isdisjoint((p.digest, p.path)) for p in job.dataset.labelled())
    if kept:
        yield (
            f"{kept} of the pictures that {leave_out} names are in {directory} since it was "
            "started, and stay there; to leave them out, give another --run"
        )


def _check_classes(settings: Settings, weights: Weights, dataset: Dataset) -> None:
    """Refuse to start from a run of other classes, whose fc8 is among the weights."""
    if "fc8" not in weights:
        return
    before = finished_run(settings.weights)
    classes = before.read_config()["classes"]
    if list(dataset.classes) != classes:
        raise UserError(
            f"{before.directory}: was trained on {', '.join(map(printable, classes))}, not on "
            f"{', '.join(map(printable, dataset.classes))}; start from its file "
            f"{before.model_path.name}, of which all but fc8 is taken"
        )


def feature_stores(job: Job) -> tuple[FeatureStore, FeatureStore]:
    """Return the stores, not yet opened, of the inputs of the lowest trained layer: for training,
    and for validation as prediction sees them. They are one store unless --crop needs two: cut from
    the whole picture, the centre may begin a pixel later, and its pixels be a grey apart."""
    settings, variant, layer = job.settings, job.variant, job.settings.first_computed()
    folder, resize, side = settings.features, settings.resize, variant.picture_size
    if layer == "conv1":
        store = FeatureStore.of_pictures(folder, variant, resize, side)
        if settings.crop and side != variant.resized:
            return FeatureStore.of_pictures(folder, variant, resize, variant.resized), store
    else:
        below = job.weights, layer, settings.mirror, settings.precision
        store = FeatureStore.of_layer(folder, variant, resize, *below)
    return store, store


def write_config(job: Job, versions: dict[str, str]) -> None:
    """Write config.json, with the versions of the start, and the lists of pictures, if needed."""
    run = job.run
    before = _read_config(run)
    config = before | job.entries() | {"versions": before.get("versions", versions)}
    if config != before:
        write_json(run.config_path, config)
    if job.relisted:
        write_lists(job.dataset, run.directory)
