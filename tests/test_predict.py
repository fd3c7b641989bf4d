import json

import numpy as np
import pytest

from alexnet_tf.images import load_crops, preprocess_input
from alexnet_tf.predict import Classifier
from alexnet_tf.run import Run


class Network:
    """Its "probabilities" are the means of the first row and of the whole of each input."""

    def predict_on_batch(self, inputs):
        return np.stack([inputs[:, 0].mean((1, 2)), inputs.mean((1, 2, 3))], axis=1)


def test_ten_crops_are_averaged(faces, tmp_path):
    source, lite = tmp_path / "model.keras", tmp_path / "model.tflite"  # neither is there
    files = [str(faces / f"cat.{number}.jpg") for number in range(8)]
    classifier = Classifier("bvlc", ("a", "b"), Network, source, lite, "caffe", crops=10)
    for file, row in zip(files, classifier.probabilities(files), strict=True):
        inputs = preprocess_input(load_crops(file, resize="caffe", crops=10))
        expected = np.mean([Network().predict_on_batch(crop[None])[0] for crop in inputs], axis=0)
        np.testing.assert_allclose(row, expected, rtol=1e-5)


@pytest.mark.parametrize(("settings", "resize"), [({"resize": "squash"}, "squash"), ({}, "short")])
def test_a_run_remembers_how_its_pictures_were_resized(tmp_path, settings, resize):
    """A run from before there was a choice has what was done then."""
    config = {"settings": {"variant": "bvlc", **settings}, "classes": ["a", "b"]}
    config |= {"data": "", "weights": ""}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Classifier.of_run(Run(tmp_path)).resize == resize
