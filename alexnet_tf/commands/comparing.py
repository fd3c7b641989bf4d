"""Several variants, trained alike, one after the other, by the command that a user types."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.reports.comparison import Result, read_result, write_results
from alexnet_tf.runs.run import Run
from alexnet_tf.system import signals as stopping

SCRIPT = Path("train_alexnet.py")


def compare(
    variants: Sequence[str], directory: Path, options: Mapping[str, object]
) -> tuple[list[Result], int]:
    """Train each variant in ``directory/VARIANT``: what came of each, and an exit code.

    `options` (name → value) are those of train_alexnet.py, which has to be in the working
    directory. Runs that were begun go on. A training that fails is a result among the others, and
    makes the code 1; with one that is refused or stopped all ends, and its code is returned. The
    results so far are written into `directory` each time, for a comparison may take days.
    """
    results: list[Result] = []
    for variant in variants:
        run = Run(directory / variant)
        places = {
            "run": run.directory,
            "features": directory / "features",
            "log": directory / "train.log",
        }
        code = train({"variant": variant, **options, **places})
        if code > 1:
            return results, code
        results.append(read_result(run, variant, finished=code == 0))
        write_results(results, directory)
    return results, 0 if all(result.finished for result in results) else 1


def train(options: Mapping[str, object]) -> int:
    """The exit code of train_alexnet.py with `options` (name → value), below 0 when a signal ended
    it at once; UserError when it is not in the working directory.

    A terminal does not reach it, so that Ctrl-C asks it to stop but once, by us.
    """
    if not SCRIPT.is_file():
        raise UserError(f"this trains in the project's folder, where {SCRIPT} is")
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    print(f"\n$ python {SCRIPT} {shlex.join(words)}", flush=True)
    with subprocess.Popen([sys.executable, SCRIPT, *words], start_new_session=True) as process:
        try:
            return process.wait()
        except stopping.Stopped:
            process.terminate()  # it saves where it is; leaving the block waits for that
            raise
