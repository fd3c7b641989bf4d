"""The font of captions in pictures, and text that it can draw."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

# No character (Unicode 16, section 23.7): a font draws what it draws for all that it lacks.
LACKING = "\uffff"


@cache
def caption_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load matplotlib's DejaVu Sans, or Pillow's font, which has ASCII, without matplotlib."""
    package = find_spec("matplotlib")
    if package and package.origin:
        path = Path(package.origin).with_name("mpl-data") / "fonts/ttf/DejaVuSans.ttf"
        if path.is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


@cache
def is_drawable(text: str) -> bool:
    """Check whether the caption font has all characters of `text`."""
    font = caption_font(16)
    if isinstance(font, ImageFont.FreeTypeFont):  # shaping sets marks on a circle, which there is
        font = font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    lacking = bytes(font.getmask(LACKING))
    return all(bytes(font.getmask(each)) != lacking for each in set(text))


def escaped(text: str) -> str:
    r"""Return `text` with \u escapes for characters that the caption font lacks."""
    return "".join(each if is_drawable(each) else ascii(each)[1:-1] for each in text)
