from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet, load_layers, load_model, mean_of_views, part
from alexnet_tf.variants import VARIANTS
from tests.support import reference

SHAPES = {
    "conv1": (55, 55, 96),
    "norm1": (55, 55, 96),
    "pool1": (27, 27, 96),
    "conv2": (27, 27, 256),
    "norm2": (27, 27, 256),
    "pool2": (13, 13, 256),
    "conv3": (13, 13, 384),
    "conv4": (13, 13, 384),
    "conv5": (13, 13, 256),
    "pool5": (6, 6, 256),
    "fc6": (4096,),
    "fc7": (4096,),
    "fc8": (1000,),
    "prob": (1000,),
}
CONV_PARAMETERS = 2_334_080
# Side of conv1 … pool5 and number of parameters with 1,000 classes: torchvision's published number
# for owt, Caffe's for the first three (the paper says 60 million).
VARIANT_SIDES_AND_PARAMETERS = {
    "bvlc": ((55, 27, 13, 6), 60_965_224),
    "caffenet": ((55, 27, 13, 6), 60_965_224),
    "paper": ((55, 27, 13, 6), 60_965_224),
    "owt": ((55, 27, 13, 6), 61_100_840),
    "nolrn": ((55, 27, 13, 6), 28_868_968),
    "cifar96": ((8, 4, 2, 1), 25_678_184),
    "cifar96-nolrn": ((8, 4, 2, 1), 25_678_184),
    "cifar64": ((8, 4, 2, 1), 24_400_680),
    "cifar32": ((32, 16, 8, 4), 3_214_824),
    "starter": ((61, 30, 14, 6), 4_070_952),
    "distilled": ((30, 14, 6, 2), 3_803_432),
    "lenet5": ((28, 14, 5), 146_156),
}


@pytest.fixture(scope="module")
def alexnet():
    return alexnet_tf.AlexNet()


def few_units(name):
    """Return a variant with so few units in fc6 and fc7 that its weights are drawn at once."""
    variant = VARIANTS[name]
    return replace(variant, fc_units=tuple(min(256, units) for units in variant.fc_units))


def test_every_caffe_name_is_a_layer_of_the_right_shape(alexnet):
    assert {name: alexnet.get_layer(name).output.shape[1:] for name in SHAPES} == SHAPES


def test_without_top_only_the_convolutions_are_there():
    model = AlexNet(include_top=False)
    assert model.count_params() == CONV_PARAMETERS and model.output_shape == (None, 6, 6, 256)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_what_a_plain_numpy_network_computes(name):
    variant = few_units(name)
    weights = reference.random_weights(variant, classes=10)
    # As large as pictures of 0–255 less their mean, so that the normalization matters.
    picture = np.random.default_rng(1).normal(0, 60, (variant.image_size, variant.image_size, 3))
    picture = picture.astype("f4")
    expected = reference.forward(variant, weights, picture)
    model = AlexNet(variant, classes=10)
    load_layers(model, weights)
    stages = keras.Model(model.input, [model.get_layer(layer).output for layer in expected])
    for (layer, values), output in zip(expected.items(), stages(picture[None])):
        assert output.shape[1:] == values.shape
        assert np.abs(output[0] - values).max() <= 1e-5 * np.abs(values).max(), layer

    sides, parameters = VARIANT_SIDES_AND_PARAMETERS[name]
    layers = ("conv1", "pool1", "pool2", "pool5")
    assert tuple(expected[layer].shape[0] for layer in layers if layer in expected) == sides
    assert model.get_layer("flatten").input.shape[1:] == variant.pool5_shape
    assert AlexNet(name).count_params() == VARIANTS[name].parameters(1000) == parameters


@pytest.mark.parametrize("name", ["bvlc", "owt"])
def test_the_parts_of_a_network_are_the_whole(name):
    model = AlexNet(few_units(name), classes=10)
    parts = [part(model, *ends) for ends in (("conv1", "conv4"), ("conv4", "fc6"), ("fc6", "prob"))]
    before_conv4 = VARIANTS[name].shape_before("conv4")
    assert [each.output_shape[1:] for each in parts[:2]] == [before_conv4, (9216,)]
    order = [layer.name for layer in parts[2].layers][1:5]
    if name == "owt":
        assert order == ["drop6", "fc6", "drop7", "fc7"]
    else:
        assert order == ["fc6", "drop6", "fc7", "drop7"]
    picture = np.random.default_rng(0).normal(0, 1, (1, *model.input_shape[1:])).astype("f4")
    x = picture
    for each in parts:
        x = each(x)
    np.testing.assert_array_equal(
        x, keras.Model(model.input, model.get_layer("fc8").output)(picture)
    )


@pytest.mark.parametrize(("images", "windows"), [(1, 1), (1, 4), (2, 4)])
def test_the_mean_of_views_is_that_of_each_picture(images, windows):
    """Mirror images stand behind all the pictures, the windows of each after one another."""
    count = 3
    maps = np.zeros((images * count, 2, 2, 1), "f4")
    outputs = np.random.default_rng(0).random((images * count * windows, 5), "f4")
    views = [
        [
            outputs[(image * count + picture) * windows + window]
            for image in range(images)
            for window in range(windows)
        ]
        for picture in range(count)
    ]
    expected = np.mean(views, axis=1)
    np.testing.assert_allclose(mean_of_views(outputs, maps, count), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("variant", "fc6_deviation", "biases"),
    [
        ("bvlc", 0.005, (0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0)),
        ("caffenet", 0.005, (0, 1, 0, 1, 1, 1, 1, 0)),
        ("paper", 0.01, (0, 1, 0, 1, 1, 1, 1, 0)),
        ("cifar64", 0.1, (0,) * 8),
    ],
)
def test_untrained_weights_are_those_that_the_authors_began_with(variant, fc6_deviation, biases):
    model = AlexNet(few_units(variant))
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    assert [layer.bias.numpy().mean() for layer in layers] == pytest.approx(biases)
    kernel = model.get_layer("fc6").kernel.numpy()
    assert kernel.std() == pytest.approx(
        fc6_deviation * (0.88 if variant == "cifar64" else 1), rel=0.01
    )
    assert (np.abs(kernel).max() <= 2 * fc6_deviation) == (variant == "cifar64")


def test_every_layer_has_one_kernel_of_the_shape_that_the_table_says(alexnet):
    bvlc = VARIANTS["bvlc"]
    for name, shape in (bvlc.conv_kernels() | bvlc.fc_kernels(1000)).items():
        kernel, bias = alexnet.get_layer(name).weights
        assert (tuple(kernel.shape), tuple(bias.shape)) == (shape, shape[-1:])


@pytest.mark.bfloat16
@pytest.mark.parametrize("variant", ["bvlc", "caffenet"])
def test_bfloat16_gives_the_same_features(variant, random_weights, faces):
    pictures = [alexnet_tf.load_image(path) for path in sorted(faces.iterdir())[:8]]
    inputs = alexnet_tf.preprocess_input(np.stack(pictures))

    def features(precision):
        network = AlexNet(variant, weights=random_weights, include_top=False, precision=precision)
        return np.asarray(network(inputs), "f8").reshape(len(inputs), -1)

    exact, fast = features("float32"), features("bfloat16")
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(fast, axis=1)
    assert ((exact * fast).sum(axis=1) / norms).min() >= 0.9999


def test_prob_is_the_softmax_of_fc8(alexnet):
    picture = np.random.default_rng(0).normal(0, 60, (1, 227, 227, 3)).astype("f4")
    model = keras.Model(alexnet.input, [alexnet.get_layer("fc8").output, alexnet.output])
    logits, probabilities = (np.asarray(output[0], "f8") for output in model(picture))
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(probabilities, expected / expected.sum(), rtol=1e-4)


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (AlexNet("lenet5", 2, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second))
    assert not np.array_equal(first[0], other[0])


def test_a_saved_model_opens_in_plain_keras(tmp_path):
    model = AlexNet(include_top=False)
    model.save(tmp_path / "model.keras")
    picture = np.random.default_rng(0).normal(0, 60, (1, 227, 227, 3)).astype("f4")
    for opened in (
        keras.models.load_model(tmp_path / "model.keras"),
        load_model(tmp_path / "model.keras"),
    ):
        np.testing.assert_array_equal(opened(picture), model(picture))


def test_a_broken_model_file_is_named(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"model\.keras"):
        load_model(tmp_path / "model.keras")


def test_an_unknown_variant_is_told_which_there_are():
    with pytest.raises(UserError, match="bvlc, caffenet"):
        AlexNet("alexnet2")


def test_bvlc_reproduces_the_published_activations(material):
    """The real BVLC AlexNet on one picture, as far as the file has its weights."""
    golden = np.load(material / "weights/bvlc_alexnet_golden.npz")
    model = AlexNet(include_top=False)
    for name in ("conv1", "conv2"):
        model.get_layer(name).set_weights([golden[f"{name}_kernel"], golden[f"{name}_bias"]])
    stages = {"conv1": "relu1", "norm1": "norm1", "pool1": "pool1", "conv2": "conv2_before_relu"}
    network = keras.Model(model.input, [model.get_layer(name).output for name in stages])
    for output, name in zip(network(golden["image_bgr_centered"][None]), stages.values()):
        expected = golden[name]
        if name.endswith("before_relu"):
            expected = np.maximum(expected, 0)
        error = np.abs(np.asarray(output)[0] - expected).max()
        assert error <= 1e-4 * np.abs(expected).max(), name


# Relative to a stage's largest value, because the numbers were printed rounded.
CAFFENET_TOLERANCE = 1e-5
CAFFENET_STAGES = {
    "conv1": "relu1",
    "pool1": "pool1",
    "norm1": "norm1",
    "conv2": "relu2",
    "pool2": "pool2",
    "norm2": "norm2",
}


def test_caffenet_reproduces_the_published_activations(material):
    """The real CaffeNet on Caffe's cat: from the picture to norm2, and from conv5 to pool5.

    The file has no kernels of conv3 to conv5.
    """
    golden = np.load(material / "weights/caffenet_golden.npz")
    model = AlexNet("caffenet", include_top=False)
    for name in ("conv1", "conv2"):
        model.get_layer(name).set_weights([golden[f"{name}_kernel"], golden[f"{name}_bias"]])
    first = keras.Model(model.input, [model.get_layer(name).output for name in CAFFENET_STAGES])
    last = keras.Model(model.get_layer("conv5").output, model.output)
    outputs = dict(zip(CAFFENET_STAGES.values(), first(golden["image_bgr_centered"][None])))
    outputs["pool5"] = last(golden["relu5"][None])
    for name, output in outputs.items():
        error = np.abs(np.asarray(output)[0] - golden[name]).max() / golden[name].max()
        print(f"{name}: {error:.1e}")
        assert error <= CAFFENET_TOLERANCE, name


def test_a_model_that_brings_code_is_refused(tmp_path, monkeypatch):
    """Keras's safe mode: a Lambda layer is a function, which its file holds as bytecode."""
    monkeypatch.chdir(tmp_path)
    evil = keras.layers.Lambda(lambda x: [x, Path("ran").touch()][0])
    model = keras.Sequential([keras.Input((2,)), evil])
    Path("ran").unlink()
    model.save(tmp_path / "model.keras")
    with pytest.raises(UserError, match=r"model\.keras: is not a model that can be opened"):
        load_model(tmp_path / "model.keras")
    assert not (tmp_path / "ran").exists()
