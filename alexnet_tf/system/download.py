"""Downloads that resume, and are verified before they are visible under their names. Those of
`keras.utils.get_file` do not resume or try a second source, and importing it takes seconds."""

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from urllib3 import BaseHTTPResponse

from alexnet_tf.errors import UserError
from alexnet_tf.system import buckets, http
from alexnet_tf.system.disk import MEGABYTE, free_room, is_full, megabytes
from alexnet_tf.system.files import (
    check_replaceable,
    move_into_place,
    open_nofollow,
    read_json,
    write_json,
)
from alexnet_tf.system.fingerprints import content_digest
from alexnet_tf.system.locks import locked_beside
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable

# Seconds without a byte after which a source counts as stalled.
TIMEOUT = 30
# Attempts to resume from one source; each must have brought some bytes.
ATTEMPTS = 10
CHUNK = 1 << 16

BY_HAND = """\
By hand: download one with a browser, save it
{lines}
and type the same command again; or name a place that has it, by
--from PATH_OR_URL or --mirror DIR_OR_URL (FROM=… or MIRROR=… with make)."""


class DownloadError(OSError):
    """The failure of all sources: a failed run, not bad input. The message lists the attempts."""


@dataclass(frozen=True)
class Published:
    """A published file: its URLs, and its SHA-256 in hex or the first digits of it."""

    name: str
    urls: tuple[str, ...]
    sha256: str

    def fetch(self, folder: Path, mirror: str | None = None, places: Sequence[str] = ()) -> Path:
        """Return the path of the verified file in `folder`; download it if it is missing, from the
        folder `mirror` (a path or URL) and then from `places` (paths or URLs) or, without any, the
        published URLs. Raises UserError if another file has this name, DownloadError if no source
        has the file."""
        path = folder / self.name
        if path.is_file():
            try:
                self.check(path)
            except UserError as error:
                raise UserError(f"{error}; delete it to have it fetched again") from error
        else:
            mirrors = [f"{mirror}/"] if mirror else []
            try:
                download(path, [*mirrors, *(places or self.urls)], self.check)
            except DownloadError as error:
                raise DownloadError(f"{error}\n{by_hand(folder, [self])}") from error
        return path

    def check(self, path: Path) -> None:
        """Raise UserError if the file `path` is not the published one."""
        difference = self.difference(path)
        if difference:
            raise UserError(f"{path}: is not the published file, for its {difference}")

    def difference(self, path: Path) -> str | None:
        """Describe how the checksum of the file `path` differs; None if it matches."""
        found = content_digest(path)
        return None if found.startswith(self.sha256) else f"SHA256 is {found}, not {self.sha256}"


def by_hand(folder: Path, files: Iterable[Published]) -> str:
    """Return the advice to download one of `files` with a browser."""
    lines = (f"  {url}\n    as {folder / file.name}" for file in files for url in file.urls)
    return BY_HAND.format(lines="\n".join(lines))


def download(target: Path, sources: Iterable[str], check: Callable[[Path], object]) -> None:
    """Download `target` from the first of `sources` that has the right file.

    A source is a URL (http, https, or in a bucket), a path, or a folder that holds a file of
    `target`'s name; the URL of a folder ends in a slash. `check` gets the path of a complete copy,
    with `target`'s suffix, and raises UserError if it is the wrong file. A partial download is kept
    beside `target` under a hidden name, and the next call resumes it if the source still has the
    same file (not from a bucket). Raises DownloadError if every source fails.
    """
    check_replaceable(target)
    is_new = not target.exists()
    with locked_beside(target, wait=True):
        if not (is_new and target.exists()):  # another process may have fetched it meanwhile
            _download(target, sources, check)


def _download(target: Path, sources: Iterable[str], check: Callable[[Path], object]) -> None:
    part, reasons = _Part(target), []
    for source in sources:
        is_folder = source.endswith("/") or os.path.isdir(source)
        place = f"{source.rstrip('/')}/{target.name}" if is_folder else source
        print(f"{target.name}: from {printable(place)}", file=sys.stderr)
        try:
            _fetch(place, part)
            check(part.path)
            move_into_place(part.path, target)
            part.forget()
            return
        except UserError as error:
            part.forget()
            reasons.append((place, str(error).removeprefix(f"{part.path}: ")))
        except (OSError, ValueError) as error:  # ValueError: an invalid URL
            reasons.append((place, _reason(error)))
            if is_full(error):
                break
    if not part.origin():
        part.forget()
    raise DownloadError(_explain(target, part, reasons))


def fetch_object(each: buckets.Object, target: Path) -> Path:
    """Return `target`, a copy of a file in a bucket, which is made unless it is there."""
    if not each.is_at(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        download(target, [each.address], lambda _: None)
        each.mark(target)
    return target


def forget(target: Path) -> None:
    """Delete the partial download of `target`, if any; the next `download` starts anew."""
    _Part(target).forget()


class _Part:
    """A partial download, and a note of its `origin`: the url, a validator (ETag or Last-Modified)
    and the size in bytes of the complete file. Without the note it cannot be resumed."""

    def __init__(self, target: Path):
        self.name = target.name
        self.path = target.with_name(f".{target.stem}.part{target.suffix}")
        self._note = self.path.with_name(f"{self.path.name}.json")

    def size(self) -> int:
        """Return the number of bytes received so far."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self) -> dict[str, Any]:
        """Read the note; empty if the download cannot be resumed."""
        try:
            return read_json(self._note) if self.size() else {}
        except UserError:
            return {}

    def arrived(self, url: str) -> int:
        """Return how many bytes of the file at `url` are here and can be resumed from."""
        return self.size() if self.origin().get("url") == url else 0

    def begin(self, origin: dict[str, Any]) -> None:
        """Start from the beginning with the file that the note `origin` describes."""
        # Emptied before the note changes: after a kill, old bytes must not get a new origin.
        self.path.unlink(missing_ok=True)  # it may be a link
        self.path.touch()
        self._note.unlink(missing_ok=True)
        if origin:
            write_json(self._note, origin)

    def append(self, stream: BinaryIO | BaseHTTPResponse, whole: int | None) -> None:
        """Append the bytes of `stream`, until `whole` bytes are here (None: to its end); OSError if
        it ends earlier, or if the disk is too small."""
        free = free_room(self.path.parent)
        if whole is not None and whole > free + self.size():
            needed = megabytes(whole - self.size())
            raise OSError(f"needs {needed} on the disk, where {megabytes(free)} are free")
        chunks, total = iter(lambda: stream.read(CHUNK), b""), math.inf if whole is None else whole
        bar = progress(chunks, total, f"{self.name}, MB", self.size(), weigh=len, unit=MEGABYTE)
        with open(self.path, "ab", opener=open_nofollow) as file:
            file.writelines(bar)
        if whole not in (None, self.size()):
            raise OSError(f"broke off after {self.size():,} of {whole:,} bytes")

    def forget(self) -> None:
        """Delete the partial download and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _fetch(place: str, part: _Part) -> None:
    if place.startswith(("http://", "https://")):
        _fetch_url(place, part)
        return
    if buckets.is_in_bucket(place):
        with buckets.opened(place) as (stream, size):
            part.begin({})
            part.append(stream, size)
        return
    with open(place, "rb") as file:
        part.begin({})
        part.append(file, os.fstat(file.fileno()).st_size)


def _fetch_url(url: str, part: _Part) -> None:
    """Receive the file at `url`; resume after a break as long as each attempt brings bytes."""
    for left in reversed(range(ATTEMPTS)):
        arrived = part.arrived(url)
        try:
            _receive(url, part)
            return
        except OSError as error:
            if not left or part.arrived(url) <= arrived or is_full(error):
                raise


def _receive(url: str, part: _Part) -> None:
    arrived, origin = part.arrived(url), part.origin()
    if arrived and arrived == origin["size"]:
        return  # the file is complete: only the check was interrupted
    headers = {"Range": f"bytes={arrived}-", "If-Range": origin["validator"]} if arrived else {}
    try:
        with http.get(url, TIMEOUT, headers=headers) as response:
            if response.headers.get("Content-Type", "").lower().startswith("text/html"):
                raise OSError("answered with a web page in place of the file")
            if response.status != 206 or not arrived:
                whole, validator = response.length_remaining, _validator(response)
                is_known = validator and whole
                part.begin({"url": url, "validator": validator, "size": whole} if is_known else {})
                part.append(response, whole)
                return
            rest = f"bytes {arrived}-{origin['size'] - 1}/{origin['size']}"
            is_same = _validator(response) in (origin["validator"], None)
            if is_same and response.headers.get("Content-Range") == rest:
                part.append(response, origin["size"])
                return
            # Otherwise it is another file: some servers ignore If-Range.
    except http.StatusError as error:
        if error.code != 416:  # the file has become shorter than the partial download
            raise
    part.forget()
    _receive(url, part)


def _validator(response: BaseHTTPResponse) -> str | None:
    """Return the validator that identifies the file byte for byte; a weak ETag does not."""
    etag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if etag.startswith("W/") else etag


def _reason(error: Exception) -> str:
    if isinstance(error, http.StatusError):
        return f"answered {error}"
    if isinstance(error, TimeoutError):
        return f"sent nothing for {TIMEOUT} seconds"
    return getattr(error, "strerror", None) or str(error)


def _explain(target: Path, part: _Part, reasons: list[tuple[str, str]]) -> str:
    lines = [f"{target}: could not be fetched. Tried were, in this order,"]
    lines += [f"  {printable(place)}: {printable(reason)}" for place, reason in reasons]
    if part.size():
        missing = megabytes(part.origin()["size"] - part.size())
        lines.append(f"{megabytes(part.size())} have arrived and are kept, {missing} are missing;")
        lines.append("the same command goes on from there.")
    return "\n".join(lines)
