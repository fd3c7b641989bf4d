"""How whoever started this program types it, for messages that name it or one of its commands."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What pip installs; what lies in a checkout, by verb; and goals of the Makefile there.
ENTRY_POINT = "alexnet-tf"
SCRIPTS = {"train": "train_alexnet.py", "predict": "predict_alexnet.py"}
GOALS = ("data", "weights", "tensorboard", "doctor", "setup")


def name() -> str:
    """Return what messages begin with, as those of other programs do with theirs."""
    started = Path(sys.argv[0]).name
    return started if started in (ENTRY_POINT, *SCRIPTS.values()) else "alexnet_tf"


def command(verb: str) -> str:
    """Return how `verb` is typed: ``alexnet-tf train`` by those who have that, and so do libraries;
    ``python -m alexnet_tf train``; or ``python train_alexnet.py`` and ``make data`` in a checkout.
    """
    if name() in SCRIPTS.values() or "MAKELEVEL" in os.environ:
        if verb in SCRIPTS:
            return f"python {SCRIPTS[verb]}"
        return f"make {verb}" if verb in GOALS else f"python -m alexnet_tf {verb}"
    is_module = Path(sys.argv[0]).parts[-2:] == ("alexnet_tf", "__main__.py")
    return f"python -m alexnet_tf {verb}" if is_module else f"{ENTRY_POINT} {verb}"
