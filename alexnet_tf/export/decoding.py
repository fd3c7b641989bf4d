"""Picture decoding in a TensorFlow graph: file contents to upright RGB pixels.

It repeats what `data.images.decoding` does with Pillow, for the formats that TensorFlow decodes:
JPEG, PNG, BMP, GIF and WebP. Other formats raise an error that lists these.
"""

from typing import Any

import tensorflow as tf

# Factors by which the JPEG decoder can scale a picture down while decoding.
RATIOS = (1, 2, 4, 8)
# Bytes needed to tell the format and to read a BMP's masks; bytes at the start of a JPEG that hold
# its EXIF and XMP, which are in its first segments.
HEAD, JPEG_HEAD = 70, 1 << 17
# Segment that declares Adobe's inverted inks (Adobe technical note 5116). Nearly all CMYK files
# have it, and Pillow assumes inverted inks even where it is missing.
ADOBE = b"\xff\xee\x00\x0eAdobe\0\x64" + bytes(5)
# EXIF as hexadecimal digits, as ImageMagick writes it to a PNG.
TEXT_EXIF = b"Raw profile type exif\0"
# Windows' BMP header: two compressions; the B, G and R masks, which TensorFlow does not read but
# assumes; and the header size in bytes from which a fourth mask exists.
PLAIN, BIT_FIELDS, MASKS, WITH_ALPHA = 0, 3, (0xFF, 0xFF00, 0xFF0000), 56
# EXIF 2.3: the tag of the orientation, and the type of its value, 16 bits.
ORIENTATION, SHORT = 0x0112, 3
# Orientations that need a transposition, and those that then need a flip.
TURNED, LEFT_RIGHT, TOP_BOTTOM = (5, 6, 7, 8), (2, 3, 6, 7), (3, 4, 7, 8)


def decode(content: tf.Tensor, least: int) -> tf.Tensor:
    """Decode a picture file, a string, to uint8 RGB (H, W, 3): a JPEG at 1/2, 1/4 or 1/8 of its
    size as long as no side falls below `least` pixels."""
    head = tf.strings.substr(tf.strings.join([content, bytes(HEAD)]), 0, HEAD)
    is_jpeg = _has(head, b"\xff\xd8\xff")
    pixels = tf.cond(is_jpeg, lambda: _jpeg(content, least), lambda: _other(content, head))
    length = tf.where(is_jpeg, JPEG_HEAD, tf.strings.length(content))
    return _upright(pixels, _orientation(tf.strings.substr(content, 0, length)))


def _has(head: tf.Tensor, part: bytes, place: int = 0) -> tf.Tensor:
    return tf.equal(tf.strings.substr(head, place, len(part)), part)


def is_decoded(content: bytes) -> bool:
    """Check that `decode` reads the picture and finds every orientation tag that Pillow honours."""
    try:
        decode(tf.constant(content), 1)
    except tf.errors.OpError:
        return False
    return TEXT_EXIF not in content


def _jpeg(content: tf.Tensor, least: int) -> tf.Tensor:
    side = tf.reduce_min(tf.io.extract_jpeg_shape(content)[:2])
    halvings = sum(tf.cast(side // least >= ratio, tf.int32) for ratio in RATIOS[1:])
    is_ink = tf.equal(tf.io.extract_jpeg_shape(content)[2], 4)
    content = tf.cond(
        is_ink,
        lambda: tf.strings.join([b"\xff\xd8", ADOBE, tf.strings.substr(content, 2, -1)]),
        lambda: content,
    )
    # As exact as Pillow's decoder.
    accurate = {"channels": 3, "dct_method": "INTEGER_ACCURATE"}
    ways = [lambda r=r: tf.io.decode_jpeg(content, ratio=r, **accurate) for r in RATIOS]
    return tf.switch_case(halvings, ways)


def _other(content: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Decode the first frame, with transparent areas on white."""
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    animated = _has(head, b"WEBPVP8X", 8) & (data[20] & 2 > 0)
    # TensorFlow 2.21 writes outside its buffer when it decodes an animated WebP.
    refused = tf.debugging.Assert(~animated, ["an animated WebP; save its first frame as one"])
    odd = tf.debugging.Assert(
        ~_has(head, b"BM") | _is_plain_bmp(data), ["a BMP that is packed or of odd colours"]
    )

    def decoded() -> tf.Tensor:
        pixels = tf.io.decode_image(content, expand_animations=False)
        pixels.set_shape((None, None, None))
        return pixels

    def of_png() -> tf.Tensor:
        # With four channels requested, the decoder honours the transparent colour that a PNG may
        # name.
        return tf.cast(tf.io.decode_png(content, channels=4), tf.uint8)

    with tf.control_dependencies([refused, odd]):
        pixels = tf.cond(_has(head, b"\x89PNG"), of_png, decoded)
    pixels.set_shape((None, None, None))
    return tf.cond(
        _has(head, b"BM"), lambda: _bmp(pixels, content, data), lambda: _on_white(pixels)
    )


def _is_plain_bmp(head: tf.Tensor) -> tf.Tensor:
    """Check that TensorFlow decodes a BMP's colours correctly."""
    packing = _number(head, 30, 4)
    # A 32-bit integer with its top bit set reads as negative; none of these masks has it.
    masks = [_number(head, place, 4) == mask for place, mask in zip((62, 58, 54), MASKS)]
    return tf.equal(packing, PLAIN) | (tf.equal(packing, BIT_FIELDS) & tf.reduce_all(masks))


def _bmp(pixels: tf.Tensor, content: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Look up palette colours, if any; use the fourth channel only if it is declared."""
    start, end = 14 + _number(head, 14, 4), _number(head, 10, 4)
    has_alpha = (
        (_number(head, 30, 4) == BIT_FIELDS)
        & (_number(head, 14, 4) >= WITH_ALPHA)
        & (_number(head, 66, 4) != 0)
        & (_number(head, 28, 2) == 32)
    )

    def colours() -> tf.Tensor:
        return tf.cond(has_alpha, lambda: _on_white(pixels), lambda: pixels[..., :3])

    def looked_up() -> tf.Tensor:
        palette = tf.io.decode_raw(tf.strings.substr(content, start, end - start), tf.uint8)
        palette = tf.reshape(palette, (-1, 4))[:, 2::-1]
        return tf.gather(palette, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(_number(head, 28, 2) == 8, looked_up, colours)


def _on_white(pixels: tf.Tensor) -> tf.Tensor:
    """Convert grey or colour, with or without an alpha channel, to RGB on white."""
    channels = tf.shape(pixels)[2]
    colours = channels - 1 + channels % 2
    rgb = tf.gather(pixels, tf.minimum((0, 1, 2), colours - 1), axis=2)

    def blended() -> tf.Tensor:
        opaque = tf.cast(pixels[..., -1:], tf.float32) / 255
        mixed = opaque * tf.cast(rgb, tf.float32) + (1 - opaque) * 255
        return tf.cast(tf.round(mixed), tf.uint8)

    return tf.cond(colours < channels, blended, lambda: rgb)


def _upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    def turned(one_of: tuple[int, ...], turn: Any, pixels: tf.Tensor) -> tf.Tensor:
        found = tf.reduce_any(tf.equal(orientation, one_of))
        return tf.cond(found, lambda: turn(pixels), lambda: pixels)

    pixels = turned(TURNED, lambda x: tf.transpose(x, (1, 0, 2)), pixels)
    pixels = turned(LEFT_RIGHT, lambda x: tf.reverse(x, (1,)), pixels)
    return turned(TOP_BOTTOM, lambda x: tf.reverse(x, (0,)), pixels)


def _orientation(content: tf.Tensor) -> tf.Tensor:
    """Read a picture's orientation, 1 … 8, from its EXIF or else its XMP; 1 if neither has one.

    EXIF is a small TIFF; it follows ``Exif\\0\\0`` in JPEG and WebP, and the chunk's name in PNG.
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
    by_exif = tf.cond(
        tf.size(places) > 0, lambda: _orientation_at(data, places[0]), lambda: tf.constant(0)
    )
    return tf.cond(by_exif > 0, lambda: by_exif, lambda: _orientation_by_xmp(data))


def _orientation_by_xmp(data: tf.Tensor) -> tf.Tensor:
    """Read the orientation in XMP: an attribute, ``…="6"``, or an element, ``…>6<``."""
    digits = []
    for name in (b'tiff:Orientation="', b"tiff:Orientation>"):
        at = tf.cast(tf.where(_places(data, name))[:1, 0], tf.int32) + len(name)
        digits.append(tf.cast(tf.gather(data, at), tf.int32) - ord("0"))
    return tf.concat([*digits, (1,)], axis=0)[0]


def _orientation_at(data: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Read the orientation from the TIFF at `place`, however damaged the rest of it is."""
    data = tf.cast(data[place:], tf.int32)
    little = tf.equal(data[0], ord("I"))
    start = _number(data, 4, 4, little)
    count = _number(data, start, 2, little)
    tags = data[start + 2 :][: 12 * count]
    tags = tf.reshape(tags[: tf.size(tags) // 12 * 12], (-1, 12))
    # Equivalent to `_number`, for all entries at once.
    order = tf.where(little, (1, 256), (256, 1))
    names, kinds, values = (tf.reduce_sum(tags[:, at : at + 2] * order, axis=1) for at in (0, 2, 8))
    values = tf.boolean_mask(values, (names == ORIENTATION) & (kinds == SHORT))
    return tf.concat([values, (0,)], axis=0)[0]


def _number(data: tf.Tensor, place: Any, size: int, little: Any = True) -> tf.Tensor:
    """Read an integer of `size` bytes at `place`, little-endian or big-endian."""
    part = data[place : place + size]
    return tf.reduce_sum(tf.where(little, part, part[::-1]) * [256**at for at in range(size)])


def _places(data: tf.Tensor, pattern: bytes) -> tf.Tensor:
    """Return for each position in `data`, but for the last few, whether `pattern` begins there."""
    count = tf.size(data) - len(pattern) + 1
    same = [data[at : at + count] == byte for at, byte in enumerate(pattern)]
    return tf.reduce_all(same, axis=0)
