"""Open the data that a user names (a folder, an archive, lists): its files and their classes."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from glob import glob
from pathlib import Path

from alexnet_tf.data.images.contents import as_on_disk, is_remote
from alexnet_tf.data.images.file_types import FORMATS, OTHER_PICTURES, TABLES, file_type
from alexnet_tf.data.sources.archives import TARS, unpack_archive, unpack_folder
from alexnet_tf.data.sources.beside import complete
from alexnet_tf.data.sources.cifar import unpack_cifar
from alexnet_tf.data.sources.layouts import NoClasses, is_container, read_layout
from alexnet_tf.data.sources.list_choice import choose_lists, find_tables
from alexnet_tf.data.sources.listing import DATA_FOLDER, UNPACKED_FOLDER, is_system, list_files
from alexnet_tf.data.sources.lists import read_lists
from alexnet_tf.data.sources.manifest import ANY, MOST_NAMES, NoPictures, Source, Unlabelled, Wanted
from alexnet_tf.data.sources.named import fetch_named
from alexnet_tf.data.sources.packed import read_packed
from alexnet_tf.data.sources.path_resolver import MOST_FOLDERS
from alexnet_tf.data.sources.published import name_by_rules, read_published
from alexnet_tf.data.sources.unsuitable import is_of_masks, purpose
from alexnet_tf.data.sources.zip_archives import DEFAULT_LIMITS, UnpackLimits
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import Published
from alexnet_tf.system.program import command
from alexnet_tf.system.text import printable

# 25,000 photos of cats and dogs: Kaggle's zip, and the same photos from Microsoft.
KAGGLE_ZIP = "train.zip"
PHOTOS = Published(
    "kagglecatsanddogs_5340.zip",
    (
        "https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/"
        "kagglecatsanddogs_5340.zip",
    ),
    "b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)
# How many folders deep lists and tables lie beside those of classes.
DEEPEST = 3
# Types of files that hold no pictures.
NO_CONTAINERS = ("text", "empty", "all zeros", *FORMATS, *OTHER_PICTURES)
# Unsupported containers of pictures, by content or suffix, and the advice for each.
EXPORT = "write its pictures into files, a folder for each class"
ADVICE = {
    "a video": "take pictures out of it first, for example with ffmpeg -i VIDEO -r 1 %05d.jpg",
    "an archive that must be unpacked first": "unpack it and name the folder",
    **dict.fromkeys((*FORMATS, *OTHER_PICTURES), "name the folder in which all of them are"),
}
OTHER_SUFFIXES = dict.fromkeys((".pkl", ".pickle"), "a pickle")

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


def open_source(
    source: str | Path, limits: UnpackLimits = DEFAULT_LIMITS, wanted: Wanted = ANY
) -> Source:
    """List the files that `source` names, without decoding any; NoPictures if there are none.

    `source` is a folder of ``cat.N.jpg`` and ``dog.N.jpg``, a folder per class, or split folders
    that contain such folders (`read_layout`); a zip, ``.tar`` or ``.tar.gz`` of one, or a folder of
    these; CIFAR as its authors publish it (`unpack_cifar`); or lists or tables (`read_lists`), a
    pattern that they match, their names, or their folder. ``data`` may also contain one of the zips
    of cats and dogs under its published name. Paths begin with `source` (for an archive, with its
    unpacked folder), so they are relative if `source` is. An archive beyond `limits` is a
    UserError.
    """
    first, *others = find_source(source)
    if others:
        found = read_lists(first, *others, wanted=wanted)
    elif first.is_dir():
        found = _open_folder(first, limits, wanted)
    else:
        found = _open_file(first, limits, wanted)
    if not found.entries:
        problem = "no labelled pictures found"
        raise NoPictures(_in_place_of_pictures(first) or _how_to_get(source, problem))
    return found


def find_source(source: str | Path) -> list[Path]:
    """Find the folder, the file or the lists that `source` names; NoPictures if there is none."""
    path = fetch_named(str(source)) or _path(str(source))
    names = ("train.txt", KAGGLE_ZIP, PHOTOS.name)
    inside = names if path == DATA_FOLDER else names[:1]
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


def _open_folder(folder: Path, limits: UnpackLimits, wanted: Wanted) -> Source:
    """Read packed pictures, a published data set, class folders, a table, or archives of these."""
    wanted = replace(wanted, root=folder)
    if pictures := unpack_cifar(folder, UNPACKED_FOLDER):
        return read_layout(pictures)
    if packed := read_packed(folder, wanted):
        return packed
    if published := read_published(folder, wanted):
        return published
    if wanted.label and wanted.label.isdecimal():
        return _of_level(folder, int(wanted.label))
    found = _layout(folder)
    tables = _tables(folder, wanted)
    is_empty = isinstance(found, Source) and not found.entries and not tables
    if is_empty and (unpacked := unpack_folder(folder, UNPACKED_FOLDER, limits)):
        return _open_folder(unpacked, limits, wanted)
    if wanted.label and not tables:
        raise UserError(f"{folder}: has no table that names its pictures, so --label is no column")
    if not _is_clear(found):
        named = _layout(folder, by_names=True)
        has_labels = any(isinstance(heads, tuple) for heads in tables.values())
        if isinstance(named, Source) and _is_clear(named) and not has_labels:
            note = "the classes are what the names of pictures begin with, before their numbers"
            found = replace(named, notes=(*named.notes, note))
    if tables and (wanted.label or not _is_clear(found)):
        lists, notes = choose_lists(tables, wanted.split)
        return read_lists(*lists, notes=notes, wanted=replace(wanted, split=None))
    classes = found.classes if isinstance(found, Source) else ()
    if (not _is_clear(found) or is_of_masks(classes)) and (reason := purpose(folder, classes)):
        raise UserError(reason)
    if isinstance(found, NoClasses):
        raise found
    found, used = complete(found, _texts(folder, found), folder, wanted.split)
    if name := name_by_rules(folder):
        found = replace(found, notes=(f"{name}, as published", *found.notes))
    if unused := [table for table in tables if table not in used]:
        names = " and ".join(map(printable, unused[:MOST_NAMES]))
        note = f"{names}: not used, for the folders or names of the pictures are the classes"
        found = replace(found, notes=(*found.notes, note))
    return found


def _of_level(folder: Path, level: int) -> Source:
    found = read_layout(folder, level=level)
    if not level or not found.entries:
        raise UserError(
            f"{folder}: has no pictures in folders of level {level}, so --label is none"
        )
    return found


def _layout(folder: Path, by_names: bool = False) -> Source | NoClasses:
    try:
        return read_layout(folder, by_names)
    except NoClasses as error:
        return error


def _is_clear(found: Source | NoClasses) -> bool:
    """Tell whether folders or names are classes: several, of several pictures, no containers."""
    if isinstance(found, NoClasses) or len(found.classes) < 2:
        return False
    pieces = [piece for name in found.classes for piece in name.split("/")]
    are_numbers = len(pieces) > len(found.classes) and all(len(piece) == 1 for piece in pieces)
    are_single = len(found.entries) < 2 * len(found.classes)  # a folder for each patient, say
    return not (are_numbers or are_single or all(map(is_container, found.classes)))


def _texts(folder: Path, found: Source) -> list[Path]:
    """List the texts and tables in and beside the folders of classes, not in them."""
    classes = {*map(os.path.dirname, found.entries.column("path"))}
    texts: list[Path] = []
    ahead = [folder]
    for _ in range(DEEPEST):
        inside = [path for each in ahead for path in sorted(each.glob("[!.]*"))]
        texts += [path for path in inside if path.suffix.lower() in (".txt", *TABLES)]
        ahead = [path for path in inside if str(path) not in classes and path.is_dir()]
    return [path for path in texts if path.is_file() and "submission" not in path.name.lower()]


def _tables(folder: Path, wanted: Wanted) -> dict[Path, tuple[str, ...] | UserError]:
    """Find the tables in `folder`, in its subfolders, or in those of an only subfolder."""
    try:
        tables = find_tables(folder, wanted)
        inner = [each for each in folder.iterdir() if each.is_dir() and not is_system(each)]
        if not all(isinstance(found, Unlabelled) for found in tables.values()):
            return tables
        if len(inner) == 1:
            return tables | _tables(inner[0], wanted)
        for each in sorted(inner)[:MOST_FOLDERS]:
            tables |= find_tables(each, wanted)
    except OSError:  # it cannot be listed, which `read_layout` has reported
        return {}
    return tables


def _open_file(path: Path, limits: UnpackLimits, wanted: Wanted) -> Source:
    """Read packed pictures, a list, or the folder in an archive; UserError for other files."""
    if pictures := unpack_cifar(path, UNPACKED_FOLDER):
        return read_layout(pictures)
    if packed := read_packed(path, wanted):
        return packed
    suffix = path.suffix.lower()
    if suffix == ".txt" or suffix in TABLES:
        return read_lists(path, wanted=wanted)
    if unpacked := unpack_archive(path, UNPACKED_FOLDER, limits):
        return _open_folder(unpacked, limits, wanted)
    kind = _kind(path)
    advice = ADVICE.get(kind, EXPORT)
    raise UserError(f"{path}: is {kind}, not a folder, zip, tar or list of pictures; {advice}")


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return OTHER_SUFFIXES.get(suffix) or file_type(path) or f"no file that is known ({suffix})"


def _in_place_of_pictures(source: Path) -> str | None:
    """Say what the largest file in `source` is, if it may hold pictures; None if it may not."""
    files = map(Path, list_files(source)[0] if source.is_dir() else ())
    largest = max(files, key=lambda file: file.stat().st_size, default=source)
    is_table = largest.suffix.lower() in (".csv", ".tsv")
    kind = "a table that names no picture which is there" if is_table else _kind(largest)
    if largest == source or kind in NO_CONTAINERS:
        return None
    try:
        read_packed(largest, ANY)
    except UserError as error:
        return str(error)
    advice = "unpack it" if kind in (*TARS, "a zip") else ADVICE.get(kind, EXPORT)
    return f"{source}: holds no labelled pictures, but {printable(largest)}, {kind}; {advice}"


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
