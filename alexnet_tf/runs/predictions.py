"""predictions.npz: the finished network's predictions for its validation pictures, or the
out-of-fold predictions of a cross-validation."""

import zipfile
import zlib

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.runs.run import Run
from alexnet_tf.system.files import atomic_write
from alexnet_tf.system.fingerprints import file_fingerprint


def write_predictions(run: Run, probabilities: np.ndarray, novelty: np.ndarray) -> None:
    """Write the probabilities of model.keras, float32 (n, classes), and the novelty (n,), which is
    NaN where it is unknown, in the order of val.txt."""
    size = probabilities.nbytes
    with atomic_write(run.predictions_path, size) as temporary, open(temporary, "wb") as file:
        model = file_fingerprint(run.model_path)
        np.savez(file, probabilities=probabilities, novelty=novelty, model=model)


def read_predictions(run: Run, pictures: int, classes: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Read the probabilities (pictures, classes) and the novelty (pictures,); None if they are
    missing, damaged, or of another model.keras or other pictures: then the network can predict
    again. A cross-validated one cannot, because it has learned all pictures: UserError. Earlier
    versions called the file answers.npz, and wrote no novelty."""
    found = _read(run, pictures, classes)
    if found is None and run.is_cross_validated():
        raise UserError(
            f"{run.predictions_path}: the predictions of the cross-validation are gone, and the "
            "network has learned all of its pictures since; evaluate it on others with --data, or "
            "train another --run"
        )
    return found


def _read(run: Run, pictures: int, classes: int) -> tuple[np.ndarray, np.ndarray] | None:
    path = run.predictions_path
    path = path if path.exists() else path.with_name("answers.npz")
    try:
        with np.load(path) as content:
            if content["model"] != file_fingerprint(run.model_path):
                return None
            probabilities = content["probabilities"]
            unknown = np.full(pictures, np.nan, np.float32)
            novelty = content.get("novelty", unknown)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    shapes = probabilities.shape, novelty.shape
    are_floats = probabilities.dtype == novelty.dtype == np.float32
    is_whole = are_floats and shapes == ((pictures, classes), (pictures,))
    return (probabilities, novelty) if is_whole else None
