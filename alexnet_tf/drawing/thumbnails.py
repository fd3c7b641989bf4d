"""Thumbnails of pictures, and pictures embedded in a page."""

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from PIL import Image

from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.system.processor import processors


def load_thumbnail(path: str, side: int) -> Image.Image | None:
    """Load a picture with a longer side of at most `side` pixels; None if it cannot be read."""
    try:
        with decoded(path, 2 * side) as (picture, _):
            picture.thumbnail((side, side))
            return picture
    except ImageError:
        return None


def load_thumbnails(paths: Sequence[str], side: int) -> list[Image.Image | None]:
    """Load thumbnails on all cores."""
    with ThreadPoolExecutor(processors()) as pool:
        return list(pool.map(load_thumbnail, paths, repeat(side)))


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Encode a picture as a JPEG."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality, optimize=True)
    return content.getvalue()


def data_url(picture: Image.Image, quality: int) -> str:
    """Return a data URL of a picture as a JPEG."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture, quality)).decode()
