"""In-memory pictures in place of picture files."""

import io
import os
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps

from alexnet_tf.data.images.contents import MAX_BYTES, ImageError, InMemory
from alexnet_tf.data.images.value_range import RANGES, OutOfRange, to_bytes

# Pillow's modes that PNG preserves; and those whose range PNG does not tell.
KEPT_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
WITHOUT_RANGE = ("I", "F")
# The mode of colours multiplied by alpha → the mode of the colours themselves.
STRAIGHT = {"La": "LA", "RGBa": "RGBA"}

# Not os.PathLike[str], which isinstance refuses.
ImageLike = (
    str | os.PathLike | bytes | bytearray | memoryview | Image.Image | np.ndarray | BinaryIO  # type: ignore[type-arg]
)


class _Pixels(InMemory):
    """A picture that is encoded only when it is read, because many may wait for that."""

    # The default needs hashable fields, which an array is not.
    __hash__ = object.__hash__

    @property
    def content(self) -> bytes:
        """Encode the picture, upright, as an uncompressed PNG; ImageError as for a file."""
        _, picture = self
        try:
            if isinstance(picture, np.ndarray):
                picture = Image.fromarray(picture)
            upright = ImageOps.exif_transpose(picture)
            if upright.mode in WITHOUT_RANGE:
                values = np.asarray(upright)
                upright = Image.fromarray(to_bytes(values, RANGES[values.dtype.kind]))
            upright = upright.convert(STRAIGHT.get(upright.mode, upright.mode))
            if upright.mode not in KEPT_MODES:
                upright = upright.convert("RGB")
            upright.save(file := io.BytesIO(), "PNG", compress_level=0)
        except OutOfRange as error:
            raise ImageError(self.name, str(error)) from error
        except Exception as error:  # Pillow's decoders may raise nearly anything
            raise ImageError(self.name, f"is a broken picture: {error}") from error
        return file.getvalue()


def as_file(picture: ImageLike) -> str | InMemory:
    """Return `picture` in the form in which files are read: its path, or a file in memory.

    `picture` is a path; the bytes of a file; a file open for reading bytes, or an upload of a web
    framework; a Pillow image; or an array, grey (h, w) or (h, w, 1), RGB (h, w, 3) or RGBA
    (h, w, 4), of 0 to 255, or as `value_range.RANGES`. Raises ImageError for anything else.
    """
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    if isinstance(picture, bytes | bytearray | memoryview):
        return InMemory(f"a picture of {len(picture):,} bytes", bytes(picture))
    if isinstance(picture, Image.Image):
        return _Pixels(getattr(picture, "filename", "") or f"a picture of {picture.size}", picture)
    if stream_of(picture):
        return _read(picture)
    if hasattr(picture, "__array__"):
        return _as_pixels(np.asarray(picture))
    raise ImageError(
        f"{type(picture).__name__}",
        "is no picture; give a path, the bytes of a file, an open file, a picture of Pillow or an "
        "array",
    )


def stream_of(picture: object) -> Any:
    """Return the open file that `picture` is, or that an upload has as `file`, or None."""
    streams = (getattr(picture, "file", None), picture)
    return next((each for each in streams if callable(getattr(each, "read", None))), None)


def _read(picture: Any) -> InMemory:
    """Read an open file from its start, or from where it is if it cannot go there."""
    names = (getattr(picture, name, None) for name in ("filename", "name"))
    name = next((each for each in names if each and isinstance(each, str)), "an open file")
    stream, start = stream_of(picture), None
    with suppress(AttributeError, OSError, ValueError):
        start = stream.tell()
        stream.seek(0)
    try:
        content = "" if isinstance(stream, io.TextIOBase) else stream.read(MAX_BYTES + 1)
    except Exception as error:  # an object of anybody's
        raise ImageError(name, f"cannot be read: {error}") from error
    if not isinstance(content, bytes | bytearray | memoryview):
        raise ImageError(name, "does not give bytes; open it with mode 'rb'")
    if len(content) > MAX_BYTES:
        raise ImageError(name, f"has more than {MAX_BYTES:,} bytes")
    if start is not None:
        stream.seek(start)
    return InMemory(name, bytes(content))


def _as_pixels(array: np.ndarray) -> _Pixels:
    is_shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not (is_shaped and array.dtype.kind in RANGES and array.size):
        raise ImageError(
            _name(array),
            "is no picture; that should be (h, w), (h, w, 3), which is RGB, or (h, w, 4), of 0 to "
            "255 or of fractions from 0 to 1",
        )
    values = scaled(array)
    return _Pixels(_name(array), values[..., 0] if values.shape[2:] == (1,) else values)


def scaled(array: np.ndarray) -> np.ndarray:
    """Return the numbers of one or several pictures as uint8; ImageError if out of range."""
    if array.dtype == np.uint8 or not array.size:
        return array
    try:
        return to_bytes(array, RANGES[array.dtype.kind])
    except OutOfRange as error:
        raise ImageError(_name(array), str(error)) from error


def _name(array: np.ndarray) -> str:
    return f"an array of {array.dtype} {array.shape}"
