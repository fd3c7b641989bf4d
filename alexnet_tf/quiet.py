"""TensorFlow without its remarks on start-up."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow and find its devices, keeping what it says off standard error.

    It remarks on instruction sets and absent GPUs before TF_CPP_MIN_LOG_LEVEL is heeded (TensorFlow
    issue 100442), which buries the answer. Whoever sets that variable hears it all, as does whoever
    gets an exception.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            import tensorflow as tf

            tf.config.list_logical_devices()
        except BaseException:
            remarks.seek(0)
            os.write(stderr, remarks.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            del os.environ["TF_CPP_MIN_LOG_LEVEL"]  # read once; and not meant for child processes
