"""Small pictures, all different, in the folders that a test is about."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.inference.engine import Engine
from alexnet_tf.model import load_model
from alexnet_tf.runs.run import Run

NUMBERS = count()


def restart_colors(number: int) -> None:
    """Draw from now on the pictures of that number and above; 4,096 differ."""
    global NUMBERS
    NUMBERS = count(number)


def skip_without(format: str) -> None:
    """Skip the test where pictures of that format cannot be written."""
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.init()
    if format not in Image.SAVE:
        pytest.skip(f"this Pillow has no {format}")


def picture(path: Path, format: str = "PNG", **options: object) -> Path:
    """Draw a small picture, unlike every other one that a test draws."""
    number = next(NUMBERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (16 * number % 256, number % 256, number // 16 % 256)  # JPEG, too, keeps them apart
    Image.new("RGB", (8, 8), color).save(path, format=format, **options)
    return path


def classes(root: Path, *names: str, count: int = 4) -> Path:
    """Draw a folder of pictures for each class."""
    for name in names:
        for number in range(count):
            picture(root / name / f"{number}.png")
    return root


def seen_by(run: Path, files: Iterable[Path | str]) -> np.ndarray:
    """Return the inputs that the network of a finished run takes for those pictures."""
    engine = Engine.of_run(Run(run))
    pictures = [load_image(file, engine.variant, engine.resize) for file in files]
    return preprocess_input(np.stack(pictures), engine.variant)


def answer_of(run: Path, file: Path) -> str:
    """Return the class that a picture has for model.keras of a finished run, asked by itself."""
    (probabilities,) = load_model(run / "model.keras").predict_on_batch(seen_by(run, [file]))
    return (run / "classes.txt").read_text().splitlines()[probabilities.argmax()]
