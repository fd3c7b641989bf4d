"""The machine and the packages that a figure belongs to."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from alexnet_tf.evaluation.diagnostics import FEATURES
from alexnet_tf.system.processor import processor_flags

PACKAGES = ("tensorflow", "keras", "numpy", "pillow", "ai-edge-litert", "openvino", "torch")


def describe_machine() -> dict[str, str]:
    """Name processor, cores, the instructions that count, and versions."""
    flags = processor_flags()
    machine = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "instructions": ", ".join(each for each in FEATURES if each in flags) or "unknown",
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
