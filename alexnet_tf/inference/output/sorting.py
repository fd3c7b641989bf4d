"""Sorting of pictures into a folder per predicted class, by copies, hard links or moves.

Sidecars go with their pictures. Each step is recorded in ``undo.csv`` first, so that the same
command resumes after any interruption, and nothing is lost: no file is overwritten, and none is
removed unless a copy exists.
"""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.inference.output.sidecars import Sidecars, renamed
from alexnet_tf.inference.output.undo import MADE, UNDO, Step, journal, read_steps, remove_partials
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked
from alexnet_tf.system.log import LOG
from alexnet_tf.system.text import printable
from alexnet_tf.system.transfers import MOST_NAME, numbered, remove_moved, shortened, transfer

UNSURE, UNKNOWN = "unsure", "unknown"
# Longest folder name, in bytes, that a file manager shows in full.
MOST_FOLDER = 100
# Names of devices, which Windows reserves.
PORTS = [f"{kind}{number}" for kind in ("com", "lpt") for number in range(10)]
RESERVED = {"con", "prn", "aux", "nul", *PORTS}


class Sorter:
    """The sorted `directory`, with a folder for each of `classes` that is predicted.

    Pictures are transferred `by` one of `WAYS`, `with_sidecars` or without; those predicted with a
    probability below `unsure` go to a separate folder, and so do those with a novelty above 1.
    """

    def __init__(
        self,
        directory: Path,
        classes: Sequence[str],
        by: str = "copy",
        unsure: float = 0,
        with_sidecars: bool = True,
    ):
        self.directory = Path(os.path.abspath(directory))
        self.by, self._unsure, self._with_sidecars = by, unsure, with_sidecars
        self.list_anew()
        different = list(dict.fromkeys(classes))
        *names, self._unsure_name, self._unknown_name = folder_names([*different, UNSURE, UNKNOWN])
        self._names = dict(zip(different, names))
        self._steps: dict[str, Step] = {}
        self._targets: dict[str, Step] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the folder for a block; UserError if another process has, or undo.csv is invalid."""
        is_new = not self.directory.exists()
        with locked(self.directory), journal(self.directory) as self._record:
            self._check_folders()
            for step in read_steps(self.directory):
                if not step.reason_against(self.directory):
                    self._remember(step)
            remove_partials(self._targets.values(), self.directory)
            if is_new:
                self._record(Step("", str(self.directory), MADE))
            yield

    def _check_folders(self) -> None:
        """Raise UserError if a file or a link is where a class's folder should be."""
        for name in (*self._names.values(), self._unsure_name, self._unknown_name):
            folder = self.directory / name
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise UserError(
                    f"{printable(folder)}: is no folder of its own, into which pictures could go; "
                    "move it away, or name another --sort-into"
                )

    def list_anew(self) -> None:
        """Forget which files lie beside pictures, because more may have arrived."""
        self._sidecars = Sidecars()

    def counts(self) -> dict[str, int]:
        """Count the pictures in each folder."""
        self.list_anew()
        pictures = (path for path in self._targets if not self._sidecars.owners(path))
        return Counter(os.path.basename(os.path.dirname(path)) for path in pictures)

    def skips(self, file: str) -> bool:
        """Check whether `file` is not sorted itself: it was put here, is a sidecar, or is a link
        where files are moved, which could not come back as what it was."""
        path = os.path.abspath(file)
        if self.by == "move" and os.path.islink(path):
            LOG.warning(f"{printable(path)}: is a link, and --by move moves files themselves")
            return True
        return path in self._targets or (self._with_sidecars and bool(self._sidecars.owners(path)))

    def is_placed(self, file: str) -> bool:
        """Check whether `file` is unchanged and has its copy or link; False for a move."""
        step = self._steps.get(os.path.abspath(file))
        return bool(step and step.by != "move" and step.is_done() and step.is_at(step.source))

    def is_finished(self, file: str) -> bool:
        """Check whether the sorted `file` is at its target and no step is left to do."""
        step = self._steps.get(os.path.abspath(file))
        if not step or not os.path.lexists(step.target):
            return False
        return not (step.by == "move" and step.is_at(step.source))

    def place(self, file: str, label: str, probability: float, novelty: float = 0) -> None:
        """Put `file` into its label's folder, unless it is there; FileNotFoundError if it no longer
        exists and is not in that folder either."""
        source = os.path.abspath(file)
        step = self._steps.get(source)
        if step and not step.is_done():
            step = None
        if not step or os.path.lexists(source):
            content = content_digest(source)
            if not step or step.digest != content:
                self._put(source, self._folder(label, probability, novelty), content)
            elif step.by == "move":  # it was interrupted before the last step
                remove_moved(source, Path(step.target))

    def _folder(self, label: str, probability: float, novelty: float) -> Path:
        """Return the folder of a prediction; create it if it is missing."""
        name = self._names[label] if probability >= self._unsure else self._unsure_name
        folder = self.directory / (self._unknown_name if novelty > 1 else name)
        if not folder.is_dir():
            self._record(Step("", str(folder), MADE))
            folder.mkdir()
        return folder

    def _put(self, source: str, folder: Path, content: str) -> None:
        """Put a picture and its sidecars into `folder`, under names with the same number.

        The picture's line is the first and its transfer the last, so that the rest of the sidecars
        get the same name after an interruption.
        """
        sidecars = self._digests_of_sidecars(source)
        for target in self._free_targets(source, folder, sidecars):
            step = Step(source, str(target), self.by, content)
            self._record(step)
            with suppress(FileExistsError):  # another file has taken the name meanwhile
                for sidecar, digest in sidecars.items():
                    self._put_sidecar(sidecar, renamed(sidecar, source, str(target)), digest)
                transfer(source, target, self.by)
                self._remember(step)
                return

    def _digests_of_sidecars(self, source: str) -> dict[str, str]:
        """Return path → digest of the sidecars; name those that must stay, and are left out."""
        digests = {}
        for path in self._sidecars.of(source) if self._with_sidecars else ():
            if self.by == "move" and os.path.islink(path):
                LOG.warning(f"{printable(path)}: is a link, and does not move with its picture")
                continue
            try:
                digests[path] = content_digest(path)
            except OSError as error:
                reason = error.strerror or error
                LOG.warning(f"{printable(path)}: does not go with its picture: {reason}")
        return digests

    def _free_targets(
        self, source: str, folder: Path, sidecars: Mapping[str, str]
    ) -> Iterator[Path]:
        """Yield paths in `folder` that are free, as are the names for `sidecars` beside them; the
        one that an interrupted call had chosen comes first."""
        stem, suffix = os.path.splitext(os.path.basename(source))
        longest = max(len(os.fsencode(path)) for path in (source, *sidecars))
        names = numbered(stem, suffix, MOST_NAME - longest + len(os.fsencode(source)))
        begun = self._steps.get(source)
        if begun and os.path.dirname(begun.target) == str(folder):
            names = chain([os.path.basename(begun.target)], names)
        for target in (folder / name for name in names):
            beside = {path: renamed(path, source, str(target)) for path in sidecars}
            is_taken = any(
                os.path.lexists(path) and not self._has_put(path, sidecars[sidecar], sidecar)
                for sidecar, path in beside.items()
            )
            if not is_taken and not os.path.lexists(target):
                yield target

    def _put_sidecar(self, source: str, target: str, digest: str) -> None:
        """Put a sidecar at `target`, unless it is there; the last of its pictures moves it."""
        by = self.by
        if by == "move" and len(self._sidecars.owners(source)) > 1:
            by = "copy"
        step, is_put = Step(source, target, by, digest), self._has_put(target, digest, source)
        if not (is_put and self._targets[target].by == by):
            self._record(step)
        if not is_put:
            transfer(source, Path(target), by)
        elif by == "move":
            remove_moved(source, Path(target))
        self._remember(step)

    def _has_put(self, target: str, digest: str, source: str) -> bool:
        """Check whether a file is unchanged since it was put there from `source`."""
        step = self._targets.get(target)
        return bool(step and (step.source, step.digest) == (source, digest) and step.is_done())

    def _remember(self, step: Step) -> None:
        if step.by != MADE:
            self._steps[step.source] = self._targets[step.target] = step


def folder_names(classes: Sequence[str]) -> list[str]:
    """Sanitize class names to distinct folder names that are valid on every system."""
    names: list[str] = []
    taken = {UNDO}
    for each in classes:
        unlike = (n for n in numbered(_safe(each), "", MOST_FOLDER) if n.casefold() not in taken)
        names.append(next(unlike))
        taken.add(names[-1].casefold())
    return names


def _safe(name: str) -> str:
    """Remove path separators, hidden-file dots and reserved names from a folder name."""
    shown = printable(unicodedata.normalize("NFC", name))
    kept = "".join("_" if c in '/\\:*?"<>|' else c for c in shown)
    cut = shortened(kept, MOST_FOLDER).strip(" .")
    return f"_{cut}" if not cut or cut.split(".")[0].casefold() in RESERVED else cut
