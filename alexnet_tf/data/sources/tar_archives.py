"""Untrusted tars of pictures: unpacked, or refused before anything is written."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from alexnet_tf.data.sources import zip_archives
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, UnpackLimits
from alexnet_tf.errors import UserError
from alexnet_tf.system.folders import made_once

GZIP = b"\x1f\x8b"
# In bytes: the largest header of a member, which is read at once, and the most data that may follow
# the last member.
LARGEST_HEADER, LARGEST_REST = 1 << 16, 1 << 24


def unpack_tar(archive: Path, into: Path, limits: UnpackLimits = DEFAULT_LIMITS) -> Path:
    """Unpack `archive`, a ``.tar`` or ``.tar.gz``, once, into a folder below `into`; return it.

    Its name includes a fingerprint of `archive`. All members are checked before the first is
    written. Raises UserError unless the tar is intact, harmless and within `limits`.
    """
    folder = into / f"{archive.name.split('.')[0]}-{fingerprint(archive)}"
    if not folder.is_dir():
        _check(archive, limits)
    return made_once(folder, partial(_extract, archive))


def fingerprint(archive: Path) -> str:
    """Return the beginning of the SHA-256 of `archive`."""
    with open(archive, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _check(archive: Path, limits: UnpackLimits) -> None:
    """Raise UserError unless every member is harmless and all together are within `limits`."""
    names, promised = [], 0
    with open_tar(archive) as members:
        for count, (member, _) in enumerate(members, 1):
            if count > limits.files:
                raise zip_archives.too_many_files(archive, limits)
            is_plain = (member.isreg() or member.isdir()) and not member.issparse()
            reason = zip_archives.harm(member.name) or ("" if is_plain else zip_archives.NO_FILE)
            zip_archives.refuse(archive, member.name, reason)
            promised += member.size
            zip_archives.check_size(archive, promised, limits)  # before its content is read
            if member.isreg():
                names.append(member.name)
    zip_archives.check_names(archive, names)


def _extract(archive: Path, folder: Path) -> None:
    """Unpack all files in `archive` into `folder`."""
    with open_tar(archive) as members:
        for member, content in members:
            if content:
                path = folder / member.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "xb") as target:
                    shutil.copyfileobj(content, target)


@contextmanager
def open_tar(archive: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]]:
    """Open `archive` and yield its members, each with its content if it is a file.

    Raises UserError, also in the block, if it turns out to be damaged.
    """
    try:
        with open(archive, "rb") as file:
            opened = gzip.open if file.read(len(GZIP)) == GZIP else open
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - tarfile.BLOCKSIZE, 0))
            if opened is open and (size % tarfile.BLOCKSIZE or file.read().strip(b"\0")):
                raise tarfile.ReadError("it has no end")  # which tarfile may take for one
        # Read once, sequentially: in gzip every seek backwards starts from the beginning.
        with (
            opened(archive, "rb") as plain,
            tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as tar,
        ):
            yield _members(tar, plain)
    except (EOFError, zlib.error, tarfile.TarError, gzip.BadGzipFile, RecursionError) as error:
        raise UserError(f"{archive}: is not a whole .tar or .tar.gz file ({error})") from error


def _members(
    tar: tarfile.TarFile, plain: BufferedIOBase
) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    while member := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # otherwise it keeps all of them
        yield member, tar.extractfile(member) if member.isreg() else None
    if len(plain.read(LARGEST_REST)) == LARGEST_REST:  # gzip checks its checksum at the end
        raise tarfile.ReadError("much follows its end")


class _Member(tarfile.TarInfo):
    """A member whose header size is bounded."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size < 0 or (not self.isreg() and self.size > LARGEST_HEADER):
            raise tarfile.ReadError("a header is too long")
        return super()._proc_member(archive)  # type: ignore[misc]  # not in typeshed
