"""What a user names as data, a folder, an archive or lists: its files and their classes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from alexnet_tf.data.archive import DEFAULT_LIMITS, Limits, unpack
from alexnet_tf.data.cifar import is_cifar, unpack_cifar
from alexnet_tf.errors import UserError
from alexnet_tf.system.download import Published
from alexnet_tf.system.text import is_printable

DATA_FOLDER = Path("data")
# What this program itself puts there is no source of pictures.
FEATURES_FOLDER, UNPACKED_FOLDER = DATA_FOLDER / "features", DATA_FOLDER / "unpacked"
OWN_FILES = ("train.txt", "val.txt", "classes.txt", "rejected.txt", "README.md")

# Names of the folder with the classes to train on and, the preferred one first, of the folder
# beside it with the same classes to validate with.
TRAIN, VALIDATION = "train", ("val", "validation", "test")

# 25,000 photos of cats and dogs: Kaggle's zip, and the same photos as Microsoft publishes them.
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
KAGGLE_NAME = re.compile(r"(cat|dog)\.\d+\.\w+", re.IGNORECASE)
# Microsoft's zip spells Kaggle's classes with capitals.
KAGGLE_CLASSES = {"Cat": "cat", "Dog": "dog"}
NUMBER = re.compile(r"[0-9]{1,9}")
LIST_LINE = re.compile(r"(.*\S)[ \t]+(\S+)\s*")

HOW_TO_GET = """\
{source}: no labelled pictures found. `make data` fetches 25,000 photos of cats and dogs; or put one
of these there, or name it with --data:
  - Kaggle's train.zip (25,000 files cat.N.jpg and dog.N.jpg),
    from https://www.kaggle.com/competitions/dogs-vs-cats/data
  - the same photos from Microsoft, a zip with the folders PetImages/Cat and PetImages/Dog,
    from https://www.microsoft.com/en-us/download/details.aspx?id=54765
  - a folder that has one folder of pictures for each class of your own
  - train.txt and val.txt, with a line 'path label' for each picture"""


class NoPictures(UserError):
    """A source without labelled pictures."""


@dataclass(frozen=True)
class Entry:
    """A file, the name of its class, and whether it is for validation: None where nobody said."""

    path: str
    label: str
    validation: bool | None = None


@dataclass(frozen=True)
class Source:
    """Labelled files. `classes` are in the order of their indices; `rejected` holds (path, reason)
    of the files that are left out."""

    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    rejected: tuple[tuple[str, str], ...] = ()


def open_source(source: str | Path, limits: Limits = DEFAULT_LIMITS) -> Source:
    """List the files that `source` names, none of them opened yet; NoPictures when there are none.

    `source` is a folder of ``cat.N.jpg`` and ``dog.N.jpg``, a folder per class, a zip of either,
    CIFAR-10's ``cifar-10-python.tar.gz``, or lists: ``train.txt`` with ``val.txt`` beside it, or
    the folder of both. ``data`` may also hold one of the zips of cats and dogs under the name that
    its publisher gave it. Paths begin with `source` (an archive's with its unpacked folder), so
    they are relative when `source` is. A zip beyond `limits` is a UserError.

    Folders of classes below ``train/`` are split already where ``val/``, ``validation/`` or
    ``test/`` beside it has folders of exactly the same names: the pictures in the first of these
    that does are for validation, no others are. Other folders beside ``train/`` are left out.
    """
    path = Path(source)
    inside = ("train.txt", KAGGLE_ZIP, PHOTOS.name) if path == DATA_FOLDER else ("train.txt",)
    path = next((path / name for name in inside if (path / name).is_file()), path)
    if path.suffix == ".txt" and path.is_file():
        found = _read_lists(path)
    elif is_cifar(path):
        found = _scan(unpack_cifar(path, UNPACKED_FOLDER))
    elif path.is_file():
        found = _scan(unpack(path, UNPACKED_FOLDER, limits))
    else:
        found = _scan(path)
    if not found.entries:
        raise NoPictures(HOW_TO_GET.format(source=source))
    return found


def _scan(folder: Path) -> Source:
    """Label every file below `folder` by Kaggle's names or by the folder of its class."""
    rejected: list[tuple[str, str]] = []
    files = sorted(_files(folder, rejected))
    root = _class_root(folder)
    held_out = _validation_root(root) if root != folder else None
    by_name = any(KAGGLE_NAME.fullmatch(name) for name in _names(root))
    reason = "is in no folder of a class and not named cat.N or dog.N"
    if held_out:
        reason = f"is in no folder of a class below {root} or {held_out}"
    entries = []
    for file in files:
        validation = Path(file).is_relative_to(held_out) if held_out else None
        part = held_out if validation else root
        label = _kaggle_class(file) if by_name else _folder_class(file, part)
        if label is None:
            rejected.append((file, reason))
        elif not is_printable(file) or file[-1].isspace():
            rejected.append((file, "has a name that no line of text can hold"))
        else:
            entries.append(Entry(file, label, validation))
    classes = tuple(sorted({entry.label for entry in entries}))
    return Source(classes, tuple(entries), tuple(rejected))


def _files(folder: Path, rejected: list[tuple[str, str]]) -> list[str]:
    """List the regular files below `folder`, but hidden ones; enter folders behind links once.

    Folders that cannot be read go to `rejected`, as (path, reason).
    """
    found, entered = [], set()

    def unreadable(error: OSError) -> None:
        rejected.append((str(error.filename), f"cannot be read: {error.strerror}"))

    for where, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        if os.path.realpath(where) in entered:
            folders.clear()
            continue
        entered.add(os.path.realpath(where))
        folders[:] = [name for name in folders if _is_visible(Path(where, name))]
        paths = [Path(where, name) for name in names]
        found += [str(path) for path in paths if _is_visible(path) and path.is_file()]
    return found


def _is_visible(path: Path) -> bool:
    own = path in (FEATURES_FOLDER, UNPACKED_FOLDER) or path.name in OWN_FILES
    return not own and not path.name.startswith((".", "__MACOSX"))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir() if _is_visible(path))
    except OSError:
        return []


def _class_root(folder: Path) -> Path:
    """Find the folder whose folders are the classes, below wrappers such as ``train/``."""
    folders = _folders(folder)
    if any(KAGGLE_NAME.fullmatch(name) for name in _names(folder)) or not folders:
        return folder
    # Kaggle's unpacked folder has test1/, without labels, beside train/.
    inner = folder / (TRAIN if TRAIN in folders else folders[0])
    is_wrapper = len(folders) == 1 or inner.name == TRAIN
    holds_classes = any(
        (inner / name).is_dir() or KAGGLE_NAME.fullmatch(name) for name in _names(inner)
    )
    return _class_root(inner) if is_wrapper and holds_classes else folder


def _validation_root(root: Path) -> Path | None:
    """Find a folder with the same classes beside `root`, if that is a ``train/``; None without."""
    if root.name != TRAIN:
        return None
    beside = (root.with_name(name) for name in VALIDATION)
    return next((path for path in beside if _folders(path) == _folders(root) != []), None)


def _folders(folder: Path) -> list[str]:
    return [name for name in _names(folder) if (folder / name).is_dir()]


def _kaggle_class(path: str) -> str | None:
    match = KAGGLE_NAME.fullmatch(os.path.basename(path))
    return match[1].lower() if match else None


def _folder_class(path: str, root: Path) -> str | None:
    if not Path(path).is_relative_to(root):
        return None
    below = Path(path).relative_to(root).parts
    return KAGGLE_CLASSES.get(below[0], below[0]) if len(below) > 1 else None


def _read_lists(train: Path) -> Source:
    """Read ``train.txt`` and, where they are, the ``val.txt`` and ``classes.txt`` beside it."""
    validation = train.with_name("val.txt")
    has_validation = validation.is_file() and validation != train
    lines = [(path, label, False if has_validation else None) for path, label in read_list(train)]
    if has_validation:
        lines += [(path, label, True) for path, label in read_list(validation)]
    names = _class_names(train.with_name("classes.txt"), lines)
    entries = tuple(Entry(path, names[label], part) for path, label, part in lines)
    return Source(tuple(dict.fromkeys(names.values())), entries)


def read_list(file: Path) -> list[tuple[str, str]]:
    """Read (path, label) of the lines ``path label``; the path may hold spaces, the label not.

    Raises UserError for a line that is neither that nor empty.
    """
    pairs = []
    for number, line in enumerate(read_lines(file), 1):
        match = LIST_LINE.fullmatch(line)
        if match:
            pairs.append((match[1], match[2]))
        elif line.strip():
            raise UserError(f"{file}, line {number}: should be 'path label', but is '{line[:200]}'")
    return pairs


def read_lines(file: Path) -> list[str]:
    """Read the lines of a UTF-8 file; UserError when it is not one, or holds control characters."""
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read ({error})") from error
    for number, line in enumerate(lines, 1):
        if not is_printable(line.replace("\t", " ")):
            raise UserError(f"{file}, line {number}: holds control characters; is it a text file?")
    return lines


def _class_names(classes: Path, lines: list[tuple[str, str, bool | None]]) -> dict[str, str]:
    """Name the class of each label in the `lines` of the lists, in the order of the classes.

    The names are in the file `classes`, if there is one. Otherwise the labels are the names,
    unless those of the files are Kaggle's.
    """
    labels = {label for _, label, _ in lines}
    if classes.is_file():
        names = [name for name in read_lines(classes) if name]
        numbered = {str(index): name for index, name in enumerate(names)}
        unknown = sorted(labels - set(numbered))
        if unknown:
            raise UserError(f"{classes}: has {len(names)} classes, but a label is '{unknown[0]}'")
        return numbered
    numeric = all(NUMBER.fullmatch(label) for label in labels)
    ordered = sorted(labels, key=int) if numeric else sorted(labels)
    kaggle = {(label, _kaggle_class(path)) for path, label, _ in lines}
    if len(kaggle) == len(labels) and {name for _, name in kaggle} == {"cat", "dog"}:
        return {label: dict(kaggle)[label] for label in ordered}
    return {label: label for label in ordered}
