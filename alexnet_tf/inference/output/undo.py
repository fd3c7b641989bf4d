"""The journal of sorting, ``undo.csv``, and its reversal."""

from __future__ import annotations

import csv
import hmac
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import (
    atomic_write,
    check_replaceable,
    is_regular,
    open_nofollow,
    remove_leftovers,
    sync,
)
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked
from alexnet_tf.system.text import decoded, encoded
from alexnet_tf.system.transfers import remove_partial, transfer

UNDO = "undo.csv"
COLUMNS = ["from", "to", "by", "sha256", "key"]
# Value of the column `by` for a folder that was created.
MADE = "folder"
# Approximate bytes per line.
LINE = 250
# In the user's state folder (XDG Base Directory Specification), out of reach of anyone who sends
# somebody a folder with an undo.csv.
SECRET, SECRET_BYTES = "alexnet_tf/undo.key", 32


@dataclass(frozen=True)
class Step:
    """A line of ``undo.csv``: the file `source` was put at `target`; both are absolute paths.

    In the file, paths inside the sorted folder are relative to it, so that it can be moved. `key`
    authenticates a line as written by this user.
    """

    source: str
    target: str
    by: str
    digest: str = ""
    key: str = ""

    def cells(self, directory: Path) -> list[str]:
        """Return the line's cells, without the key."""
        paths = (
            os.path.relpath(path, directory) if path and _is_within(path, directory) else path
            for path in (self.source, self.target)
        )
        return [*paths, self.by, self.digest]

    def row(self, directory: Path) -> list[str]:
        """Return the line's cells as they are written, which no spreadsheet computes."""
        return [*map(encoded, self.cells(directory)), self.key]

    def signed(self, directory: Path) -> Step:
        """Return the step with this user's key, or with none if no secret can be stored."""
        text = "\0".join(self.cells(directory)).encode("utf-8", "surrogateescape")
        state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
        secret = _secret(Path(state, SECRET))
        return replace(self, key=hmac.new(secret, text, "sha256").hexdigest() if secret else "")

    def is_ours(self, directory: Path) -> bool:
        """Check whether this user's sorting wrote the line."""
        return bool(self.key) and hmac.compare_digest(self.key, self.signed(directory).key)

    def reason_against(self, directory: Path) -> str:
        """Return why the target must not be touched, whoever wrote the line; "" if it may be."""
        folder = self.target if self.by == MADE else os.path.dirname(self.target)
        real, real_directory = os.path.realpath(folder), Path(os.path.realpath(directory))
        if not (_is_within(self.target, directory) and _is_within(real, real_directory)):
            return (
                f"is not in {directory}, which may have been renamed since; nothing is done there"
            )
        if self.source and os.path.realpath(self.source) == os.path.realpath(self.target):
            return "is said to have come from itself, and is left there"
        return ""

    def is_done(self) -> bool:
        """Check whether the file is at its target, unchanged."""
        return is_regular(Path(self.target)) and self.is_at(self.target)

    def is_at(self, path: str) -> bool:
        """Check whether `path` is a file with the content that was put at the target."""
        return os.path.isfile(path) and content_digest(path) == self.digest


def _is_within(path: str, directory: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(directory)


@cache
def _secret(path: Path) -> bytes:
    """Read the user's secret, created on first use; empty if no folder can store it."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(secrets.token_hex(8))
            with open(
                os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb"
            ) as file:
                file.write(secrets.token_bytes(SECRET_BYTES))
            with suppress(FileExistsError):  # another process created it first
                os.link(temporary, path)
            temporary.unlink()
        return path.read_bytes()
    except OSError:
        return b""


def read_steps(directory: Path) -> list[Step]:
    """Read ``undo.csv``; UserError if this program did not write it. Without a file, no steps."""
    path = directory / UNDO
    if not path.exists():
        return []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.reader(file))
    columns = rows[0] if rows else []
    complete = rows[1:-1] if rows and len(rows[-1]) < len(columns) else rows[1:]
    # Earlier versions wrote no key, and absolute paths.
    if columns not in (COLUMNS, COLUMNS[:-1]) or any(len(row) != len(columns) for row in complete):
        raise UserError(f"{path}: is no list of this program; move it away, or name another folder")
    return [
        Step(_absolute(source, directory), _absolute(target, directory), *rest)
        for source, target, *rest in (map(decoded, row) for row in complete)
    ]


def _absolute(path: str, directory: Path) -> str:
    """Make a path of a line absolute, and normalize it, without ``..``."""
    return os.path.normpath(os.path.join(directory, path)) if path else ""


def remove_partials(steps: Iterable[Step], directory: Path) -> None:
    """Delete partial copies, and an incomplete ``undo.csv``, left by killed calls."""
    remove_leftovers(directory, [UNDO])
    ours = [step for step in steps if step.is_ours(directory)]
    folders = {os.path.dirname(path) for step in ours for path in (step.source, step.target)}
    for folder in folders - {""}:
        remove_partial(folder)


@contextmanager
def journal(directory: Path) -> Iterator[Callable[[Step], None]]:
    """Open the ``undo.csv`` of a folder for a block; yield a function that appends a line, before
    the action that it records. For a move, which leaves no other copy, it is synced to disk
    first."""
    path = directory / UNDO
    check_replaceable(path)
    _rewrite(directory, read_steps(directory))  # drops the incomplete line of a killed process
    with open(
        path, "a", encoding="utf-8", errors="surrogateescape", newline="", opener=open_nofollow
    ) as file:
        rows = csv.writer(file)

        def record(step: Step) -> None:
            rows.writerow(step.signed(directory).row(directory))
            file.flush()
            if step.by == "move":
                sync(file.fileno(), directory)

        yield record


def _rewrite(directory: Path, steps: Sequence[Step]) -> None:
    with (
        atomic_write(directory / UNDO, LINE * (len(steps) + 1)) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(step.row(directory) for step in steps)


def undo(
    directory: Path, agrees: Callable[[list[str]], bool] = lambda folders: False
) -> tuple[int, list[str]]:
    """Undo the sorting into `directory`; return how many files, and why others stay.

    A copy is removed only if it and the original are unchanged; a moved picture goes back only to a
    free path. Nothing outside `directory` is removed, and lines that this user did not write move
    nothing out of it, unless the caller `agrees` to the folders that they name. If killed, the same
    call resumes. Raises UserError without an undo.csv, or if the caller does not agree.
    """
    directory = Path(os.path.abspath(directory))
    if not is_regular(directory / UNDO):
        raise UserError(f"{directory}: has no {UNDO}, so there is nothing to undo")
    with locked(directory):
        steps = read_steps(directory)
        _check_strange(steps, directory, agrees)
        remove_partials(steps, directory)
        allowed = [step for step in steps if not step.reason_against(directory)]
        folders = [Path(step.target) for step in steps if step.by == MADE and step in allowed]
        results = {
            step: step.reason_against(directory) or _take_back(step)
            for step in reversed(steps)
            if step.by != MADE
        }
        kept = [step for step in steps if results.get(step)]
        for folder in reversed(folders):  # not the sorted folder itself, which has an undo.csv
            _remove_empty(folder)
        if kept:
            _rewrite(directory, [step for step in steps if step.by == MADE or results[step]])
        else:
            (directory / UNDO).unlink()
            (directory / ".lock").unlink()
            if directory in folders:
                _remove_empty(directory)
    taken_back = {step.source for step in results} - {step.source for step in kept}
    return len(taken_back), [f"{step.target}: {results[step]}" for step in kept]


def _check_strange(
    steps: Sequence[Step], directory: Path, agrees: Callable[[list[str]], bool]
) -> None:
    """Raise UserError if others' lines move files out of the folder, unless `agrees` is true."""
    moves = (step for step in steps if step.by == "move" and not step.is_ours(directory))
    strange = {
        os.path.dirname(step.source) for step in moves if not _is_within(step.source, directory)
    }
    if strange and not agrees(sorted(strange)):
        raise UserError(
            f"{directory / UNDO}: would move files to other folders, and was not written by you on "
            "this computer, or by an earlier version; nothing was done. At a terminal you are asked"
        )


def _take_back(step: Step) -> str | None:
    """Undo a step, which may not have been done at all; return why it is left as it is."""
    has_original = os.path.isfile(step.source)
    if not os.path.lexists(step.target):
        return None if has_original else "is gone, and so is the original"
    if not step.is_done():
        return "has been changed, and is left there"
    if has_original and not step.is_at(step.source):
        return f"is left there, because {step.source} is another picture now"
    if has_original:
        os.unlink(step.target)
        return None
    if step.by != "move":
        return f"is left there, because {step.source} is gone"
    os.makedirs(os.path.dirname(step.source), exist_ok=True)
    transfer(step.target, Path(step.source), "move")
    return None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it is gone, or not empty
        folder.rmdir()
