import io

import numpy as np
import pytest
from PIL import Image

import alexnet_tf
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.preprocessing import (
    load_batches,
    load_crops,
    load_image,
    preprocess_input,
)

RED, BLUE = (200, 30, 30), (30, 30, 200)


def two_colors(mode="RGB", size=(300, 260)):
    """Draw a picture that is red on the left, blue on the right."""
    picture = Image.new("RGB", size, RED)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture.quantize(16) if mode == "P" else picture.convert(mode)


def save(path, picture, **options):
    picture.save(path, **options)
    return path


def assert_red_then_blue(image):
    assert image.shape == (227, 227, 3) and image.dtype == np.uint8
    assert np.abs(image[:, 20].astype(int) - RED).max() < 12
    assert np.abs(image[:, -20].astype(int) - BLUE).max() < 12


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.jpg", "RGB", {"quality": 95}),
        ("a.JPG", "RGB", {"quality": 95}),
        ("kräh wörld.jpeg", "RGB", {"quality": 95}),
        ("cmyk.jpg", "CMYK", {"quality": 95}),
        ("a.png", "RGB", {}),
        ("a.bmp", "RGB", {}),
        ("a.gif", "P", {}),
        ("a.webp", "RGB", {"lossless": True}),
        ("palette.png", "P", {}),
        ("alpha.png", "RGBA", {}),
        ("a png.jpg", "RGB", {"format": "PNG"}),
    ],
)
def test_every_usual_kind_of_file_is_read(tmp_path, name, mode, options):
    assert_red_then_blue(load_image(save(tmp_path / name, two_colors(mode), **options)))


def test_of_an_animation_the_first_frame_is_taken(tmp_path):
    other = Image.new("P", (300, 260))
    path = save(tmp_path / "a.gif", two_colors("P"), save_all=True, append_images=[other])
    assert_red_then_blue(load_image(path))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photo_is_put_upright(tmp_path, orientation):
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = two_colors()
    if orientation in undo:
        picture = picture.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_red_then_blue(load_image(save(tmp_path / "a.jpg", picture, exif=exif, quality=95)))


def test_16_bit_grey_is_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 300).astype(np.uint16)[None].repeat(256, 0)
    image = load_image(save(tmp_path / "a.png", Image.fromarray(ramp)))
    assert image[0, 0, 0] < 40 and image[0, -1, 0] > 215
    assert 120 < image[0, 113, 0] < 136


def test_what_is_transparent_is_white(tmp_path):
    image = load_image(save(tmp_path / "a.png", Image.new("RGBA", (256, 256), (0, 0, 0, 0))))
    assert (image == 255).all()


def noise(width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def scale_and_cut(picture, width, height, size):
    """Follow the definition literally: scale the whole picture, then cut out the centre."""
    scaled = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), int)
    top, left = (height - size) // 2, (width - size) // 2
    return scaled[top : top + size, left : left + size]


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (256, 256), (100, 80), (1, 1), (3000, 7)])
def test_short_is_short_side_256_then_the_centre(tmp_path, size):
    picture = noise(*size)
    path = save(tmp_path / "a.png", picture)
    width, height = (max(256, round(side * 256 / min(size))) for side in size)
    for variant, side in (("bvlc", 227), ("owt", 224)):
        expected = scale_and_cut(picture, width, height, side)
        assert np.abs(load_image(path, variant) - expected).max() <= 1


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (256, 256), (100, 80), (1, 1), (3000, 7)])
@pytest.mark.parametrize(("resize", "side"), [("caffe", 256), ("squash", 227)])
def test_the_other_ways_squash_the_whole_picture(tmp_path, size, resize, side):
    picture = noise(*size)
    path = save(tmp_path / "a.png", picture)
    expected = scale_and_cut(picture, side, side, 227)
    assert np.abs(load_image(path, resize=resize) - expected).max() <= 1


@pytest.mark.parametrize("resize", ["short", "caffe", "squash"])
def test_a_picture_of_cifar_is_used_whole(tmp_path, resize):
    picture = noise(32, 32)
    path = save(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(load_image(path, "cifar64", resize), np.asarray(picture))


def test_ten_crops_are_corners_and_centre_of_the_square_and_their_mirror_images(tmp_path):
    """Krizhevsky 2012: the corners are those of the central 256 × 256 pixels."""
    picture = noise(256 + 40, 256)
    path = save(tmp_path / "a.png", picture)
    pixels = np.asarray(picture)[:, 20:-20]
    five = [
        pixels[:227, :227],
        pixels[:227, -227:],
        pixels[-227:, :227],
        pixels[-227:, -227:],
        pixels[14:-15, 14:-15],
    ]
    crops = load_crops(path, crops=10)
    np.testing.assert_array_equal(crops, five + [crop[:, ::-1] for crop in five])
    np.testing.assert_array_equal(crops[4], load_image(path))


def test_large_jpegs_are_decoded_small_but_look_the_same(tmp_path):
    wave = np.sin(np.arange(3000) / 100)[None] + np.cos(np.arange(2400) / 80)[:, None]
    pixels = (wave[..., None] * [40, 50, 60] + 128).astype(np.uint8)
    path = save(tmp_path / "a.jpg", Image.fromarray(pixels), quality=95)
    with decoded(path, 512) as (picture, _):
        assert min(picture.size) == 600
    whole = load_image(save(tmp_path / "a.png", Image.open(path)))
    assert np.abs(load_image(path).astype(int) - whole).max() <= 3


def test_preprocessing_is_bgr_minus_the_channel_means():
    image = np.zeros((1, 1, 3), np.uint8)
    image[..., :] = (10, 20, 30)
    expected = np.float32([[[30 - 104.007, 20 - 116.669, 10 - 122.679]]])
    np.testing.assert_array_equal(alexnet_tf.preprocess_input(image), expected)
    batch = alexnet_tf.preprocess_input(image[None].repeat(2, 0), "caffenet")
    np.testing.assert_array_equal(batch, expected[None].repeat(2, 0))
    assert batch.dtype == np.float32


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("paper", (10 - 122.679, 20 - 116.669, 30 - 104.007)),
        (
            "owt",
            ((10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225),
        ),
        ("nolrn", (10 / 127.5 - 1, 20 / 127.5 - 1, 30 / 127.5 - 1)),
        ("cifar96", (10 / 255, 20 / 255, 30 / 255)),
        ("cifar96-nolrn", (10 / 255, 20 / 255, 30 / 255)),
        ("cifar64", (10 / 255, 20 / 255, 30 / 255)),
        ("lenet5", (10 / 255, 20 / 255, 30 / 255)),
        (
            "cifar32",
            (
                (10 / 255 - 0.4914) / 0.247,
                (20 / 255 - 0.4822) / 0.2435,
                (30 / 255 - 0.4465) / 0.2616,
            ),
        ),
        (
            "starter",
            ((10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225),
        ),
    ],
)
def test_the_other_variants_take_rgb_scaled_as_their_authors_did(variant, expected):
    image = np.uint8([[[10, 20, 30]]])
    inputs = preprocess_input(image, variant)
    np.testing.assert_allclose(inputs, np.float32([[expected]]), rtol=1e-6)
    assert inputs.dtype == np.float32


def broken_files():
    jpeg = io.BytesIO()
    two_colors().save(jpeg, "JPEG")
    return {
        "empty.jpg": b"",
        "text.jpg": b"this is no picture",
        "random.jpg": np.random.default_rng(0).bytes(5000),
        "truncated.jpg": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "header.jpg": jpeg.getvalue()[:20],
    }


@pytest.mark.parametrize("name", broken_files())
def test_a_broken_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(broken_files()[name])
    with pytest.raises(ImageError, match=name):
        load_image(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"a\.jpg: does not exist"):
        load_image(tmp_path / "a.jpg")


def test_a_folder_is_named(tmp_path):
    with pytest.raises(ImageError, match=str(tmp_path)):
        load_image(tmp_path)


def test_batches_keep_order_and_hold_the_errors(tmp_path, faces):
    good = sorted(faces.glob("*.jpg"))[:5]
    batches = [[good[0], tmp_path / "no.jpg", good[1]], good[2:]]
    first, second = load_batches(batches)
    assert isinstance(first[1], ImageError)
    for path, loaded in zip(good, [first[0], first[2], *second]):
        np.testing.assert_array_equal(loaded, load_crops(path))
