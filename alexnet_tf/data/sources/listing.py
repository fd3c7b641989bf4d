"""The user's files below a folder, without those of operating systems and of this program."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from alexnet_tf.data.features.batches import is_feature_store
from alexnet_tf.data.images.file_types import FORMATS, SUFFIXES, file_type, is_meant_as_picture
from alexnet_tf.data.images.records import SUFFIX, list_records
from alexnet_tf.system import buckets

DATA_FOLDER = Path("data")
# This program's own folders, which are skipped silently.
FEATURES_FOLDER, UNPACKED_FOLDER = DATA_FOLDER / "features", DATA_FOLDER / "unpacked"
OWN_FILES = (
    "train.txt", "val.txt", "test.txt", "classes.txt", "rejected.txt", "pictures.sha256",
    "README.md",
)  # fmt: skip
# Common files, which are skipped silently too.
EVERYWHERE = (".DS_Store", ".git", ".gitignore", ".gitattributes", ".gitkeep", ".keep")
# A folder that contains both is a run.
RUN_FILES = {"config.json", "classes.txt"}
# Files that Windows, macOS, Linux, Synology and Python create in users' folders.
JUNK = {
    "$recycle.bin", "system volume information", "recycler", "thumbs.db", "desktop.ini",
    "__macosx", "lost+found", "@eadir", "#recycle", "#snapshot", "__pycache__",
}  # fmt: skip

HIDDEN, SYSTEMS = "is hidden", "is put there by a system or a program"
OWN = ("is a run of this program", "holds features that this program computed")

Rejected = tuple[str, str]
# The most reasons that a summary of excluded files lists.
MOST_KINDS = 4


def list_files(folder: str | Path) -> tuple[list[str], list[Rejected]]:
    """List the regular files below `folder`, sorted, and (path, reason) of the excluded ones.

    Links are followed, and each folder is entered once: by its own name if that is below `folder`,
    otherwise by the first link in name order.
    """
    found: list[str] = []
    rejected: list[Rejected] = []
    entered: set[str] = set()
    ahead = [str(folder)]

    def unreadable(error: OSError) -> None:
        rejected.append((str(error.filename), f"cannot be read: {error.strerror}"))

    while ahead:
        for where, folders, names in os.walk(ahead.pop(0), onerror=unreadable):
            if os.path.realpath(where) in entered:
                folders.clear()
                continue
            entered.add(os.path.realpath(where))
            folders.sort()
            folders[:] = [name for name in folders if _is_users(Path(where, name), rejected)]
            paths = (Path(where, name) for name in sorted(names))
            found += [str(path) for path in paths if _is_users(path, rejected)]
            ahead += filter(os.path.islink, (os.path.join(where, name) for name in folders))
        ahead.sort()
    return sorted(found), rejected


def is_junk(rejected: Rejected) -> bool:
    """Tell whether an excluded file was never one of the user's pictures."""
    return rejected[1] in (HIDDEN, SYSTEMS, *OWN)


def left_out(rejected: Iterable[Rejected]) -> str:
    """Count the excluded files by reason: "3 × is hidden, 1 × is text"."""
    kinds = Counter(reason.partition(":")[0] for _, reason in rejected).most_common()
    parts = [f"{count} × {kind}" for kind, count in kinds[:MOST_KINDS]]
    others = sum(count for _, count in kinds[MOST_KINDS:])
    return "; ".join([*parts, f"{others} × other reasons"] if others else parts)


def _is_users(path: Path, rejected: list[Rejected]) -> bool:
    """Tell whether a path may hold the user's pictures; if not, add the reason to `rejected`."""
    own = path in (FEATURES_FOLDER, UNPACKED_FOLDER) or path.name in OWN_FILES
    if own or path.name in EVERYWHERE:
        return False
    reason = _why_not(path)
    if reason:
        rejected.append((str(path), reason))
    return not reason


def is_system(path: Path) -> bool:
    """Tell whether a file or folder is hidden, or a system's."""
    return path.name.lower() in JUNK or path.name.startswith(".")


def _why_not(path: Path) -> str | None:
    if is_system(path):
        return HIDDEN if path.name.startswith(".") else SYSTEMS
    if path.is_dir():
        if all((path / name).is_file() for name in RUN_FILES):
            return OWN[0]
        if is_feature_store(path):
            return OWN[1]
    elif not path.is_file():
        return "is a link to nothing" if path.is_symlink() else "is no file"
    return None


def find_pictures(paths: Sequence[str]) -> tuple[list[str], list[Rejected]]:
    """List `paths`, with folders and TFRecord files replaced by the pictures in them, sorted.

    A folder may be in a bucket, too.
    Other files in the folders come second, as (path, reason).
    """
    found: list[str] = []
    rejected: list[Rejected] = []
    for path in paths:
        files, others = list_files(path) if os.path.isdir(path) else ([path], [])
        if buckets.is_in_bucket(path) and not path.lower().endswith(SUFFIXES):
            with buckets.named(path):
                files = [each.address for each in buckets.find(path)]
        rejected += others
        for file in files:
            is_shard = file.endswith(SUFFIX) and os.path.isfile(file)
            if is_shard and file_type(file) not in FORMATS:
                found += list_records(file)
            elif file == path or is_meant_as_picture(file):
                found.append(file)
            else:
                rejected.append((file, "is no picture"))
    return found, rejected
