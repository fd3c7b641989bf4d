"""Open the data that a user names (a folder, an archive, lists): its files and their classes."""

from __future__ import annotations

import os
import shlex
import zipfile
from dataclasses import replace
from glob import glob
from pathlib import Path

from alexnet_tf.data.images.contents import as_on_disk, is_remote
from alexnet_tf.data.images.file_types import FORMATS, OTHER_PICTURES, file_type
from alexnet_tf.data.sources.cifar import is_cifar, unpack_cifar
from alexnet_tf.data.sources.layouts import NoClasses, read_layout
from alexnet_tf.data.sources.listing import DATA_FOLDER, UNPACKED_FOLDER
from alexnet_tf.data.sources.lists import choose_lists, find_tables, read_lists
from alexnet_tf.data.sources.manifest import MOST_NAMES, Entry, NoPictures, Source
from alexnet_tf.data.sources.rows import TABLES
from alexnet_tf.data.sources.split_names import words
from alexnet_tf.data.sources.tar_archives import unpack_tar
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, UnpackLimits, unpack
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import Published
from alexnet_tf.system.program import command
from alexnet_tf.system.text import printable

__all__ = ["DATA_FOLDER", "PHOTOS", "Entry", "NoPictures", "Source", "open_source"]

# 25,000 photos of cats and dogs: Kaggle's zip, and the same photos from Microsoft.
KAGGLE_ZIP = "train.zip"
PHOTOS = Published(
    "kagglecatsanddogs_5340.zip",
    (
        "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
        "kagglecatsanddogs_5340.zip",
    ),
    "sha256",
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)
# Words in the names of folders that contain pictures of any class.
CONTAINERS = {"image", "img", "imgs", "picture", "pictures", "photo", "photos"}
TARS, TAR_SUFFIXES = ("a gzip archive", "a tar"), (".tar", ".tgz", ".gz")
# Unsupported containers of pictures, by content or suffix, and the advice for each.
EXPORT = "write its pictures into files, a folder for each class"
ADVICE = {
    "a video": "take pictures out of it first, for example with ffmpeg -i VIDEO -r 1 %05d.jpg",
    "an archive that must be unpacked first": "unpack it and name the folder",
    **dict.fromkeys(("an HDF5 file", "a NumPy array", "a Parquet file", "a MATLAB file"), EXPORT),
    **dict.fromkeys((*FORMATS, *OTHER_PICTURES), "name the folder in which all of them are"),
}
OTHER_SUFFIXES = {
    **dict.fromkeys((".tfrecord", ".tfrecords"), "a file of TFRecords"),
    **dict.fromkeys((".pkl", ".pickle"), "a pickle"),
    ".json": "a JSON file",
}

HOW_TO_GET = """\
{source}: {problem}. `{data}` fetches 25,000 photos of cats and dogs; or name one of these with
--data:
  - a folder that has one folder of pictures for each class of your own
  - folders of classes in train/, val/ and test/, or a zip or .tar.gz of any such folder
  - train.txt and val.txt, with a line 'path label' for each picture, or a CSV file with a line of
    headings, filename,label
  - Kaggle's train.zip (25,000 files cat.N.jpg and dog.N.jpg),
    from https://www.kaggle.com/competitions/dogs-vs-cats/data
  - the same photos from Microsoft, a zip with the folders PetImages/Cat and PetImages/Dog,
    from https://www.microsoft.com/en-us/download/details.aspx?id=54765"""


def open_source(source: str | Path, limits: UnpackLimits = DEFAULT_LIMITS) -> Source:
    """List the files that `source` names, without decoding any; NoPictures if there are none.

    `source` is a folder of ``cat.N.jpg`` and ``dog.N.jpg``, a folder per class, or split folders
    that contain such folders (`read_layout`); a zip, ``.tar`` or ``.tar.gz`` of one; CIFAR-10's
    ``cifar-10-python.tar.gz``; or lists or tables (`read_lists`), a pattern that they match, their
    names, or their folder. ``data`` may also contain one of the zips of cats and dogs under its
    published name. Paths begin with `source` (for an archive, with its unpacked folder), so they
    are relative if `source` is. An archive beyond `limits` is a UserError.
    """
    first, *others = find_source(source)
    if others:
        found = read_lists(first, *others)
    else:
        found = _open_folder(first) if first.is_dir() else _open_file(first, limits)
    if not found.entries:
        raise NoPictures(_how_to_get(source, "no labelled pictures found"))
    return found


def find_source(source: str | Path) -> list[Path]:
    """Find the folder, the file or the lists that `source` names; NoPictures if there is none."""
    path = _path(str(source))
    inside = ("train.txt", KAGGLE_ZIP, PHOTOS.name) if path == DATA_FOLDER else ("train.txt",)
    path = next((path / name for name in inside if (path / name).is_file()), path)
    found = [path] if path.is_dir() or path.is_file() else _several_lists(str(source))
    if not found:
        raise NoPictures(_explain_absence(str(source)))
    return found


def _path(source: str) -> Path:
    """Return the path that `source` means; a shell does not expand a quoted ~."""
    path = Path(as_on_disk(source))
    return path.expanduser() if source.startswith("~") and not path.exists() else path


def _several_lists(source: str) -> list[Path]:
    """Find the lists that `source` names: a pattern, or several names, quoted as in a shell."""
    try:
        names = map(os.path.expanduser, shlex.split(source))
    except ValueError:
        return []
    paths = [Path(name) for each in names for name in sorted(glob(each))]
    are_lists = all(p.suffix.lower() in (".txt", *TABLES) and p.is_file() for p in paths)
    return paths if are_lists else []


def _open_folder(folder: Path) -> Source:
    """Read the class folders in `folder` or, if there are none, a table of labels."""
    found: Source | NoClasses
    try:
        found = read_layout(folder)
        is_unclear = len(found.classes) < 2 or all(map(_is_container, found.classes))
    except NoClasses as error:
        found, is_unclear = error, True
    tables = _tables(folder)
    if tables and is_unclear:
        lists, notes = choose_lists(tables)
        return read_lists(*lists, notes=notes)
    if isinstance(found, NoClasses):
        raise found
    if tables:
        names = " and ".join(printable(table) for table in list(tables)[:MOST_NAMES])
        note = f"{names}: not used, for the folders or names of the pictures are the classes"
        return replace(found, notes=(*found.notes, note))
    return found


def _tables(folder: Path) -> dict[Path, tuple[str, ...] | UserError]:
    """Find the tables in `folder`, or in its only subfolder, which may again have only one."""
    try:
        tables = find_tables(folder)
        inner = [each for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    except OSError:  # it cannot be listed, which `read_layout` has reported
        return {}
    return _tables(inner[0]) if not tables and len(inner) == 1 else tables


def _is_container(name: str) -> bool:
    """Tell whether a folder of that name holds pictures of any class: images_001, JPEGImages."""
    return any(word in CONTAINERS or word.endswith("images") for word in words(name))


def _open_file(path: Path, limits: UnpackLimits) -> Source:
    """Read a list, or the folder in an archive; UserError, naming the type, for other files."""
    suffix = path.suffix.lower()
    if suffix == ".txt" or suffix in TABLES:
        return read_lists(path)
    kind = OTHER_SUFFIXES.get(suffix) or file_type(path) or f"no file that is known ({suffix})"
    if kind == "a zip" or zipfile.is_zipfile(path):
        return _open_folder(unpack(path, UNPACKED_FOLDER, limits))
    if is_cifar(path):
        return read_layout(unpack_cifar(path, UNPACKED_FOLDER))
    if kind in TARS or suffix in TAR_SUFFIXES:
        return _open_folder(unpack_tar(path, UNPACKED_FOLDER, limits))
    advice = ADVICE.get(kind, EXPORT)
    raise UserError(f"{path}: is {kind}, not a folder, zip, tar or list of pictures; {advice}")


def _explain_absence(source: str) -> str:
    """Return the error message for a source that is neither a file nor a folder."""
    if is_remote(source):
        return f"{source}: is an address; download what is there, and name the file or folder"
    if source.isdigit():
        return (
            f"{source}: is no file or folder, and cameras are not read; name a folder of pictures"
        )
    if any(c in source for c in "*?["):
        return f"{source}: nothing has such a name; name the folder instead of the files in it"
    return _how_to_get(source, "there is no such file or folder")


def _how_to_get(source: str | Path, problem: str) -> str:
    return HOW_TO_GET.format(source=source, problem=problem, data=command("data"))
