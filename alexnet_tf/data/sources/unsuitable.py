"""Data that is not for classification: what it is for, and what can be done."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from alexnet_tf.data.images.file_types import SUFFIXES
from alexnet_tf.data.sources.layouts import MASK_WORDS, is_container
from alexnet_tf.data.sources.listing import list_files
from alexnet_tf.data.sources.split_names import words

BOXES = (
    "boxes around objects ({kind}), so it is for detection; crop the objects yourself, into a "
    "folder for each class"
)
MASKS = "masks ({kind}), so it is for segmentation; put its pictures into a folder for each class"
INSTEAD = "; this program learns one class for each whole picture"
# A line of YOLO: the class, and a box or an outline in shares of the picture.
YOLO = re.compile(rb"\d+( [\d.e+-]+){4,}\s")
# What is in those of other programs.
MARKS = {b"<bndbox>": "VOC", b'"shapes":': "LabelMe", b'"objects":': "Supervisely"}
# Words that mean masks, too, beside a folder of pictures.
BESIDE_PICTURES = {"label", "labels", "target", "targets"}
# The most texts that are looked into, and the most bytes of each.
MOST_TEXTS, MOST_BYTES = 200, 1 << 16


def is_of_masks(classes: Sequence[str]) -> bool:
    """Tell whether folders called so hold pictures, and masks of the pictures."""
    masks = [name for name in classes if {*words(name)} & (MASK_WORDS | BESIDE_PICTURES)]
    return bool(masks) and all(name in masks or is_container(name) for name in classes)


def purpose(folder: Path, classes: Sequence[str]) -> str | None:
    """Return what `folder` holds in place of classes, as a sentence; None if that is unknown."""
    files, _ = list_files(folder)
    stems = {os.path.splitext(os.path.basename(f))[0] for f in files if _suffix(f) in SUFFIXES}
    texts = (f for f in files if _suffix(f) in (".txt", ".xml", ".json"))
    beside = (f for f in texts if os.path.splitext(os.path.basename(f))[0] in stems)
    for file in islice(beside, MOST_TEXTS):
        beginning = b""
        with suppress(OSError), open(file, "rb") as content:
            beginning = content.read(MOST_BYTES)
        kind = "YOLO" if YOLO.match(beginning) else None
        if kind := kind or next((name for mark, name in MARKS.items() if mark in beginning), None):
            return f"{folder}: holds {BOXES.format(kind=f'{kind}, such as {file}')}{INSTEAD}"
    if is_of_masks(classes):
        return f"{folder}: holds {MASKS.format(kind=' beside '.join(classes[:3]))}{INSTEAD}"
    return None


def _suffix(file: str) -> str:
    return os.path.splitext(file)[1].lower()
