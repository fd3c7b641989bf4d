"""The bytes of a picture file become upright RGB pixels, in a graph of TensorFlow.

This is what `alexnet_tf.data.decoding` does by Pillow, as far as TensorFlow knows formats: JPEG,
PNG, BMP, GIF and WebP. Of other files an error says that they are none of these.
"""

from __future__ import annotations

import tensorflow as tf

# JPEG's decoder makes pictures smaller by these while it decodes.
RATIOS = (1, 2, 4, 8)
# So many bytes tell the format, and are there in every BMP; so many at the beginning of a JPEG hold
# its EXIF, which is in one of the first segments.
HEAD, JPEG_HEAD = 54, 1 << 17
# EXIF 2.3: how the camera was held, a number of 16 bits.
ORIENTATION, SHORT = 0x0112, 3
# Those that are mended by exchanging rows and columns, and then by flips.
TURNED, LEFT_RIGHT, TOP_BOTTOM = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)


def decode(content: tf.Tensor, least: int) -> tf.Tensor:
    """Decode the bytes of a picture: a string → uint8 RGB (H, W, 3).

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as no side falls below `least` pixels.
    """
    head = tf.strings.substr(tf.strings.join([content, bytes(HEAD)]), 0, HEAD)
    is_jpeg = _has(head, b"\xff\xd8\xff")
    pixels = tf.cond(is_jpeg, lambda: _jpeg(content, least), lambda: _other(content, head))
    length = tf.where(is_jpeg, JPEG_HEAD, tf.strings.length(content))
    return _upright(pixels, _orientation(tf.strings.substr(content, 0, length)))


def _has(head: tf.Tensor, part: bytes, place: int = 0) -> tf.Tensor:
    return tf.equal(tf.strings.substr(head, place, len(part)), part)


def _jpeg(content: tf.Tensor, least: int) -> tf.Tensor:
    side = tf.reduce_min(tf.io.extract_jpeg_shape(content)[:2])
    halvings = sum(tf.cast(side // least >= ratio, tf.int32) for ratio in RATIOS[1:])
    # As exact as Pillow's.
    accurate = {"channels": 3, "dct_method": "INTEGER_ACCURATE"}
    ways = [lambda r=r: tf.io.decode_jpeg(content, ratio=r, **accurate) for r in RATIOS]
    return tf.switch_case(halvings, ways)


def _other(content: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decode the first frame, on white where it is transparent."""
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    animated = _has(head, b"WEBPVP8X", 8) & (data[20] & 2 > 0)
    # Which TensorFlow 2.21 writes into memory that is not its own.
    refused = tf.debugging.Assert(~animated, ["an animated WebP; save its first frame as one"])
    with tf.control_dependencies([refused]):
        pixels = tf.io.decode_image(content, expand_animations=False)
    pixels.set_shape((None, None, None))
    return tf.cond(
        _has(head, b"BM"), lambda: _bmp(pixels, content, data), lambda: _on_white(pixels)
    )


def _bmp(pixels: tf.Tensor, content: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Look up colours in the palette where there is one; a fourth channel means nothing."""
    start, end = 14 + _number(head, 14, 4), _number(head, 10, 4)

    def looked_up() -> tf.Tensor:
        palette = tf.io.decode_raw(tf.strings.substr(content, start, end - start), tf.uint8)
        palette = tf.reshape(palette, (-1, 4))[:, 2::-1]
        return tf.gather(palette, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(_number(head, 28, 2) == 8, looked_up, lambda: pixels[..., :3])


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """Make RGB of grey or colours, each with or without a channel that says how opaque it is."""
    channels = tf.shape(pixels)[2]
    colours = channels - 1 + channels % 2
    rgb = tf.gather(pixels, tf.minimum((0, 1, 2), colours - 1), axis=2)

    def blended() -> tf.Tensor:
        opaque = tf.cast(pixels[..., -1:], tf.float32) / 255
        mixed = opaque * tf.cast(rgb, tf.float32) + (1 - opaque) * 255
        return tf.cast(tf.round(mixed), tf.uint8)

    return tf.cond(colours < channels, blended, lambda: rgb)


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def turned(one_of: tuple[int, ...], turn, pixels: tf.Tensor) -> tf.Tensor:
        found = tf.reduce_any(tf.equal(orientation, one_of))
        return tf.cond(found, lambda: turn(pixels), lambda: pixels)

    pixels = turned(TURNED, lambda x: tf.transpose(x, (1, 0, 2)), pixels)
    pixels = turned(LEFT_RIGHT, lambda x: tf.reverse(x, (1,)), pixels)
    return turned(TOP_BOTTOM, lambda x: tf.reverse(x, (0,)), pixels)


def _orientation(content: tf.Tensor) -> tf.Tensor:
    """Read the EXIF orientation of a picture, 1 … 8; 1 where it has none.

    EXIF is a small TIFF; in JPEG and WebP ``Exif\\0\\0`` is before it, in PNG the chunk's name.
    """
    data = tf.io.decode_raw(content, tf.uint8)
    places = tf.cast(tf.where(_places(data, b"II*\0") | _places(data, b"MM\0*"))[:, 0], tf.int32)
    contents = tf.fill(tf.shape(places), content)

    def after(name: bytes, distance: int) -> tf.Tensor:
        starts = tf.maximum(places - distance, 0)
        return tf.equal(
            tf.strings.substr(contents, starts, tf.fill(tf.shape(places), len(name))), name
        )

    places = tf.boolean_mask(places, after(b"Exif\0\0", 6) | after(b"eXIf", 4) | after(b"EXIF", 8))
    found = tf.size(places) > 0
    return tf.cond(found, lambda: _orientation_at(data, places[0]), lambda: tf.constant(1))


def _orientation_at(data: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Read the orientation from the TIFF at `place`, whatever else is broken in it."""
    data = tf.cast(data[place:], tf.int32)
    little = tf.equal(data[0], ord("I"))
    start = _number(data, 4, 4, little)
    count = _number(data, start, 2, little)
    tags = data[start + 2 :][: 12 * count]
    tags = tf.reshape(tags[: tf.size(tags) // 12 * 12], (-1, 12))
    # Each as `_number` reads it, all at once.
    order = tf.where(little, (1, 256), (256, 1))
    names, kinds, values = (tf.reduce_sum(tags[:, at : at + 2] * order, axis=1) for at in (0, 2, 8))
    values = tf.boolean_mask(values, (names == ORIENTATION) & (kinds == SHORT))
    return tf.concat([values, (1,)], axis=0)[0]


def _number(data: tf.Tensor, place, size: int, little=True) -> tf.Tensor:
    """Read a number of so many bytes at `place`, the lowest first or last."""
    part = data[place : place + size]
    return tf.reduce_sum(tf.where(little, part, part[::-1]) * [256**at for at in range(size)])


def _places(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Tell of each place in `data`, but for the last few, whether `pattern` begins there."""
    count = tf.size(data) - len(pattern) + 1
    same = [data[at : at + count] == byte for at, byte in enumerate(pattern)]
    return tf.reduce_all(same, axis=0)
