"""All that a training needs, found and checked before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from alexnet_tf import starter
from alexnet_tf.data.dataset import Dataset, open_dataset, write_lists
from alexnet_tf.data.sources.lists import listed_contents
from alexnet_tf.data.sources.open import find_source
from alexnet_tf.errors import UserError
from alexnet_tf.runs.checkpoint_spec import CheckpointSpec, identity
from alexnet_tf.runs.checkpoints import list_checkpoints, read_identity
from alexnet_tf.runs.pictures import find_pictures, newcomers
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.run import Run, finished_run, starting_weights
from alexnet_tf.runs.settings import (
    DEFAULTS,
    FEW,
    LINEAR,
    NEW_UNITS,
    NO_WEIGHTS,
    PRETRAINED,
    RANDOM,
    Settings,
)
from alexnet_tf.runs.warnings import warnings
from alexnet_tf.system.files import read_lines, write_json
from alexnet_tf.system.processor import PRECISIONS, chosen_precision
from alexnet_tf.system.text import printable
from alexnet_tf.variants import FC_LAYERS, KERAS, Variant, count_parameters
from alexnet_tf.weights import Weights, fingerprint
from alexnet_tf.weights.loading import existing_file, find_weights

# Beside those of the recipe `head`, the settings that are of no use to a linear head: whoever gives
# one of them means another.
NOT_LINEAR = (
    *("head_rate", "initial", "activation", "dropout", "width", "learning_rate", "schedule"),
    *("decay", "patience", "decay_samples", "fall", "weight_decay", "decoupled", "crop"),
    *("color_shift", "average", "log_every"),
)
IS_LINEAR = (
    f"from fewer than {FEW:,} pictures a linear head learns more than fc6 and fc7 do: fc8 alone is "
    f"solved for (--head {RANDOM} trains them)"
)
# What becomes something else at the start of a run, and is that whenever it goes on.
AUTO = {"precision": "auto", "scale": 0, "units": 0, "fall": 0, "head": None, "leave_out": None}


@dataclass(frozen=True)
class Job:
    """A training that may begin or go on: its run, settings, network and pictures.

    `weights` are those that it starts from: of some layers, of all, or of none. `relisted`
    says that the lists in the run are to be written, for they are not there or were of another
    place; `remarks` are sentences to be said before it begins.
    """

    run: Run
    settings: Settings
    variant: Variant
    dataset: Dataset
    weights: Weights
    relisted: bool = True
    warnings: tuple[str, ...] = ()
    # What config.json said when all this was read; nothing where there was none.
    config: dict[str, Any] = field(default_factory=dict)

    def expected(self) -> CheckpointSpec:
        """Return what its checkpoints hold."""
        classes, pictures = self.dataset.classes, len(self.dataset.train)
        whose = identity(
            self.settings, classes, self.dataset.fingerprint(), fingerprint(self.weights)
        )
        return CheckpointSpec.of(self.settings, len(classes), pictures, whose)

    def told(self) -> dict[str, Any]:
        """Return what config.json is to say of it."""
        return {
            "settings": asdict(self.settings),
            "classes": list(self.dataset.classes),
            "data": self.dataset.fingerprint(),
            "weights": fingerprint(self.weights),
        }

    def check_unchanged(self) -> None:
        """Raise UserError if another training was begun in the run since this one was checked.

        To be asked by who has the run for itself, before anything is written.
        """
        now, told = _read_config(self.run), self.told()
        if now != self.config and any(now.get(name) != told[name] for name in told):
            raise UserError(
                f"{self.run.directory}: another process has told the run something else since "
                "this one was started; type the same command again, or give another --run"
            )

    def size(self) -> int:
        """Return the bytes that checkpoints, model.keras and model.tflite take at most."""
        settings, classes = self.settings, len(self.dataset.classes)
        layers = self.variant.conv_kernels() | self.variant.fc_kernels(classes)
        first = settings.first_kept()
        trained = count_parameters({name: layers[name] for name in layers if name >= first})
        # Those kept, the best and the one that is being written have weights and momenta, and
        # moving means.
        checkpoints, arrays = min(max(settings.keep, settings.average) + 2, settings.epochs), 2
        if settings.ema:
            arrays += 1
        return 4 * (checkpoints * arrays * trained + 2 * self.variant.parameters(classes))


def prepare(settings: Settings, directory: str | Path, typed: Collection[str] | None = None) -> Job:
    """Check every setting and file of a training, which starts or goes on in `directory`.

    A training that goes on does so as it was told at its start, but for the names in `typed`: those
    settings have to be the same, or free to change. None: all of them. Needs no TensorFlow, whose
    import takes seconds. Raises UserError for whatever is wrong.
    """
    run = Run(directory)
    run.check_folder()
    config = _read_config(run)
    started = bool(config)
    said: list[str] = []
    if started:
        settings = _going_on(settings, run, typed)
        run.check_settings(settings)
        settings.check()
    else:
        settings, said = _with_weights(settings, typed)
        settings = _starting(settings)
        _check_all(settings)
    asked = settings if started else _with_head(settings)
    if asked.head == LINEAR:
        settings = asked
    variant = settings.chosen_variant()
    weights = starting_weights(asked, variant)
    if "fc6" in weights:  # else there is nothing in which --head pretrained would differ
        settings = asked
    may_be_linear = not started and _may_be_linear(settings, weights)
    if settings.units == 0:
        settings = replace(settings, units=_new_units(settings, variant, weights))
        variant = settings.chosen_variant()
    if weights and not settings.initial:
        variant = replace(variant, initial=KERAS)  # the variant's own is for inputs as they are
    if not started:
        _check_frozen(settings, variant, weights)
        dataset = open_dataset(
            settings.data,
            settings.seed,
            leave_out=settings.leave_out,
            features=settings.features,
        )
        if may_be_linear and len([*dataset.labelled()]) < FEW:
            settings = replace(settings, head=LINEAR, units=None)
            variant = replace(settings.chosen_variant(), initial=KERAS)
        if settings.head == LINEAR:
            dataset = dataset.cross_validated()
        relisted = True
    else:
        dataset, relisted = find_pictures(run, settings)
        _check_weights(run, settings, weights)
    if "fc8" in weights:
        _check_classes(finished_run(settings.weights), dataset)
    if settings.head != LINEAR:
        said += _of_head(asked, weights)
    elif not started:
        said.append(IS_LINEAR)
    words = (*warnings(dataset), *said)
    job = Job(run, settings, variant, dataset, weights, relisted, words, config)
    if started:
        new = newcomers(run, dataset, settings.data)
        return replace(job, warnings=(*job.warnings, *_of_newcomers(job, new), *_of_listed(job)))
    return _of_checkpoints(job)


def _read_config(run: Run) -> dict[str, Any]:
    return run.read_config() if run.config_path.is_file() else {}


def _going_on(settings: Settings, run: Run, typed: Collection[str] | None) -> Settings:
    """Return the settings of a run that was started before, and those that are told it now."""
    before, now = run.read_config()["settings"], asdict(settings)
    own = [name for name, value in AUTO.items() if now[name] == value]
    if typed is not None:
        own += [name for name in now if name not in typed]
    return Settings(**now | {name: before[name] for name in own})


def _with_weights(settings: Settings, typed: Collection[str] | None) -> tuple[Settings, list[str]]:
    """Return the settings of a new run with the starter for default weights that are not there,
    which is then said, and with the starter's own variant; what is `typed` stays."""
    said: list[str] = []
    if typed is None or "variant" in typed:
        return settings, said
    weights = settings.weights
    is_default = "weights" not in typed and weights == DEFAULTS["weights"]
    if is_default and not find_weights(weights).is_file():
        settings, said = replace(settings, weights=starter.NAME), [starter.in_place_of(weights)]
    variant = starter.variant_of(settings.weights, settings.variant)
    return replace(settings, variant=variant), said


def _check_all(settings: Settings) -> None:
    """Refuse settings, weights and data that cannot be used, all in one UserError, before anything
    that takes time is begun."""
    wrong = []
    weights, leave_out = settings.weights, settings.leave_out
    is_file = weights != NO_WEIGHTS and not Path(weights).is_dir()
    for check in (
        settings.check,
        chosen_precision,
        lambda: is_file and existing_file(weights),
        lambda: find_source(settings.data),
        lambda: leave_out and next(read_lines(leave_out), None),
    ):
        try:
            check()
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n".join(wrong))


def _starting(settings: Settings) -> Settings:
    """Return the settings of a new run, with what `auto` and 0 stand for here."""
    if settings.schedule == "cosine" and settings.fall == 0:
        settings = replace(settings, fall=settings.epochs)
    if settings.units == 0 and Path(settings.weights).is_dir():
        before = finished_run(settings.weights).read_config()["settings"]
        settings = replace(settings, units=before["units"])
    return settings.with_scale()


def _new_units(settings: Settings, variant: Variant, weights: Weights) -> int | None:
    """Return what --units 0 stands for; None for a variant with other units in fc6 than in fc7."""
    if settings.head == LINEAR:
        return None
    is_new = weights and "fc6" not in weights and settings.first_of_head() == "fc6"
    if is_new and min(variant.fc_units) > NEW_UNITS:
        return NEW_UNITS
    return variant.fc_units[0] if len({*variant.fc_units}) == 1 else None


def _may_be_linear(settings: Settings, weights: Weights) -> bool:
    """Tell whether fc6 and fc7 would start at random and be trained as by default."""
    names = (*NOT_LINEAR, *RECIPES["head"].keys() - {"resize", "scale", "best", "calibrate"})
    usual = DEFAULTS | RECIPES["head"]
    return bool(
        weights
        and "fc6" not in weights
        and (settings.head, settings.train) == (None, "head")
        and all(getattr(settings, name) == usual[name] for name in names)
    )


def _with_head(settings: Settings) -> Settings:
    """Return the settings of a new run with the --head that nobody has typed.

    What a network of two classes has learned above its convolutions is no start for others.
    """
    if settings.head or settings.weights == NO_WEIGHTS:
        return settings
    if Path(settings.weights).is_dir():
        before = finished_run(settings.weights).read_config()["settings"]["head"]
        return replace(settings, head=LINEAR if before == LINEAR else PRETRAINED)
    return replace(settings, head=RANDOM if starter.is_starter(settings.weights) else PRETRAINED)


def _of_head(settings: Settings, weights: Weights) -> list[str]:
    """Say which layers start at random though they were to be pretrained."""
    first = settings.first_trained()
    missing = [name for name in ("fc6", "fc7") if name >= first and name not in weights]
    if settings.head != PRETRAINED or not missing:
        return []
    verb = "start" if len(missing) == 2 else "starts"
    return [
        f"{' and '.join(missing)} {verb} at random, for {settings.weights} has none for "
        f"--variant {settings.variant}"
    ]


def _check_frozen(settings: Settings, variant: Variant, weights: Weights) -> None:
    """Refuse to leave a layer at random for ever, below those that are trained."""
    first = settings.first_trained()
    layers = (*variant.conv_layers, *FC_LAYERS)
    missing = [name for name in layers if name < first and name not in weights]
    if missing:
        raise UserError(
            f"--train {settings.train}: {missing[0]} would stay random, for {settings.weights} "
            f"gives only {', '.join(weights)}; give --train head, or weights that have "
            f"{missing[0]}, such as the directory of a finished run"
        )


def _of_checkpoints(job: Job) -> Job:
    """Return the job, in the precision of its checkpoints where that is still open.

    Refuses checkpoints beside no config.json, but for those that say that they are this job's.
    """
    run = job.run
    paths = list_checkpoints(run.checkpoints_folder)
    if not paths:
        run.check_empty()
        return job
    asked = job.settings.precision
    jobs = [
        replace(job, settings=replace(job.settings, precision=each))
        for each in (PRECISIONS if asked == "auto" else [asked])
    ]
    whose = {each.expected().identity: each for each in jobs}
    for path in paths:
        said = read_identity(path)
        if said not in whose:
            of = (
                "is of a training with other settings, pictures or weights"
                if said
                else "does not say of which training it is"
            )
            raise UserError(
                f"{path}: {of}, and {run.config_path.name}, which would, is gone; put a copy of "
                "that back, or give another --run to start afresh"
            )
    return whose[said]


def _of_newcomers(job: Job, count: int) -> list[str]:
    if not count:
        return []
    verb = "picture is" if count == 1 else "pictures are"
    return [
        f"{count} {verb} new in {job.settings.data} since {job.run.directory} was started, and left"
        f" out; to train on all, give another --run (and --weights {job.run.directory} to begin "
        "where this one ended)"
    ]


def _of_listed(job: Job) -> list[str]:
    """Say which pictures are trained on although they are in the list of those to leave out."""
    leave_out, dataset = job.settings.leave_out, job.dataset
    unwanted = listed_contents(leave_out) if leave_out and Path(leave_out).is_file() else {}
    count = sum(
        picture.digest in unwanted or picture.path in unwanted for picture in dataset.labelled()
    )
    if not count:
        return []
    return [
        f"{count} of the pictures that {leave_out} names are in {job.run.directory} since it was "
        "started, and stay there; to leave them out, give another --run"
    ]


def _check_classes(before: Run, dataset: Dataset) -> None:
    """Refuse to start from a run of other classes."""
    classes = before.read_config()["classes"]
    if list(dataset.classes) != classes:
        raise UserError(
            f"{before.directory}: was trained on {', '.join(map(printable, classes))}, not on "
            f"{', '.join(map(printable, dataset.classes))}; start from its file "
            f"{before.model_path.name}, of which all but fc8 is taken"
        )


def _check_weights(run: Run, settings: Settings, weights: Weights) -> None:
    """Refuse to go on with other weights than those that `run` was started with."""
    config = run.read_config()
    if config["weights"] != fingerprint(weights):
        raise UserError(
            f"{run.directory}: its weights are no longer those that it was started with (it was "
            f"--weights {printable(config['settings']['weights'])}); put them back, or say with "
            "--weights where they are now, to go on; or give another --run to start afresh"
        )


def write_config(job: Job, versions: dict[str, str]) -> None:
    """Write what the run was told, at its start and when it is told anything new: config.json, and
    then its lists, which a start that finds none of them writes again.

    The versions remain those of the start.
    """
    run = job.run
    before = _read_config(run)
    config = before | job.told() | {"versions": before.get("versions", versions)}
    if config != before:
        write_json(run.config_path, config)
    if job.relisted:
        write_lists(job.dataset, run.directory)
