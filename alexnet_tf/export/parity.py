"""Parity of an export with its run, on real pictures."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.images.contents import ImageError, read_content
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.file_types import file_type_of
from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.pictures import started_pictures
from alexnet_tf.runs.run import Run

# Number of pictures compared, and the largest difference of a probability that is accepted.
# docs/exports.md lists the measured differences; int8 weights are less precise.
PICTURES, MOST, MOST_INT8 = 16, 0.05, 0.2
# Formats that every export reads; TensorFlow decodes no others.
KINDS = ("JPEG", "PNG", "WEBP", "BMP")


@contextmanager
def pictures_to_compare(
    run: Run, is_read: Callable[[bytes], bool]
) -> Iterator[tuple[str, list[str]]]:
    """Provide pictures to compare in a block, and a text that describes them: validation pictures
    of the run whose contents the export decodes (`is_read`), or else generated ones."""
    found = _validation_pictures(run, is_read)
    if found:
        yield "validation pictures", found
        return
    with tempfile.TemporaryDirectory() as folder:
        draw_faces(Path(folder), per_class=PICTURES // 2)
        yield "drawn faces", sorted(map(str, Path(folder).glob("*.jpg")))


def _validation_pictures(run: Run, is_read: Callable[[bytes], bool]) -> list[str]:
    """List validation pictures of the run that still exist, from all of its classes."""
    try:
        pictures = started_pictures(run).validation
    except UserError:
        return []
    some = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
    return [picture.path for picture in some if _is_comparable(picture.path, is_read)]


def _is_comparable(path: str, is_read: Callable[[bytes], bool]) -> bool:
    try:
        with decoded(path) as (_, content):
            return file_type_of(content) in KINDS and is_read(content)
    except ImageError:
        return False


def contents(files: Sequence[str]) -> list[bytes]:
    """Read files, for an export that decodes them itself."""
    return [*map(read_content, files)]


def pixels(files: Sequence[str]) -> list[np.ndarray]:
    """Decode files at full size, for an export that takes pixels: uint8 (H, W, 3)."""
    found = []
    for file in files:
        with decoded(file, 1 << 30) as (picture, _):
            found.append(np.asarray(picture))
    return found


def inputs(engine: Engine, files: Sequence[str]) -> np.ndarray:
    """Load files as inputs for the network of `engine`: float32 (n, side, side, 3)."""
    views = [load_image(file, engine.variant, engine.resize) for file in files]
    return preprocess_input(np.stack(views), engine.variant)


def check_parity(
    engine: Engine,
    crops: int,
    files: Sequence[str],
    ask: Callable[[Sequence[str]], np.ndarray],
    most: float = MOST,
) -> float:
    """Return the largest difference between the probabilities of a run and of its export, which
    `ask` returns; RunError if it exceeds `most` or is NaN."""
    predictions: Iterable[Any] = Classifier([engine], crops).probabilities(files)
    expected = np.stack([each[0] for each in predictions])
    difference = float(np.abs(ask(files) - expected).max())
    if not difference <= most:
        raise RunError(
            f"the export differs from the run: a probability differs by {difference:.2g},"
            f" and {most} is the most that is let pass; nothing was written"
        )
    return difference
