"""Run each tool that lies here once, as shortly as it can be: python -m tests.tools.quick.

A tool says how in `QUICK`, the words after its name. In these {photos} is a folder of drawn faces,
{run} a run of them, {weights} its convolutions, and {scratch} a folder that is not there yet.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.places import ROOT
from tests.support.shared import train_faces

# They have targets of their own in the Makefile.
BY_MAKE = ("chaos", "fuzz")


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_faces(folder)
        places = {"photos": folder / "photos", "run": folder / "run"}
        for tool, words in quick_runs():
            places["scratch"] = folder / tool
            command = [word.format(**places) for word in words]
            start = time.monotonic()
            ended = subprocess.run(
                [sys.executable, "-m", f"tests.tools.{tool}", *command],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
            print(f"{tool}: {ended.returncode}, {time.monotonic() - start:.0f} s", flush=True)
            failed += [tool] * bool(ended.returncode)
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def quick_runs() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each tool that can be run, and its `QUICK`; SystemExit where one has none."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "__main__" not in text or path.stem in BY_MAKE or path == Path(__file__):
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "QUICK":
                yield path.stem, ast.literal_eval(node.value)
                break
        else:
            sys.exit(f"{path}: should say in QUICK with which words it is run in seconds")


if __name__ == "__main__":
    sys.exit(main())
