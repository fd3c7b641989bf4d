"""TensorFlow and LiteRT without their remarks on start-up."""

from __future__ import annotations

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def import_tensorflow(threads: int = 0) -> None:
    """Import TensorFlow and find its devices, keeping what it says off standard error.

    It remarks on instruction sets and absent GPUs before TF_CPP_MIN_LOG_LEVEL is heeded (TensorFlow
    issue 100442), which buries the answer; and later, when several networks are asked, on functions
    that look alike to it. Whoever sets that variable hears it all. An operation may use as many
    `threads` of the processor, or, with 0, all.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        _import_tensorflow(threads)
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    try:
        with no_remarks():
            _import_tensorflow(threads)
    finally:
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # it is read once, and is not for child processes
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _import_tensorflow(threads: int) -> None:
    # Its million objects stay: to look again and again for what of them is gone takes a sixth of
    # the time.
    gc.disable()
    import tensorflow as tf

    gc.enable()
    if threads:  # it cannot be said once TensorFlow is at work
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.list_logical_devices()


@contextmanager
def no_remarks() -> Iterator[None]:
    """Run a block whose output to standard error is shown only if it ends in an exception."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except BaseException:
            remarks.seek(0)
            os.write(stderr, remarks.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
