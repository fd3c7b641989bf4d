"""Run each tool that lies here once, as shortly as it can be: python -m tests.tools.quick.

A tool says how in `QUICK`, the words after its name. In these {photos} is a folder of drawn faces,
{run} a finished run of a thin network, and {scratch} a folder that is not there yet. Two run at a
time. Exits with 1 if any fails, and names it.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alexnet_tf.data.drawings import draw_faces
from tests.support.places import ROOT
from tests.support.runs import write_run

# They have targets of their own in the Makefile, which `.ci/run` makes.
BY_MAKE = ("chaos", "fuzz")
AT_A_TIME, MOST_SECONDS = 2, 600


def main() -> int:
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(AT_A_TIME) as threads:
        folder = Path(name)
        draw_faces(folder / "photos", per_class=30)
        write_run(folder / "run")
        tools = [*quick_runs()]
        ended = [*threads.map(lambda tool: is_well(*tool, folder), tools)]
    failed = [tool for (tool, _), well in zip(tools, ended) if not well]
    print(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def quick_runs() -> Iterator[tuple[str, Sequence[str]]]:
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


def is_well(tool: str, words: Sequence[str], folder: Path) -> bool:
    """Run a tool with its words in `folder`; print what it said, and tell if it ended with 0."""
    places = {"photos": folder / "photos", "run": folder / "run", "scratch": folder / tool}
    config = [word.format(**places) for word in words]
    start, output = time.monotonic(), folder / f"{tool}.txt"
    with open(output, "w") as file:
        try:
            code = subprocess.run(
                [sys.executable, "-m", f"tests.tools.{tool}", *config],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=MOST_SECONDS,
            ).returncode
        except subprocess.TimeoutExpired as error:
            code = str(error)
    seconds = time.monotonic() - start
    print(f"{output.read_text()}{tool}: {code}, {seconds:.0f} s\n", flush=True)
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
