"""TensorFlow and LiteRT without their remarks on start-up."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import BinaryIO, TypeVar

from alexnet_tf.errors import UserError
from alexnet_tf.system.disk import megabytes
from alexnet_tf.system.heap import keep_freed_memory
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import processors, schedulable

try:
    import resource
except ImportError:  # on Windows
    resource = None

Started = TypeVar("Started")
# What a training of AlexNet was seen to reserve, on two processors; more take more.
SPACE = 4_000_000_000
# Bytes of remarks that are shown at most.
MOST_SHOWN = 1 << 20
# What Keras imports where it is installed, for uses of it that no command has: a third of the time
# that importing TensorFlow takes.
NEEDLESS = ("cv2", "matplotlib", "pandas", "sklearn")
# Whether the process is a command's, in which nobody else uses Keras.
is_command = False


def import_tensorflow(threads: int = 0, start: Callable[[], Started] | None = None) -> Started:
    """Import TensorFlow and find its devices, keeping what it says off standard error; return what
    `start` returns, which may find them otherwise.

    It remarks on instruction sets and absent GPUs before TF_CPP_MIN_LOG_LEVEL is heeded (TensorFlow
    issue 100442), which buries the answer; and later, when several networks are asked, on functions
    that look alike to it. Whoever sets that variable hears it all. An operation may use as many
    `threads` of the processor, or, with 0, all.
    """
    _warn_of_small_space()
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return _import_tensorflow(threads, start)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        with silenced():
            return _import_tensorflow(threads, start)
    finally:
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # it is read once, and is not for child processes
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _warn_of_small_space() -> None:
    """Warn where TensorFlow may end the process for want of addresses, which it does silently."""
    most = resource.getrlimit(resource.RLIMIT_AS)[0] if resource else -1
    if 0 <= most < SPACE:
        warn_once(
            f"only {megabytes(most)} of addresses are allowed (`ulimit -v`); TensorFlow takes some "
            f"{megabytes(SPACE)} and may end without a word, but for `ulimit -v unlimited`"
        )


def _import_tensorflow(threads: int, start: Callable[[], Started] | None) -> Started:
    try:
        tempfile.gettempdir()  # as TensorFlow asks, though it writes nothing there
    except FileNotFoundError:
        tempfile.tempdir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else os.getcwd()
    # Its million objects stay: to look again and again for what of them is gone takes a sixth of
    # the time.
    gc.disable()
    keep_freed_memory()
    with _absent(NEEDLESS if is_command else ()):
        import tensorflow as tf

    gc.enable()
    # TensorFlow knows of cpusets, but not of quotas.
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


@contextmanager
def _absent(names: Iterable[str]) -> Iterator[None]:
    """Run a block to which those of the modules that are not imported yet are not installed."""
    hidden = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class _Hiding:
    """Standard error's descriptor, which leads into a scratch file while there are any blocks."""

    def __init__(self) -> None:
        self._turn, self._blocks = Lock(), 0

    def begin(self) -> int:
        """Begin a block; return how much was said before. OSError where no file can be made."""
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
        """End a block; show what was said from `start` on, if that is asked for."""
        with self._turn:
            if is_shown:
                with suppress(OSError):  # nobody reads it
                    os.write(self._stderr, os.pread(self._warnings.fileno(), MOST_SHOWN, start))
            self._blocks -= 1
            if not self._blocks:
                os.dup2(self._stderr, 2)
                os.close(self._stderr)
                self._warnings.close()


_hiding = _Hiding()


@contextmanager
def silenced() -> Iterator[None]:
    """Run a block; what libraries in C write to standard error in it is shown only if it ends in an
    exception.

    The descriptor is the whole process's: several threads may be in such blocks, of which the last
    gives it back. What Python says is heard, for a command's sys.stderr has a descriptor of its own
    (`streams.settle`).
    """
    try:
        start = _hiding.begin()
    except OSError:  # no folder takes a temporary file: then they are heard
        yield
        return
    try:
        yield
    except BaseException:
        _hiding.end(start, is_shown=True)
        raise
    _hiding.end(start, is_shown=False)


def _scratch() -> BinaryIO:
    """Open a file that is gone once it is closed: in memory, where the system can."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("remarks"), "w+b")
    return tempfile.TemporaryFile()
