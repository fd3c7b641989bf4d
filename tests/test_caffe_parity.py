"""The same caffemodel here and in OpenCV, whose reader and network are nobody's but its own."""

from __future__ import annotations

from dataclasses import replace

import cv2
import keras
import numpy as np
import pytest

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.model import AlexNet, load_layers
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import open_weights
from tests.support.caffe import random_weights, write_caffemodel, write_prototxt
from tests.support.formats import write_npy, write_npz

STAGES = ("norm1", "pool1", "norm2", "pool2", "pool5", "fc8", "prob")
# Relative to a stage's largest value, in float32.
TOLERANCE = 1e-5


@pytest.fixture(scope="module", params=["bvlc", "caffenet"])
def networks(request, tmp_path_factory):
    """Input (227, 227, 3) → {stage: (height, width, channels)}, here and in OpenCV.

    The published bvlc_alexnet.caffemodel is of the older format, so this one is too.
    """
    variant = replace(VARIANTS[request.param], fc_units=(256, 256))  # or files of 240 MB
    folder = tmp_path_factory.mktemp(request.param)
    prototxt, caffemodel = folder / "deploy.prototxt", folder / "random.caffemodel"
    old = variant.name == "bvlc"
    write_caffemodel(caffemodel, random_weights(variant), variant, v1=old, legacy=old)
    write_prototxt(prototxt, variant)

    model = AlexNet(variant, weights=caffemodel)
    stages = keras.Model(model.input, {name: model.get_layer(name).output for name in STAGES})
    opencv = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    opencv.enableWinograd(False)  # which is faster, but itself off by half of what is allowed

    def ours(picture):
        return {name: np.asarray(output)[0] for name, output in stages(picture[None]).items()}

    def theirs(picture):
        opencv.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1))[None])
        outputs = dict(zip(STAGES, opencv.forward(STAGES)))
        return {name: np.moveaxis(output[0], 0, -1) for name, output in outputs.items()}

    return ours, theirs


def assert_same(networks, picture):
    ours, theirs = (network(picture) for network in networks)
    for name in STAGES:
        error = np.abs(ours[name] - theirs[name]).max() / np.abs(theirs[name]).max()
        print(f"{name}: {error:.1e}")
        assert error <= TOLERANCE, name


def test_random_numbers_come_out_as_in_opencv(networks):
    random = np.random.default_rng(1)
    assert_same(networks, random.normal(0, 60, (227, 227, 3)).astype(np.float32))


@pytest.mark.parametrize("name", ["cat.0.jpg", "dog.0.jpg"])
def test_drawings_come_out_as_in_opencv(networks, faces, name):
    assert_same(networks, preprocess_input(load_image(faces / name)))


def test_photos_come_out_as_in_opencv(networks, material):
    for path in sorted((material / "data/imagenet-samples").glob("*.JPEG"))[:2]:
        assert_same(networks, preprocess_input(load_image(path)))


def test_every_format_predicts_the_same_to_the_last_bit(tmp_path):
    variant = replace(VARIANTS["bvlc"], fc_units=(5, 5))
    weights = random_weights(variant)
    write_caffemodel(tmp_path / "a.caffemodel", weights, variant)
    write_npy(tmp_path / "a.npy", weights)
    write_npz(tmp_path / "a.npz", weights)
    picture = np.random.default_rng(1).normal(0, 60, (1, 227, 227, 3)).astype(np.float32)
    model, predictions = AlexNet(variant), []
    for suffix in (".caffemodel", ".npy", ".npz"):
        load_layers(model, open_weights(tmp_path / f"a{suffix}", variant, 1000))
        predictions.append(model(picture).numpy())
    np.testing.assert_array_equal(predictions[0], predictions[1])
    np.testing.assert_array_equal(predictions[0], predictions[2])
