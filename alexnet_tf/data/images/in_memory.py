"""In-memory pictures in place of picture files."""

from __future__ import annotations

import io
import os

import numpy as np
from PIL import Image, ImageOps

from alexnet_tf.data.images.contents import ImageError, InMemory

# Pillow's modes that PNG preserves.
KEPT_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")

# Not os.PathLike[str], which isinstance refuses.
ImageLike = str | os.PathLike | bytes | bytearray | memoryview | Image.Image | np.ndarray  # type: ignore[type-arg]


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
            if upright.mode not in KEPT_MODES:
                upright = upright.convert("RGB")
            upright.save(file := io.BytesIO(), "PNG", compress_level=0)
        except Exception as error:  # Pillow's decoders may raise nearly anything
            raise ImageError(self.name, f"is a broken picture: {error}") from error
        return file.getvalue()


def as_file(picture: ImageLike) -> str | InMemory:
    """Return `picture` in the form in which files are read: its path, or a file in memory.

    `picture` is a path; the bytes of a file; a Pillow image; or an array, uint8 of 0 to 255, grey
    (h, w), RGB (h, w, 3) or RGBA (h, w, 4). Raises ImageError for anything else.
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
