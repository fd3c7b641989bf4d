"""Decode a picture file of any format to upright RGB pixels, safely and in bounded memory."""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from alexnet_tf.data.images.contents import MAX_PIXELS, ImageError, InMemory, reading
from alexnet_tf.data.images.file_types import FORMATS, OTHER_PICTURES, file_type_of
from alexnet_tf.data.images.memory import ROOM
from alexnet_tf.data.images.value_range import MOST_16_BITS, RANGES, OutOfRange, to_bytes

# Pictures above `MAX_PIXELS` are refused. For a large JPEG the reduced size at which it is decoded
# counts, unless the decoder keeps the full size in memory.
MAX_KEPT_WHOLE = 3 * MAX_PIXELS
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Odd EXIF blocks and palettes are common and harmless.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())  # otherwise Python prints its messages

# The most bytes per pixel until it is upright RGB, measured by the peak memory of processes: in
# decoders that keep copies of their own, in modes with transparency or more than 8 bits, and
# otherwise. A JPEG kept at full size also takes some for each pixel of that size.
DEAR, WIDE, PLAIN, KEPT_WHOLE = 24, 16, 8, 6
DEAR_FORMATS, PLAIN_MODES = ("WEBP", "AVIF", "HEIF", "TIFF"), ("1", "L", "RGB")
# Pillow's modules for formats that it does not import at once.
PLUGINS = {"WEBP": "WebPImagePlugin", "TIFF": "TiffImagePlugin", "AVIF": "AvifImagePlugin"}
# When an import fails, a thread that waits for it gets an incomplete module.
IMPORTING = Lock()
WITHOUT_HEIF = "is HEIC, which needs `pip install pillow-heif`"

# TIFF 6.0 and DNG 1.4: the tags of a preview page, and of a raw picture.
SUBFILE_TYPE, REDUCED, DNG_VERSION = 254, 1, 50706
# EXIF 2.3: the orientation, a 16-bit integer, and the transposition that turns the picture upright.
ORIENTATION, SHORT = 0x0112, 3
UPRIGHT: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The signature of a PNG. Each chunk has 4 bytes of length, 4 of name and 4 of checksum; names of
# ancillary chunks are in lower case. Of those, transparency and orientation affect the picture.
PNG_START, CHUNK = b"\x89PNG\r\n\x1a\n", struct.Struct(">L4s")
PNG_BITS = 24  # the place of the bits per channel
SEEN_CHUNKS = (b"tRNS", b"eXIf")
SEEN_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")  # Adobe's, ImageMagick's
# JPEG's markers (ITU T.81, table B.1): frames, progressive ones among them, and start of scan.
FRAMES, PROGRESSIVE = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}, (0xC2, 0xC6, 0xCA, 0xCE)
SCAN = 0xDA


@contextmanager
def decoded(path: str | Path | InMemory, least: int = 1) -> Iterator[tuple[Image.Image, bytes]]:
    """Decode the picture in the file `path`, upright, in mode RGB; yield it and the file's bytes.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as no side falls below `least` pixels,
    which is faster. Only the first of several frames is decoded; transparency is put on white.
    Large pictures wait for each other, so end the block soon. Raises ImageError unless the file is
    a complete picture of one of `FORMATS`, with at most `MAX_PIXELS`.
    """
    with reading(path) as content:
        with _as_image_error(path):
            kind = _format(content)
            picture, size = _open(content, kind, least)
        with ROOM.lent(size):
            with _as_image_error(path), picture:
                picture.load()
                # libheif has already applied HEIC's own orientation, which its EXIF repeats.
                turn = None if kind == "HEIF" else _transposition(picture)
                upright = _to_rgb(picture if turn is None else picture.transpose(turn), kind)
            yield upright, content


def is_readable(path: str | Path) -> bool:
    """Tell whether the file `path` is a picture that can be decoded."""
    try:
        with decoded(path):
            return True
    except ImageError:
        return False


class _Unfit(Exception):
    """The reason why a file is not a readable picture: the end of a sentence."""


@contextmanager
def _as_image_error(path: object) -> Iterator[None]:
    """Turn every exception of the block into an ImageError for `path`."""
    try:
        yield
    except _Unfit as error:
        raise ImageError(path, str(error)) from error
    except Image.DecompressionBombError as error:
        raise ImageError(path, f"has more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise ImageError(path, "is a broken picture: its header is damaged") from error
    except Exception as error:  # Pillow's decoders may raise nearly anything
        raise ImageError(path, f"is a broken picture: {error}") from error


def _format(content: bytes) -> str:
    """Return a picture's format, one of `FORMATS`, by its content; import its decoder."""
    kind = file_type_of(content)
    if kind in OTHER_PICTURES:
        raise _Unfit(f"is {kind}, which is not read; save it as JPEG or PNG")
    if kind not in FORMATS:
        raise _Unfit(f"is {kind}, no picture" if kind else f"is not a {', '.join(FORMATS)} picture")
    missing = _import_decoder(kind)
    if missing:
        raise _Unfit(missing)
    return kind


@cache
def _import_decoder(kind: str) -> str | None:
    """Import what Pillow needs for one of `FORMATS`; return a message if it is not installed."""
    try:
        with IMPORTING:
            if kind == "HEIF":
                import pillow_heif  # an extra, and slow to import

                pillow_heif.register_heif_opener()
            elif kind in PLUGINS:
                import_module(f"PIL.{PLUGINS[kind]}")
    except ImportError:
        return WITHOUT_HEIF if kind == "HEIF" else f"is {kind}, which takes Pillow 11.3 or later"
    return None


def _open(content: bytes, kind: str, least: int) -> tuple[Image.Image, int]:
    """Open a picture without decoding it, and estimate the bytes of memory that decoding takes;
    DecompressionBombError if it has too many pixels."""
    if kind == "PNG":
        content = _strip_png(content)
    picture: Any = Image.open(io.BytesIO(content), formats=[kind])
    is_clear = "transparency" in picture.info
    if kind == "PNG" and picture.mode == "RGB" and content[PNG_BITS] == 16 and is_clear:
        # Pillow would compare it with the upper bytes alone.
        raise _Unfit("has a transparent colour of 48 bits; save it with alpha instead")
    pixels, whole = picture.width * picture.height, 0
    if kind == "JPEG":
        whole = KEPT_WHOLE * pixels if _is_kept_whole(content) else 0
        picture.draft("RGB", (least, least))
    if kind == "TIFF":
        tags = picture.tag_v2
        if DNG_VERSION in tags or tags.get(SUBFILE_TYPE) == REDUCED:
            raise _Unfit("is a camera's raw picture, which is not read; save it as JPEG or PNG")
    if picture.width * picture.height > MAX_PIXELS or whole > KEPT_WHOLE * MAX_KEPT_WHOLE:
        raise Image.DecompressionBombError
    narrow = PLAIN if picture.mode in PLAIN_MODES else WIDE
    each = DEAR if kind in DEAR_FORMATS else narrow
    return picture, each * picture.width * picture.height + whole


def _is_kept_whole(jpeg: bytes) -> bool:
    """Tell whether a JPEG is decoded in several passes: progressive, or a scan for each colour."""
    place, colors = 2, 0
    while jpeg[place : place + 1] == b"\xff" and place + 10 < len(jpeg):
        marker = jpeg[place + 1]
        if marker in PROGRESSIVE:
            return True
        if marker in FRAMES:
            colors = jpeg[place + 9]
        if marker == SCAN:
            return jpeg[place + 4] < colors
        place += 1 if marker == 0xFF else 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return True  # assumed for an odd file


def _strip_png(png: bytes) -> bytes:
    """Remove the chunks of a PNG that do not affect the picture, such as megabytes of text: Pillow
    refuses much text, and a wrong checksum even where it does not matter."""
    kept, place = [PNG_START], len(PNG_START)
    while place + CHUNK.size <= len(png):
        length, name = CHUNK.unpack_from(png, place)
        end = place + CHUNK.size + length + 4
        auxiliary = name[0] & 0x20
        data = memoryview(png)[place + CHUNK.size : end - 4]
        if not auxiliary or (
            (name in SEEN_CHUNKS or bytes(data[:30]).startswith(SEEN_TEXTS))
            and zlib.crc32(data, zlib.crc32(name)) == int.from_bytes(png[end - 4 : end], "big")
        ):
            kept.append(png[place:end])
        place = end
    return b"".join([*kept, png[place:]])


def _transposition(picture: Image.Image) -> Image.Transpose | None:
    """Return the transposition that turns a picture upright; other EXIF tags may be broken."""
    with suppress(Exception):  # Pillow may raise nearly anything on broken EXIF
        return UPRIGHT.get(_exif_orientation(picture) or picture.getexif().get(ORIENTATION))
    return None


def _exif_orientation(picture: Image.Image) -> int | None:
    """Read the orientation from the EXIF block directly: Pillow stops at the first broken tag."""
    block = picture.info.get("exif", b"").removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if not order:
        return None
    (start,) = struct.unpack_from(f"{order}L", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, start)
    tags = struct.iter_unpack(f"{order}HHLHH", block[start + 2 :][: 12 * count])
    found = (value for tag, kind, _, value, _ in tags if (tag, kind) == (ORIENTATION, SHORT))
    return next(found, None)


def _to_rgb(picture: Image.Image, kind: str) -> Image.Image:
    """Convert a picture of any mode to RGB, on white where it is transparent."""
    if picture.mode[0] in "IF":  # more than 8 bits, which Pillow would clip instead of scale
        picture = _grey(picture, kind)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _grey(picture: Image.Image, kind: str) -> Image.Image:
    """Scale grey to 8 bits; a transparent value becomes a second channel. 16-bit values reach
    65535; of a TIFF's 32-bit values the maximum decides: up to 1 (fractions), 255 or 65535."""
    values = np.asarray(picture)
    is_of_any_range = kind == "TIFF" and picture.mode in ("I", "F")
    tops = RANGES[values.dtype.kind] if is_of_any_range else (MOST_16_BITS,)
    try:
        grey = Image.fromarray(to_bytes(values, tops))
    except OutOfRange as error:
        raise _Unfit(f"{error}, and save it as PNG") from error
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    return grey
