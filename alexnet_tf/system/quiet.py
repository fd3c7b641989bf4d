"""TensorFlow and LiteRT without their start-up messages."""

import ctypes
import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from threading import Lock
from typing import BinaryIO, TypeVar

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import megabytes
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import processors, schedulable

if sys.platform != "win32":
    import resource

Started = TypeVar("Started")
# The address space, in bytes, that training reserved on two processors; more reserve more.
SPACE = 4_000_000_000
# The most bytes of messages that are shown.
MOST_SHOWN = 1 << 20
# What Keras imports if it can, and no command uses: a third of the time to import TensorFlow.
NEEDLESS = ("cv2", "matplotlib", "pandas", "sklearn")
# Parameters of mallopt, from glibc's malloc.h, and their values: allocations are never mapped
# separately, the top of the heap is trimmed as late as possible, and all threads share one arena.
M_MMAP_MAX, M_TRIM_THRESHOLD, M_ARENA_MAX = (-4, 0), (-1, 2**31 - 1), (-8, 1)
# Whether this is a command's process, in which no other code uses Keras.
is_command = False


def has_tensorflow() -> bool:
    """Check whether TensorFlow is installed: a small server predicts without it."""
    return find_spec("tensorflow") is not None


def import_tensorflow(threads: int = 0, start: Callable[[], Started] | None = None) -> Started:
    """Import TensorFlow, with its messages kept off standard error, for `threads` processors (0:
    all); return what `start` returns, which by default finds the devices. TensorFlow logs
    instruction sets and absent GPUs before it heeds TF_CPP_MIN_LOG_LEVEL (TensorFlow issue 100442);
    if the user has set that variable, everything is shown."""
    _warn_of_small_space()
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return _import_tensorflow(threads, start)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        with silenced():
            return _import_tensorflow(threads, start)
    finally:
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # read once; not for child processes
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _warn_of_small_space() -> None:
    """Warn if TensorFlow may run out of address space, which ends the process silently."""
    most = -1 if sys.platform == "win32" else resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= most < SPACE:
        warn_once(
            f"only {megabytes(most)} of addresses are allowed (`ulimit -v`); TensorFlow takes some "
            f"{megabytes(SPACE)} and may end without a word, but for `ulimit -v unlimited`"
        )


def _import_tensorflow(threads: int, start: Callable[[], Started] | None) -> Started:
    try:
        tempfile.gettempdir()  # TensorFlow looks for it, though it writes nothing there
    except FileNotFoundError:
        tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else os.getcwd()
    # Its million objects stay alive: collecting garbage among them takes a sixth of the time.
    gc.disable()
    _keep_freed_memory()
    with _absent(NEEDLESS if is_command else ()):
        import tensorflow as tf

    gc.enable()
    # TensorFlow respects cpusets, but not CPU quotas.
    if threads or processors() < schedulable():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads or processors())
        except RuntimeError as error:
            if threads:
                raise UserError(
                    f"--threads {threads}: TensorFlow is at work in this process already, and keeps"
                    " the threads that it has; say so first of all in a new process"
                ) from error
    return (start or tf.config.list_logical_devices)()


def _keep_freed_memory() -> None:
    """Keep freed memory in the process for later allocations; does nothing without glibc. A
    training step frees some hundreds of MB, which the next one allocates again. If they went back
    to the system in between, an epoch would take half as long again."""
    with suppress(AttributeError, OSError, TypeError):
        for parameter, value in (M_MMAP_MAX, M_TRIM_THRESHOLD, M_ARENA_MAX):
            ctypes.CDLL(None).mallopt(parameter, value)


@contextmanager
def _absent(names: Iterable[str]) -> Iterator[None]:
    """Make those of the modules that are not imported yet look uninstalled while the block runs."""
    hidden = dict.fromkeys(name for name in names if name not in sys.modules)
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None is what makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class _StderrRedirection:
    """A redirection of standard error into a scratch file, as long as any block needs it."""

    def __init__(self) -> None:
        self._turn, self._blocks = Lock(), 0

    def begin(self) -> int:
        """Begin a block; return the size of the scratch file. OSError if none can be created."""
        with self._turn:
            if not self._blocks:
                self._warnings = _scratch()
                if sys.stderr:
                    sys.stderr.flush()
                self._stderr = os.dup(2)
                os.dup2(self._warnings.fileno(), 2)
            self._blocks += 1
            return os.fstat(self._warnings.fileno()).st_size

    def end(self, start: int, is_shown: bool) -> None:
        """End a block; show what was written from `start` on if `is_shown`."""
        with self._turn:
            if is_shown:
                with suppress(OSError):  # nobody reads it
                    os.write(self._stderr, os.pread(self._warnings.fileno(), MOST_SHOWN, start))
            self._blocks -= 1
            if not self._blocks:
                os.dup2(self._stderr, 2)
                os.close(self._stderr)
                self._warnings.close()


_hiding = _StderrRedirection()


@contextmanager
def silenced() -> Iterator[None]:
    """Hide what C libraries write to standard error, unless the block ends in an exception. The
    descriptor belongs to the whole process: several threads may be in such blocks, and the last one
    restores it. Python's own messages are shown, because a command's sys.stderr has a descriptor of
    its own (`streams.settle`)."""
    try:
        start = _hiding.begin()
    except OSError:  # no temporary file can be created: the messages are shown
        yield
        return
    has_failed = True
    try:
        yield
        has_failed = False
    finally:
        _hiding.end(start, is_shown=has_failed)


def _scratch() -> BinaryIO:
    """Open a file that disappears when it is closed: in memory if the system supports it."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("remarks"), "w+b")
    return tempfile.TemporaryFile()
