"""Near duplicates: pictures that are nearly the same, in other bytes."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from alexnet_tf.data.dataset import Picture
from alexnet_tf.evaluation import duplicates
from alexnet_tf.evaluation.duplicates import alike, find_duplicates

COPIES = {
    "compressed": lambda picture: picture,
    "smaller": lambda picture: picture.resize((101, 76)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "grey": lambda picture: picture.convert("L").convert("RGB"),
    "cut": lambda picture: picture.crop((16, 12, 304, 228)),
    "with a caption": lambda picture: ImageOps.pad(
        picture.crop((0, 0, 320, 216)), (320, 240), color="white", centering=(0, 0)
    ),
}


def scene(seed):
    """Draw a picture of patches, 320 × 240."""
    patches = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(patches).resize((320, 240), Image.Resampling.BICUBIC)


def saved(picture, path, quality=95):
    picture.save(path, quality=quality)
    return Picture(str(path), 0, path.stem)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_found(way, tmp_path):
    one = saved(scene(1), tmp_path / "one.jpg")
    other = saved(COPIES[way](scene(1)), tmp_path / "other.jpg", quality=30)
    strangers = [saved(scene(seed), tmp_path / f"{seed}.jpg") for seed in range(2, 7)]
    pictures = [one, *strangers, other]
    (pair,) = find_duplicates(pictures, np.ones((len(pictures), 4), np.float32))
    assert {pair.first, pair.second} == {one, other} and 0.9 <= pair.likeness <= 1.001


@pytest.mark.parametrize("share", [0.9, 0.85, 0.8])
def test_a_corner_is_found_whichever_of_the_two_comes_first(share, tmp_path):
    whole = saved(scene(1), tmp_path / "whole.jpg")
    corner = scene(1).crop((0, 0, round(320 * share), round(240 * share)))
    corner = saved(corner, tmp_path / "corner.jpg")
    for pictures in ((whole, corner), (corner, whole)):
        (pair,) = find_duplicates(pictures, np.ones((2, 4), np.float32))
        assert (pair.first, pair.second) == pictures and pair.likeness > 0.97


def test_only_pairs_whose_vectors_are_alike_are_looked_at(tmp_path):
    pictures = [saved(scene(1), tmp_path / f"{name}.jpg") for name in "ab"]
    assert find_duplicates(pictures, np.array([[1, 0], [0, 1]], np.float32)) == []


def test_pictures_that_are_gone_are_in_no_pair(tmp_path):
    pictures = [saved(scene(1), tmp_path / f"{name}.jpg") for name in "abc"]
    (tmp_path / "b.jpg").unlink()
    (pair,) = find_duplicates(pictures, np.ones((3, 2), np.float32))
    assert [pair.first.digest, pair.second.digest] == ["a", "c"]


def test_the_most_alike_come_first_across_blocks():
    """Number 2,000 is nearly number 3, and number 1,500 a little less so."""
    vectors = np.random.default_rng(0).standard_normal((3000, 64)).astype(np.float32)
    vectors[2000], vectors[1500] = 1.01 * vectors[3], vectors[3] + 0.3 * vectors[4]
    assert alike(vectors)[:2].tolist() == [[3, 2000], [3, 1500]]


def test_vectors_of_zeros_are_like_nothing():
    assert len(alike(np.zeros((5, 3), np.float32))) == 0


def test_many_vectors_are_compared_in_blocks_as_all_at_once(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    whole = alike(vectors)
    monkeypatch.setattr(duplicates, "ROWS", 7)
    monkeypatch.setattr(duplicates, "COLUMNS", 11)
    assert len(whole) > 50 and {*map(tuple, alike(vectors))} == {*map(tuple, whole)}
