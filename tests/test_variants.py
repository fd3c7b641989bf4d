"""Changes to variants, as ablations ask for them."""

from dataclasses import replace

import numpy as np
import pytest

from alexnet_tf.errors import UserError
from alexnet_tf.model import AlexNet
from alexnet_tf.variants import ACTIVATIONS, INITIALS, VARIANTS, change
from tests.test_model import VARIANT_SIDES_AND_PARAMETERS


def build(variant, **changes):
    """Build a thin network, which takes no time."""
    width = 1 if variant == "lenet5" else 0.1
    return AlexNet(change(VARIANTS[variant], width=width, **changes), classes=5, seed=0)


def names(model):
    return [layer.name for layer in model.layers]


# As published: local_size and the rest of Caffe's lrn_param or section 3.3 of the paper
# (radius, alpha, beta, bias), pixels of the input and of what it is cut from, dropout.
LRN_OF_CAFFE, LRN_OF_THE_PAPER = (2, 1e-4 / 5, 0.75, 1.0), (2, 1e-4, 0.75, 2.0)
PUBLISHED = {
    "bvlc": (LRN_OF_CAFFE, 227, 256, 0.5),
    "caffenet": (LRN_OF_CAFFE, 227, 256, 0.5),
    "paper": (LRN_OF_THE_PAPER, 224, 256, 0.5),
    "owt": (None, 224, 256, 0.5),
    "nolrn": (None, 224, 256, 0.2),
    "cifar96": (LRN_OF_CAFFE, 32, 32, 0.5),
    "cifar96-nolrn": (None, 32, 32, 0.5),
    "cifar64": (LRN_OF_THE_PAPER, 32, 32, 0.5),
    "cifar32": (None, 32, 32, 0.5),
    "starter": (None, 128, 144, 0.5),
    "distilled": (None, 128, 144, 0.5),
    "lenet5": (None, 32, 32, None),
}
# torchvision's conv1 has padding=2; the paper's 224 pixels need three more to give 55 × 55.
BORDERS = {"owt": (2, 2), "nolrn": (2, 2), "paper": (1, 2)}
# What values of 0–255 are multiplied by, what is subtracted then, and what that is divided by.
NORMALIZATION = {
    "bvlc": (1, (104.007, 116.669, 122.679), (1, 1, 1)),
    "caffenet": (1, (104.007, 116.669, 122.679), (1, 1, 1)),
    "paper": (1, (122.679, 116.669, 104.007), (1, 1, 1)),
    **dict.fromkeys(
        ("owt", "starter", "distilled"), (1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    ),
    "nolrn": (1 / 255, (0.5,) * 3, (0.5,) * 3),
    "cifar32": (1 / 255, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_has_the_numbers_that_its_authors_publish(name):
    variant = VARIANTS[name]
    lrn, image_size, resized, dropout = PUBLISHED[name]
    normalized = any("norm" in steps for steps in variant.after_conv)
    found = (variant.lrn_radius, variant.lrn_alpha, variant.lrn_beta, variant.lrn_bias)
    assert (found if normalized else None) == lrn
    assert (variant.image_size, variant.resized) == (image_size, resized)
    assert (variant.dropout if "drop" in variant.head else None) == dropout
    assert variant.border == BORDERS.get(name, (0, 0))
    colors = NORMALIZATION.get(name, (1 / 255, (0, 0, 0), (1, 1, 1)))
    assert (variant.scale, variant.mean, variant.deviation) == colors
    assert (variant.pool_size, variant.pool_stride) == (2 if name == "lenet5" else 3, 2)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_table_alone_tells_sides_and_parameters(name):
    variant = VARIANTS[name]
    sides, parameters = VARIANT_SIDES_AND_PARAMETERS[name]
    assert variant.parameters(1000) == parameters
    assert variant.pool5_shape == (sides[-1], sides[-1], variant.filters[-1])
    assert variant.shape_before("conv2")[0] == sides[1]


CAFFES_DEVIATIONS = (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01)


@pytest.mark.parametrize(
    ("name", "deviations", "biases", "truncated"),
    [
        ("bvlc", CAFFES_DEVIATIONS, (0, 0.1, 0, 0.1, 0.1, 0.1, 0.1, 0), False),
        ("caffenet", CAFFES_DEVIATIONS, (0, 1, 0, 1, 1, 1, 1, 0), False),
        ("paper", (0.01,) * 8, (0, 1, 0, 1, 1, 1, 1, 0), False),
        ("cifar64", (0.1,) * 8, (0,) * 8, True),
    ],
)
def test_eight_layers_begin_as_their_authors_began(name, deviations, biases, truncated):
    initial = VARIANTS[name].initial
    assert (initial.deviations, initial.biases) == (deviations, biases)
    assert initial.truncated == truncated


def test_nothing_changes_unless_told():
    assert change(VARIANTS["bvlc"]) == VARIANTS["bvlc"]
    assert change(VARIANTS["bvlc"], scale=288) == replace(VARIANTS["bvlc"], scaled=288)


def test_windows_are_read_from_maxima_at_every_place():
    """From 288 pixels conv5 is 16 × 16; 6 values 2 apart span 11 of 14 maxima."""
    variant = change(VARIANTS["bvlc"], scale=288, mirrored=True)
    assert variant.picture_size == 288
    assert (variant.maxima_shape, variant.pool5_shape) == ((14, 14, 256), (6, 6, 256))
    assert (variant.windows, variant.views) == (16, 32)
    assert variant.window(0) == (slice(0, 11, 2), slice(0, 11, 2))
    assert variant.window(7) == (slice(1, 12, 2), slice(3, 14, 2))
    alone = VARIANTS["bvlc"]
    assert (alone.picture_size, alone.windows, alone.views) == (227, 1, 1)


def test_normalization_goes():
    assert "norm1" in names(build("bvlc"))
    assert not [name for name in names(build("bvlc", lrn=False)) if "norm" in name]


def test_normalization_comes_before_the_pooling():
    order = names(build("owt", lrn=True))
    assert [order.index(name) for name in ("conv1", "norm1", "pool1")] == [2, 3, 4]
    assert [name for name in order if "norm" in name] == ["norm1", "norm2"]


def test_normalization_that_is_there_stays_where_it_is():
    order = names(build("caffenet", lrn=True))
    assert order.index("pool1") < order.index("norm1")


@pytest.mark.parametrize(("variant", "overlap", "size"), [("bvlc", False, 2), ("lenet5", True, 3)])
def test_windows_overlap_or_not(variant, overlap, size):
    changed = change(VARIANTS[variant], overlap=overlap)
    model = build(variant, overlap=overlap)
    pools = [layer for layer in model.layers if "pool" in layer.name]
    assert {(layer.pool_size, layer.strides) for layer in pools} == {((size, size), (2, 2))}
    assert model.get_layer("flatten").input.shape[1:3] == changed.pool5_shape[:2]


def test_a_width_multiplies_every_layer_but_the_last():
    half = change(VARIANTS["bvlc"], width=0.5)
    assert half.filters == (48, 128, 192, 192, 128) and half.fc_units == (2048, 2048)
    model = AlexNet(half, classes=5)
    assert model.count_params() == half.parameters(5)
    assert model.get_layer("fc7").units == 2048 and model.output_shape == (None, 5)


def test_a_width_that_leaves_a_layer_without_filters_is_an_error():
    with pytest.raises(UserError, match=r"a width of 0\.01 leaves a layer of bvlc without"):
        change(VARIANTS["bvlc"], width=0.01)


@pytest.mark.parametrize("dropout", [0.25, 0.0])
def test_dropout_is_as_told(dropout):
    model = build("bvlc", dropout=dropout)
    assert [model.get_layer(name).rate for name in ("drop6", "drop7")] == [dropout, dropout]


def test_initial_values_are_as_told():
    model = build("bvlc", initial="paper")
    assert [model.get_layer(name).bias.numpy().mean() for name in ("conv2", "fc8")] == [1, 0]
    assert model.get_layer("fc6").kernel.numpy().std() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("name", INITIALS)
def test_initial_values_have_names(name):
    assert change(VARIANTS["bvlc"], initial=name).initial is INITIALS[name]


FORMULAS = {
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "prelu": lambda x: x if x > 0 else 0.25 * x,
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_layer_but_the_last_has_the_activation(activation):
    model = build("lenet5", activation=activation)
    inputs = np.random.default_rng(0).normal(0, 1, (1, 32, 32, 3)).astype("f4")
    fc7, fc8 = model.get_layer("fc7"), model.get_layer("fc8")
    known = "prelu6" if activation == "prelu" else "fc6"
    between = type(model)(model.input, [model.get_layer(known).output, fc8.output])
    before, logits = (np.asarray(output[0], "f8") for output in between(inputs))
    formula = np.vectorize(FORMULAS[activation], otypes="d")
    after = formula(before @ fc7.kernel.numpy() + fc7.bias.numpy())
    np.testing.assert_allclose(after @ fc8.kernel.numpy() + fc8.bias.numpy(), logits, atol=1e-5)
    slopes = [layer for layer in model.layers if "prelu" in layer.name]
    assert len(slopes) == (4 if activation == "prelu" else 0)
