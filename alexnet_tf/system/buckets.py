"""Files in buckets, and on other systems that fsspec reaches, by their addresses."""

import errno
import hashlib
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from alexnet_tf.errors import UserError
from alexnet_tf.system import signals
from alexnet_tf.system.program import installing
from alexnet_tf.system.text import printable

# The package for the addresses of each scheme. fsspec reads more, such as local files and chains
# (`simplecache::file://…`), which an address in a stranger's list must not reach.
PACKAGES = {
    "s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "hdfs": "pyarrow", "hf": "huggingface_hub",
    "sftp": "paramiko",
}  # fmt: skip
ADDRESS = re.compile(f"({'|'.join(PACKAGES)})://", re.IGNORECASE)
# What s3fs, adlfs and others call the time of the last change.
CHANGED = ("LastModified", "last_modified", "mtime")
# Where results for buckets lie until they are complete, because an object there cannot grow.
OUTGOING = Path("outgoing")

_opening = Lock()
_outgoing: dict[Path, str] = {}


class Refused(OSError):
    """A failure that will not pass. Its message is the reason."""


class Object(NamedTuple):
    """A file in a bucket: its address, its size in bytes, and its last change (0: unknown)."""

    address: str
    size: int
    changed: float

    def is_at(self, path: Path) -> bool:
        """Tell whether the file `path` is a marked copy: as large, and as old."""
        if not path.is_file():
            return False
        found = path.stat()
        return (found.st_size, int(found.st_mtime)) == (self.size, int(self.changed))

    def mark(self, path: Path) -> None:
        """Make the file `path` as old as this."""
        os.utime(path, (self.changed, self.changed))


def is_in_bucket(address: object) -> bool:
    """Tell whether `address` is one that this module reads."""
    return bool(ADDRESS.match(str(address)))


def place_of(address: str, folder: Path) -> Path:
    """Return the path in `folder` for a copy of what is at `address`, under its own name."""
    address = address.rstrip("/")
    key = hashlib.sha256(address.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return folder / f"{address.partition(':')[0]}-{key}" / PurePosixPath(address).name


def read(address: str, most: int, end: float) -> bytes:
    """Return the first `most` bytes at `address`, until the monotonic clock reaches `end`. This and
    all below raise OSError, whose message is the reason: FileNotFoundError if nothing is there, and
    Refused if another attempt is of no use."""
    return _ask(address, "cat_file", start=0, end=most, until=end)


def find(address: str) -> list[Object]:
    """List the files at or below `address`, sorted, but those hidden, or called `..` or with \\."""
    with _explained():
        system, path = _open(address)
        system.invalidate_cache()
    objects = []
    for name, info in sorted(_ask(address, "find", detail=True).items()):
        inner = name.removeprefix(path.rstrip("/"))
        when = next((info[key] for key in CHANGED if info.get(key)), 0)
        changed = float(when.timestamp() if hasattr(when, "timestamp") else when)
        if "/." not in inner and "\\" not in inner and not inner.endswith("/"):
            objects.append(Object(address.rstrip("/") + inner, info["size"], changed))
    if not objects:
        raise FileNotFoundError("there is nothing")
    return objects


@contextmanager
def named(address: str) -> Iterator[None]:
    """Name `address` in errors; UserError in place of those that will not pass."""
    try:
        yield
    except (FileNotFoundError, Refused) as error:
        raise UserError(f"{printable(address)}: {printable(error)}") from error
    except OSError as error:
        raise OSError(f"{printable(address)}: {printable(error)}") from error


@contextmanager
def opened(address: str) -> Iterator[tuple[Any, int]]:
    """Yield the file at `address` as a stream, and its size in bytes."""
    size = _ask(address, "info")["size"]
    with _explained():
        system, path = _open(address)
        with system.open(path, "rb") as stream:
            yield stream, size


def outgoing(address: str) -> Path:
    """Return the path for results that `send_all` is to copy to `address`, which must be free, or
    the path of what an interrupted command has left for it."""
    path = place_of(address, OUTGOING)
    with named(address):
        if not path.parent.exists() and _ask(address, "exists"):
            raise Refused("is there already; delete it, or name another place with --out")
    _outgoing[path] = address
    return path


def send_all() -> None:
    """Copy the results of this command, and what lies beside them, to their addresses."""
    for path in [*_outgoing]:
        folder, start = _outgoing.pop(path).rstrip("/").rpartition("/")[0], path.parent
        for file in sorted(filter(Path.is_file, start.rglob("[!.]*"))):
            inner = f"/{file.relative_to(start).as_posix()}"
            if "/." not in inner:
                _send(file, folder + inner)
        shutil.rmtree(start, ignore_errors=True)


def _send(file: Path, address: str) -> None:
    try:
        with named(address), _explained():
            system, path = _open(address)
            system.put_file(str(file), path)
    except (UserError, OSError) as error:
        raise type(error)(f"{error}; it is kept in {file}") from error
    print(f"{printable(address)}: written", file=sys.stderr)


def _ask(address: str, name: str, until: float = math.inf, **options: Any) -> Any:
    """Call a method of the file system of `address`; it also ends when the program is to end."""
    with _explained():
        system, path = _open(address)
        if not system.async_impl:  # it bounds its time itself
            return getattr(system, name)(path, **options)
        from asyncio import run_coroutine_threadsafe  # takes its time

        call = getattr(system, f"_{name}")(path, **options)
        future = run_coroutine_threadsafe(call, system.loop)
        while not wait([future], signals.GLANCE).done:
            if time.monotonic() > until or signals.is_stop_requested():
                future.cancel()
                signals.raise_if_stopped()
                raise TimeoutError("it takes too long")
        return future.result()


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the exceptions of all libraries into OSError, as `read` promises."""
    try:
        yield
    except (FileNotFoundError, Refused, TimeoutError):
        raise
    except Exception as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        reason = reason or type(error).__name__
        if "Credentials" in type(error).__name__:
            raise Refused(f"there are no credentials for it here ({reason})") from error
        if isinstance(error, PermissionError):
            raise Refused(f"access is denied ({reason})") from error
        if getattr(error, "errno", None) == errno.EINVAL:
            raise Refused(reason) from error
        raise OSError(reason) from error


def _open(address: str) -> tuple[Any, str]:
    """Return the file system of `address`, and the path in it."""
    scheme = address.partition("://")[0].lower()
    if scheme not in PACKAGES:
        raise Refused(
            f"{scheme}:// is not read, but http, https, {', '.join(PACKAGES)} are; mount it and "
            "name the path"
        )
    if urlsplit(address).password:
        raise Refused("it names a password; leave that to the configuration of its system")
    package = PACKAGES[scheme]
    if not (find_spec("fsspec") and find_spec(package)):
        raise Refused(f"{scheme}:// needs {package}: {installing('fsspec', package)}")
    with _opening:
        from fsspec import get_filesystem_class

        kind = get_filesystem_class(scheme)
        options = kind._get_kwargs_from_urls(address)
        return _system(kind, *sorted(options.items())), kind._strip_protocol(address)


@lru_cache(64)  # fsspec itself opens one for each thread, and each server of sftp:// has its own
def _system(kind: Any, *options: tuple[str, Any]) -> Any:
    return kind(**dict(options))
