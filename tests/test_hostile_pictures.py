"""Pictures that are meant to do harm, or were cut short."""

import io
import random
import struct
import zipfile
import zlib

import pytest
from PIL import Image

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images.contents import MAX_BYTES, MAX_PIXELS, ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.file_types import FORMATS
from alexnet_tf.data.images.preprocessing import load_image
from tests.support.memory import peak_of
from tests.support.pictures import skip_without

pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")


def encoded(name, size=(12, 8), **options):
    skip_without(name)
    content = io.BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(content, name, **options)
    return content.getvalue()


def chunk(kind, data):
    check = zlib.crc32(kind + data)
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", check)


def png(width, height, zeros):
    """Make a PNG header and that many zeros of one grey level a byte, compressed."""
    header = struct.pack(">2L5B", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(zeros), 9)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def bmp(width, height):
    return b"BM" + struct.pack("<LLLLllHHL", 54, 0, 54, 40, width, height, 1, 24, 0) + bytes(24)


def gif(width, height, frames):
    """Make so many frames of one black pixel each."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + frames * (b"," + bytes(4) + b"\1\0\1\0\0\2\2\x44\x01\0") + b";"


BOMBS = {
    "huge.png": png(100_000, 100_000, 1000),
    "huge.bmp": bmp(100_000, 100_000),
    "huge.gif": gif(65_535, 65_535, 1),
    "whole.png": png(13_000, 13_000, 13_001 * 13_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_decompression_bomb_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(BOMBS[name])
    with pytest.raises(ImageError, match=rf"{name}: has more than {MAX_PIXELS:,} pixels"):
        load_image(tmp_path / name)


def test_bombs_take_no_memory(tmp_path):
    for name, content in BOMBS.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "many.gif").write_bytes(gif(30, 20, 1_000_000))

    def load_all():
        for name in BOMBS:
            with pytest.raises(ImageError):
                load_image(tmp_path / name)
        load_image(tmp_path / "many.gif")

    assert peak_of(load_all) < 100 << 20


def test_of_a_large_jpeg_what_is_decoded_counts(tmp_path):
    """A telephone's photo of 108 megapixels is no bomb; as a PNG it is above Pillow's limit."""
    Image.new("RGB", (12_000, 9_000)).save(tmp_path / "a.jpg")
    with decoded(tmp_path / "a.jpg", 512) as (picture, _):
        assert max(picture.size) == 1500
    (tmp_path / "a.png").write_bytes(png(12_000, 9_000, 1000))
    with pytest.raises(ImageError, match=r"a\.png: has more than"):
        load_image(tmp_path / "a.png")


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "a.jpg", "wb") as file:
        file.write(encoded("JPEG"))
        file.truncate(10 << 30)  # a hole, which takes no room on the disk

    def load():
        with pytest.raises(
            ImageError, match=rf"a\.jpg: has 10,737,418,240 bytes, more than {MAX_BYTES:,}"
        ):
            load_image(tmp_path / "a.jpg")

    assert peak_of(load) < 10 << 20


@pytest.mark.parametrize("path", ["/dev/zero", "/dev"])
def test_what_never_ends_is_no_file(path):
    with pytest.raises(ImageError, match=f"{path}: is no file"):
        load_image(path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_anywhere_is_an_error_that_names_it_or_the_picture(tmp_path, name):
    content, path = encoded(name), tmp_path / f"cut.{name.lower()}"
    read = 0
    for size in range(len(content)):
        path.write_bytes(content[:size])
        read += is_read(path)
    # Only what follows the last pixel may be missing: GIF's trailer, PNG's checksums, last chunk.
    assert read <= 24


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_an_error_that_names_it_or_a_picture(tmp_path, name):
    content, path, chance = encoded(name), tmp_path / f"a.{name.lower()}", random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(min(len(damaged), 200))] = chance.randrange(256)
        path.write_bytes(damaged)
        is_read(path)


def test_random_bytes_are_no_picture(tmp_path):
    for seed in range(50):
        (tmp_path / "a.jpg").write_bytes(random.Random(seed).randbytes(2000))
        assert not is_read(tmp_path / "a.jpg")


def test_a_polyglot_is_a_picture_and_nothing_else(tmp_path):
    """A JPEG that is a zip, too, is a JPEG; two headers in one file are what comes first."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as file:
        file.writestr("../evil.txt", "x")
    script = b"#!/bin/sh\ntouch evil.txt\n"
    for content in (
        encoded("JPEG") + zipped.getvalue(),
        encoded("PNG") + encoded("JPEG"),
        encoded("GIF") + b"<script>alert(1)</script>",
    ):
        (tmp_path / "a.jpg").write_bytes(content)
        assert is_read(tmp_path / "a.jpg")
    for content in (script + encoded("JPEG"), zipped.getvalue(), b"<svg onload='x()'/>"):
        (tmp_path / "a.jpg").write_bytes(content)
        assert not is_read(tmp_path / "a.jpg")
    assert not list(tmp_path.rglob("evil.txt"))


def test_a_dataset_of_bombs_names_each_in_its_rejected_files(tmp_path, faces):
    photos = tmp_path / "photos"
    for path in list(faces.iterdir())[:10]:
        (photos / path.name[:3]).mkdir(parents=True, exist_ok=True)
        (photos / path.name[:3] / path.name).write_bytes(path.read_bytes())
    for name in BOMBS:
        (next(photos.iterdir()) / name).write_bytes(BOMBS[name])
    dataset = open_dataset(photos)
    assert sorted(path.rpartition("/")[2] for path, _ in dataset.rejected) == sorted(BOMBS)


def is_read(path):
    """Tell whether the file is read; an ImageError, the one way out otherwise, names it."""
    try:
        return load_image(path).shape == (227, 227, 3)
    except ImageError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return False
