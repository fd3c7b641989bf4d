"""Pictures as programs in Python hand them over, drawn with the pixels that they mean."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from alexnet_tf.api.pictures import listed
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.in_memory import as_file
from alexnet_tf.errors import UserError

MEMORY = 1 << 30
GOOD, INPUTS = ("as meant", "refused"), 5_000
SIDES = (6, 8)
KINDS = ("one", "several", "paths", "arrays", "wrong")


class Upload:
    """A file of a web framework that is to be waited for."""

    def __init__(self, content: bytes):
        self.file, self.filename = io.BytesIO(content), "upload.png"

    async def read(self) -> bytes:
        return b""


def begun(content: bytes) -> io.BytesIO:
    """Return an open file of which somebody has read a part."""
    file = io.BytesIO(content)
    file.seek(7)
    return file


# Ways to give the same picture, from the bytes and the path of its file.
FILES: tuple[Callable[[bytes, Path], Any], ...] = (
    lambda content, path: str(path), lambda content, path: path, lambda content, path: content,
    lambda content, path: bytearray(content), lambda content, path: memoryview(content),
    lambda content, path: begun(content), lambda content, path: open(path, "rb"),  # noqa: SIM115
    lambda content, path: Upload(content), lambda content, path: Image.open(path),
)  # fmt: skip
# Ways to give the same numbers, from an array of 0 to 255.
NUMBERS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda a: a, lambda a: a.astype("u2") * 257, lambda a: a.astype("i4"),
    lambda a: a.astype("i8") * 257, lambda a: a / 255, lambda a: (a / 255).astype("f4"),
    lambda a: a.astype("f8"), lambda a: np.asfortranarray(a), lambda a: a.astype(">u2") * 257,
)  # fmt: skip
# Pillow's modes, from a grey array.
MODES: tuple[Callable[[np.ndarray], Image.Image], ...] = (
    Image.fromarray, lambda g: Image.fromarray(g).convert("LA").convert("La"),
    lambda g: Image.fromarray(g).convert("RGBA").convert("RGBa"),
    lambda g: Image.fromarray(g.astype("i4")), lambda g: Image.fromarray(g.astype("i4") * 257),
    lambda g: Image.fromarray((g / 255).astype("f4")), lambda g: Image.fromarray(g.astype("f4")),
    lambda g: Image.fromarray(g.astype("u2") * 257), lambda g: Image.fromarray(g).convert("P"),
)  # fmt: skip
WRONG: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: 7, lambda: 0.5, object, lambda: [[1, 2], [3, 4]], lambda: {1: 2},
    lambda: {"a": {"b": 1}}, lambda: (n for n in [1]), lambda: b"text", lambda: io.StringIO("a"),
    lambda: os, lambda: int, lambda: np.zeros((3, 6, 8)), lambda: np.zeros(3),
    lambda: np.full((6, 8), -1), lambda: np.full((6, 8, 3), np.nan), lambda: np.full((6, 8), 1e6),
    lambda: np.zeros((6, 8), "c8"), lambda: np.zeros((6, 0)), lambda: np.zeros((6, 8), "M8[s]"),
    lambda: np.array([["a", "b"]]), lambda: Image.fromarray(np.full((6, 8), -1, "f4")),
    lambda: pd.DataFrame(), lambda: pd.DataFrame({"a": [1], "b": ["x"]}),
    lambda: pd.DataFrame({"a": ["x.png"], "b": ["x.png"]}), lambda: pd.Series([1, 2]),
)  # fmt: skip


def samples(folder: Path) -> dict[str, bytes]:
    """Name the kinds of inputs."""
    return dict.fromkeys(KINDS, b"")


def mutant(originals: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Name the kind of the input `number` of the series `seed`, and the seed of its drawing."""
    return sorted(originals)[number % len(originals)], f"{seed} {number}".encode()


def trial(folder: Path, originals: dict[str, bytes], name: str, content: bytes) -> str:
    """Tell whether a drawn input is understood as it was meant, or refused where it should be."""
    chance = random.Random(content)
    drawn, meant = {
        "one": draw_one, "several": draw_several, "paths": draw_paths, "arrays": draw_arrays,
        "wrong": lambda *_: (chance.choice(WRONG)(), None),
    }[name](folder, chance)  # fmt: skip
    try:
        several = listed(drawn)
        pictures = [drawn] if several is None else several
        found = [pixels(each) for each in pictures]
    except UserError as error:
        is_sentence = len(str(error)) < 300 and "\n" not in str(error)
        return "refused" if meant is None and is_sentence else repr(error)
    if meant is None:
        return f"read, though it is no picture: {drawn!r:.200}"
    is_same = len(found) == len(meant) and all(
        each.shape == other.shape and np.abs(each - other).max() <= 1
        for each, other in zip(found, meant)
    )
    return "as meant" if is_same else f"otherwise than {drawn!r:.200} was meant"


def pixels(picture: Any) -> np.ndarray:
    """Return what is read of a picture, int (h, w, 3)."""
    with decoded(as_file(picture)) as (image, _):
        return np.asarray(image, int)


def draw_one(folder: Path, chance: random.Random) -> tuple[Any, list[np.ndarray]]:
    """Draw a picture in any form."""
    values = np.random.default_rng(chance.randrange(1 << 32)).integers(0, 256, (*SIDES, 3))
    colours = values.astype(np.uint8)
    grey = colours[..., 0]
    form = chance.choice(("file", "array", "grey", "mode"))
    if form == "file":
        path = folder / f"{chance.randrange(9)}.png"
        Image.fromarray(colours).save(path)
        return chance.choice(FILES)(path.read_bytes(), path), [colours.astype(int)]
    if form == "array":
        return chance.choice(NUMBERS)(colours), [colours.astype(int)]
    shown = [np.stack([grey] * 3, axis=-1).astype(int)]
    if form == "mode":
        return chance.choice(MODES)(grey), shown
    numbers = chance.choice(NUMBERS)(grey)
    return chance.choice((numbers, numbers[..., None])), shown


def draw_several(folder: Path, chance: random.Random) -> tuple[Any, list[np.ndarray]]:
    """Draw a collection of pictures in any forms."""
    pictures, meant = [], []
    for number in range(chance.randrange(4)):
        own = folder / str(number)
        own.mkdir(exist_ok=True)
        picture, (shown,) = draw_one(own, chance)
        pictures.append(picture)
        meant.append(shown)
    objects = np.empty(len(pictures), object)
    objects[:] = pictures
    forms = (
        pictures, tuple(pictures), iter(pictures), dict(enumerate(pictures)), objects,
        dict(enumerate(pictures)).values(), pd.Series(pictures, dtype=object),
    )  # fmt: skip
    return chance.choice(forms), meant


def draw_paths(folder: Path, chance: random.Random) -> tuple[Any, list[np.ndarray]]:
    """Draw a column of paths, alone or in a table."""
    paths, meant = [], []
    for number in range(chance.randrange(1, 4)):
        colours = np.full((*SIDES, 3), chance.randrange(256), np.uint8)
        paths.append(str(folder / f"path {number}.png"))
        Image.fromarray(colours).save(paths[-1])
        meant.append(colours.astype(int))
    columns = {"path": paths, "label": ["cat"] * len(paths), "width": [8] * len(paths)}
    order = chance.sample(sorted(columns), 3)
    table = pd.DataFrame({name: columns[name] for name in order}, range(9, 9 + len(paths)))
    forms = (
        np.array(paths), np.array(paths, object)[:, None], np.array(paths, "S"), table,
        table["path"], table[["path"]], pd.Series(paths, dtype="string"), pd.Index(paths),
    )  # fmt: skip
    return chance.choice(forms), meant


def draw_arrays(folder: Path, chance: random.Random) -> tuple[Any, list[np.ndarray]]:
    """Draw an array of several pictures."""
    shape = (chance.randrange(1, 4), *SIDES, 3)
    values = np.random.default_rng(chance.randrange(1 << 32)).integers(0, 256, shape)
    return chance.choice(NUMBERS)(values.astype(np.uint8)), [*values]
