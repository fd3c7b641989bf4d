import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.data.images.preprocessing import load_crops, load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.inference import engine as engines
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.fast import FastModel
from alexnet_tf.model import AlexNet
from alexnet_tf.runs.run import Run
from alexnet_tf.variants import VARIANTS, change


def engine(variant="bvlc", resize="caffe", classes=("a", "b"), order=(0, 1)):
    """Its "probabilities" are the means of the first row and of the whole of each input."""

    def probabilities(pictures, among=1):
        inputs = preprocess_input(pictures, variant)
        return np.stack([inputs[:, 0].mean((1, 2)), inputs.mean((1, 2, 3))], axis=1)[:, order]

    return SimpleNamespace(
        variant=variant,
        resize=resize,
        classes=classes,
        source=f"{variant}.keras",
        probabilities=probabilities,
        predict=lambda pictures, among: (probabilities(pictures), np.full(len(pictures), np.nan)),
    )


def expected(engine, file, crops):
    views = load_crops(file, engine.variant, engine.resize, crops)
    return engine.probabilities(views).mean(axis=0)


def test_ten_crops_are_averaged(faces):
    files = [str(faces / f"cat.{number}.jpg") for number in range(8)]
    for file, found in zip(files, Classifier([engine()], crops=10).probabilities(files)):
        np.testing.assert_allclose(found, [expected(engine(), file, 10)], rtol=1e-5)


def test_several_networks_see_each_picture_in_their_own_way(faces):
    """The second has other inputs, and its outputs in another order."""
    both = engine(), engine("owt", "squash", ("b", "a"), (1, 0))
    files = [str(faces / "cat.0.jpg"), "missing.jpg", str(faces / "dog.0.jpg")]
    found = list(Classifier(both).probabilities(files))
    assert isinstance(found[1], ImageError)
    for file, probabilities in zip(files[::2], found[::2]):
        first, second = (expected(each, file, 1) for each in both)
        np.testing.assert_allclose(probabilities, [first, second[::-1]], rtol=1e-5)
    predictions = list(Classifier(both).classify(files, top=2))
    assert dict(predictions[0].top)["a"] == pytest.approx(found[0].mean(axis=0)[0])


def test_two_classes_of_one_name_stay_apart(faces):
    """ImageNet has two cranes: a bird and a machine."""
    cranes = engine(classes=("crane", "crane"))
    (found,) = Classifier([cranes]).probabilities([str(faces / "cat.0.jpg")])
    assert found[0, 0] != found[0, 1]


def test_networks_of_other_classes_are_refused():
    with pytest.raises(UserError, match=r"owt\.keras: has other classes than bvlc\.keras.*'b'"):
        Classifier([engine(), engine("owt", classes=("a", "c"))])


@pytest.mark.parametrize(("settings", "resize"), [({"resize": "squash"}, "squash"), ({}, "short")])
def test_a_run_remembers_how_its_pictures_were_resized(tmp_path, settings, resize):
    """A run from before there was a choice has what was done then."""
    config = {"settings": {"variant": "bvlc", **settings}, "classes": ["a", "b"]}
    config |= {"data": "", "weights": ""}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Engine.of_run(Run(tmp_path)).resize == resize


def test_the_fast_model_answers_as_the_model(each_engine, engine_run, faces):
    model = alexnet_tf.load_model(engine_run / "model.keras")
    engine = Engine.of_run(Run(engine_run))
    files = sorted(faces.iterdir())[::4]
    pictures = np.stack([load_image(file, engine.variant, engine.resize) for file in files])
    inputs = preprocess_input(pictures, engine.variant)
    exact, tolerance = model.predict_on_batch(inputs), each_engine.answers_error(model, inputs)
    fast = FastModel(model, engine.variant, each_engine.name, 64).predict_on_batch(pictures)
    np.testing.assert_allclose(fast, exact, rtol=0, atol=tolerance)
    assert (np.abs(fast - exact).max() > 4e-5) == (each_engine.name != "float32")
    assert model.get_layer("conv1").compute_dtype == keras.backend.floatx()


def test_many_pictures_get_the_same_answers_whoever_gives_them(trained_run, faces, monkeypatch):
    files = [str(path) for path in sorted(faces.iterdir())] + ["missing.jpg"]
    files += files[:10]  # so that the second batch is shorter than the first
    predictions = []
    for lite, as_it_is in ((1000, 0), (0, 100), (0, 0)):
        monkeypatch.setattr(engines, "MOST_FOR_LITE", lite)
        monkeypatch.setattr(engines, "MOST_AS_IT_IS", as_it_is)
        classifier = Classifier([Engine.of_run(Run(trained_run))])
        predictions.append(list(classifier.classify(files, top=2)))
    for by_lite, by_keras, fast in zip(*predictions, strict=True):
        for other, tolerance in ((by_keras, 1e-4), (fast, 0.02)):
            assert by_lite.file == other.file and str(by_lite.error) == str(other.error)
            assert dict(by_lite.top) == pytest.approx(dict(other.top), abs=tolerance)


@pytest.mark.bfloat16
def test_in_bfloat16_the_head_stays_in_float32():
    """Whatever the convolutions say, for nothing of it enters fc6: 0.5008 is more than 0.4992."""
    variant = change(VARIANTS["starter"], width=0.1, activation="prelu", scale=144, mirrored=True)
    model, random = AlexNet(variant, 2, seed=1), np.random.default_rng(0)
    for name in ("fc6", "fc7", "fc8"):
        layer = model.get_layer(name)
        layer.set_weights([random.normal(0, 0.1, each.shape) for each in layer.get_weights()])
    fc6 = model.get_layer("fc6")
    fc6.kernel.assign(np.zeros(fc6.kernel.shape))
    kernel, bias = model.get_layer("fc8").get_weights()
    pictures = random.integers(0, 256, (4, 144, 144, 3), np.uint8)
    inputs = preprocess_input(pictures, variant)
    for difference in (0.0032, 6.3):
        logits = np.log(model.predict_on_batch(inputs)[0])
        bias += np.array([difference, 0]) - (logits - logits[1])
        model.get_layer("fc8").set_weights([kernel, bias])
        exact = model.predict_on_batch(inputs)
        assert exact[0, 0] == pytest.approx(1 / (1 + np.exp(-difference)), abs=1e-5)
        fast = FastModel(model, variant, "bfloat16", 4).predict_on_batch(pictures)
        np.testing.assert_allclose(fast, exact, atol=1e-6)
        np.testing.assert_allclose(fast.sum(axis=1), 1, atol=1e-6)
