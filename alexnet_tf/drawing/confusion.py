"""Confusion matrices as pictures."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from alexnet_tf.drawing.fonts import caption_font, escaped
from alexnet_tf.drawing.sheets import INK, PAPER, fit_text

# From no picture of a class to all of it.
LIGHT, DARK = np.array([[0xFF, 0xFF, 0xFF], [0x0B, 0x4F, 0x8A]], float)
# Largest matrix with names and numbers, in classes. In pixels: side of a matrix, width with names,
# left margin for names, height of letters and of a line, gap.
NAMED, SIDE, WIDTH, MARGIN, TEXT, LINE, GAP = 10, 240, 350, 100, 11, 14, 6


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Image.Image:
    """Draw counts of pictures, int (true classes, predicted classes), normalized by row; up to
    `NAMED` classes have names and numbers."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    colors = (LIGHT + shares[..., None] * (DARK - LIGHT)).astype(np.uint8)
    cell = max(1, SIDE // len(names))
    matrix = Image.fromarray(colors.repeat(cell, axis=0).repeat(cell, axis=1))
    if len(names) > NAMED:
        return matrix
    page = Image.new("RGB", (WIDTH, matrix.height + 2 * LINE + GAP), PAPER)
    page.paste(matrix, (MARGIN, 2 * LINE + GAP))
    draw, font = ImageDraw.Draw(page), caption_font(TEXT)
    draw.text((GAP, LINE), "label", INK, font)
    draw.text((MARGIN, 0), "prediction", INK, font)
    names = [escaped(name) for name in names]
    numbered = any(font.getlength(name) > cell - 2 for name in names)
    for row, name in enumerate(names):
        along = MARGIN + (row + 0.5) * cell
        draw.text((along, LINE), str(row) if numbered else name, INK, font, anchor="ma")
        down = 2 * LINE + GAP + (row + 0.5) * cell
        name = fit_text(f"{row} {name}" if numbered else name, MARGIN - 2 * GAP, font)
        draw.text((GAP, down), name, INK, font, anchor="lm")
        for column, count in enumerate(counts[row]):
            place = MARGIN + (column + 0.5) * cell, down
            ink = PAPER if shares[row, column] > 0.5 else INK
            draw.text(place, str(count), ink, font, anchor="mm")
    return page
