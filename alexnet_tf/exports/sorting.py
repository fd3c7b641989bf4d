"""Pictures put into a folder for each answer, by copies, hard links or moves; and back again.

What is done is noted in ``undo.csv`` first. So whatever ends it, the same command goes on, and
nothing is lost: no file is written over, and none is removed of which there is no other copy.
"""

from __future__ import annotations

import csv
import errno
import os
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import (
    check_replaceable,
    is_regular,
    itself,
    remove_leftovers,
    replacing,
    sync,
    sync_directory,
)
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked
from alexnet_tf.system.text import printable

WAYS = ("copy", "link", "move")
UNDO, UNSURE = "undo.csv", "unsure"
COLUMNS = ["from", "to", "by", "sha256"]
# What a copy is called until it is whole.
LEFTOVER = "sorting"
# A folder that was made, in the column `by`.
MADE = "folder"
# Bytes that a name has at most, on the disks that people have; and one that is shown in a window.
MOST_NAME, MOST_FOLDER = 255, 100
# Windows keeps these for itself.
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{kind}{n}" for kind in ("com", "lpt") for n in range(10)),
}
# What a disk answers that has no hard links, or where the other name is on another one.
UNLINKABLE = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True)
class Step:
    """A line of ``undo.csv``: the file `source` was put at `target`; both are absolute paths."""

    source: str
    target: str
    by: str
    digest: str


class Sorter:
    """The folder `directory`, with a folder for each of `classes` that is answered.

    Pictures get there `by` one of `WAYS`; those whose answer has a probability below `unsure` go to
    a folder of their own.
    """

    def __init__(
        self, directory: Path, classes: Sequence[str], by: str = "copy", unsure: float = 0
    ):
        self.directory = Path(os.path.abspath(directory))
        self.by, self._unsure = by, unsure
        different = list(dict.fromkeys(classes))
        *names, self._unsure_name = folder_names([*different, UNSURE])
        self._names = dict(zip(different, names))
        self._steps: dict[str, Step] = {}
        self._targets: set[str] = set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Run a block that may sort; UserError where another process does, or undo.csv is none."""
        made = [] if self.directory.exists() else [_made(self.directory)]
        with locked(self.directory), _journal(self.directory) as self._undo:
            for step in read_steps(self.directory):
                self._remember(step)
            _remove_leftovers(self._steps.values())
            for step in made:
                self._undo.add(step)
            yield

    def counts(self) -> dict[str, int]:
        """Count the pictures in each folder."""
        return Counter(os.path.basename(os.path.dirname(path)) for path in sorted(self._targets))

    def is_target(self, file: str) -> bool:
        """Tell whether `file` is what was put here."""
        return os.path.abspath(file) in self._targets

    def is_placed(self, file: str) -> bool:
        """Tell whether `file`, as it is, has its copy or link; what was to move should be gone."""
        step = self._steps.get(os.path.abspath(file))
        is_there = bool(step) and step.by != "move" and _is_there(step)
        return is_there and _holds(step.source, step)

    def is_finished(self, file: str) -> bool:
        """Tell whether what `file` was when it was sorted has its place, and nothing is to do."""
        step = self._steps.get(os.path.abspath(file))
        if not step or not os.path.lexists(step.target):
            return False
        return not (step.by == "move" and os.path.isfile(step.source) and _holds(step.source, step))

    def place(self, file: str, label: str, probability: float) -> None:
        """Put `file` into the folder of its label, unless it is there.

        Raises FileNotFoundError if it has gone, and not into that folder.
        """
        source = os.path.abspath(file)
        step = self._steps.get(source)
        is_there = bool(step) and _is_there(step)
        if not (is_there and not os.path.lexists(source)):
            content = content_digest(source)
            if not (is_there and step.digest == content):
                self._put(source, self._folder(label, probability), content)
            elif step.by == "move":  # it was stopped before the last step
                os.unlink(source)

    def _folder(self, label: str, probability: float) -> Path:
        """Return the folder of an answer, which is there then."""
        is_sure = probability >= self._unsure
        folder = self.directory / (self._names[label] if is_sure else self._unsure_name)
        if not folder.is_dir():
            self._undo.add(_made(folder))
            folder.mkdir()
        return folder

    def _put(self, source: str, folder: Path, content: str) -> None:
        for target in _free_names(folder, os.path.basename(source)):
            step = Step(source, str(target), self.by, content)
            self._undo.add(step)
            with suppress(FileExistsError):  # since it was looked for
                transfer(source, target, self.by)
                self._remember(step)
                return

    def _remember(self, step: Step) -> None:
        if step.by == MADE:
            return
        self._steps[step.source] = step
        self._targets.add(step.target)


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
        _remove_leftovers(steps)
        folders = [Path(step.target) for step in steps if step.by == MADE]
        results = {step: _take_back(step) for step in reversed(steps) if step.by != MADE}
        kept = [step for step in steps if results.get(step)]
        for folder in reversed(folders):
            if folder != directory:
                _remove_empty(folder)
        if kept:
            _rewrite(directory, [*map(_made, folders), *kept])
        else:
            (directory / UNDO).unlink()
            (directory / ".lock").unlink()
            if directory in folders:
                _remove_empty(directory)
    taken_back = {step.source for step in results} - {step.source for step in kept}
    return len(taken_back), [f"{step.target}: {results[step]}" for step in kept]


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


def folder_names(classes: Sequence[str]) -> list[str]:
    """Make of the name of each class one of a folder that every system takes, each another."""
    names: list[str] = []
    taken = {UNDO}
    for each in classes:
        unlike = (n for n in _numbered(_safe(each), "", MOST_FOLDER) if n.casefold() not in taken)
        names.append(next(unlike))
        taken.add(names[-1].casefold())
    return names


def _safe(name: str) -> str:
    """Leave out of a name what leads elsewhere, hides it, or is kept for something else."""
    shown = printable(unicodedata.normalize("NFC", name))
    kept = "".join("_" if c in '/\\:*?"<>|' else c for c in shown)
    cut = _cut(kept, MOST_FOLDER).strip(" .")
    return f"_{cut}" if not cut or cut.split(".")[0].casefold() in RESERVED else cut


def _numbered(stem: str, suffix: str, most: int = MOST_NAME) -> Iterator[str]:
    """Yield stem.suffix, "stem (2).suffix", … of at most so many bytes."""
    yield f"{stem}{suffix}"
    number = 2
    while True:
        end = f" ({number}){suffix}"
        yield _cut(stem, most - len(os.fsencode(end))) + end
        number += 1


def _cut(text: str, most: int) -> str:
    """Cut `text` to at most so many bytes."""
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def _free_names(folder: Path, name: str) -> Iterator[Path]:
    stem, suffix = os.path.splitext(name)
    paths = (folder / each for each in _numbered(stem, suffix))
    return (path for path in paths if not os.path.lexists(path))


def transfer(source: str, target: Path, by: str) -> None:
    """Put the file `source` at `target` by one of `WAYS`; FileExistsError if something is there.

    The target is whole or absent, and a moved file is removed only when it is whole in its new
    place.
    """
    real = os.path.realpath(source)
    if by == "copy" or not _link(real, target):
        if by == "link":
            raise UserError(
                f"{target.parent}: cannot have a hard link to {printable(source)}, which is on "
                "another disk, or the disk has none; take --by copy"
            )
        _copy(real, target)
    if by == "move":
        with open(target, "rb") as file:
            sync(file.fileno(), target.parent)
        sync_directory(target.parent)
        os.unlink(source)


def _link(source: str, target: Path) -> bool:
    """Give a file a second name; tell whether the disks can."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV or error.errno in UNLINKABLE:
            return False
        raise
    return True


def _copy(source: str, target: Path) -> None:
    """Copy a file with its dates to a name that is free."""
    temporary = target.with_name(f".{LEFTOVER}.{os.getpid()}.tmp")
    with room_for(target, os.path.getsize(source)):
        try:
            shutil.copy2(source, temporary)
            if not _link(str(temporary), target):
                if os.path.lexists(target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
                os.rename(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _take_back(step: Step) -> str | None:
    """Undo a step, of which nothing may have been done; return why it is left as it is."""
    has_original = os.path.isfile(step.source)
    if not os.path.lexists(step.target):
        return None if has_original else "is gone, and so is the original"
    if not _is_there(step):
        return "has been changed, and is left there"
    if has_original and not _holds(step.source, step):
        return f"is left there, for {step.source} is another picture now"
    if has_original:
        os.unlink(step.target)
        return None
    if step.by != "move":
        return f"is left there, for {step.source} is gone"
    os.makedirs(os.path.dirname(step.source), exist_ok=True)
    transfer(step.target, Path(step.source), "move")
    return None


def _is_there(step: Step) -> bool:
    """Tell whether a step was done, and its file is as it was."""
    return is_regular(Path(step.target)) and _holds(step.target, step)


def _holds(path: str, step: Step) -> bool:
    """Tell whether the file `path` holds what was put at the target of a step."""
    return content_digest(path) == step.digest


def _remove_leftovers(steps: Iterable[Step]) -> None:
    """Delete what calls that were killed left of a copy."""
    folders = {os.path.dirname(path) for step in steps for path in (step.source, step.target)}
    for folder in folders - {""}:
        remove_leftovers(Path(folder), [LEFTOVER])


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # it is gone, or holds something
        folder.rmdir()


def _made(folder: Path) -> Step:
    return Step("", str(folder), MADE, "")


class _Journal:
    """The open ``undo.csv``; what is added is on its way to the disk before anything is done."""

    def __init__(self, file):
        self._file, self._rows = file, csv.writer(file)

    def add(self, step: Step) -> None:
        self._rows.writerow(astuple(step))
        self._file.flush()


@contextmanager
def _journal(directory: Path) -> Iterator[_Journal]:
    path = directory / UNDO
    check_replaceable(path)
    steps = read_steps(directory)
    _rewrite(directory, steps)  # without what a killed process left of a line
    with open(
        path, "a", encoding="utf-8", errors="surrogateescape", newline="", opener=itself
    ) as file:
        yield _Journal(file)


def _rewrite(directory: Path, steps: Sequence[Step]) -> None:
    with (
        replacing(directory / UNDO, 200 * (len(steps) + 1)) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(map(astuple, steps))
