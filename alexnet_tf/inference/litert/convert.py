"""Conversion of networks to LiteRT, which needs TensorFlow."""

import io
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from logging import Logger
from pathlib import Path
from typing import IO, Any

from alexnet_tf.inference.litert.run import MARK
from alexnet_tf.inference.litert.validate import check_file
from alexnet_tf.system import children
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.quiet import silenced


def write_litert(model: Any, path: Path, made_from: Callable[[], str]) -> None:
    """Write the Keras `model` as a ``.tflite`` in float32.

    The file takes any batch size. Conversion takes some seconds and, briefly, 1.8 GB of memory.
    `made_from` returns the fingerprint of the model's source; it is called at the end, and if it
    raises an exception, `path` is left unchanged.
    """
    import tensorflow as tf

    # Not from_keras_model, which first writes the network to disk and reads it back.
    prediction = tf.function(lambda inputs: model(inputs, training=False))
    function = prediction.get_concrete_function(tf.TensorSpec(model.input_shape, tf.float32))
    content = convert(function, [variable.value for variable in model.variables])
    with atomic_write(path, len(content)) as temporary:
        temporary.write_bytes(content)
        check_file(temporary)
        with open(temporary, "ab") as file:
            file.write(MARK % made_from().encode())


def convert(function: Any, weights: Sequence[Any], int8: bool = False) -> bytes:
    """Convert a concrete TensorFlow function, which uses the variables `weights`, to LiteRT in
    float32, or with weights of int8, a quarter as large."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = weights
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], module)
    # This skips a pass in Python over all weights, which only adds a note on the conversion.
    converter.exclude_conversion_metadata = True
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with silenced(), redirect_stdout(io.StringIO()):
        return converter.convert()


@contextmanager
def exporting_in_child(run: Path, log: Logger) -> Iterator[Callable[[], None]]:
    """Start a process that imports TensorFlow and, once the yielded function says that the run's
    model is saved, runs `write_litert`; wait for it at the end of the block.

    Its memory is returned when it ends. A failure is a warning: without the file all works, but
    slower.
    """
    words = ("export", run.absolute(), "--format", "litert", "--wait")
    command = children.python("-m", "alexnet_tf", *words)
    command |= {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(**command, text=True) as process:
        try:
            yield lambda: _let_go(process.stdin)
            _, errors = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        log.warning("%s: no LiteRT file could be written (%s)", run, errors.strip()[-500:])


def _let_go(waiting: IO[str] | None) -> None:
    with suppress(BrokenPipeError):  # its end is reported below
        print(file=waiting, flush=True)
