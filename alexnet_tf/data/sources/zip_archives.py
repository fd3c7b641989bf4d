"""Untrusted zips of pictures: unpacked, or refused before anything is written.

`zipfile` bounds neither the sizes nor the number of the files that it unpacks. The checks that tars
share are public here.
"""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from alexnet_tf.errors import UserError
from alexnet_tf.system.folders import made_once
from alexnet_tf.system.program import command
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable
from alexnet_tf.system.zips import TooManyEntries, open_zip

ZIP, TEXTS = ".zip", (".csv", ".tsv", ".txt", ".json", ".md")
ARCHIVES = (ZIP, ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# Members compressed by these methods unpack in pieces; by others, a kilobyte may become gigabytes
# at once.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# PKWARE's APPNOTE, section 4.4.4: bit 11 marks a name in UTF-8; otherwise it is cp437.
UTF8 = 1 << 11
# Linux's NAME_MAX, and PATH_MAX less room for the folder that the files are unpacked into.
LONGEST_NAME, LONGEST_PATH = 255, 3000
# Any zip may unpack to this many bytes, however small it is.
ALWAYS_ALLOWED = 1 << 20

NO_FILE = "is a link or a device, not a file"
UNPACK_IT = "Unpack it yourself and name the folder"
BY_HAND = UNPACK_IT + ", or let `{data} ARCHIVE {option} N` unpack it"


@dataclass(frozen=True)
class UnpackLimits:
    """The limits of a zip: `files`, unpacked `bytes`, and their `ratio` to the zip's own bytes.

    The ratio is 1 for photos and 1,000 for zeros.
    """

    files: int = 200_000
    bytes: int = 100 << 30
    ratio: int = 200


DEFAULT_LIMITS = UnpackLimits()


def unpack(archive: Path, into: Path, limits: UnpackLimits = DEFAULT_LIMITS) -> Path:
    """Unpack the zip `archive`, once, into a folder below `into`, and return that folder.

    Its name includes a fingerprint of the archive's central directory, so another archive of the
    same name gets another folder. Nothing is written before the whole directory is checked. A zip
    of nothing but zips and texts, as Kaggle's are, is unpacked with those. Raises UserError unless
    the zip is intact, harmless and within `limits`.
    """
    try:
        with open_zip(archive, limits.files) as file:
            members = _members(file)
            contents = repr([(m.filename, m.file_size, m.CRC) for m in members])
            fingerprint = hashlib.sha256(contents.encode("utf-8", "replace")).hexdigest()[:8]
            folder = into / f"{archive.stem}-{fingerprint}"
            if not folder.is_dir():
                suffixes = {PurePosixPath(member.filename).suffix.lower() for member in members}
                _check_contents(archive, file.infolist(), limits, suffixes <= {ZIP, *TEXTS})
            return made_once(folder, partial(_extract, file, members, limits))
    except (UserError, OSError):
        raise
    except TooManyEntries as error:
        raise too_many_files(archive, limits) from error
    except Exception as error:  # zipfile and zlib may raise nearly anything
        raise UserError(f"{archive}: is not a whole zip file ({error})") from error


def _members(file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    for member in file.infolist():
        member.filename = _true_name(member)
    return [member for member in file.infolist() if not member.is_dir()]


def _true_name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member, which macOS writes in UTF-8 without the flag for it."""
    if not member.flag_bits & UTF8:
        with suppress(UnicodeError):
            return member.filename.encode("cp437").decode()
    return member.filename


def _check_contents(
    archive: Path, members: list[zipfile.ZipInfo], limits: UnpackLimits, zips: bool = False
) -> None:
    """Raise UserError unless every member is harmless and all together are within `limits`.

    Members may be `zips` themselves, which are checked when they are unpacked.
    """
    for member in members:
        name = member.filename.removesuffix(ZIP) if zips else member.filename
        refuse(archive, member.filename, harm(name) or _reason_to_refuse(member))
    check_names(archive, [member.filename for member in members if not member.is_dir()])
    size = archive.stat().st_size
    if any(not 0 <= member.header_offset < size for member in members):
        raise zipfile.BadZipFile("a member lies outside of the file")
    check_size(archive, sum(member.file_size for member in members), limits)


def refuse(archive: Path, name: str, reason: str | None) -> None:
    """Raise UserError for the member `name` if there is a `reason`, the end of a sentence."""
    if reason:
        raise UserError(f"{archive}: refused, for its member '{_shown(name)}' {reason}")


def check_names(archive: Path, names: Iterable[str]) -> None:
    """Raise UserError unless files with all these names can be unpacked side by side."""
    paths = [PurePosixPath(name) for name in names]
    folders = {parent for path in paths for parent in path.parents}
    for path, count in Counter(paths).items():
        if count > 1 or path in folders:
            raise UserError(f"{archive}: refused, for it has '{_shown(path)}' more than once")


def check_size(archive: Path, promised: int, limits: UnpackLimits) -> None:
    """Raise UserError if the unpacked size that `archive` declares exceeds `limits`."""
    size = archive.stat().st_size
    if promised > limits.bytes:
        raise UserError(
            f"{archive}: refused, for it unpacks to {promised:,} bytes, more than "
            f"{limits.bytes:,}. " + BY_HAND.format(data=command("data"), option="--max-bytes")
        )
    if promised > max(limits.ratio * size, ALWAYS_ALLOWED):
        raise UserError(
            f"{archive}: refused, for its {size:,} bytes unpack to {promised:,}, more than "
            f"{limits.ratio} times as many, as no pictures do. {UNPACK_IT}"
        )


def too_many_files(archive: Path, limits: UnpackLimits) -> UserError:
    """Create the error for an archive with more files than `limits` allow."""
    return UserError(
        f"{archive}: refused, for it holds more than {limits.files:,} files. "
        + BY_HAND.format(data=command("data"), option="--max-files")
    )


def harm(name: str) -> str | None:
    """Return the reason to refuse the member `name`, the end of a sentence; None if it is safe."""
    # Windows accepts both slashes and drive letters; a safe name needs no drive and no backslash.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        return "points out of the folder that it is unpacked into, or would on Windows"
    if "\\" in name:
        return (
            "has a backslash in its name, as old programs on Windows write for a folder; unpack it "
            "there, or with 7z, and name the folder"
        )
    if path.suffix.lower() in ARCHIVES:
        return "is an archive itself; unpack this one yourself and name that one, or its folder"
    if len(name.encode("utf-8", "replace")) > LONGEST_PATH or any(
        len(part.encode("utf-8", "replace")) > LONGEST_NAME for part in path.parts
    ):
        return "has too long a name"
    return None


def _reason_to_refuse(member: zipfile.ZipInfo) -> str | None:
    # Zips made on Unix have the file mode in the upper 16 bits, others have zeros.
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return NO_FILE
    if member.flag_bits & 1:
        return "is encrypted; unpack it yourself and name the folder"
    if member.compress_type not in METHODS:
        return "is compressed in a way that can hide its size; unpack it yourself"
    return None


def _shown(name: object) -> str:
    """Shorten the name of a member, which may have 65,535 bytes, for a message."""
    return printable(str(name)[:LONGEST_NAME])


def _extract(
    file: zipfile.ZipFile, members: list[zipfile.ZipInfo], limits: UnpackLimits, folder: Path
) -> None:
    """Unpack all `members` into `folder`, and zips among them into a folder of their name.

    No member can exceed the size in the checked central directory: zipfile stops there, and reports
    a wrong checksum.
    """
    for member in progress(members, len(members), "unpacking"):
        path = Path(file.extract(member, folder))
        limits = replace(limits, files=limits.files - 1, bytes=limits.bytes - member.file_size)
        if path.suffix == ZIP:
            with open_zip(path, limits.files) as inner:
                contents = _members(inner)
                _check_contents(path, inner.infolist(), limits)
                _extract(inner, contents, limits, path.with_suffix(""))
            size = sum(each.file_size for each in contents)
            limits = replace(limits, files=limits.files - len(contents), bytes=limits.bytes - size)
            path.unlink()
