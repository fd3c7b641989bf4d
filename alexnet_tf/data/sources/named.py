"""Data sets that are elsewhere: in a bucket, or under a name that a library fetches them by."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from alexnet_tf.data.images import remote
from alexnet_tf.data.images.contents import threads_for
from alexnet_tf.data.sources.listing import UNPACKED_FOLDER
from alexnet_tf.errors import UserError
from alexnet_tf.system import buckets
from alexnet_tf.system.disk import free_room, megabytes
from alexnet_tf.system.download import DownloadError, fetch_object
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.locks import locked_beside
from alexnet_tf.system.program import installing
from alexnet_tf.system.progress import progress
from alexnet_tf.system.text import printable


def fetch_named(source: str) -> Path | None:
    """Return where `source` is here, fetched if it must be; None unless it is such a name.

    It is an address in a bucket, or ``tfds:NAME[:VERSION]``, ``hf:OWNER/NAME[@REVISION]``,
    ``kaggle:OWNER/NAME`` or ``kaggle:competitions/NAME``. Raises UserError if that does not exist
    or may not be read, and DownloadError if it cannot be fetched now.
    """
    if buckets.is_in_bucket(source):
        return _copy_bucket(source)
    scheme, _, name = source.partition(":")
    if scheme not in LIBRARIES or os.path.exists(source):
        return None
    package, fetch = LIBRARIES[scheme]
    if not find_spec(package):
        name = package.replace("_", "-")
        raise UserError(f"{source}: needs {name}: {installing(name)}")
    try:
        with warnings.catch_warnings(action="ignore"):
            return Path(fetch(name))
    except Exception as error:  # each library has its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        kind = UserError if isinstance(error, ValueError) else DownloadError  # not such a name
        raise kind(f"{source}: {package} cannot fetch it: {printable(reason)}") from error


def _copy_bucket(address: str) -> Path:
    """Copy the file or folder at `address`, but for what is here already; return the copy.

    A file that has the size and the time of its object is not copied again, and one whose object is
    gone is deleted.
    """
    with buckets.named(address):
        objects = buckets.find(address)
    folder = buckets.place_of(address, UNPACKED_FOLDER)
    if [each.address for each in objects] == [address]:
        return fetch_object(objects[0], folder)
    start = len(address.rstrip("/"))
    paths = {folder / each.address[start:].lstrip("/"): each for each in objects}
    with locked_beside(folder, wait=True):
        for path in folder.rglob("*"):
            if path.is_file() and path not in paths:
                path.unlink()
        missing = [path for path, each in paths.items() if not each.is_at(path)]
        needed, free = sum(paths[path].size for path in missing), free_room(folder)
        if needed > free:
            raise UserError(
                f"{address}: needs {megabytes(needed)} on the disk, where {megabytes(free)} are "
                "free; a list of addresses is trained from without a copy"
            )
        with threads_for([address]) as pool:
            copies = pool.map(lambda path: _copy(paths[path], path), missing)
            for _ in progress(copies, len(missing), f"{folder.name}, files"):
                pass
    return folder


def _copy(each: buckets.Object, path: Path) -> None:
    if each.size > remote.MOST_BYTES:
        fetch_object(each, path)
        return
    with buckets.named(each.address):
        content = remote.fetch(each.address) if each.size else b""
    with atomic_write(path, each.size) as temporary:
        temporary.write_bytes(content)
    each.mark(path)


def _fetch_by_tfds(name: str) -> str:
    import tensorflow_datasets as tfds

    builder = tfds.builder(name)
    builder.download_and_prepare()
    return str(builder.data_path)


def _fetch_by_huggingface(name: str) -> str:
    from huggingface_hub import snapshot_download

    name, _, revision = name.partition("@")
    return snapshot_download(name, repo_type="dataset", revision=revision or None)


def _fetch_by_kaggle(name: str) -> str:
    import kagglehub
    from kagglehub.config import get_cache_folder

    kind, _, rest = name.partition("/")
    if kind == "competitions":
        return kagglehub.competition_download(rest)
    try:
        return kagglehub.dataset_download(name)
    except OSError:  # no network: it asks for the newest version, whatever its cache has
        versions = Path(get_cache_folder(), "datasets", name, "versions").glob("[0-9]*")
        newest = max((int(path.name) for path in versions), default=None)
        if newest is None:
            raise
        return kagglehub.dataset_download(f"{name}/versions/{newest}")


# By what a name begins with: the package, and what fetches a data set, or finds it in its cache.
LIBRARIES: dict[str, tuple[str, Callable[[str], str]]] = {
    "tfds": ("tensorflow_datasets", _fetch_by_tfds),
    "hf": ("huggingface_hub", _fetch_by_huggingface),
    "kaggle": ("kagglehub", _fetch_by_kaggle),
}
