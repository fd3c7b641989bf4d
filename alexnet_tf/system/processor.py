"""How many processors are ours, and what they may compute in."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.cgroups import processor_quotas

# The variable of the environment that names the precision to compute in, in place of the fastest.
VARIABLE = "ALEXNET_TF_PRECISION"
# What layers compute in. In int8 are only frozen convolutions, and what is trained is in float32;
# INT8_FROM_CONV2 leaves conv1 in float32 too, for processors that cannot multiply pixels in int8.
PRECISIONS = FLOAT32, BFLOAT16, INT8, INT8_FROM_CONV2 = "float32", "bfloat16", "int8", "int8-conv2"


@cache
def processors() -> int:
    """Count the processors that this process may use: those that it may run on (`taskset`, cpusets)
    or, where a container or a job has less, those whose time its quota covers, rounded up."""
    return max(1, min([schedulable(), *map(math.ceil, processor_quotas())]))


def schedulable() -> int:
    """Count the processors that this process may run on, for whatever part of their time."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_flags() -> set[str]:
    """Return the features of the processor, as Linux lists them; elsewhere none are known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def chosen_precision() -> str | None:
    """Return what the variable ALEXNET_TF_PRECISION says; None where it is not set.

    Raises UserError when it names no precision.
    """
    chosen = os.environ.get(VARIABLE) or None
    if chosen not in (None, *PRECISIONS):
        *others, last = PRECISIONS
        raise UserError(f"{VARIABLE}={chosen}: should be {', '.join(others)} or {last}")
    return chosen


def is_int8(precision: str) -> bool:
    """Tell whether frozen convolutions are computed in int8."""
    return precision.startswith(INT8)


def trained_precision(precision: str) -> str:
    """Return what layers compute in that are trained."""
    return FLOAT32 if is_int8(precision) else precision
