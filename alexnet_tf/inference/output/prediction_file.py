"""Prediction files, .csv or .jsonl, written line by line; an interrupted run resumes."""

import csv
import io
import json
import mmap
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import (
    check_replaceable,
    open_nofollow,
    read_json,
    read_lines,
    sync,
    write_json,
)
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked
from alexnet_tf.system.text import decoded, encoded, from_cell, in_cell, printable

SUFFIXES = (".csv", ".jsonl")
# Largest number of pictures whose digests are compared on resuming.
SAMPLE = 64

# The folder beside a file that says what made it.
STATE = ".{}.state"
# In a file's state: [name, SHA-256] of predicted pictures; the last entry of each name counts.
NOTES = "contents.jsonl"

# One line: {"file", "label", "probability", "top"} and perhaps "novelty", or {"file", "error"}.
Record = dict[str, Any]


class PredictionFile:
    """The prediction file `path`; its provenance is beside it, in ``.NAME.state``.

    `made_by` is JSON that must be equal for a run to resume; a .csv has columns for the `top`
    likeliest classes and, with `novelty`, for that. Raises UserError for another suffix.
    """

    def __init__(self, path: Path, made_by: dict[str, Any], top: int, novelty: bool = False):
        if path.suffix not in SUFFIXES:
            raise UserError(f"{path}: should end with {' or '.join(SUFFIXES)}, which says the form")
        self.path, self._made_by, self._top = path, json.loads(json.dumps(made_by)), top
        self._novelty = ("novelty",) if novelty else ()
        self._state = path.with_name(STATE.format(path.name))
        self._file: BinaryIO
        self._length = 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Open the file for a block, without the incomplete last line of a killed process, and sync
        it at the end; UserError if another process has it open, or access is denied."""
        check_replaceable(self.path)
        if self.path.exists() and not self._state.is_dir():
            raise UserError(
                f"{self.path}: is there already, and nothing says what made it; delete it, or give "
                "--out another name"
            )
        with locked(self._state):
            self._check_maker()
            # Unbuffered: bytes that did not fit on the disk are not retried when the line is taken
            # back.
            with open(self.path, "ab+", buffering=0, opener=open_nofollow) as self._file:
                self._length = self._whole()
                self._file.truncate(self._length)
                if self.path.suffix == ".csv" and not self._length:
                    self._append(self._columns())
                yield
                sync(self._file.fileno(), self.path.parent)

    def records(self) -> Iterator[Record]:
        """Read the predictions in the file; UserError for an invalid line."""
        with open(self.path, encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield from self._parse(line, number)
                except (ValueError, KeyError, TypeError, IndexError) as error:
                    raise UserError(
                        f"{self.path}, line {number}: is no prediction of this program; delete the "
                        "line or the file, or give --out another name"
                    ) from error

    def remaining(
        self, pictures: Sequence[str], is_gone: Callable[[str], bool] | None = None
    ) -> list[str]:
        """Return those of `pictures` that have no line yet, in order. UserError if a line is about
        another picture, unless `is_gone` of it, or if the content of one in a sample has
        changed."""
        done = Counter(record["file"] for record in self.records())
        remaining = []
        for picture in pictures:
            if done[picture]:
                done[picture] -= 1
            else:
                remaining.append(picture)
        for other in +done:
            if not (is_gone and is_gone(other)):
                raise UserError(
                    f"{self.path}: has a prediction for {printable(other)}, which is not among the "
                    "pictures now; name the same ones to go on, or give --out another name"
                )
        self._check_sample(pictures, {*remaining})
        return remaining

    def _check_sample(self, pictures: Sequence[str], remaining: Collection[str]) -> None:
        """Compare the content of a sample of the predicted pictures with their digests."""
        path = self._state / "sample.json"
        if not path.exists():
            sample = pictures[:: -(-len(pictures) // SAMPLE) or 1]
            write_json(path, {picture: _digest(picture) for picture in sample})
        for picture, digest in read_json(path).items():
            if picture not in remaining and digest and _digest(picture) not in (None, digest):
                raise UserError(
                    f"{printable(picture)}: has changed since {self.path} was begun, and its "
                    "predictions would be of other pictures; give --out another name"
                )

    def write(self, record: Record) -> None:
        """Append a line, completely or not at all."""
        self._append(self._line(record))

    def note(self, file: str) -> None:
        """Record the digest of the picture `file` before its prediction is written."""
        line = json.dumps([file, _digest(file)]) + "\n"
        with open(self._state / NOTES, "a", encoding="utf-8", opener=open_nofollow) as notes:
            notes.write(line)

    def has_current(self, files: Collection[str]) -> set[str]:
        """Return the predicted `files` whose content still has the recorded digest, if any."""
        noted: dict[str, str | None] = {}
        if (self._state / NOTES).is_file():
            for line in read_lines(self._state / NOTES):
                with suppress(ValueError):  # an incomplete line of a killed process
                    noted |= [json.loads(line)]
        return {each for each in files if not noted.get(each) or noted[each] == _digest(each)}

    def _check_maker(self) -> None:
        """Compare the file's provenance with that of this run; UserError names what differs."""
        maker = self._state / "made_by.json"
        if not self.path.exists() or not maker.exists():
            if self.path.exists() and self.path.stat().st_size:
                raise UserError(f"{maker}: is missing; delete {self.path}, or name another --out")
            write_json(maker, self._made_by)
            return
        before = read_json(maker)
        before = before if isinstance(before, dict) else {}
        differing = [name for name, now in self._made_by.items() if before.get(name) != now]
        if differing:
            raise UserError(
                f"{self.path}: was begun with another {' and another '.join(differing)}; give the "
                "same to go on, or give --out another name"
            )

    def _whole(self) -> int:
        """Return the offset after the last complete line."""
        if not self._file.seek(0, os.SEEK_END):
            return 0  # which cannot be mapped
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.rfind(b"\n") + 1

    def _append(self, line: str) -> None:
        content = line.encode()
        try:
            with room_for(self.path, len(content)):
                written = 0
                while written < len(content):
                    written += self._file.write(content[written:])
        except OSError:
            self._file.truncate(self._length)
            raise
        self._length += len(content)

    def _columns(self) -> str:
        more = [f"{name}{n}" for n in range(2, self._top + 1) for name in ("label", "probability")]
        return _row(["file", "label", "probability", *more, *self._novelty, "error"])

    def _line(self, record: Record) -> str:
        if self.path.suffix == ".jsonl":
            return json.dumps(record) + "\n"
        tops = record.get("top", ())
        top = [cell for each in tops for cell in (in_cell(each["label"]), each["probability"])]
        blank = [""] * (2 * self._top - len(top))
        novelty = [record.get(name, "") for name in self._novelty]
        error = in_cell(record.get("error", ""))
        return _row([encoded(record["file"]), *top, *blank, *novelty, error])

    def _parse(self, line: str, number: int) -> Iterator[Record]:
        """Parse a line into a record with only the likeliest class."""
        if self.path.suffix == ".jsonl":
            record = json.loads(line)
        elif number == 1:
            if line != self._columns():
                raise ValueError(line)
            return
        else:
            file, label, probability, *rest, error = next(csv.reader([line], strict=True))
            record = {"file": decoded(file)}
            if error:
                record["error"] = error
            else:
                record |= {"label": from_cell(label), "probability": float(probability)}
                record |= {name: float(rest[-1]) for name in self._novelty}
        if not isinstance(record["file"], str) or not {"label", "error"} & set(record):
            raise ValueError(line)
        yield record


def _digest(path: str) -> str | None:
    try:
        return content_digest(path) if os.path.isfile(path) else None
    except OSError:  # then the prediction is an error
        return None


def _row(cells: Sequence[object]) -> str:
    row = io.StringIO()
    csv.writer(row, lineterminator="\n").writerow(cells)
    return row.getvalue()
