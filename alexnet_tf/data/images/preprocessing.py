"""Preprocessing, from a picture file to the network's input: the one definition, `load_image` and
`preprocess_input`, for training, features, prediction and evaluation."""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.data.images.contents import ImageError, InMemory, threads_for
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.variants import Variant, get_variant

# The resizing methods, from a photo to the square from which the network's input is cropped.
# `short`: the short side becomes 256 pixels (Krizhevsky 2012, section 2); `caffe`: squashed to 256
# × 256 (Caffe's examples/imagenet/create_imagenet.sh); `squash`: squashed to the input's size, so
# that nothing is cut off (most TensorFlow ports). Some variants have another size, `resized`.
RESIZES = ("short", "caffe", "squash")
# The centre; or it, the four corners, and their mirror images (Krizhevsky 2012, section 4.1).
CROPS = (1, 10)


def load_image(
    path: str | Path, variant: str | Variant = "bvlc", resize: str = "short"
) -> np.ndarray:
    """Load a picture as the network sees it.

    It is upright (EXIF), the first of several frames, and on white where it is transparent.

    Args:
        path: The file.
        variant: The network, by its name or as one of `alexnet_tf.variants`.
        resize: One of `RESIZES`; the interpolation is antialiased and bilinear.

    Returns:
        uint8 RGB (227, 227, 3), or of the side that the variant takes.

    Raises:
        ImageError: A UserError, if the file cannot be read as a picture.

    Example:
        >>> alexnet_tf.load_image("cat.jpg").shape
        (227, 227, 3)
    """
    return load_crops(path, variant, resize)[0]


def load_crops(
    path: str | Path | InMemory,
    variant: str | Variant = "bvlc",
    resize: str = "short",
    crops: int = 1,
    digest: str | None = None,
) -> np.ndarray:
    """Load `crops` (one of `CROPS`) views of the picture in `path`: uint8 RGB (crops, 227, 227, 3).

    Of ten, the second five are the mirror images of the first. With a `digest`, a file with another
    SHA-256 is an ImageError too. A `scaled` variant has one view of that size: the whole picture,
    or the central square for `short`. Otherwise as `load_image`.
    """
    if resize not in RESIZES or crops not in CROPS:
        raise ValueError(f"resize should be one of {RESIZES} and crops one of {CROPS}")
    variant = get_variant(variant)
    if variant.scaled:  # the network slices the windows itself
        variant = replace(variant, image_size=variant.scaled, resized=variant.scaled)
    with decoded(path, 2 * variant.resized) as (picture, content):
        if digest and hashlib.sha256(content).hexdigest() != digest:
            raise ImageError(path, "has changed since it was listed")
        scaled = _scaled(picture.size, variant, resize)
        views = [
            np.asarray(_cut(picture, scaled, place, variant.image_size))
            for place in _places(scaled, variant.image_size, crops)
        ]
    return np.stack(views if crops == 1 else views + [view[:, ::-1] for view in views])


def preprocess_input(images: np.ndarray, variant: str | Variant = "bvlc") -> np.ndarray:
    """Convert pictures to the network's input.

    Args:
        images: RGB in 0–255, of any shape (…, 3).
        variant: The network, by its name or as one of `alexnet_tf.variants`.

    Returns:
        float32 of the same shape. For ``bvlc`` and ``caffenet``: BGR minus (104.007, 116.669,
        122.679), as Caffe was trained; for the others see `alexnet_tf.variants`.

    Raises:
        UserError: For an unknown variant.

    Example:
        >>> pictures = alexnet_tf.load_image("cat.jpg")[None]
        >>> alexnet_tf.preprocess_input(pictures).dtype
        dtype('float32')
    """
    variant = get_variant(variant)
    images = np.asarray(images)
    inputs = np.empty(images.shape, np.float32)
    # One channel at a time: broadcasting over three values is several times slower.
    for index, channel in enumerate(variant.channels):
        values = images[..., "RGB".index(channel)].astype(np.float32)
        values *= np.float32(variant.scale)
        values -= np.float32(variant.mean[index])
        inputs[..., index] = values / np.float32(variant.deviation[index])
    return inputs


def load_batches(
    batches: Iterable[Sequence[str | Path | InMemory]],
    variant: str | Variant = "bvlc",
    resize: str = "short",
    crops: int = 1,
    ahead: int = 2,
    digests: Mapping[Any, str] | None = None,
) -> Iterator[list[np.ndarray | ImageError]]:
    """Load batches of paths, on all cores, at most `ahead` batches in advance: for each path the
    views of `load_crops`, or an error. `digests` are the expected SHA-256 by path, where known."""
    digests, batches = digests or {}, iter(batches)
    first = list(islice(batches, 1))

    def load(path: str | Path | InMemory) -> np.ndarray | ImageError:
        try:
            return load_crops(path, variant, resize, crops, digests.get(path))
        except ImageError as error:
            return error

    with threads_for(chain.from_iterable(first)) as pool:
        pending: deque[list[Future[np.ndarray | ImageError]]] = deque()
        for paths in chain(first, batches):
            pending.append([pool.submit(load, path) for path in paths])
            if len(pending) > ahead:
                yield [future.result() for future in pending.popleft()]
        while pending:
            yield [future.result() for future in pending.popleft()]


def _scaled(size: tuple[int, int], variant: Variant, resize: str) -> tuple[int, int]:
    """Return the width and height of a picture of `size` after resizing."""
    if resize == "squash":
        return (variant.image_size, variant.image_size)
    square = variant.resized
    if resize == "caffe":
        return (square, square)
    width, height = (max(square, round(side * square / min(size))) for side in size)
    return width, height


def _places(scaled: tuple[int, int], size: int, crops: int) -> list[tuple[int, int]]:
    """Return (left, top) of the crops of `size` pixels square in a picture of size `scaled`."""
    centre = ((scaled[0] - size) // 2, (scaled[1] - size) // 2)
    if crops == 1:
        return [centre]
    # The paper crops the central square first, and takes its corners.
    square = min(scaled)
    starts = [(side - square) // 2 for side in scaled]
    lefts, tops = ((start, start + square - size) for start in starts)
    return [*((left, top) for top in tops for left in lefts), centre]


def _cut(
    picture: Image.Image, scaled: tuple[int, int], place: tuple[int, int], size: int
) -> Image.Image:
    """Crop `size` pixels square at `place` from the picture resized to `scaled`."""
    # Only the crop is resized: within one grey level of resizing the whole picture.
    (left, top), (right, bottom) = (
        [(at + offset) * side / whole for at, side, whole in zip(place, picture.size, scaled)]
        for offset in (0, size)
    )
    return picture.resize((size, size), Image.Resampling.BILINEAR, (left, top, right, bottom))
