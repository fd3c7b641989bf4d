"""Krizhevsky 2012, section 4.1, against NumPy written without looking at ours."""

import numpy as np
import pytest

from alexnet_tf.data.images.augment import Augmentation, color_components, random_layers

SIDE, SIZE = 16, 11


@pytest.fixture
def pictures():
    """Make pictures of which every pixel is another, so that a cut tells where it comes from."""
    pixels = np.arange(40 * SIDE * SIDE * 3).reshape(40, SIDE, SIDE, 3)
    return (pixels * 40503 % 65521 % 256).astype(np.uint8)


def random(*seed):
    return np.random.default_rng(seed)


def places(picture, cut):
    """Find where `cut` is in `picture`: (top, left, mirrored)."""
    return [
        (top, left, mirrored)
        for top in range(SIDE - SIZE + 1)
        for left in range(SIDE - SIZE + 1)
        for mirrored in (False, True)
        if np.array_equal(
            cut[:, ::-1] if mirrored else cut, picture[top : top + SIZE, left : left + SIZE]
        )
    ]


def test_every_view_is_a_cut_and_they_come_from_everywhere(pictures):
    augment = Augmentation(SIZE, crop=True, mirror=True)
    found = []
    for epoch in range(10):
        views = augment(pictures, random(0, epoch))
        assert views.shape == (40, SIZE, SIZE, 3) and views.dtype == np.uint8
        for picture, view in zip(pictures, views):
            (place,) = places(picture, view)
            found.append(place)
    tops, lefts, mirrored = zip(*found)
    every = list(range(SIDE - SIZE + 1))
    for side in (tops, lefts):
        assert sorted(set(side)) == every
        assert min(np.bincount(side)) > 400 / len(every) / 2
    assert 0.4 < np.mean(mirrored) < 0.6
    assert len(set(found)) > 70  # of 72: top, left and side are drawn apart from each other


def test_the_same_random_numbers_give_the_same_bits(pictures):
    components = color_components([pictures])
    augment = Augmentation(SIZE, random_layers(20, 0.2, 0.1, 0.2), True, True, 0.1, components)
    first = augment(pictures, random(3, 1, 5))
    assert np.array_equal(first, augment(pictures, random(3, 1, 5)))
    rows = np.array([7, 0, 31])  # of another worker
    part = augment(pictures[rows], random(3, 1, 5), rows, len(pictures))
    assert np.array_equal(part, first[rows])
    for other in ((4, 1, 5), (3, 2, 5), (3, 1, 6)):
        assert not np.array_equal(first, augment(pictures, random(*other)))


def test_without_any_it_is_the_centre(pictures):
    start = (SIDE - SIZE) // 2
    centre = pictures[:, start : start + SIZE, start : start + SIZE]
    assert np.array_equal(Augmentation(SIZE)(pictures, random()), centre)


def test_keras_turns_zooms_brightens_and_sharpens():
    smooth = np.broadcast_to(np.linspace(0, 240, 32)[:, None, None], (40, 32, 32, 3)).astype("u1")
    turned = Augmentation(32, random_layers(rotate=30))(smooth, random())
    slopes = [np.gradient(view[8:-8, 8:-8, 0]) for view in turned]  # down and across
    angles = np.degrees([np.arctan2(across.mean(), down.mean()) for down, across in slopes])
    assert (
        25 < np.abs(angles).max() < 30.5 and np.sign(angles).min() == -np.sign(angles).max() == -1
    )
    zoomed = Augmentation(32, random_layers(zoom=0.5))(smooth, random())
    growth = [np.gradient(view[12:-12, 16, 0]).mean() / (240 / 31) for view in zoomed]
    assert 0.45 < min(growth) < 0.6 and 1.4 < max(growth) < 1.55
    grey = np.full((1000, 2, 2, 3), 100, np.uint8)
    shifts = Augmentation(2, random_layers(brightness=0.1))(grey, random())[:, 0, 0, 0] - 100
    assert np.abs(shifts).max() <= 25.5 and np.std(shifts) == pytest.approx(51 / 12**0.5, rel=0.1)
    steps = np.tile(np.array([50, 150], np.uint8)[:, None], (1000, 2, 1, 3))
    wide = Augmentation(2, random_layers(contrast=0.2))(steps.reshape(1000, 2, 2, 3), random())
    factors = np.ptp(wide, axis=(1, 2))[:, 0] / 100
    assert 0.8 <= factors.min() < 0.82 and 1.18 < factors.max() <= 1.2


@pytest.fixture(scope="module")
def colourful():
    """Make pictures of which red, green and blue go along with each other."""
    numbers = np.random.default_rng(0).normal(0, 30, (300, 8, 8, 3))
    mixed = numbers @ [[1.0, 0.9, 0.8], [0.0, 0.4, -0.3], [0.0, 0.0, 0.2]] + [120, 110, 100]
    return mixed.clip(0, 255).astype(np.uint8)


def reference_components(pictures):
    """Compute eigenvectors times eigenvalues of the covariance of all pixels in 0–1, by loops."""
    pixels = [
        [channel / 255 for channel in pixel]
        for picture in pictures
        for line in picture.tolist()
        for pixel in line
    ]
    found = np.linalg.eig(np.cov(np.array(pixels).T, bias=True))
    values, vectors = (part.real for part in found)  # NumPy 2.5 has complex ones always
    return {float(value): value * vectors[:, index] for index, value in enumerate(values)}


def test_the_components_are_those_of_all_pixels(colourful):
    expected = reference_components(colourful)
    ours = color_components(np.array_split(colourful, 7))
    for component, value in zip(ours, sorted(expected)):
        assert np.linalg.norm(component) == pytest.approx(value, rel=1e-9)
        direction = np.sign(component @ expected[value])  # an eigenvector may point both ways
        assert component * direction == pytest.approx(expected[value], rel=1e-6)


def test_the_colour_shift_is_the_papers(colourful):
    """[p1, p2, p3] [α1 λ1, α2 λ2, α3 λ3] on all pixels of a picture, α from N(0, 0.1)."""
    augment = Augmentation(8, shift=0.1, components=color_components([colourful]))
    shifts = np.concatenate(
        [augment(colourful, random(epoch)) - colourful.astype("f4") for epoch in range(10)]
    )
    assert shifts.dtype == np.float32
    assert np.ptp(shifts, axis=(1, 2)).max() < 1e-4
    shifts = shifts[:, 0, 0].astype("f8") / 255

    expected = reference_components(colourful)
    alphas = []
    for value in expected:
        direction = expected[value] / value
        alphas.append(shifts @ direction / value)
    again = np.zeros_like(shifts)
    for alpha, scaled in zip(alphas, expected.values()):
        again += alpha[:, None] * scaled
    np.testing.assert_allclose(again, shifts, atol=1e-6)
    assert np.std(alphas, axis=1) == pytest.approx([0.1] * 3, rel=0.05)
    assert np.mean(alphas, axis=1) == pytest.approx([0] * 3, abs=0.006)
    assert np.abs(np.corrcoef(alphas) - np.eye(3)).max() < 0.06
