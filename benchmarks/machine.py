"""The machine and the packages that a figure belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from alexnet_tf.system.processor import BFLOAT16_FLAGS, processor_flags

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "ai-edge-litert", "torch")


def describe_machine() -> dict[str, str]:
    """Name processor, cores, instructions for bfloat16, and versions."""
    flags = ", ".join(sorted(processor_flags() & BFLOAT16_FLAGS)) or "none"
    machine = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "bfloat16": flags,
        "python": platform.python_version(),
    }
    return machine | {name: _version(name) for name in PACKAGES}


def _processor() -> str:
    """Name the processor as Linux does; elsewhere say what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
