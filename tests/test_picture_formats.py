"""Pictures of more formats, with odd edges; what cannot be read is called by its name."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images.contents import MAX_PIXELS, ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.memory import Room
from alexnet_tf.data.images.preprocessing import load_image
from tests.support.memory import peak_of
from tests.support.pictures import classes, skip_without
from tests.support.places import ROOT

RED, BLUE = (200, 30, 30), (30, 30, 200)


def two_colors(mode="RGB", size=(300, 260)):
    """Draw a picture that is red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.convert(mode)


def assert_red_then_blue(image):
    assert np.abs(image[:, 20].astype(int) - RED).max() < 16
    assert np.abs(image[:, -20].astype(int) - BLUE).max() < 16


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.tif", "RGB", {}),
        ("a.tiff", "RGB", {"compression": "tiff_lzw"}),
        ("a.tif", "CMYK", {"compression": "tiff_adobe_deflate"}),
        ("a.tif", "RGBA", {"compression": "jpeg"}),
        ("a.ppm", "RGB", {}),
        ("a.avif", "RGB", {"quality": 95}),
        ("a.heic", "RGB", {"quality": 95, "format": "HEIF"}),
        ("a.jfif", "RGB", {"quality": 95, "format": "JPEG"}),
        ("no suffix", "RGB", {"quality": 95, "format": "JPEG"}),
        ("wrong.txt", "RGB", {"format": "PNG"}),
    ],
)
def test_these_formats_are_read_too(tmp_path, name, mode, options):
    if name.endswith((".avif", ".heic")):
        skip_without(options.get("format", "AVIF"))
    mode = "RGB" if options.get("compression") == "jpeg" else mode
    two_colors(mode).save(tmp_path / name, **options)
    assert_red_then_blue(load_image(tmp_path / name))


def test_a_photo_of_a_telephone_is_upright_in_heic(tmp_path):
    """HEIC keeps the turn by itself, and repeats it in its EXIF: once is enough."""
    skip_without("HEIF")
    turned = two_colors().transpose(Image.Transpose.ROTATE_90)
    turned.info["exif"] = exif(ORIENTATION)
    turned.save(tmp_path / "a.heic", quality=95)
    assert b"irot" in (tmp_path / "a.heic").read_bytes()
    assert_red_then_blue(load_image(tmp_path / "a.heic"))


def test_without_pillow_heif_it_is_named(tmp_path, monkeypatch, command):
    (tmp_path / "photos").mkdir()
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(1000)
    for label in ("aster", "tulip"):
        for number in range(10):
            path = classes(tmp_path / "photos", label, count=4) / label / f"{number}.heic"
            path.write_bytes(heic + bytes([number]))
    (tmp_path / "pillow_heif.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = command("alexnet_tf", "data", "photos")
    assert "20 × is HEIC, which needs `pip install pillow-heif`" in result.stdout


# Grey from 0 to 255 in a row, as files of more bits have it, and what is read of it.
RAMP = np.tile(np.arange(256), (256, 1))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a.png", (RAMP * 257).astype("u2")),
        ("a.tif", (RAMP * 257).astype("u2")),
        ("a.tif", RAMP.astype("i4")),
        ("a.tif", (RAMP * 257).astype("i4")),
        ("a.tif", (RAMP / 255).astype("f4")),
        ("a.tif", RAMP.astype("f4")),
        ("a.tif", (RAMP * 257).astype("f4")),
    ],
)
def test_grey_of_many_bits_is_read_by_its_range(tmp_path, name, values):
    Image.fromarray(values).save(tmp_path / name)
    with decoded(tmp_path / name) as (picture, _):
        assert np.abs(np.asarray(picture, int) - RAMP[..., None]).max() <= 1


@pytest.mark.parametrize("values", [RAMP * 300.0, RAMP - 1.0, RAMP * np.nan])
@pytest.mark.parametrize("dtype", ["f4", "i4"])
def test_grey_of_no_known_range_is_refused(tmp_path, values, dtype):
    if np.isnan(values).any() and dtype == "i4":
        values = RAMP * 1e6
    Image.fromarray(values.astype(dtype)).save(tmp_path / "a.tif")
    with pytest.raises(ImageError, match=r"has values from .* scale them, and save it as PNG"):
        load_image(tmp_path / "a.tif")


def test_the_transparent_value_of_a_grey_png_of_16_bits_is_white(tmp_path):
    """Only that value is, not all that share its upper byte."""
    values = np.full((8, 8), 0x1234, "u2")
    values[:, 4:] = 0x1200
    Image.fromarray(values).save(tmp_path / "a.png", transparency=0x1234)
    with decoded(tmp_path / "a.png") as (picture, _):
        pixels = np.asarray(picture)
    assert (pixels[:, :4] == 255).all() and (pixels[:, 4:] == 0x12).all()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\x0a" + bytes(50), "is JPEG XL, which is not read; save it as JPEG or PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "is JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "is JPEG 2000"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "is SVG"),
        (b"<!DOCTYPE html>\n<html><title>403</title>", "is a web page, no picture"),
        (b"%PDF-1.7", "is a PDF, no picture"),
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(50), "is a camera's raw picture, which is not read"),
        (b"8BPS\0\1", "is a Photoshop picture"),
        (b"\0\0\0\x20ftypisom", "is a video, no picture"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X", "is a note of macOS about another file, no picture"),
        (b"", "is empty, no picture"),
        (bytes(4096), "is all zeros, no picture"),
        (b"hello", "is text, no picture"),
        (b"\x80\x81\x82\x83\x84", "is not a JPEG, PNG, BMP"),
    ],
)
def test_what_cannot_be_read_is_called_by_its_name(tmp_path, content, kind):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.jpg: {kind}"):
        load_image(tmp_path / "a.jpg")


ORIENTATION = (0x0112, 3, 1, struct.pack(">HH", 6, 0))
TAGS = {"ImageWidth": 0x0100, "Make": 0x010F, "XResolution": 0x011A, "DateTime": 0x0132,
        "ExifIFD": 0x8769, "GPSIFD": 0x8825, "ISO": 0x8827, "Flash": 0x9209, "UserComment": 0x9286,
        "ColorSpace": 0xA001, "MakerNote": 0x927C}  # fmt: skip
VALUES = {
    "text": (2, 4, b"abc\0"),
    "empty text": (2, 0, bytes(4)),
    "negative": (9, 1, struct.pack(">l", -5)),
    "nowhere": (5, 1, struct.pack(">L", 0xFFFFFF)),
    "of no type": (99, 1, bytes(4)),
}


def exif(*entries):
    """Make a block of EXIF with these (tag, type, count, four bytes)."""
    ordered = sorted(entries)
    packed = b"".join(struct.pack(">HHL4s", *entry) for entry in ordered)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(ordered)) + packed + bytes(4)


@pytest.mark.parametrize("tag", TAGS)
def test_a_turned_photo_is_upright_whatever_else_its_exif_says(tmp_path, tag):
    turned = two_colors().transpose(Image.Transpose.ROTATE_90)
    for name, value in VALUES.items():
        for format in ("JPEG", "PNG", "WEBP"):
            path = tmp_path / f"{name}.{format}"
            turned.save(path, format, quality=95, exif=exif(ORIENTATION, (TAGS[tag], *value)))
            assert_red_then_blue(load_image(path))


def png(*more, after=()):
    """Make a PNG with these chunks before its pixels, and others after them."""
    content = io.BytesIO()
    two_colors().save(content, "PNG")
    whole = content.getvalue()
    start, end = whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    return whole[:start] + b"".join(more) + whole[start:end] + b"".join(after) + whole[end:]


def chunk(name, data, wrong=0):
    check = zlib.crc32(name + data) ^ wrong
    return struct.pack(">L", len(data)) + name + data + struct.pack(">L", check)


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(b"tEXt", b"comment\0" + b"x" * (3 << 20))],
        [chunk(b"zTXt", b"comment\0\0" + zlib.compress(bytes(3 << 20)))],
        [chunk(b"iTXt", b"comment\0\1\0\0\0" + zlib.compress(bytes(3 << 20)))],
        [chunk(b"gAMA", bytes(4), wrong=1)],
        [chunk(b"iCCP", b"odd\0\7nonsense")],
        [chunk(b"pHYs", b"\0")],
        [chunk(b"tRNS", b"", wrong=1)],
    ],
)
def test_a_png_is_read_whatever_does_not_change_what_is_seen(tmp_path, chunks):
    for content in (png(*chunks), png(after=chunks)):
        (tmp_path / "a.png").write_bytes(content)
        assert_red_then_blue(load_image(tmp_path / "a.png"))


def test_one_transparent_colour_of_48_bits_is_refused(tmp_path):
    """Pillow keeps the upper bytes alone, which others may share."""
    size = struct.pack(">LLBBBBB", 2, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">6H", 1, 2, 3, 4, 5, 6))
    for clear, is_read in ((b"", True), (chunk(b"tRNS", struct.pack(">3H", 1, 2, 3)), False)):
        content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + clear + chunk(b"IDAT", pixels)
        (tmp_path / "a.png").write_bytes(content + chunk(b"IEND", b""))
        if is_read:
            assert load_image(tmp_path / "a.png").max() == 0
            continue
        with pytest.raises(ImageError, match="has a transparent colour of 48 bits; save it with"):
            load_image(tmp_path / "a.png")


def jpeg_header(width, height, marker, scanned=3, between=b""):
    """Make the beginning of a JPEG of that size: a frame, what is `between`, and a scan of so many
    of its three colours."""
    quantization = b"\xff\xdb\0\x43\0" + bytes([1] * 64)
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"\1\x11\0\2\x11\0\3\x11\0"
    start = b"\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame
    colors = b"".join(bytes([color, 0]) for color in range(1, scanned + 1))
    scan = b"\xff\xda" + struct.pack(">HB", 6 + len(colors), scanned) + colors + b"\0\x3f\0"
    return b"\xff\xd8" + quantization + start + between + scan + bytes(100)


def segment(marker, size=40):
    """Make a segment of a JPEG that says nothing about its frame."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", size + 2) + bytes([99] * size)


# ITU T.81, table B.1: how a frame is coded decides whether its JPEG is decoded in one pass.
IN_ONE_PASS = (0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xC9, 0xCB, 0xCD, 0xCF)
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
IS_BROKEN, IS_TOO_LARGE = "is a broken picture", rf"has more than {MAX_PIXELS:,} pixels"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        *(({"marker": marker}, IS_BROKEN) for marker in IN_ONE_PASS),
        *(({"marker": marker, "scanned": 1}, IS_TOO_LARGE) for marker in IN_ONE_PASS),
        *(({"marker": marker}, IS_TOO_LARGE) for marker in PROGRESSIVE),
        # Tables, a reserved marker, arithmetic coding; bytes that only fill up.
        *(({"marker": 0xC0, "between": segment(each)}, IS_BROKEN) for each in (0xC4, 0xC8, 0xCC)),
        ({"marker": 0xC0, "between": b"\xff\xff\xff"}, IS_BROKEN),
        ({"marker": 0xC0, "between": segment(0xFE, 60_000)}, IS_BROKEN),
        ({"marker": 0xC0, "between": b"what is no segment"}, IS_TOO_LARGE),
    ],
)
def test_a_jpeg_is_as_large_as_what_its_decoder_keeps_of_it(tmp_path, monkeypatch, header, words):
    """An eighth of 18,000 × 18,000 is no more than a screen; whole, it is above every limit, also
    where somebody has lifted Pillow's."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "a.jpg").write_bytes(jpeg_header(18_000, 18_000, **header))
    with pytest.raises(ImageError, match=rf"a\.jpg: {words}"):
        load_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(("limit", "is_read"), [(300 * 260, True), (300 * 260 - 1, False)])
def test_a_picture_may_have_as_many_pixels_as_the_limit(tmp_path, monkeypatch, limit, is_read):
    monkeypatch.setattr("alexnet_tf.data.images.decoding.MAX_PIXELS", limit)
    two_colors().save(tmp_path / "a.png")
    if is_read:
        return assert_red_then_blue(load_image(tmp_path / "a.png"))
    with pytest.raises(ImageError, match=f"has more than {limit:,} pixels"):
        load_image(tmp_path / "a.png")


@pytest.mark.parametrize(("width", "words"), [(16_383, IS_BROKEN), (16_384, IS_TOO_LARGE)])
def test_of_a_progressive_jpeg_three_times_the_pixels_may_be_kept(
    tmp_path, monkeypatch, width, words
):
    """Squared, that is just below and just above 3 × 89,478,485. To decode it takes gigabytes."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(JpegImageFile, "load", lambda picture: 1 / 0)
    (tmp_path / "a.jpg").write_bytes(jpeg_header(width, width, 0xC2))
    with pytest.raises(ImageError, match=words):
        load_image(tmp_path / "a.jpg")


def test_a_progressive_jpeg_counts_in_full_size_for_it_is_kept_whole(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_header(60_000, 60_000, 0xC2))
    with pytest.raises(ImageError, match=rf"a\.jpg: has more than {MAX_PIXELS:,} pixels"):
        load_image(tmp_path / "a.jpg")


def test_large_pictures_wait_for_each_other(tmp_path, monkeypatch):
    """Three at once that take half of the room each: never more than two are decoded."""
    Image.new("RGB", (100, 100)).save(tmp_path / "a.webp")
    room = Room(2 * 24 * 100 * 100)
    monkeypatch.setattr("alexnet_tf.data.images.decoding.ROOM", room)
    inside, most, lock, two = [], [], threading.Lock(), threading.Barrier(2)

    def look():
        with decoded(tmp_path / "a.webp"):
            with lock:
                inside.append(1)
                most.append(len(inside))
            two.wait(60)
            with lock:
                inside.pop()

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 6 and max(most) == 2


@pytest.mark.parametrize(
    ("name", "mode", "options", "room"),
    [
        ("a.png", "RGB", {}, 8 * 300 * 260),
        ("a.png", "L", {}, 8 * 300 * 260),
        ("a.png", "RGBA", {}, 16 * 300 * 260),
        ("a.gif", "P", {}, 16 * 300 * 260),
        ("a.webp", "RGB", {}, 24 * 300 * 260),
        ("a.tif", "L", {}, 24 * 300 * 260),
        # At half of its size; all passes of a progressive one are kept whole beside that.
        ("a.jpg", "RGB", {}, 8 * 150 * 130),
        ("a.jpg", "RGB", {"progressive": True}, 8 * 150 * 130 + 6 * 300 * 260),
    ],
)
def test_a_picture_takes_room_for_what_its_decoder_needs(
    tmp_path, monkeypatch, name, mode, options, room
):
    asked = []
    watched = SimpleNamespace(lent=lambda size: asked.append(size) or nullcontext())
    monkeypatch.setattr("alexnet_tf.data.images.decoding.ROOM", watched)
    two_colors(mode).save(tmp_path / name, **options)
    with decoded(tmp_path / name, 100) as (picture, _):
        assert picture.mode == "RGB"
    assert asked == [room]


def test_what_is_larger_than_all_the_room_is_decoded_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet_tf.data.images.decoding.ROOM", Room(1))
    two_colors().save(tmp_path / "a.png")
    assert_red_then_blue(load_image(tmp_path / "a.png"))


PEAKS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from alexnet_tf.data.images import decoding
from alexnet_tf.data.images.memory import Room
from alexnet_tf.data.images.preprocessing import load_image
from tests.support.memory import peak_of
for budget in (220, 4000):
    decoding.ROOM = Room(budget << 20)
    with ThreadPoolExecutor(4) as threads:
        print(peak_of(lambda: list(threads.map(load_image, 4 * sys.argv[1:]))))
"""


def test_many_hostile_pictures_at_once_stay_within_the_budget(tmp_path):
    """Each has 100 bytes and takes 144 MB; without a budget four threads take 576 MB."""
    peak_of(lambda: None)  # skips where no system tells it
    bomb = tmp_path / "bomb.webp"
    Image.new("RGB", (3000, 3000)).save(bomb, "WEBP", lossless=True, method=0)
    # Large blocks go back to the system when they are freed, or the C library keeps some of every
    # thread, by chance more or less.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(4 << 20)}
    result = subprocess.run(
        [sys.executable, "-c", PEAKS, bomb],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    within, without = map(int, result.stdout.split())
    assert within < 220 << 20 < without  # bytes


def test_the_library_works_where_somebody_has_lifted_pillows_limit(faces):
    code = (
        "from PIL import Image; Image.MAX_IMAGE_PIXELS = None\n"
        f"import alexnet_tf; print(alexnet_tf.load_image({str(faces / 'cat.0.jpg')!r}).shape)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "(227, 227, 3)\n"


def test_a_dataset_of_all_formats_is_read(tmp_path):
    for label in ("aster", "tulip"):
        classes(tmp_path, label, count=2)
        for index, format in enumerate(("TIFF", "BMP", "GIF", "WEBP", "PPM")):
            color = (50 * index, 200 * (label == "aster"), 9)
            Image.new("RGB", (40, 40), color).save(tmp_path / label / format, format)
    dataset = open_dataset(tmp_path)
    assert len(dataset.train) + len(dataset.validation) == 14 and not dataset.rejected
