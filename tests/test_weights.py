"""Files of weights: read, checked against a variant, and refused when they would run something."""

import os
import pickle

import numpy as np
import pytest

from alexnet_tf.errors import BadFile
from alexnet_tf.model import AlexNet
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights import fingerprint
from alexnet_tf.weights.loading import open_weights, read_weights

BVLC = VARIANTS["bvlc"]
KERNELS = BVLC.conv_kernels()
HEADER = {"descr": "|O", "fortran_order": False, "shape": ()}


def layers():
    random = np.random.default_rng(0)
    return {
        name: [random.normal(size=shape).astype("f4"), random.normal(size=shape[-1]).astype("f4")]
        for name, shape in KERNELS.items()
    }


def write_npy(path, pickled):
    """Write a .npy whose content is the given pickle."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, HEADER)
        file.write(pickled)


class Python2Pickler(pickle._Pickler):
    """Writes strings as Python 2 did: every str, and the arrays' contents, as BINSTRING."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012

    def save_string(self, text):
        content = text.encode("latin-1") if isinstance(text, str) else text
        self.write(pickle.BINSTRING + len(content).to_bytes(4, "little") + content)

    dispatch[str] = dispatch[bytes] = save_string


@pytest.fixture
def python2_npy(tmp_path):
    path = tmp_path / "bvlc_alexnet.npy"
    with open(tmp_path / "pickle", "wb") as file:
        Python2Pickler(file, protocol=2).dump(np.array(layers(), dtype=object))
    pickled = (tmp_path / "pickle").read_bytes().replace(b"numpy._core", b"numpy.core")
    write_npy(path, pickled)
    return path


def assert_read_back(path):
    weights = read_weights(path)
    assert list(weights) == list(KERNELS)
    for name, (kernel, bias) in layers().items():
        np.testing.assert_array_equal(weights[name][0], kernel)
        np.testing.assert_array_equal(weights[name][1], bias)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_reads_what_numpy_writes(tmp_path, protocol):
    write_npy(tmp_path / "a.npy", pickle.dumps(np.array(layers(), dtype=object), protocol))
    assert_read_back(tmp_path / "a.npy")


def test_reads_what_python_2_wrote(python2_npy):
    assert_read_back(python2_npy)


def test_weights_arrive_in_the_model(tmp_path):
    np.save(tmp_path / "a.npy", np.array(layers(), dtype=object))
    model = AlexNet(weights=tmp_path / "a.npy", include_top=False)
    for name, (kernel, bias) in layers().items():
        np.testing.assert_array_equal(model.get_layer(name).kernel, kernel)
        np.testing.assert_array_equal(model.get_layer(name).bias, bias)


class Payload:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "payload",
    [
        Payload(os.system, "touch ran"),
        Payload(eval, "open('ran', 'w')"),
        {"conv1": [Payload(os.system, "touch ran"), np.zeros(96, "f4")]},
    ],
)
def test_a_pickle_that_would_run_a_command_is_refused(tmp_path, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    write_npy(tmp_path / "evil.npy", pickle.dumps(payload))
    with pytest.raises(BadFile, match=r"evil\.npy: refused.*(system|eval)"):
        read_weights(tmp_path / "evil.npy")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_cannot_allocate_by_a_call(tmp_path):
    write_npy(tmp_path / "huge.npy", pickle.dumps(Payload(np.ndarray, (1 << 40,))))
    with pytest.raises(BadFile, match=r"huge\.npy"):
        read_weights(tmp_path / "huge.npy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("conv3"), "lacks the layer conv3; it has conv1, conv2, conv4, conv5"),
        (lambda w: w.update(conv9=w["conv5"]), "has a layer 'conv9'"),
        (
            lambda w: w.update(conv2=[np.zeros((5, 5, 96, 256), "f4"), w["conv2"][1]]),
            r"kernel of conv2 should have the shape \(5, 5, 48, 256\), but has \(5, 5, 96, 256\)",
        ),
        (lambda w: w["conv4"][1].fill(np.nan), "bias of conv4 holds NaN"),
        (lambda w: w.update(conv1="text"), "'conv1' should be"),
        (lambda w: w.update(conv1=[np.array(["a"]), np.array(["b"])]), "an array of type 'U1'"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    weights = layers()
    change(weights)
    path = tmp_path / "a.npy"
    np.save(path, np.array(weights, dtype=object))
    with pytest.raises(BadFile, match=r"a\.npy: .*" + message):
        open_weights(path, BVLC)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_something_else_is_an_error(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(BadFile, match=r"a\.npy: is damaged or not a file of weights"):
        read_weights(tmp_path / "a.npy")


def test_a_truncated_file_is_an_error(tmp_path, python2_npy):
    content = python2_npy.read_bytes()
    python2_npy.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadFile, match="is damaged"):
        read_weights(python2_npy)


def test_a_plain_array_is_no_weights(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(BadFile, match="pickled dict of layers"):
        read_weights(tmp_path / "a.npy")


def test_a_missing_file_says_where_to_get_it(tmp_path):
    with pytest.raises(BadFile, match="`alexnet-tf weights` fetches one"):
        read_weights(tmp_path / "a.npy")


def test_the_fingerprint_is_the_same_in_any_order():
    weights = layers()
    assert fingerprint(weights) == fingerprint(dict(reversed(weights.items())))


def test_another_value_gives_another_fingerprint():
    weights = layers()
    weights["conv5"][1][0] += 1
    assert fingerprint(weights) != fingerprint(layers())


def test_the_real_convolutions_load(material):
    weights = open_weights(material / "weights/alexnet_pool_norm_conv.npy", BVLC)
    assert list(weights) == list(KERNELS)
