"""The 1,000 classes of ILSVRC-2012, in the order of the network's outputs."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """Return (WordNet id, names) of the 1,000 classes: ("n01440764", "tench, Tinca tinca"), …"""
    text = files("alexnet_tf.data").joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    lines = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple((line["wnid"], line["names"]) for line in lines)


def decode_predictions(preds: np.ndarray, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """Name the `top` classes of each picture as (WordNet id, names, probability), the best first.

    `preds` are probabilities (batch, 1000); ValueError for another shape.
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != len(imagenet_classes()):
        raise ValueError(f"expected probabilities of shape (batch, 1000), got {preds.shape}")
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [
        [(*imagenet_classes()[index], float(probabilities[index])) for index in indices]
        for probabilities, indices in zip(preds, best)
    ]
