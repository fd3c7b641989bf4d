"""The command that the user typed to start this program, for messages that name it."""

import os
import shlex
import sys
from pathlib import Path

# What pip installs, which users of the library have; the package; the Makefile of a checkout.
ENTRY_POINT, MODULE, CHECKOUT = FACES = ("alexnet-tf", "python -m alexnet_tf", "make")
# In a checkout: scripts, by verb, and targets of the Makefile.
SCRIPTS = {"train": "train_alexnet.py", "predict": "predict_alexnet.py"}
GOALS = ("data", "weights", "tensorboard")
# The `face` of the parent process, because that is what the user typed.
VARIABLE = "ALEXNET_TF_TYPED"


def name() -> str:
    """Return the program's name, with which messages begin."""
    started = _started().name
    return started if started in (ENTRY_POINT, *SCRIPTS.values()) else "alexnet_tf"


def face() -> str:
    """Return the one of `FACES` by which the program was started."""
    if os.environ.get(VARIABLE) in FACES:
        return os.environ[VARIABLE]
    if name() in SCRIPTS.values() or _by_make():
        return CHECKOUT
    is_module = _started().parts[-2:] == ("alexnet_tf", "__main__.py")
    return MODULE if is_module else ENTRY_POINT


def command(verb: str, run: object = None) -> str:
    """Return the command line of `verb`, with the run if one is named: ``alexnet-tf train --run
    RUN``, ``python train_alexnet.py --run RUN``, ``make data``, …"""
    named = "" if run is None else shlex.quote(str(run))
    if face() == CHECKOUT and verb in GOALS:
        return f"make {verb}" + (f" RUN={named}" if named else "")
    start = f"{ENTRY_POINT if face() == ENTRY_POINT else MODULE} {verb}"
    if face() == CHECKOUT and verb in SCRIPTS:
        start = f"python {SCRIPTS[verb]}"
    option = ("--run", named) if verb in SCRIPTS else (named,)
    return " ".join((start, *option)) if named else start


def installing(*packages: str) -> str:
    """Return the command that installs missing packages: by their own names, not by our extra that
    needs them, because alexnet_tf is on no index, where pip might find somebody else's."""
    return "make setup" if face() == CHECKOUT else f"pip install {shlex.join(packages)}"


def installing_all() -> str:
    """Return a sentence that says how to install, or find, everything that this program needs."""
    folder = Path(__file__).parents[2]
    if not (folder / "Makefile").is_file():
        return "install alexnet_tf once more, with all that it needs"
    if (folder / ".venv").is_dir():
        return "`. .venv/bin/activate` first, or `make setup` where that does not help"
    return "`make setup` installs all into .venv; then `. .venv/bin/activate`"


def other_run() -> str:
    """Return the option that names another run."""
    return "another --run" + (" (RUN=… with make)" if _by_make() else "")


def _started() -> Path:
    """Return the script that Python was started with; an embedded Python may have none."""
    return Path((*sys.argv, "")[0])


def _by_make() -> bool:
    return "MAKELEVEL" in os.environ
