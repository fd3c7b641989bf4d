"""From a picture file to the network's input: the one definition of preprocessing.

Training, features, prediction and evaluation all see what `load_image` and `preprocess_input` make.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from alexnet_tf.errors import UserError
from alexnet_tf.files import printable
from alexnet_tf.variants import get_variant

# Krizhevsky 2012, section 2: the short side becomes 256 pixels, the centre is cut out.
SHORT_SIDE = 256
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")

# Odd EXIF blocks and palettes are common and harmless; such a picture is read all the same.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


class ImageError(UserError):
    """A picture that cannot be read. The message names the file; `reason` does not."""

    def __init__(self, path: object, reason: str):
        super().__init__(f"{printable(path)}: {reason}")
        self.reason = reason

    @classmethod
    def unreadable(cls, path: object, error: OSError) -> ImageError:
        """The file itself cannot be read."""
        if isinstance(error, FileNotFoundError):
            return cls(path, "does not exist")
        return cls(path, f"cannot be read: {error.strerror or error}")


def load_image(path: str | Path, size: int = 227) -> np.ndarray:
    """The picture in the file `path`: uint8 (size, size, 3), RGB, 0–255.

    Upright (EXIF), the first frame of several, on white where it is transparent; its short side
    scaled to 256 by antialiased bilinear interpolation, the centre cut out. Raises ImageError.
    """
    return np.asarray(_crop_short(read_picture(path), size))


def read_picture(
    path: str | Path, content: BinaryIO | None = None, least: int = 2 * SHORT_SIDE
) -> Image.Image:
    """The picture in `path` (or in its `content`), upright, in mode RGB.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as no side falls below `least` pixels,
    which is faster. Raises ImageError for whatever is not a whole picture of one of `FORMATS`.
    """
    try:
        with Image.open(content or path, formats=FORMATS) as picture:
            picture.draft("RGB", (least, least))
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return _to_rgb(picture)
    except Image.UnidentifiedImageError as error:
        raise ImageError(path, f"is not a {', '.join(FORMATS)} picture") from error
    except OSError as error:
        raise ImageError.unreadable(path, error) from error
    except Exception as error:  # Pillow's decoders raise nearly anything on broken files
        raise ImageError(path, f"is a broken picture: {error}") from error


def preprocess_input(images: np.ndarray, variant: str = "bvlc") -> np.ndarray:
    """What the network takes: RGB pictures in 0–255, any (…, 3) → float32, the variant's channels.

    For ``bvlc`` and ``caffenet``: BGR minus (104.007, 116.669, 122.679), as Caffe was trained.
    """
    row = get_variant(variant)
    inputs = np.asarray(images)[..., :: 1 if row.channels == "RGB" else -1].astype(np.float32)
    inputs -= np.float32(row.mean)
    return inputs


def load_batches(
    batches: Iterable[Sequence[str | Path]], variant: str = "bvlc", ahead: int = 2
) -> Iterator[list[np.ndarray | ImageError]]:
    """For each batch of paths the inputs of the network, float32, or why there is none.

    Decodes on all cores, at most `ahead` batches before they are asked for.
    """
    size = get_variant(variant).image_size

    def load(path: str | Path) -> np.ndarray | ImageError:
        try:
            return preprocess_input(load_image(path, size), variant)
        except ImageError as error:
            return error

    with ThreadPoolExecutor() as pool:
        pending: deque[list[Future]] = deque()
        for paths in batches:
            pending.append([pool.submit(load, path) for path in paths])
            if len(pending) > ahead:
                yield [future.result() for future in pending.popleft()]
        while pending:
            yield [future.result() for future in pending.popleft()]


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow would clip, not scale
        picture = Image.fromarray((np.asarray(picture).astype(np.uint32) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _crop_short(picture: Image.Image, size: int) -> Image.Image:
    """The central `size` pixels square of the picture scaled to `SHORT_SIDE`."""
    scale = SHORT_SIDE / min(picture.size)
    scaled = [max(SHORT_SIDE, round(side * scale)) for side in picture.size]
    left, top = ((side - size) // 2 for side in scaled)
    # Only what is cut out is computed: within one grey level of what scaling it all would give.
    x, y = (side / whole for side, whole in zip(picture.size, scaled))
    box = (left * x, top * y, (left + size) * x, (top + size) * y)
    return picture.resize((size, size), Image.Resampling.BILINEAR, box)
