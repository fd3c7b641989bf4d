"""Distillation: the convolutions of a small network learn the features of large, pretrained ones.

Teacher and student see the same random crop of a picture, the student in fewer pixels. By a linear
map that is thrown away, the student learns to predict what the teacher's last convolution outputs,
pooled (`pool`), and beside that the classes of labelled pictures (Hinton and others 2015; Romero
and others 2015).
"""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from PIL import Image, ImageEnhance, ImageOps

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.frozen.calibration import draw
from alexnet_tf.frozen.choice import fastest_first
from alexnet_tf.frozen.int8 import Forward
from alexnet_tf.frozen.layers import NotHere, frozen_part
from alexnet_tf.model import AlexNet
from alexnet_tf.system.files import atomic_write
from alexnet_tf.variants import Variant
from alexnet_tf.weights import Weights

# Crops of a shard, of a training batch, and of one forward pass of the teacher.
SHARD, BATCH, FORWARD = 4096, 128, 64
# Sides of the grid of maxima.
GRID = 3
UNLABELLED = -1
# Random crops as GoogLeNet's (Szegedy and others 2015, section 6): a share of the area, and a ratio
# of the sides.
AREA, RATIO = (0.15, 1.0), 4 / 3
# Shares of crops that are drawn shapes, that have another crop pasted in (CutMix: Yun and others
# 2019), whose colours are changed, and whose channels are permuted.
DRAWN, PASTED, COLORED, PERMUTED = 0.04, 0.25, 0.5, 0.2
# Factors of saturation, and of brightness and contrast: photos of pets have few colours.
SATURATION, BRIGHTNESS = (0.3, 2.5), (0.6, 1.4)
# AdamW (Loshchilov and Hutter 2019) with a warm-up of so many batches, then cosine decay.
LEARNING_RATE, WEIGHT_DECAY, WARM_UP = 2e-3, 0.02, 500
# Weight of the cross-entropy beside the two mean squared errors.
CROSS_ENTROPY = 0.3
# The first epochs see smaller crops, in half the time: their share, and the share of the side.
SMALL_EPOCHS, SMALL = 0.4, 0.75
# Fast with AVX512-BF16 or AMX, correct but slow elsewhere.
PRECISION = "mixed_bfloat16"

Labelled = tuple[Path, int]


def write_crops(
    sources: Sequence[tuple[float, Sequence[Labelled]]],
    weights: Path,
    teacher: Variant,
    student: Variant,
    folder: Path,
    shards: int,
) -> None:
    """Write random crops and the teacher's features of each into `folder`, in `shards` files;
    existing ones are kept, so that the same call resumes. Each of `sources` is a share of the
    crops, and pictures with a label, or `UNLABELLED`."""
    paths = [folder / f"{number:03d}.npz" for number in range(shards)]
    forward = None
    for number, path in enumerate(paths):
        if path.is_file():
            continue
        forward = forward or last_convolution(weights, teacher, FORWARD)
        pixels, labels = _crops(sources, teacher.image_size, seed=number)
        features = [pool(forward(pixels[at : at + FORWARD])) for at in range(0, SHARD, FORWARD)]
        arrays: dict[str, Any] = {str(side): _resized(pixels, side) for side in _sides(student)}
        arrays |= {"labels": labels, "features": np.concatenate(features).astype(np.float16)}
        size = sum(array.nbytes for array in arrays.values())
        with atomic_write(path, size) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
        print(f"crops {number + 1} of {shards}", flush=True)


def _crops(
    sources: Sequence[tuple[float, Sequence[Labelled]]], side: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the crops of one file, uint8 (n, side, side, 3), and their labels."""
    shares = np.array([share for share, _ in sources])
    drawn = [Image.fromarray(each) for each in draw(2 * side)]

    def crop(number: int) -> tuple[np.ndarray, int]:
        random = np.random.RandomState(seed * SHARD + number)
        if random.uniform() < DRAWN:
            image, label = _cropped(drawn[random.randint(len(drawn))], side, random), UNLABELLED
        else:
            pictures, others = random.choice(len(sources), 2, p=shares / shares.sum())
            image, label = _random_crop(sources[pictures][1], side, random)
            if random.uniform() < PASTED:
                other, _ = _random_crop(sources[others][1], side, random)
                _paste(other, image, random)
                label = UNLABELLED
        return _recolored(image, random), label

    with ThreadPoolExecutor(2) as threads:
        images, labels = zip(*threads.map(crop, range(SHARD)))
    return np.stack(images), np.array(labels, np.int8)


def _random_crop(
    pictures: Sequence[Labelled], side: int, random: np.random.RandomState
) -> tuple[Image.Image, int]:
    path, label = pictures[random.randint(len(pictures))]
    with Image.open(path) as picture:
        return _cropped(ImageOps.exif_transpose(picture.convert("RGB")), side, random), label


def _cropped(picture: Image.Image, side: int, random: np.random.RandomState) -> Image.Image:
    """Crop a random part of a picture, mirror it or not, and resize it to a square."""
    area = random.uniform(*AREA) * picture.width * picture.height
    ratio = math.exp(random.uniform(-1, 1) * math.log(RATIO))
    width = min(picture.width, math.sqrt(area * ratio))
    height = min(picture.height, math.sqrt(area / ratio))
    left = random.uniform() * (picture.width - width)
    top = random.uniform() * (picture.height - height)
    box = (left, top, left + width, top + height)
    part = picture.resize((side, side), Image.Resampling.BILINEAR, box=box)
    return ImageOps.mirror(part) if random.randint(2) else part


def _paste(other: Image.Image, image: Image.Image, random: np.random.RandomState) -> None:
    """Paste a smaller copy of `other` into `image`, anywhere."""
    width, height = (int(each) for each in random.randint(image.width // 3, image.width, 2))
    left, top = random.randint(image.width - width + 1), random.randint(image.height - height + 1)
    image.paste(other.resize((width, height), Image.Resampling.BILINEAR), (left, top))


def _recolored(image: Image.Image, random: np.random.RandomState) -> np.ndarray:
    if random.uniform() < COLORED:
        image = ImageEnhance.Color(image).enhance(random.uniform(*SATURATION))
        image = ImageEnhance.Brightness(image).enhance(random.uniform(*BRIGHTNESS))
        image = ImageEnhance.Contrast(image).enhance(random.uniform(*BRIGHTNESS))
    pixels = np.asarray(image)
    return pixels[..., random.permutation(3)] if random.uniform() < PERMUTED else pixels


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    size = (side, side)
    images = (Image.fromarray(each).resize(size, Image.Resampling.BILINEAR) for each in pixels)
    return np.stack([np.asarray(image) for image in images])


def _sides(student: Variant) -> tuple[int, int]:
    """Return the sides of the student's crops, in the first epochs and later."""
    return round(SMALL * student.image_size), student.image_size


def last_convolution(weights: str | Path, variant: Variant, batch: int) -> Forward:
    """Return convolutions up to the last one, by the fastest engine here, in batches of `batch`."""
    model = AlexNet(variant, weights=weights, include_top=False)
    last = keras.Model(model.input, model.get_layer(variant.conv_layers[-1]).output)
    for precision in fastest_first():
        try:
            return frozen_part(last, variant, precision, batch)
        except NotHere:
            continue
    raise AssertionError("float32 is always here")


def pool(maps: np.ndarray) -> np.ndarray:
    """Return the square roots of mean, maximum and 3 × 3 maxima of each channel of `maps` (n, side,
    side, channels): float32 (n, 11 * channels)."""
    parts = [maps.mean((1, 2)), maps.max((1, 2))]
    spans = _spans(maps.shape[1])
    parts += [maps[:, rows, columns].max((1, 2)) for rows in spans for columns in spans]
    return np.sqrt(np.concatenate(parts, axis=1))


def _spans(side: Any) -> list[slice]:
    """Divide a side into three, which overlap if it is no multiple of 3."""
    return [slice(at * side // GRID, -(-(at + 1) * side // GRID)) for at in range(GRID)]


def distill(crops: Path, variant: Variant, classes: int, epochs: int, folder: Path) -> Weights:
    """Train convolutions of `variant` from random numbers on the files in `crops`; return them.
    Stopped, the same call resumes after the last epoch, from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(PRECISION)
    small = round(SMALL_EPOCHS * epochs)
    phases = [(_sides(variant)[0], 0, small), (_sides(variant)[1], small, epochs)]
    batches = Crops(crops, variant)
    student = build_student(variant, batches.channels, classes)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, len(batches) * epochs, warmup_target=LEARNING_RATE, warmup_steps=WARM_UP
    )
    student.compile(
        keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY),
        loss={
            "whole": "mse",
            "grid": "mse",
            "label": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"whole": 1.0, "grid": 1.0, "label": CROSS_ENTROPY},
        jit_compile=False,  # oneDNN's convolutions are faster than XLA's on a CPU
    )
    callbacks = [
        keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False),
        keras.callbacks.CSVLogger(folder / "history.csv", append=True),
    ]
    for side, first, last in phases:
        batches.show(side)
        student.fit(batches, initial_epoch=first, epochs=last, callbacks=callbacks, verbose=2)
    return fold(student, variant)


class Crops(keras.utils.PyDataset):
    """The crops of a folder in shuffled batches, mirrored at random, with their targets."""

    def __init__(self, folder: Path, variant: Variant) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self.variant = variant
        self.files = sorted(folder.glob("[0-9]*.npz"))
        self.labels, self.features = self._read("labels"), self._read("features")
        self.channels = self.features.shape[1] // (2 + GRID**2)
        first = self.features[:SHARD].astype(np.float32)
        self.mean, self.deviation = first.mean(axis=0), first.std(axis=0) + 1e-3
        self.random = np.random.RandomState(0)
        self.on_epoch_end()

    def _read(self, name: str) -> np.ndarray:
        return np.concatenate([np.load(path)[name] for path in self.files])

    def show(self, side: int) -> None:
        """Show crops of `side` pixels from now on."""
        self.pixels = self._read(str(side))

    def __len__(self) -> int:
        return len(self.labels) // BATCH

    def on_epoch_end(self) -> None:
        """Shuffle."""
        self.order = self.random.permutation(len(self.labels))

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """Return inputs, targets and the weights of the targets of one batch."""
        chosen = self.order[number * BATCH : (number + 1) * BATCH]
        pixels, labels = self.pixels[chosen], self.labels[chosen]
        features = (self.features[chosen].astype(np.float32) - self.mean) / self.deviation
        whole, grid = np.split(features, [2 * self.channels], axis=1)
        grid = grid.reshape(-1, GRID, GRID, self.channels)
        mirrored = self.random.randint(2, size=len(chosen)) > 0
        pixels[mirrored] = pixels[mirrored, :, ::-1]
        grid[mirrored] = grid[mirrored, :, ::-1]
        grid = grid.reshape(len(chosen), -1)
        targets = {"whole": whole, "grid": grid, "label": np.maximum(labels, 0)}
        everywhere = np.ones(len(chosen), np.float32)
        is_labelled = (labels != UNLABELLED).astype(np.float32)
        weights = {"whole": everywhere, "grid": everywhere, "label": is_labelled}
        return preprocess_input(pixels, self.variant), targets, weights


def build_student(variant: Variant, features: int, classes: int) -> keras.Model:
    """Build convolutions of `variant` with batch normalization, for images of any size, and linear
    maps of their output to "whole", "grid" and "label". The normalization has no factor, so that
    it, and the activation, may follow the pooling, which is faster and the same."""
    values = inputs = keras.Input((None, None, len(variant.channels)), name="data")
    for index, name in enumerate(variant.conv_layers):
        values = layers.Conv2D(
            variant.filters[index],
            variant.kernel_sizes[index],
            strides=variant.strides[index],
            padding=variant.paddings[index],
            groups=variant.groups[index],
            use_bias=False,
            name=name,
        )(values)
        if "pool" in variant.after_conv[index] and name != variant.conv_layers[-1]:
            values = layers.MaxPooling2D(variant.pool_size, variant.pool_stride)(values)
        values = layers.BatchNormalization(scale=False, name=f"{name}_norm")(values)
        values = layers.ReLU()(values)
    pooled = [layers.GlobalAveragePooling2D()(values), layers.GlobalMaxPooling2D()(values)]
    whole, linear = layers.Concatenate()(pooled), partial(layers.Dense, dtype="float32")
    places = Grid(name="places")(values)
    outputs = {
        "whole": linear(2 * features, name="whole")(whole),
        "grid": layers.Flatten()(linear(features, name="grid")(places)),
        "label": linear(classes, name="label")(whole),
    }
    return keras.Model(inputs, outputs)


class Grid(keras.layers.Layer):
    """The maxima of each channel in 3 × 3 places: (n, 3, 3, channels)."""

    def call(self, maps: Any) -> Any:
        """Pool `maps` (n, side, side, channels) of any side."""
        spans = _spans(ops.shape(maps)[1])
        rows = [
            ops.stack([ops.max(maps[:, rows, columns], (1, 2)) for columns in spans], 1)
            for rows in spans
        ]
        return ops.stack(rows, 1)


def fold(student: keras.Model, variant: Variant) -> Weights:
    """Return kernels and biases of the convolutions, with the batch normalization in them."""
    weights = {}
    for name in variant.conv_layers:
        norm = student.get_layer(f"{name}_norm")
        beta, mean, variance = norm.get_weights()
        factor = 1 / np.sqrt(variance + norm.epsilon)
        weights[name] = (student.get_layer(name).get_weights()[0] * factor, beta - mean * factor)
    return weights
