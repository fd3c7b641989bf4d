"""Drawn faces of cats and dogs: labelled pictures that need no download."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from alexnet_tf.system.progress import progress

SIDE = 256  # pixels
CANVAS = 2 * SIDE  # drawn at twice the size, so that scaling down smooths the edges

Color = tuple[int, ...]
Random = np.random.Generator


def draw_faces(folder: Path, per_class: int = 200, seed: int = 0) -> None:
    """Draw ``cat.N.jpg`` and ``dog.N.jpg``, N from 0, into `folder`: the same faces for the same
    `seed`. Pose, size, colours, background and noise have the same distributions for both classes,
    so that only the shapes distinguish them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in progress(range(per_class), per_class, "drawing"):
        for label, (name, draw) in enumerate((("cat", _draw_cat), ("dog", _draw_dog))):
            random = np.random.default_rng([seed, number, label])
            _picture(draw, random).save(folder / f"{name}.{number}.jpg", quality=90)


def _picture(draw_face: Callable[..., None], random: Random) -> Image.Image:
    """Draw a rotated and scaled face on a background, and add noise."""
    background = _background(random)
    face = Image.new("RGBA", (CANVAS, CANVAS))
    fur = _color(random)
    draw_face(ImageDraw.Draw(face), random, fur, _shade(fur, random.uniform(0.55, 0.85)))
    size = round(CANVAS * random.uniform(0.7, 1.0))
    face = face.resize((size, size)).rotate(random.uniform(-20, 20), Image.Resampling.BILINEAR)
    left, top = (int(place) for place in random.integers(0, CANVAS - size + 1, 2))
    background.paste(face, (left, top), face)
    pixels = np.asarray(background.resize((SIDE, SIDE)), np.float32)
    pixels += random.normal(0, random.uniform(2, 12), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _background(random: Random) -> Image.Image:
    """Draw a gradient of two colours, with a few blobs of others."""
    coarse = random.integers(40, 230, (2, 2, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(2, 7)):
        x, y, radius = map(int, random.integers((0, 0, 15), (CANVAS, CANVAS, 90)))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), _color(random))
    return picture


def _draw_cat(draw: ImageDraw.ImageDraw, random: Random, fur: Color, dark: Color) -> None:
    """Draw a round head, pointed ears that stand up, slit pupils, whiskers."""
    for side in (-1, 1):
        tip = (256 + side * int(random.integers(120, 165)), int(random.integers(30, 75)))
        draw.polygon([(256 + side * 165, 235), tip, (256 + side * 45, 125)], fur)
        draw.polygon([(256 + side * 145, 205), tip, (256 + side * 85, 135)], dark)
    draw.ellipse((86, 105, 426, 430), fur)
    for side in (-1, 1):
        _eye(draw, 256 + side * 75, 235, _color(random), pupil=(9, 30))
        for height in (-18, 2, 22):
            draw.line((256 + side * 45, 335, 256 + side * 190, 335 + 2 * height), dark, 5)
    draw.polygon([(236, 305), (276, 305), (256, 330)], (190, 90, 100))
    draw.line((256, 330, 256, 350), dark, 5)
    draw.arc((206, 325, 256, 370), 20, 160, dark, 5)
    draw.arc((256, 325, 306, 370), 20, 160, dark, 5)


def _draw_dog(draw: ImageDraw.ImageDraw, random: Random, fur: Color, dark: Color) -> None:
    """Draw a long head, ears that hang, round pupils, a muzzle with a big nose, often a tongue."""
    draw.ellipse((121, 75, 391, 400), fur)
    for side in (-1, 1):
        x, length = 256 + side * 140, int(random.integers(180, 245))
        draw.ellipse((x - 52, 105, x + 52, 105 + length), dark)
    muzzle = _shade(fur, 1.25)
    if random.random() < 0.6:
        draw.ellipse((226, 375, 286, 475), (215, 90, 110))
    draw.ellipse((171, 270, 341, 430), muzzle)
    for side in (-1, 1):
        _eye(draw, 256 + side * 60, 205, _color(random), pupil=(17, 17))
    draw.ellipse((214, 275, 298, 335), (40, 35, 35))
    draw.line((256, 335, 256, 385), dark, 6)
    draw.arc((196, 345, 256, 400), 10, 150, dark, 6)
    draw.arc((256, 345, 316, 400), 30, 170, dark, 6)


def _eye(draw: ImageDraw.ImageDraw, x: int, y: int, color: Color, pupil: tuple[int, int]) -> None:
    draw.ellipse((x - 36, y - 30, x + 36, y + 30), color)
    width, height = pupil
    draw.ellipse((x - width, y - height, x + width, y + height), (15, 15, 15))


def _color(random: Random) -> Color:
    return tuple(int(channel) for channel in random.integers(60, 235, 3))


def _shade(color: Color, factor: float) -> Color:
    return tuple(min(255, round(channel * factor)) for channel in color)
