"""A zip of pictures → a folder of pictures."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from alexnet_tf.errors import UserError
from alexnet_tf.files import printable, sync_directory
from alexnet_tf.progress import progress


def unpack(archive: Path, into: Path) -> Path:
    """The folder below `into` that holds the files of the zip `archive`, unpacked at most once.

    Its name carries a fingerprint of the archive's table of contents, so another archive of the
    same name gets a folder of its own. Raises UserError for anything but a whole, harmless zip.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if not member.is_dir()]
            contents = repr([(m.filename, m.file_size, m.CRC) for m in members])
            fingerprint = hashlib.sha256(contents.encode("utf-8", "replace")).hexdigest()[:8]
            folder = into / f"{archive.stem}-{fingerprint}"
            if not folder.exists():
                for member in members:
                    _check_member(archive, member)
                _extract(file, members, folder)
            return folder
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{archive}: is not a whole zip file ({error})") from error


def _check_member(archive: Path, member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(
            f"{archive}: refused, for its member '{printable(member.filename)}' points out of the "
            "folder that it is unpacked into"
        )


def _extract(file: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path) -> None:
    """Unpack beside `folder` and take its name only when every file is there."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for member in progress(members, len(members), "unpacking"):
            file.extract(member, partial)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_directory(folder.parent)
