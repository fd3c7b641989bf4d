"""The 1,000 classes of ILSVRC-2012, in the order of the network's outputs; other class lists."""

import csv
from functools import cache
from pathlib import Path
from unicodedata import normalize

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import read_lines


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """Return (WordNet id, names) of the 1,000 classes: ("n01440764", "tench, Tinca tinca"), …"""
    text = Path(__file__).with_name("imagenet_classes.tsv").read_text(encoding="utf-8")
    lines = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple((line["wnid"], line["names"]) for line in lines)


def read_classes(path: str | Path) -> list[str]:
    """Read class names from a file, one per line, in the order of a network's outputs; each may end
    with the class number, from 0 on, as in categories_places365.txt. Raises UserError if the file
    cannot be read as text or has no line."""
    names = [normalize("NFC", line.strip()) for line in read_lines(path) if line.strip()]
    if not names:
        raise UserError(f"{path}: is empty; it should have the name of a class in each line")
    parts = [name.rpartition(" ") for name in names]
    if all(number == str(index) for index, (_, _, number) in enumerate(parts)):
        names = [name for name, _, _ in parts]
    return names


def decode_predictions(preds: np.ndarray, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Name the likeliest of ImageNet's classes.

    Args:
        preds: Probabilities (batch, 1000).
        top: The number of classes.

    Returns:
        For each picture the classes as (WordNet id, names, probability), the likeliest first.

    Raises:
        ValueError: For other shapes, such as those of a run's predictions.

    Example:
        >>> import numpy as np
        >>> alexnet_tf.decode_predictions(np.eye(1, 1000), top=1)
        [[('n01440764', 'tench, Tinca tinca', 1.0)]]
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != len(imagenet_classes()):
        raise ValueError(
            "expected probabilities of ImageNet's classes, of shape (batch, 1000), got "
            f"{preds.shape}; for a run's own use alexnet_tf.load_run(DIRECTORY).predict(PICTURE)"
        )
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [
        [(*imagenet_classes()[index], float(probabilities[index])) for index in indices]
        for probabilities, indices in zip(preds, best)
    ]
