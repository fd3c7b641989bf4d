"""Child processes of this program, which import nothing from the working directory."""

import os
import sys
from pathlib import Path
from typing import Any

from alexnet_tf.system import program

ROOT = Path(__file__).resolve().parents[2]


def python(*words: object) -> dict[str, Any]:
    """Return the arguments with which `subprocess` runs this Python, and this package.

    Without -P, a numpy.py in the user's working directory would be imported.

    >>> subprocess.run(**python("-m", "alexnet_tf", "doctor"))
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "args": [sys.executable, "-P", *map(str, words)],
        "env": os.environ
        | {"PYTHONPATH": os.pathsep.join(paths), program.VARIABLE: program.face()},
    }
