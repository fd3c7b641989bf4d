"""Sheets of filters, channels and similar pictures, and how they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import atomic_write, check_replaceable
from alexnet_tf.system.text import printable

PAPER, INK, MISSING = "white", "#222222", "#dddddd"
# In pixels: side of a picture or map on a sheet, gap between them, height of a line of text.
TILE, GAP, LINE = 144, 10, 17
# Pixels per weight of a kernel, and filters per row.
WEIGHT, IN_LINE = 5, 16
# Metadata that marks a PNG as written by this program, which may therefore replace it.
MARK = ("Software", "alexnet_tf")

Tile = tuple[Image.Image, Sequence[str]]


def filters_mosaic(filters: np.ndarray, halves: int) -> Image.Image:
    """Draw `filters` (n, height, width, 3) of 0 to 1, grouped into `halves`."""
    groups = [_mosaic(each) for each in np.array_split(filters, halves)]
    height = sum(group.height + 2 * GAP for group in groups) - 2 * GAP
    sheet = Image.new("RGB", (groups[0].width, height), PAPER)
    for number, group in enumerate(groups):
        sheet.paste(group, (0, number * (group.height + 2 * GAP)))
    return sheet


def _mosaic(filters: np.ndarray) -> Image.Image:
    """Draw filters in rows of `IN_LINE`, one weight apart."""
    count, height, width, _ = filters.shape
    lines, columns = -(-count // IN_LINE), min(count, IN_LINE)
    mosaic = np.ones((lines * (height + 1) - 1, columns * (width + 1) - 1, 3))
    for number, each in enumerate(filters):
        top, left = (place * (side + 1) for place, side in zip(divmod(number, IN_LINE), each.shape))
        mosaic[top : top + height, left : left + width] = each
    large = np.kron(255 * mosaic, np.ones((WEIGHT, WEIGHT, 1)))
    return Image.fromarray(large.astype(np.uint8))


def channels_sheet(
    picture: np.ndarray, layers: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> Image.Image:
    """Draw one row per layer: the picture, then the maps of the layer's strongest channels.

    `layers` maps a name to channel numbers (n,) and maps (n, height, width). Brightness is relative
    to the layer's largest value.
    """
    lines = []
    for name, (numbers, maps) in layers.items():
        most = maps.max() or 1
        tiles = [
            (Image.fromarray((255 * np.maximum(each, 0) / most).astype(np.uint8)), [f"{number}"])
            for number, each in zip(numbers, maps)
        ]
        lines.append([(Image.fromarray(picture), [name]), *tiles])
    return _sheet(lines, Image.Resampling.NEAREST)


def contact_sheet(predictions: Mapping[str, Sequence[tuple[str, float]]]) -> Image.Image:
    """Draw one row per query: its picture, then the pictures found, with their distances."""
    return _sheet(
        [
            [
                (_thumbnail(file), ["looks like", _short(file)]),
                *((_thumbnail(path), [f"{far:.2f}", _short(path)]) for path, far in found),
            ]
            for file, found in predictions.items()
        ]
    )


def _thumbnail(path: str) -> Image.Image:
    """Load a thumbnail of a picture file; grey if the file can no longer be read."""
    with suppress(ImageError), decoded(path, TILE) as (picture, _):
        return ImageOps.contain(picture, (TILE, TILE))
    return Image.new("RGB", (TILE, TILE), MISSING)


def _short(path: str) -> str:
    """Return a file's name, cut to the width of a tile's caption."""
    name = printable(Path(path).name)
    return name if len(name) <= 20 else f"{name[:9]}…{name[-10:]}"


def _sheet(
    lines: Sequence[Sequence[Tile]], filtering: Any = Image.Resampling.BICUBIC
) -> Image.Image:
    """Lay out rows of tiles with captions; the first tile of a row is set apart."""
    rows = max(len(text) for line in lines for _, text in line)
    width, height = TILE + GAP, TILE + GAP + rows * LINE
    columns = max(map(len, lines))
    sheet = Image.new("RGB", (columns * width + 3 * GAP, len(lines) * height + GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, line in enumerate(lines):
        for column, (tile, text) in enumerate(line):
            left, top = GAP + column * width + (GAP if column else 0), GAP + row * height
            sheet.paste(
                ImageOps.pad(tile.convert("RGB"), (TILE, TILE), filtering, PAPER), (left, top)
            )
            for number, words in enumerate(text):
                place = (left + TILE / 2, top + TILE + number * LINE + 2)
                draw.text(place, words, INK, font, anchor="ma")
    return sheet


def write_picture(
    path: Path, picture: Image.Image, beside: Mapping[str, bytes] | None = None
) -> None:
    """Write a PNG and, `beside` it under the same name with other suffixes, files of bytes.

    Raises UserError if one of the files exists, unless an earlier call wrote it.
    """
    others = {path.with_name(path.stem + suffix): data for suffix, data in (beside or {}).items()}
    ours = _is_ours(path)
    for each in (path, *others):
        check_replaceable(each)
        if each.exists() and not ours:
            raise UserError(
                f"{each}: is there already, and not from this program; give --out another name, or "
                "move it away"
            )
    mark = PngInfo()
    mark.add_text(*MARK)
    with atomic_write(path, picture.width * picture.height * 3) as temporary:
        picture.save(temporary, pnginfo=mark)
    for each, data in others.items():
        with atomic_write(each, len(data)) as temporary:
            temporary.write_bytes(data)


def _is_ours(path: Path) -> bool:
    """Check whether the metadata of a file mark it as a PNG of this program."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get(MARK[0]) == MARK[1]
    except Exception:  # Pillow raises nearly any exception on broken files
        return False
