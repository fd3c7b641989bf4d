"""The 1,000 classes of ILSVRC-2012, in the order of the network's outputs."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

import numpy as np


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """(WordNet id, names) of the 1,000 classes: ("n01440764", "tench, Tinca tinca"), …"""
    text = files("alexnet_tf.data").joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple((row["wnid"], row["names"]) for row in rows)


def decode_predictions(preds: np.ndarray, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """For each row of probabilities (batch, 1000), its `top` (WordNet id, names, probability)."""
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != len(imagenet_classes()):
        raise ValueError(f"expected probabilities of shape (batch, 1000), got {preds.shape}")
    best = np.argsort(-preds, axis=1, kind="stable")[:, :top]
    return [
        [(*imagenet_classes()[index], float(row[index])) for index in indices]
        for row, indices in zip(preds, best)
    ]
