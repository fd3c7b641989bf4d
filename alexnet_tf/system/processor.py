"""How many processors are ours, and what they are fast at."""

from __future__ import annotations

import math
import os
from functools import cache
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.cgroups import processor_quotas

# The variable of the environment that says what native_precision returns, so that another machine's
# numbers can be had here.
VARIABLE = "ALEXNET_TF_PRECISION"
PRECISIONS = ("float32", "bfloat16")
# The instructions that multiply bfloat16 numbers, as Linux spells them.
BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


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


def native_precision() -> str:
    """Return what the variable ALEXNET_TF_PRECISION says or, where it is not set, bfloat16 where
    the processor multiplies it faster than float32, else float32.

    Raises UserError when the variable names no precision.
    """
    chosen = os.environ.get(VARIABLE)
    if not chosen:
        return "bfloat16" if processor_flags() & BFLOAT16_FLAGS else "float32"
    if chosen not in PRECISIONS:
        raise UserError(f"{VARIABLE}={chosen}: should be {' or '.join(PRECISIONS)}")
    return chosen
