"""The settings of a new run: what 0, None and the default weights stand for."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from alexnet_tf import starter
from alexnet_tf.data.dataset import Dataset
from alexnet_tf.data.sources.open import find_source
from alexnet_tf.errors import UserError, tell_all
from alexnet_tf.runs.pictures import open_pictures
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.rules import check_settings
from alexnet_tf.runs.run import finished_run, starting_weights
from alexnet_tf.runs.settings import (
    CHANGING,
    DEFAULTS,
    FEW,
    LINEAR,
    NEW_UNITS,
    NO_WEIGHTS,
    PRETRAINED,
    RANDOM,
    Settings,
)
from alexnet_tf.system.files import read_lines
from alexnet_tf.system.processor import chosen_precision
from alexnet_tf.variants import FC_LAYERS, KERAS, Variant, get_variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import existing_file, find_weights

Checks = Collection[Callable[[], object]]

# What --scale 0 stands for on pretrained convolutions, by the network's own input size.
SCALES = {128: 160, 224: 288, 227: 288}
# Settings that, with those of the recipe `head`, only fc6 and fc7 use: who changes one wants both.
NOT_LINEAR = (
    *("head_rate", "initial", "activation", "dropout", "width", "learning_rate", "schedule"),
    *("decay", "patience", "decay_samples", "fall", "weight_decay", "decoupled"),
    *(*CHANGING, "average", "log_every"),
)
IS_LINEAR = (
    f"from fewer than {FEW:,} pictures a linear head learns more than fc6 and fc7: fc8 alone is "
    f"solved for (--head {RANDOM} trains them)"
)


def resolve(
    settings: Settings, configured: Collection[str] | None = None, checks: Checks = ()
) -> tuple[Settings, Variant, Dataset, Weights, list[str]]:
    """Resolve the settings of a new run, of which those in `configured` (None: all) were given;
    return them with what they name, and with warnings. `precision` alone stays ``auto``, which
    takes TensorFlow to measure. Raises UserError for settings, weights and data that cannot be
    used, and for what `checks` refuse."""
    warnings = []
    if configured is not None and "variant" not in configured:
        is_default = "weights" not in configured and settings.weights == DEFAULTS["weights"]
        if is_default and not find_weights(settings.weights).is_file():
            warnings.append(starter.in_place_of(settings.weights))
            settings = replace(settings, weights=starter.NAME)
        name = starter.variant_of(settings.weights, settings.variant)
        settings = replace(settings, variant=name)
    before = None  # the settings of the run that it starts from
    if Path(settings.weights).is_dir():
        before = finished_run(settings.weights).read_config()["settings"]
    if settings.schedule == "cosine" and settings.fall == 0:
        settings = replace(settings, fall=settings.epochs)
    if settings.units == 0 and before:
        settings = replace(settings, units=before["units"])
    if settings.scale == 0:
        own = get_variant(settings.variant).image_size
        has_windows = settings.weights != NO_WEIGHTS and not settings.crop
        settings = replace(settings, scale=SCALES.get(own, own) if has_windows else own)
    _check_all(settings, checks)

    with_head = settings
    if not settings.head and settings.weights != NO_WEIGHTS:
        head = RANDOM if starter.is_starter(settings.weights) else PRETRAINED
        if before and before["head"] == LINEAR:
            head = LINEAR
        with_head = replace(settings, head=head)
    variant = with_head.chosen_variant()
    weights = starting_weights(with_head, variant)
    if with_head.head == LINEAR or "fc6" in weights:  # else pretrained and random are the same
        settings = with_head
    may_be_linear = _may_be_linear(settings, weights)
    if settings.units == 0:
        settings = replace(settings, units=_units(settings, variant, weights))
    _check_frozen(settings, variant, weights)

    dataset = open_pictures(settings)
    if may_be_linear and len([*dataset.labelled()]) < FEW:
        settings = replace(settings, head=LINEAR, units=None)
    if settings.head == LINEAR:
        warnings.append(IS_LINEAR)
        dataset = dataset.cross_validated()
    else:
        warnings += missing_layers(with_head, weights)
    return settings, chosen_variant(settings, weights), dataset, weights, warnings


def chosen_variant(settings: Settings, weights: Weights) -> Variant:
    """Return the variant of a run; its own initial weights are meant for training from scratch."""
    variant = settings.chosen_variant()
    return replace(variant, initial=KERAS) if weights and not settings.initial else variant


def missing_layers(settings: Settings, weights: Weights) -> list[str]:
    """Warn of layers that start at random although --head asks for pretrained ones."""
    first = settings.first_trained()
    missing = [name for name in ("fc6", "fc7") if name >= first and name not in weights]
    if settings.head != PRETRAINED or not missing:
        return []
    verb = "start" if len(missing) == 2 else "starts"
    return [
        f"{' and '.join(missing)} {verb} at random, because {settings.weights} has none for "
        f"--variant {settings.variant}"
    ]


def _check_all(settings: Settings, checks: Checks) -> None:
    """Refuse settings, weights and data that cannot be used, and what `checks` refuse, all in one
    UserError, before anything slow begins."""
    weights, leave_out = settings.weights, settings.leave_out
    is_file = weights != NO_WEIGHTS and not Path(weights).is_dir()
    tell_all(
        *checks,
        lambda: check_settings(settings),
        chosen_precision,
        lambda: is_file and existing_file(weights),
        lambda: find_source(settings.data),
        lambda: leave_out and next(read_lines(leave_out), None),
    )


def _may_be_linear(settings: Settings, weights: Weights) -> bool:
    """Check whether fc6 and fc7 would start at random and be trained with the defaults."""
    names = (*NOT_LINEAR, *RECIPES["head"].keys() - {"resize", "scale", "best", "calibrate"})
    usual = DEFAULTS | RECIPES["head"]
    return bool(
        weights
        and "fc6" not in weights
        and (settings.head, settings.train) == (None, "head")
        and all(getattr(settings, name) == usual[name] for name in names)
    )


def _units(settings: Settings, variant: Variant, weights: Weights) -> int | None:
    """Return what --units 0 stands for; None for a variant with other units in fc6 than in fc7."""
    if settings.head == LINEAR:
        return None
    is_new = weights and "fc6" not in weights and settings.first_of_head() == "fc6"
    if is_new and min(variant.fc_units) > NEW_UNITS:
        return NEW_UNITS
    return variant.fc_units[0] if len({*variant.fc_units}) == 1 else None


def _check_frozen(settings: Settings, variant: Variant, weights: Weights) -> None:
    """Refuse to freeze a layer of random weights."""
    first = settings.first_trained()
    layers = (*variant.conv_layers, *FC_LAYERS)
    missing = [name for name in layers if name < first and name not in weights]
    if missing:
        raise UserError(
            f"--train {settings.train}: {missing[0]} would stay random, because {settings.weights} "
            f"gives only {', '.join(weights)}; give --train head, or weights that have "
            f"{missing[0]}, such as the directory of a finished run"
        )
