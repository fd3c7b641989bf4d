"""Pictures that a program has in memory, as files that hold just them."""

from __future__ import annotations

import io
import os

import numpy as np
from PIL import Image, ImageOps

from alexnet_tf.data.images.contents import ImageError, InMemory

# Of Pillow's modes, those that a PNG keeps.
KEPT_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")

ImageLike = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | np.ndarray


class _Pixels(InMemory):
    """A picture that becomes the content of a file when it is read, for many may wait for that."""

    # An array has none.
    __hash__ = object.__hash__

    @property
    def content(self) -> bytes:
        """Write the picture, upright, into a PNG that is not compressed; ImageError as a file's."""
        _, picture = self
        try:
            if isinstance(picture, np.ndarray):
                picture = Image.fromarray(picture)
            upright = ImageOps.exif_transpose(picture)
            if upright.mode not in KEPT_MODES:
                upright = upright.convert("RGB")
            upright.save(file := io.BytesIO(), "PNG", compress_level=0)
        except Exception as error:  # Pillow's decoders raise nearly anything on broken files
            raise ImageError(self.name, f"is a broken picture: {error}") from error
        return file.getvalue()


def as_file(picture: ImageLike) -> str | InMemory:
    """Return what is read like a picture file: the path that `picture` is, or a file in memory.

    It may be the bytes of a file; a picture of Pillow; or an array, uint8 of 0 to 255, grey (h, w),
    RGB (h, w, 3) or RGBA (h, w, 4). Raises ImageError for what is none of these.
    """
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    if isinstance(picture, bytes | bytearray | memoryview):
        return InMemory(f"a picture of {len(picture):,} bytes", bytes(picture))
    if isinstance(picture, Image.Image):
        return _Pixels(getattr(picture, "filename", "") or f"a picture of {picture.size}", picture)
    if isinstance(picture, np.ndarray):
        name = f"an array of {picture.dtype} {picture.shape}"
        is_shaped = picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] in (3, 4))
        if is_shaped and picture.dtype == np.uint8 and picture.size:
            return _Pixels(name, picture)
        raise ImageError(
            name,
            "is no picture; that should be uint8 of 0 to 255: (h, w), (h, w, 3), which is RGB, or "
            "(h, w, 4)",
        )
    raise ImageError(
        f"{type(picture).__name__}",
        "is no picture; give a path, the bytes of a file, a picture of Pillow or an array",
    )
