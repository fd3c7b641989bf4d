"""Copy, link and move files without overwriting or losing any."""

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import remove_leftovers, sync_directory, sync_file, unique
from alexnet_tf.system.text import printable

WAYS = ("copy", "link", "move")
# The longest file name on common file systems, in bytes.
MOST_NAME = 255
# Part of the temporary name of an incomplete copy.
LEFTOVER = "sorting"
# Errors where hard links are unsupported, or would cross file systems.
UNLINKABLE = {
    errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK,
}  # fmt: skip


def transfer(source: str, target: Path, by: str) -> None:
    """Put the file `source` at `target` by one of `WAYS`, atomically; FileExistsError if `target`
    exists. A moved file is removed only once its copy is complete."""
    real = os.path.realpath(source)
    if by == "copy" or not _link(real, target):
        if by == "link":
            raise UserError(
                f"{target.parent}: cannot have a hard link to {printable(source)}, which is on "
                "another disk, or the disk has none; take --by copy"
            )
        _copy(real, target)
    if by == "move":
        remove_moved(source, target)


def remove_moved(source: str, target: Path) -> None:
    """Delete `source` once its copy or link `target` is on the disk."""
    sync_file(target)
    sync_directory(target.parent)
    os.unlink(source)


def remove_partial(folder: str) -> None:
    """Delete the incomplete copies that a killed process left in `folder`."""
    remove_leftovers(Path(folder), [LEFTOVER])


def numbered(stem: str, suffix: str, most: int = MOST_NAME) -> Iterator[str]:
    """Yield stem.suffix, "stem (2).suffix", … of at most `most` bytes."""
    yield f"{stem}{suffix}"
    for number in count(2):
        end = f" ({number}){suffix}"
        yield shortened(stem, most - len(os.fsencode(end))) + end


def shortened(text: str, most: int) -> str:
    """Cut `text` to at most `most` bytes."""
    return text.encode("utf-8", "ignore")[:most].decode("utf-8", "ignore")


def _link(source: str, target: Path) -> bool:
    """Create a hard link; tell whether the file systems support it."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in UNLINKABLE:
            raise
        return False
    return True


def _copy(source: str, target: Path) -> None:
    """Copy a file, with its dates, to an unused name."""
    temporary = target.with_name(f".{LEFTOVER}.{unique()}.tmp")
    with room_for(target, os.path.getsize(source)):
        try:
            shutil.copy2(source, temporary)
            if not _link(str(temporary), target):
                if os.path.lexists(target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
                os.rename(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
