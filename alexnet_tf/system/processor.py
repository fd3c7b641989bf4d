"""The processors available to this process, and the precision to compute in."""

import math
import os
from functools import cache
from pathlib import Path
from typing import Any

from alexnet_tf.errors import UserError
from alexnet_tf.system.cgroups import processor_quotas

# The environment variable that sets the precision; by default the fastest is chosen.
VARIABLE = "ALEXNET_TF_PRECISION"
# The precision of layers. Only frozen convolutions use int8, and trained layers use float32 with
# it; INT8_FROM_CONV2 leaves conv1 in float32 too, for processors that cannot multiply pixels in
# int8.
PRECISIONS = FLOAT32, BFLOAT16, INT8, INT8_FROM_CONV2 = "float32", "bfloat16", "int8", "int8-conv2"


@cache
def processors() -> int:
    """Return the number of processors that this process may use: those it may be scheduled on
    (`taskset`, cpusets) or, if lower, the CPU quota of its container or job, rounded up."""
    return max(1, min([schedulable(), *map(math.ceil, processor_quotas())]))


def schedulable() -> int:
    """Return the number of processors that this process may be scheduled on, whatever its quota."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_flags() -> set[str]:
    """Return the features of the processor, as Linux lists them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").split())


def chosen_precision() -> str | None:
    """Return the value of ALEXNET_TF_PRECISION, None if it is not set; UserError if it is not one
    of `PRECISIONS`."""
    chosen = os.environ.get(VARIABLE) or None
    if chosen not in (None, *PRECISIONS):
        *others, last = PRECISIONS
        raise UserError(f"{VARIABLE}={chosen}: should be {', '.join(others)} or {last}")
    return chosen


def is_int8(precision: str) -> bool:
    """Tell whether frozen convolutions are computed in int8."""
    return precision.startswith(INT8)


def trained_precision(precision: str) -> str:
    """Return the precision of the trained layers."""
    return FLOAT32 if is_int8(precision) else precision


def one_thread() -> Any:
    """Return a context with one thread: the same order of sums on any machine, and no slower."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
