"""The engines that may compute frozen layers: which is taken, what int8 makes of a picture."""

import json
import subprocess
import sys

import numpy as np
import pytest

from alexnet_tf.data.images.preprocessing import load_image, preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.frozen import choice, layers
from alexnet_tf.frozen.calibration import draw
from alexnet_tf.frozen.int8 import NOT_NEGATIVE
from alexnet_tf.frozen.layers import NotHere, frozen_part
from alexnet_tf.model import AlexNet, part
from alexnet_tf.runs.rules import check_settings
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.log import warn_once
from alexnet_tf.system.processor import VARIABLE
from alexnet_tf.training import frozen
from alexnet_tf.variants import VARIANTS, change
from tests.support.engines import skip_if_int8_overflows
from tests.support.places import ROOT
from tests.support.small import LOG, STARTER, convolutions, heard, job

# Sums over four of the drawn pictures at 64 pixels.
SUMS = [1600901, 2171910, 1563588, 1520048]
FROZEN = STARTER | {"train": "head", "epochs": 1, "precision": "auto"}


@pytest.fixture
def free(monkeypatch):
    """Let engines be measured, as where the variable is not set, and warnings be said anew."""
    monkeypatch.delenv(VARIABLE)
    choice.pictures_a_second.cache_clear()
    warn_once.cache_clear()
    yield
    choice.pictures_a_second.cache_clear()


@pytest.fixture
def measured(monkeypatch, free):
    """Return what lets engines take these seconds each time they are asked, by a clock that nothing
    else moves; of a list, one after the other."""

    def let(**seconds):
        now = 0.0

        def engine(name):
            took = iter(seconds[name]) if isinstance(seconds[name], list) else None

            def forward(pictures):
                nonlocal now
                now += next(took) if took else seconds[name]

            return forward

        def by_tensorflow(model, variant):
            return engine(model.layers[1].compute_dtype)

        monkeypatch.setattr(choice.time, "perf_counter", lambda: now)
        monkeypatch.setattr(choice, "by_tensorflow", by_tensorflow)
        monkeypatch.setattr(choice, "by_openvino", lambda *arguments: engine("int8"))

    return let


@pytest.fixture
def without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)


def heard_warnings(monkeypatch):
    said = []
    monkeypatch.setattr(frozen, "warn_once", said.append)
    return said


@pytest.fixture
def weights(tmp_path):
    return convolutions(tmp_path / "random.npy", **STARTER)


@pytest.mark.bfloat16
def test_the_fastest_engine_comes_first_and_the_table_says_how_fast_each_is(measured):
    measured(float32=0.4, bfloat16=0.8, int8=0.1)
    assert choice.fastest_first() == ["int8", "int8-conv2", "float32", "bfloat16"]
    assert choice.fastest_of_tensorflow() == "float32"
    assert choice.in_words(choice.pictures_a_second()) == (
        "int8 80, float32 20, bfloat16 10 pictures of 115 pixels a second"
    )


def test_an_engine_that_is_disturbed_most_of_the_time_is_still_the_fastest(measured):
    """The first of seven times does not count; in five of the others something else was at work."""
    measured(float32=0.4, bfloat16=0.5, int8=[9, 9, 0.1, 9, 9, 9, 9])
    assert choice.fastest_first()[0] == "int8"
    assert choice.pictures_a_second()["int8"] == pytest.approx(80)


@pytest.mark.bfloat16
def test_an_engine_that_is_hopeless_is_asked_twice_and_no_more(measured):
    measured(float32=0.4, bfloat16=[9, 9, 9], int8=0.1)
    assert choice.fastest_first()[-1] == "bfloat16"


def test_an_engine_that_the_processor_lacks_is_left_out(measured, monkeypatch):
    measured(float32=0.4, bfloat16=[], int8=0.1)
    monkeypatch.setattr(choice, "by_openvino", lambda *arguments: 1 / 0)
    assert choice.fastest_first() == ["float32"]


def test_the_engines_that_are_here_are_measured(free):
    rates = choice.pictures_a_second()
    assert {"float32", "int8"} <= set(rates)
    assert all(1 < rate < 1e6 for rate in rates.values())


@pytest.mark.parametrize("precision", ["int8", "int8-conv2"])
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in ("bvlc", "caffenet", "paper", "owt", "starter", "cifar32")),
        *((name, {}) for name in ("cifar96", "cifar64", "lenet5")),
        ("nolrn", {"scale": 288}),
        ("caffenet", {"scale": 256, "overlap": False}),
        *(("bvlc", {"activation": name, "width": 0.25}) for name in ("prelu", "leaky_relu")),
        *(("bvlc", {"activation": name, "width": 0.25}) for name in ("tanh", "softplus")),
    ],
)
def test_each_variant_in_int8_is_near_float32(name, changes, precision, faces):
    """Measured on the drawn faces, of convolutions drawn as He 2015 does: 0.01 to 0.02, and 0.03
    for tanh. Float32 from OpenVINO would be off by 1e-6."""
    variant = change(VARIANTS[name], **changes)
    if precision == "int8" or variant.activation not in NOT_NEGATIVE:
        skip_if_int8_overflows()
    model = he_convolutions(variant)
    pictures = np.stack([load_image(path, variant) for path in sorted(faces.iterdir())[:4]])
    expected = model.predict_on_batch(preprocess_input(pictures, variant))
    outputs = frozen_part(model, variant, precision, 4)(pictures)
    assert outputs.dtype == np.float32 and outputs.shape == expected.shape
    assert 1e-3 < error(outputs, expected) < 0.04


def test_each_layer_adds_little_to_the_error(faces):
    """Each layer up to fc6 adds an independent error of about 1/200; fc6 is float32."""
    skip_if_int8_overflows()
    variant = change(VARIANTS["bvlc"], width=0.25, units=64)
    model = AlexNet(variant, weights=he_weights(variant), classes=2, seed=0)
    pictures = np.stack([load_image(path, variant) for path in sorted(faces.iterdir())[:4]])
    inputs, errors = preprocess_input(pictures, variant), []
    for layer in ("conv2", "conv3", "conv4", "conv5", "fc7"):
        below = part(model, "conv1", layer)
        found = frozen_part(below, variant, "int8", 4)(pictures)
        errors.append(error(found, below.predict_on_batch(inputs)))
    assert all(1e-3 < each < 0.03 for each in errors)
    assert errors[0] < 0.01 < errors[3]


def test_mirror_images_stand_behind_the_pictures(faces):
    variant = change(VARIANTS["starter"], scale=160, mirrored=True, width=0.25)
    model = AlexNet(variant, 2, he_weights(variant), seed=0)
    pictures = np.stack([load_image(path, variant) for path in sorted(faces.iterdir())[:3]])
    expected = model.predict_on_batch(preprocess_input(pictures, variant))
    found = frozen_part(model, variant, "int8", 3)(pictures)
    assert found.shape == (3, 2)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_a_border_that_is_not_zeros_of_pixels_is_the_mean(faces):
    """conv1 of owt sees two rows and columns of zeros, after the mean is subtracted: zeros there in
    pixels would be black, and the outer places of conv1 three times as far off."""
    skip_if_int8_overflows()
    variant = VARIANTS["owt"]
    model = part(AlexNet(variant, 2, he_weights(variant), seed=0), "conv1", "conv2")
    pictures = np.stack([load_image(path, variant) for path in sorted(faces.iterdir())[:4]])
    expected = model.predict_on_batch(preprocess_input(pictures, variant))
    found = frozen_part(model, variant, "int8", 4)(pictures)
    assert error(found[:, 0], expected[:, 0]) < 0.02


def test_the_same_pictures_are_drawn_for_ever():
    pictures = draw(64)
    assert pictures.shape == (10, 64, 64, 3)
    assert [int(each.sum()) for each in pictures[[0, 7, 8, 9]]] == SUMS


@pytest.mark.bfloat16
def test_a_training_takes_the_fastest_and_keeps_it(faces, weights, tmp_path, measured):
    measured(float32=0.4, bfloat16=0.5, int8=0.1)
    lines = heard(job(faces, tmp_path / "run", **FROZEN, weights=weights))
    assert "measured: int8 80, float32 20, bfloat16 16 pictures of 115 pixels a second" in lines
    assert Run(tmp_path / "run").read_config()["settings"]["precision"] == "int8"
    (recipe,) = (tmp_path / "features").glob("*/recipe.json")
    assert json.loads(recipe.read_text())["precision"] == "int8"


def test_features_of_int8_are_those_of_float32_but_for_rounding(faces, weights, tmp_path):
    found = {}
    for precision in ("float32", "int8"):
        configured = FROZEN | {"precision": precision}
        prepared = job(faces, tmp_path / precision, **configured, weights=weights)
        _, store, _ = frozen.with_features(prepared, LOG)
        slots = store.slots(prepared.dataset.train)
        found[precision] = store.read(slots, np.ones_like(slots)).astype(np.float32)
    assert len(list((tmp_path / "features").iterdir())) == 2
    # A feature is a byte, within 1/16: what int8 adds is little beside that.
    assert 1e-3 < error(found["int8"], found["float32"]) < 0.05


def test_a_network_that_int8_computes_wrongly_is_left_to_tensorflow(
    faces, weights, tmp_path, measured, monkeypatch
):
    """As a processor without VNNI does, whose sums of conv1 overflow; here all of them do."""
    measured(float32=0.4, bfloat16=0.5, int8=0.1)
    by_openvino = layers.by_openvino

    def overflows(*arguments):
        found = by_openvino(*arguments)
        return lambda pixels: np.minimum(found(pixels), 0.1)

    monkeypatch.setattr(layers, "by_openvino", overflows)
    said = heard_warnings(monkeypatch)
    heard(job(faces, tmp_path / "run", **FROZEN, weights=weights))
    assert Run(tmp_path / "run").read_config()["settings"]["precision"] == "float32"
    (warning,) = said
    assert warning.startswith("in int8-conv2 this network is wrong by ")


def test_conv1_stays_in_float32_where_only_that_overflows(
    faces, weights, tmp_path, measured, monkeypatch
):
    measured(float32=0.4, bfloat16=0.5, int8=0.1)
    error_of = layers._error
    monkeypatch.setattr(
        layers, "_error", lambda forward, *rest: 0.2 if first else error_of(forward, *rest)
    )
    by_openvino = layers.by_openvino
    first = None

    def noted(*arguments):
        nonlocal first
        first = arguments[3] == "int8"
        return by_openvino(*arguments)

    monkeypatch.setattr(layers, "by_openvino", noted)
    said = heard_warnings(monkeypatch)
    heard(job(faces, tmp_path / "run", **FROZEN, weights=weights))
    assert Run(tmp_path / "run").read_config()["settings"]["precision"] == "int8-conv2"
    assert said == []


def test_a_broken_openvino_is_one_warning_and_tensorflow(
    faces, weights, tmp_path, free, monkeypatch
):
    def breaks(*arguments):
        raise RuntimeError("no plugin CPU")

    said = []
    monkeypatch.setattr(choice, "by_openvino", breaks)
    monkeypatch.setattr(choice, "warn_once", said.append)
    heard(job(faces, tmp_path / "run", **FROZEN, weights=weights))
    precision = Run(tmp_path / "run").read_config()["settings"]["precision"]
    assert precision in ("float32", "bfloat16")
    assert said == ["OpenVINO does not work here (no plugin CPU), and so there is no int8"]


def test_without_openvino_int8_is_refused_and_auto_does_without(
    faces, weights, tmp_path, free, without_openvino, monkeypatch
):
    configured = FROZEN | {"precision": "int8"}
    with pytest.raises(UserError, match="int8 needs openvino, which is not installed: `"):
        heard(job(faces, tmp_path / "refused", **configured, weights=weights))
    assert not list((tmp_path / "features").glob("*/values")) or all(
        path.stat().st_size == 0 for path in (tmp_path / "features").glob("*/values")
    )
    said = []
    monkeypatch.setattr(choice, "warn_once", said.append)
    heard(job(faces, tmp_path / "run", **FROZEN, weights=weights))
    (warning,) = said
    assert warning.startswith("int8 may be faster, and needs openvino, which is not installed")


def test_a_run_in_int8_goes_on_without_openvino_while_its_store_is_there(
    faces, weights, tmp_path, monkeypatch
):
    configured = FROZEN | {"precision": "int8", "weights": weights}
    heard(job(faces, tmp_path / "run", **configured))
    whole = heard(job(faces, tmp_path / "whole", **configured | {"epochs": 2}))
    monkeypatch.setitem(sys.modules, "openvino", None)
    lines = heard(job(faces, tmp_path / "run", **configured | {"epochs": 2, "precision": "auto"}))
    same, second = (
        [line.split("  ")[1:5] for line in each if "epoch 2/2" in line] for each in (whole, lines)
    )
    assert same == second != []
    for path in (tmp_path / "features").glob("*/index"):
        path.write_bytes(b"")
    with pytest.raises(NotHere, match="int8 needs openvino"):
        heard(job(faces, tmp_path / "run", **configured | {"epochs": 3}))


@pytest.mark.bfloat16
def test_checkpoints_without_config_go_on_in_their_precision(faces, weights, tmp_path, measured):
    measured(float32=0.4, bfloat16=0.5, int8=0.1)
    configured = FROZEN | {"weights": weights, "precision": "bfloat16"}
    heard(job(faces, tmp_path / "run", **configured))
    for path in (tmp_path / "run").iterdir():
        if path.name != "checkpoints":
            path.unlink()
    prepared = job(faces, tmp_path / "run", **configured | {"precision": "auto"})
    assert prepared.settings.precision == "bfloat16"


@pytest.mark.bfloat16
def test_where_convolutions_are_trained_bfloat16_counts_for_more(
    faces, weights, tmp_path, measured
):
    measured(float32=0.4, bfloat16=0.3, int8=0.1)
    for train, expected in (("from:conv5", "bfloat16"), ("head", "int8")):
        configured = FROZEN | {"train": train, "weights": weights}
        heard(job(faces, tmp_path / train.replace(":", "-"), **configured))
        config = Run(tmp_path / train.replace(":", "-")).read_config()
        assert config["settings"]["precision"] == expected


@pytest.mark.parametrize("configured", [{"train": "all"}, {"crop": True}, {"rotate": 9}])
def test_int8_is_refused_where_no_convolution_is_computed_once(configured):
    with pytest.raises(UserError, match=r"--precision int8 computes .* once, .* they change"):
        check_settings(Settings(**STARTER | {"precision": "int8"} | configured))


def he_weights(variant):
    random = np.random.RandomState(0)
    return {
        name: (
            (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:3]))).astype(np.float32),
            (0.1 * random.standard_normal(shape[3])).astype(np.float32),
        )
        for name, shape in variant.conv_kernels().items()
    }


def he_convolutions(variant):
    return AlexNet(variant, weights=he_weights(variant), include_top=False)


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


SIGNALLED = """
import gc, os, signal, threading
os.environ.pop("ALEXNET_TF_PRECISION", None)
from alexnet_tf.frozen import choice

engines = [choice._engines()]
let_go = threading.Thread(target=lambda: (engines.clear(), gc.collect()))
let_go.start()
let_go.join()
signal.signal(signal.SIGTERM, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_is_heard_after_another_thread_has_let_an_engine_go():
    """OpenVINO's core unmaps the stack on which the main thread would hear it."""
    words = [sys.executable, "-c", SIGNALLED]
    found = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "heard\n")
