import keras
import numpy as np
import pytest

import alexnet_tf
from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet, Head, load_model
from alexnet_tf.variants import VARIANTS

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


@pytest.fixture(scope="module")
def alexnet():
    return alexnet_tf.AlexNet()


def test_every_caffe_name_is_a_layer_of_the_right_shape(alexnet):
    assert {name: alexnet.get_layer(name).output.shape[1:] for name in SHAPES} == SHAPES


def test_number_of_parameters_is_the_published_one(alexnet):
    assert alexnet.count_params() == 60_965_224
    assert AlexNet(include_top=False).count_params() == CONV_PARAMETERS


def test_every_layer_has_one_kernel_of_the_shape_that_the_table_says(alexnet):
    row = VARIANTS["bvlc"]
    for name, shape in (row.conv_kernels() | row.fc_kernels(1000)).items():
        kernel, bias = alexnet.get_layer(name).weights
        assert (tuple(kernel.shape), tuple(bias.shape)) == (shape, shape[-1:])


def test_caffenet_pools_before_it_normalizes():
    model = AlexNet("caffenet", include_top=False)
    assert model.get_layer("pool1").output.shape == model.get_layer("norm1").output.shape
    assert model.count_params() == CONV_PARAMETERS


def test_prob_is_the_softmax_of_fc8(alexnet):
    picture = np.random.default_rng(0).normal(0, 60, (1, 227, 227, 3)).astype("f4")
    model = keras.Model(alexnet.input, [alexnet.get_layer("fc8").output, alexnet.output])
    logits, probabilities = (np.asarray(output[0], "f8") for output in model(picture))
    expected = np.exp(logits - logits.max())
    np.testing.assert_allclose(probabilities, expected / expected.sum(), rtol=1e-4)


def test_the_same_seed_gives_the_same_head():
    first, second, other = (Head(classes=2, seed=seed).get_weights() for seed in (1, 1, 2))
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
