"""Rules that the settings of a training keep."""

from collections.abc import Collection, Iterator
from dataclasses import fields

from alexnet_tf.errors import UserError
from alexnet_tf.runs.options import flag, reason_against
from alexnet_tf.runs.settings import CHANGING, LINEAR, NO_WEIGHTS, PRETRAINED, RANDOM, Settings
from alexnet_tf.system.processor import is_int8
from alexnet_tf.variants import get_variant

# Settings that only some schedules use.
USED_BY = {
    "decay": ("plateau", "exponential"),
    "patience": ("plateau",),
    "decay_samples": ("exponential",),
    "fall": ("cosine",),
}


def check_values(settings: Settings) -> None:
    """Refuse values that no command line would take: UserError, naming the setting."""
    reasons = {
        each.name: reason_against(each, getattr(settings, each.name)) for each in fields(settings)
    }
    wrong = [f"{flag(name)}: {reason}" for name, reason in reasons.items() if reason]
    if wrong:
        raise UserError("\n".join(wrong))


def check_settings(settings: Settings) -> None:
    """Refuse settings that do not go together: UserError, saying what to give instead."""
    check_values(settings)
    if conflicts := [*_conflicts(settings)]:
        raise UserError("\n".join(conflicts))


def check_used(settings: Settings, configured: Collection[str]) -> None:
    """Refuse settings that were `configured` but have no effect beside the others: UserError."""
    for name, schedules in USED_BY.items():
        if name in configured and settings.schedule not in schedules:
            raise UserError(
                f"{flag(name)}: is read by --schedule {' or '.join(schedules)}, "
                f"not by {settings.schedule}; give that, too, or leave it out"
            )
    if "decoupled" in configured and settings.decoupled and not settings.weight_decay:
        raise UserError("--decoupled: says how --weight-decay works; give that, too")
    has_dropout = "drop" in get_variant(settings.variant).head
    if "dropout" in configured and settings.dropout and not has_dropout:
        raise UserError(f"--dropout: the variant {settings.variant} has none; leave it out")


def _conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each conflict."""
    first = settings.first_trained()
    if settings.weights == NO_WEIGHTS:
        if first != "conv1":
            yield (
                f"--weights {NO_WEIGHTS} leaves the layers below {first} without weights; give "
                "--train all, or weights"
            )
        if settings.head == PRETRAINED or settings.head_rate:
            yield f"--weights {NO_WEIGHTS} has no layers for --head and --head-rate"
    if settings.head == RANDOM and settings.head_rate:
        yield f"--head-rate goes with --head {PRETRAINED}, not with {RANDOM}"
    if is_int8(settings.precision) and settings.first_computed() == "conv1":
        yield (
            f"--precision {settings.precision} computes convolutions once, and with --train all or "
            f"{' or '.join(map(flag, CHANGING))} they change in every epoch; give another one, or "
            "auto"
        )
    if settings.head == LINEAR:
        if settings.weights == NO_WEIGHTS or settings.train != "head":
            yield f"--head {LINEAR} goes with pretrained weights and --train head"
        for name in (*CHANGING, "average"):
            if getattr(settings, name):
                yield (
                    f"{flag(name)}: a linear head is solved for, once, from features that do not "
                    f"change; leave {flag(name)} out, or give --head {RANDOM}"
                )
    yield from _conflicts_of_scale(settings)
    if 0 < settings.fall < settings.epochs and settings.schedule == "cosine":
        yield (
            f"--epochs {settings.epochs}: after --fall {settings.fall} epochs the learning rate is "
            "0, and more of them change nothing; start another --run for more"
        )
    if settings.crop and settings.resize == "squash":
        yield "--crop has nothing to cut from after --resize squash; give short or caffe"


def _conflicts_of_scale(settings: Settings) -> Iterator[str]:
    variant = get_variant(settings.variant)
    if not settings.scale or settings.scale == variant.image_size:
        return
    scale, own = f"--scale {settings.scale}", variant.image_size
    if settings.scale < own:
        yield f"{scale}: the input of {variant.name} is {own} pixels, and windows need more"
    if variant.pool_padding != "valid":
        yield (
            f"{scale}: the last pooling of {variant.name} is padded, and so has no windows; give "
            f"--scale {own}"
        )
    if settings.crop:
        yield f"{scale}: its windows are crops; leave --crop out, or give --scale {own}"
