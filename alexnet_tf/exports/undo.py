"""The list of what was sorted, ``undo.csv``, and its steps taken back."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import check_replaceable, is_regular, itself, replacing
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked
from alexnet_tf.system.transfers import remove_partial, transfer

UNDO = "undo.csv"
COLUMNS = ["from", "to", "by", "sha256"]
# A folder that was made, in the column `by`.
MADE = "folder"
# About so many bytes has a line.
LINE = 200


@dataclass(frozen=True)
class Step:
    """A line of ``undo.csv``: the file `source` was put at `target`; both are absolute paths."""

    source: str
    target: str
    by: str
    digest: str


def made(folder: Path) -> Step:
    """Return the step in which a folder was made."""
    return Step("", str(folder), MADE, "")


def read_steps(directory: Path) -> list[Step]:
    """Read ``undo.csv``; UserError for one that this program did not write. No file, no steps."""
    path = directory / UNDO
    if not path.exists():
        return []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    whole = rows[1:-1] if rows and len(rows[-1]) < len(COLUMNS) else rows[1:]
    if not rows or rows[0] != COLUMNS or any(len(row) != len(COLUMNS) for row in whole):
        raise UserError(f"{path}: is no list of this program; move it away, or name another folder")
    return [Step(*row) for row in whole]


def is_there(step: Step) -> bool:
    """Tell whether a step was done, and its file is as it was."""
    return is_regular(Path(step.target)) and holds(step.target, step)


def holds(path: str, step: Step) -> bool:
    """Tell whether there is a file `path`, with what was put at the target of a step."""
    return os.path.isfile(path) and content_digest(path) == step.digest


def remove_partial_copies(steps: Iterable[Step]) -> None:
    """Delete what calls that were killed left of a copy."""
    folders = {os.path.dirname(path) for step in steps for path in (step.source, step.target)}
    for folder in folders - {""}:
        remove_partial(folder)


class Journal:
    """The open ``undo.csv``; what is added is on its way to the disk before anything is done."""

    def __init__(self, file):
        self._file, self._rows = file, csv.writer(file)

    def add(self, step: Step) -> None:
        """Append a line."""
        self._rows.writerow(astuple(step))
        self._file.flush()


@contextmanager
def journal(directory: Path) -> Iterator[Journal]:
    """Run a block that may add to the ``undo.csv`` in a folder."""
    path = directory / UNDO
    check_replaceable(path)
    steps = read_steps(directory)
    _rewrite(directory, steps)  # without what a killed process left of a line
    with open(
        path, "a", encoding="utf-8", errors="surrogateescape", newline="", opener=itself
    ) as file:
        yield Journal(file)


def _rewrite(directory: Path, steps: Sequence[Step]) -> None:
    with (
        replacing(directory / UNDO, LINE * (len(steps) + 1)) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(map(astuple, steps))


def undo(directory: Path) -> tuple[int, list[str]]:
    """Take back what was sorted into `directory`; return how many files, and why others stay.

    A copy is removed only if it is as it was put there and so is the original; a moved picture goes
    back only to where nothing is. Killed, the same call goes on. Raises UserError without an
    undo.csv.
    """
    directory = Path(os.path.abspath(directory))
    if not is_regular(directory / UNDO):
        raise UserError(f"{directory}: has no {UNDO}, so there is nothing to undo")
    with locked(directory):
        steps = read_steps(directory)
        remove_partial_copies(steps)
        folders = [Path(step.target) for step in steps if step.by == MADE]
        results = {step: _take_back(step) for step in reversed(steps) if step.by != MADE}
        kept = [step for step in steps if results.get(step)]
        for folder in reversed(folders):
            if folder != directory:
                _remove_empty(folder)
        if kept:
            _rewrite(directory, [*map(made, folders), *kept])
        else:
            (directory / UNDO).unlink()
            (directory / ".lock").unlink()
            if directory in folders:
                _remove_empty(directory)
    taken_back = {step.source for step in results} - {step.source for step in kept}
    return len(taken_back), [f"{step.target}: {results[step]}" for step in kept]


def _take_back(step: Step) -> str | None:
    """Undo a step, of which nothing may have been done; return why it is left as it is."""
    has_original = os.path.isfile(step.source)
    if not os.path.lexists(step.target):
        return None if has_original else "is gone, and so is the original"
    if not is_there(step):
        return "has been changed, and is left there"
    if has_original and not holds(step.source, step):
        return f"is left there, for {step.source} is another picture now"
    if has_original:
        os.unlink(step.target)
        return None
    if step.by != "move":
        return f"is left there, for {step.source} is gone"
    os.makedirs(os.path.dirname(step.source), exist_ok=True)
    transfer(step.target, Path(step.source), "move")
    return None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it is gone, or holds something
        folder.rmdir()
