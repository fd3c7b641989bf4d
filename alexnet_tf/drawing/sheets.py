"""Sheets of filters, channels and captioned pictures, and how they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo

from alexnet_tf.drawing.fonts import caption_font, escaped
from alexnet_tf.drawing.thumbnails import load_thumbnail
from alexnet_tf.errors import UserError
from alexnet_tf.system.files import atomic_write, check_replaceable
from alexnet_tf.system.text import printable

PAPER, INK, MISSING = "white", "#222222", "#dddddd"
# In pixels: side of a tile, gap between tiles, size of letters, height of a line of text.
TILE, GAP, TEXT, LINE = 144, 10, 13, 17
# Pixels per weight of a kernel, and filters per row.
WEIGHT, IN_LINE = 5, 16
# Metadata that marks a PNG as written by this program, which may therefore replace it.
MARK = ("Software", "alexnet_tf")


class Tile(NamedTuple):
    """A picture on a sheet, grey if None, and the lines of text below it."""

    picture: Image.Image | None
    lines: Sequence[str] = ()


def filter_pictures(kernel: np.ndarray, channels: str) -> np.ndarray:
    """Return the filters of a kernel (height, width, 3, n), whose inputs are in the order
    `channels`, as RGB pictures, float32 (n, height, width, 3): a weight of 0 is 0.5 (Krizhevsky
    2012, figure 3)."""
    rgb = np.moveaxis(kernel, -1, 0)[..., [channels.index(each) for each in "RGB"]]
    most = np.abs(rgb).max(axis=(1, 2, 3), keepdims=True)
    return 0.5 + np.divide(rgb, 2 * most, out=np.zeros_like(rgb), where=most > 0)


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
    """Draw one row per layer: the picture, then the maps of its strongest channels, as bright as
    they are relative to the layer's largest value. `layers` maps a name to channel numbers (n,) and
    maps (n, height, width)."""
    lines = []
    for name, (numbers, maps) in layers.items():
        most = maps.max() or 1
        tiles = [
            Tile(
                Image.fromarray((255 * np.maximum(each, 0) / most).astype(np.uint8)), [f"{number}"]
            )
            for number, each in zip(numbers, maps)
        ]
        lines.append([Tile(Image.fromarray(picture), [name]), *tiles])
    return tile_sheet(lines, apart=GAP, resampling=Image.Resampling.NEAREST)


def contact_sheet(found: Mapping[str, Sequence[tuple[str, float]]]) -> Image.Image:
    """Draw one row per query: its picture, then the pictures `found`, with their distances."""

    def tile(path: str, caption: str) -> Tile:
        return Tile(load_thumbnail(path, TILE), [caption, Path(path).name])

    rows = [
        [tile(query, "query"), *(tile(path, f"{distance:.2f}") for path, distance in similar)]
        for query, similar in found.items()
    ]
    return tile_sheet(rows, apart=GAP)


def tile_sheet(
    rows: Sequence[Sequence[Tile]],
    size: tuple[int, int] = (TILE, TILE),
    gap: int = GAP,
    apart: int = 0,
    resampling: Image.Resampling = Image.Resampling.BICUBIC,
) -> Image.Image:
    """Lay out rows of tiles of `size`, `gap` pixels apart; the first of a row is set `apart`."""
    lines = max(len(tile.lines) for row in rows for tile in row)
    width, height = size[0] + gap, size[1] + gap + lines * LINE
    columns = max(map(len, rows))
    sheet = Image.new("RGB", (columns * width + gap + 2 * apart, len(rows) * height + gap), PAPER)
    draw, font = ImageDraw.Draw(sheet), caption_font(TEXT)
    for number, row in enumerate(rows):
        for column, (picture, texts) in enumerate(row):
            left, top = gap + column * width + (apart if column else 0), gap + number * height
            picture = picture.convert("RGB") if picture else Image.new("RGB", size, MISSING)
            sheet.paste(ImageOps.pad(picture, size, resampling, PAPER), (left, top))
            for line, text in enumerate(texts):
                place = (left + size[0] / 2, top + size[1] + line * LINE + 2)
                draw.text(place, fit_text(text, size[0], font), INK, font, anchor="ma")
    return sheet


def fit_text(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Cut a line of text to at most `width` pixels, with escapes for what `font` lacks."""
    text = escaped(printable(text)[:200])
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def write_picture(
    path: Path, picture: Image.Image, beside: Mapping[str, bytes] | None = None
) -> None:
    """Write a PNG and, `beside` it under the same name with other suffixes, files of bytes;
    UserError if one of the files exists, unless an earlier call wrote it."""
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
