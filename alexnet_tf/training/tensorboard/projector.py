"""TensorBoard's projector: fc7 of validation pictures, with thumbnails and labels."""

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.text_format import MessageToString
from PIL import Image, ImageOps
from tensorboard.plugins import projector

from alexnet_tf.data.dataset import Picture
from alexnet_tf.drawing.sheets import MISSING
from alexnet_tf.drawing.thumbnails import load_thumbnails
from alexnet_tf.model import part
from alexnet_tf.system.files import atomic_write, write_text
from alexnet_tf.system.text import in_cell, printable
from alexnet_tf.training.trainer import Trainer

# Most pictures, and the side of each in pixels.
MOST, SIDE = 1000, 48


def write_projector(
    folder: Path, trainer: Trainer, network: keras.Model, predictions: np.ndarray
) -> None:
    """Write the projector's files for the finished `network`, which predicts the classes
    `predictions` of all validation pictures, into the `folder` of a run."""
    numbers = trainer.validation.sample(MOST)
    numbers = numbers[trainer.validation.rows(numbers)]
    if not len(numbers):  # all of them are other workers'
        return
    pictures = [trainer.job.dataset.validation[number] for number in numbers]
    values = fc7_of(trainer, network, numbers)
    with atomic_write(folder / "fc7.bytes", values.nbytes) as temporary:
        values.tofile(temporary)
    labels = _labels(pictures, predictions[numbers], trainer.job.dataset.classes)
    write_text(folder / "fc7.tsv", labels)
    sprite = _sprite(pictures)
    with atomic_write(folder / "fc7.jpg", sprite.width * sprite.height) as temporary:
        sprite.save(temporary, quality=85)
    config = projector.ProjectorConfig()
    config.embeddings.add(
        tensor_name="fc7",
        tensor_path="fc7.bytes",
        tensor_shape=values.shape,
        metadata_path="fc7.tsv",
        sprite=projector.SpriteMetadata(image_path="fc7.jpg", single_image_dim=(SIDE, SIDE)),
    )
    write_text(folder / "projector_config.pbtxt", MessageToString(config))


def fc7_of(trainer: Trainer, network: keras.Model, numbers: np.ndarray) -> np.ndarray:
    """Compute fc7, float32 (n, 4096), of the validation pictures with these numbers: the mean over
    the corner windows, or over all if the store does not keep them apart."""
    layer = trainer.validation.store.layer
    above = part(network, layer, "fc8") if layer != "fc8" else tf.identity
    # Mirror images follow the pictures.
    flips = 1 + (layer == "conv1" and trainer.job.variant.mirrored)

    def compute(values: tf.Tensor) -> tf.Tensor:
        fc7 = above(tf.cast(values, tf.float32))
        return tf.reduce_mean(tf.reshape(fc7, (flips, -1, fc7.shape[-1])), axis=0)

    found = trainer.outputs(trainer.validation, numbers, compute, "fc7")
    return np.concatenate([fc7.mean(axis=(0, 2)) for _, fc7 in found])


def _labels(pictures: Sequence[Picture], predictions: np.ndarray, classes: Sequence[str]) -> str:
    """Format a table of label, prediction and path of each picture."""
    lines = ["class\tanswer\tright\tpath"]
    for picture, prediction in zip(pictures, predictions):
        right = "yes" if prediction == picture.label else "no"
        cells = classes[picture.label], classes[prediction], right, picture.path
        lines.append("\t".join(in_cell(printable(cell)) for cell in cells))
    return "\n".join(lines) + "\n"


def _sprite(pictures: Sequence[Picture]) -> Image.Image:
    """Join thumbnails into a square, as the projector expects; unreadable pictures are grey."""
    columns = math.ceil(math.sqrt(len(pictures)))
    page = Image.new("RGB", (columns * SIDE, columns * SIDE), MISSING)
    for number, thumbnail in enumerate(load_thumbnails([each.path for each in pictures], SIDE)):
        if thumbnail:
            place = number % columns * SIDE, number // columns * SIDE
            page.paste(ImageOps.pad(thumbnail, (SIDE, SIDE), color=MISSING), place)
    return page
