"""The usual recipe in Keras: frozen convolutions and a new head in one model, fitted on pictures.

`python -m benchmarks.recipe_keras LISTS --weights FILE --variant V --epochs N` trains on the
pictures in LISTS/train.txt, writes LISTS/usual.keras and prints the best validation accuracy. It is
written as a good tutorial is, and shares only lists and weights with the program beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.model import load_layers
from alexnet_tf.variants import VARIANTS, Variant
from alexnet_tf.weights import Weights
from alexnet_tf.weights.loading import open_weights
from benchmarks.usual import BATCH, LEARNING_RATE, MEAN, MOMENTUM, SEED, goes_on


def plain_convolutions(variant: Variant, weights: Weights) -> keras.Model:
    """Build conv1 … pool5 of ``bvlc`` or ``caffenet`` of Keras's layers and TensorFlow's LRN."""
    inputs = x = keras.Input((227, 227, 3))
    x = layers.Conv2D(96, 11, strides=4, activation="relu", name="conv1")(x)
    x = _after_conv(x, variant)
    x = layers.Conv2D(256, 5, padding="same", groups=2, activation="relu", name="conv2")(x)
    x = _after_conv(x, variant)
    x = layers.Conv2D(384, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.Conv2D(384, 3, padding="same", groups=2, activation="relu", name="conv4")(x)
    x = layers.Conv2D(256, 3, padding="same", groups=2, activation="relu", name="conv5")(x)
    x = layers.MaxPooling2D(3, 2)(x)
    model = keras.Model(inputs, x)
    load_layers(model, weights)
    return model


def _after_conv(x, variant: Variant):
    steps = {"norm": layers.Lambda(_normalize), "pool": layers.MaxPooling2D(3, 2)}
    for step in variant.after_conv[0]:
        x = steps[step](x)
    return x


def _normalize(x):
    return tf.nn.local_response_normalization(x, depth_radius=2, bias=1, alpha=2e-5, beta=0.75)


def train(lists: Path, weights: Path, variant: Variant, epochs: int, until: float | None) -> float:
    """Train for `epochs`, or until that accuracy; save the model, return the best accuracy."""
    keras.utils.set_random_seed(SEED)
    convolutions = plain_convolutions(variant, open_weights(weights, variant))
    convolutions.trainable = False
    classes = len((lists / "classes.txt").read_text().splitlines())
    model = keras.Sequential(
        [
            convolutions,
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        _pictures(lists / "train.txt", training=True),
        validation_data=_pictures(lists / "val.txt", training=False),
        epochs=epochs,
        callbacks=[_Until(until)],
        verbose=0,
    )
    model.save(lists / "usual.keras")
    return max(history.history["val_accuracy"])


class _Until(keras.callbacks.Callback):
    """Says what each epoch came to, and ends the training at an accuracy."""

    def __init__(self, accuracy: float | None):
        super().__init__()
        self._accuracy = accuracy

    def on_epoch_end(self, epoch, logs=None):
        going = goes_on(epoch + 1, logs["val_accuracy"], self._accuracy)
        self.model.stop_training = not going


def _pictures(list_file: Path, training: bool) -> tf.data.Dataset:
    """Decode (float32 (batch, 227, 227, 3), labels (batch,)) on all cores, ahead of their use."""
    paths, labels = zip(*((path, int(label)) for path, label in read_list(list_file)))
    files = tf.data.Dataset.from_tensor_slices((list(paths), list(labels)))
    if training:
        files = files.shuffle(len(paths), seed=SEED)
    pictures = files.map(_load, tf.data.AUTOTUNE)
    if training:
        pictures = pictures.map(_flip, tf.data.AUTOTUNE)
    return pictures.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def _load(path, label):
    """Scale the short side to 256, cut out the centre 227 × 227, BGR less the mean."""
    picture = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    size = tf.cast(tf.shape(picture)[:2], tf.float32)
    size = tf.cast(tf.round(size * 256 / tf.reduce_min(size)), tf.int32)
    picture = tf.image.resize_with_crop_or_pad(tf.image.resize(picture, size), 227, 227)
    return picture[..., ::-1] - tf.constant(MEAN), label


def _flip(picture, label):
    return tf.image.random_flip_left_right(picture), label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lists", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--until", type=float)
    options = parser.parse_args()
    variant = VARIANTS[options.variant]
    print(train(options.lists, options.weights, variant, options.epochs, options.until))


if __name__ == "__main__":
    main()
