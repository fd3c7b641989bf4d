"""Archives of pictures, zips and tars: one, or several in a folder, one for each class or part."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from functools import partial
from pathlib import Path

from alexnet_tf.data.images.file_types import file_type
from alexnet_tf.data.sources.listing import is_system
from alexnet_tf.data.sources.tar_archives import fingerprint, unpack_tar
from alexnet_tf.data.sources.zip_archives import TEXTS, UnpackLimits, unpack
from alexnet_tf.system.folders import made_once

TARS, SUFFIXES = ("a gzip archive", "a tar"), (".tar", ".tgz", ".gz")
# Those of archives in a folder, where a .gz may be anything.
ENDINGS = (".zip", ".tar", ".tgz", ".tar.gz")


def unpack_archive(file: Path, into: Path, limits: UnpackLimits) -> Path | None:
    """Unpack a zip or tar, once, into a folder below `into`, and return that; None for others."""
    if file_type(file) == "a zip" or zipfile.is_zipfile(file):
        return unpack(file, into, limits)
    if file_type(file) in TARS or file.suffix.lower() in SUFFIXES:
        return unpack_tar(file, into, limits)
    return None


def unpack_folder(folder: Path, into: Path, limits: UnpackLimits) -> Path | None:
    """Unpack all archives in `folder` and its subfolders side by side, once, below `into`.

    Each becomes a folder of its name; tables and texts are copied beside them. Returns the folder
    of all, or None if there is no archive.
    """
    inside = sorted(path for mark in ("*", "*/*") for path in folder.glob(mark))
    files = [path for path in inside if path.is_file() and not is_system(path)]
    files = [path for path in files if path.parent != into]
    unpacked = {
        file.relative_to(folder): place
        for file in files
        if file.name.lower().endswith(ENDINGS) and (place := unpack_archive(file, into, limits))
    }
    if not unpacked:
        return None
    texts = [file.relative_to(folder) for file in files if file.suffix.lower() in TEXTS]
    contents = [*unpacked.items(), *((text, fingerprint(folder / text)) for text in texts)]
    digest = hashlib.sha256(repr(contents).encode()).hexdigest()[:8]
    return made_once(
        into / f"{folder.resolve().name}-{digest}", partial(_put_together, folder, unpacked, texts)
    )


def _put_together(
    folder: Path, unpacked: dict[Path, Path], texts: list[Path], target: Path
) -> None:
    """Link what is unpacked into `target`, in folders of the names of the archives."""
    for name, place in unpacked.items():
        stem = name.name.partition(".")[0]
        shutil.copytree(place, target / name.with_name(stem), copy_function=_link)
    for text in texts:
        (target / text).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / text, target / text)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # this disk has no hard links
        shutil.copyfile(source, target)
