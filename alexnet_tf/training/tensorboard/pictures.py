"""Pictures that TensorBoard shows: sheets of photos, a confusion matrix, filters."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.system.processor import processors
from alexnet_tf.system.text import printable

INK, PAPER, EMPTY = "#222222", "#ffffff", "#eeeeee"
# From no picture of a class to all of it.
LIGHT, DARK = np.array([[0xFF, 0xFF, 0xFF], [0x0B, 0x4F, 0x8A]], float)
# Pixels: the height of letters and of a line, what is left between pictures. So wide TensorBoard
# shows a picture as it is; of a wider one nobody could read the letters.
TEXT, LINE, GAP, WIDTH = 11, 14, 6, 350
# The most classes that a confusion matrix names; its side and what is left of it for names, pixels.
NAMED, MATRIX, MARGIN = 10, 240, 100
FILTER = 22  # pixels: the side of a filter of conv1


class Captioned(NamedTuple):
    """A picture on a sheet, with lines of text below; None where it cannot be read."""

    picture: Image.Image | None
    lines: tuple[str, ...]


def thumbnails(paths: Sequence[str], side: int) -> list[Image.Image | None]:
    """Load whole pictures, each fitted into a square; None for what cannot be read any more."""
    with ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(lambda path: _thumbnail(path, side), paths))


# The same mistakes are made again in the next epoch.
@lru_cache(maxsize=512)
def _thumbnail(path: str, side: int) -> Image.Image | None:
    try:
        with decoded(path, side) as (picture, _):
            return ImageOps.pad(picture, (side, side), Image.Resampling.BILINEAR, EMPTY)
    except ImageError:
        return None


def sheet(cells: Sequence[Captioned], side: int) -> Image.Image:
    """Lay out those pictures that can be read, `side` pixels wide, line by line."""
    shown = [(cell.picture, cell.lines) for cell in cells if cell.picture]
    if not shown:
        return Image.new("RGB", (side, side), EMPTY)
    height = shown[0][0].height + len(shown[0][1]) * LINE
    columns = min(len(shown), WIDTH // (side + GAP))
    size = (columns * (side + GAP) + GAP, -(-len(shown) // columns) * (height + GAP) + GAP)
    page = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT)
    for place, (picture, lines) in enumerate(shown):
        row, column = divmod(place, columns)
        left, top = GAP + column * (side + GAP), GAP + row * (height + GAP)
        page.paste(picture, (left, top))
        for number, line in enumerate(lines):
            below = top + picture.height + number * LINE
            draw.text((left, below), fitting(line, side, font), INK, font)
    return page


def fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Cut a line of text to what is at most `width` pixels wide."""
    text = printable(text)[:200]
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Draw counts of pictures, int (true classes, answered classes), as shares of each true class.

    For up to `NAMED` classes with names and numbers; otherwise a square for each cell.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colors = (LIGHT + shares[..., None] * (DARK - LIGHT)).astype(np.uint8)
    cell = max(1, MATRIX // len(names))
    matrix = Image.fromarray(colors.repeat(cell, axis=0).repeat(cell, axis=1))
    if len(names) > NAMED:
        return matrix
    page = Image.new("RGB", (WIDTH, matrix.height + 2 * LINE + GAP), PAPER)
    page.paste(matrix, (MARGIN, 2 * LINE + GAP))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(TEXT)
    draw.text((GAP, LINE), "truth", INK, font)
    draw.text((MARGIN, 0), "answer", INK, font)
    numbered = any(font.getlength(name) > cell - 2 for name in names)
    for row, name in enumerate(names):
        along = MARGIN + (row + 0.5) * cell
        draw.text((along, LINE), str(row) if numbered else name, INK, font, anchor="ma")
        down = 2 * LINE + GAP + (row + 0.5) * cell
        name = fitting(f"{row} {name}" if numbered else name, MARGIN - 2 * GAP, font)
        draw.text((GAP, down), name, INK, font, anchor="lm")
        for column, count in enumerate(counts[row]):
            place = MARGIN + (column + 0.5) * cell, down
            ink = PAPER if shares[row, column] > 0.5 else INK
            draw.text(place, str(count), ink, font, anchor="mm")
    return page


def filters(kernel: np.ndarray, channels: str) -> Image.Image:
    """Draw the filters of conv1, (height, width, 3, n) for inputs in the order `channels`.

    Figure 3 of Krizhevsky 2012, 12 in a line: the upper half was one GPU's. Each has all the
    contrast that it can have.
    """
    values = kernel[:, :, [channels.index(color) for color in "RGB"]]
    low, high = values.min(axis=(0, 1, 2)), values.max(axis=(0, 1, 2))
    shades = (255 * (values - low) / np.maximum(high - low, 1e-12)).astype(np.uint8)
    squares = (Image.fromarray(shade) for shade in np.moveaxis(shades, -1, 0))
    size = (FILTER, FILTER)
    cells = [Captioned(each.resize(size, Image.Resampling.NEAREST), ()) for each in squares]
    return sheet(cells, FILTER)
