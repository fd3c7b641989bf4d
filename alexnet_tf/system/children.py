"""Other processes of this program, which import nothing that lies in the working directory."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from alexnet_tf.system import program

# Where this very package is imported from.
ROOT = Path(__file__).resolve().parents[2]


def python(*words: object) -> dict[str, Any]:
    """Return what `subprocess` is told to start this Python with `words`, and this very package.

    Without -P a stranger's folder that somebody works in could bring a numpy.py of its own.

    >>> subprocess.run(**python("-m", "alexnet_tf", "doctor"))
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "args": [sys.executable, "-P", *map(str, words)],
        "env": os.environ
        | {"PYTHONPATH": os.pathsep.join(paths), program.VARIABLE: program.face()},
    }
