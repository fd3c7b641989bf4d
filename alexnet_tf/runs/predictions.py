"""answers.npz: what a finished network said of its validation pictures, for asking again costs."""

from __future__ import annotations

import zipfile
import zlib

import numpy as np

from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.fingerprints import file_fingerprint


def write_predictions(run: Run, probabilities: np.ndarray) -> None:
    """Keep what the model.keras of `run` answers: float32 (n, classes), in the order of val.txt."""
    with (
        atomic_write(run.predictions_path, probabilities.nbytes) as temporary,
        open(temporary, "wb") as file,
    ):
        np.savez(file, probabilities=probabilities, model=file_fingerprint(run.model_path))


def read_predictions(run: Run, pictures: int, classes: int) -> np.ndarray | None:
    """Return the answers (pictures, classes) that were kept.

    None where there are none, and where they are damaged, of another model.keras or of other
    pictures: then it can be asked again.
    """
    try:
        with np.load(run.predictions_path) as content:
            if content["model"] != file_fingerprint(run.model_path):
                return None
            probabilities = content["probabilities"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    is_whole = probabilities.shape == (pictures, classes) and probabilities.dtype == np.float32
    return probabilities if is_whole else None
