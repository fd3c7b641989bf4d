"""One set of weights in every format, whole, damaged and hostile."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from alexnet_tf.errors import BadFile
from alexnet_tf.model import AlexNet, load_layers
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.loading import WeightsFile, open_weights, read_weights, read_weights_file
from alexnet_tf.weights.recognize import recognize
from tests.support.caffe import field, random_weights, varint, write_caffemodel
from tests.support.formats import (
    BVLC_CONV1,
    CAFFENET_CONV1,
    TORCHVISION_KERNELS,
    plain,
    signed,
    tensor,
    upper_halves,
    write_npy,
    write_npy_of_dicts,
    write_npz,
    write_onnx,
    write_pth,
    write_safetensors,
)

BVLC, CAFFENET = VARIANTS["bvlc"], VARIANTS["caffenet"]
SMALL = replace(BVLC, fc_units=(5, 5))  # a head of kilobytes


@pytest.fixture(scope="module")
def weights():
    return random_weights(SMALL, classes=3)


@pytest.fixture(scope="module")
def convolutions(weights):
    return {name: weights[name] for name in BVLC.conv_kernels()}


def write_keras(path, weights):
    """Let Keras write the convolutions alone."""
    model = AlexNet(include_top=False)
    load_layers(model, {name: weights[name] for name in BVLC.conv_kernels()})
    if path.suffix == ".h5":
        model.save_weights(path)
    else:
        model.save(path)


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name in expected:
        for part, other in zip(found[name], expected[name]):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, other)


FORMATS = {
    "dicts.npy": write_npy_of_dicts,
    "a.onnx": write_onnx,
    "a.safetensors": write_safetensors,
    "oldest.pth": partial(write_pth, zipped=False, pairs=True, first_version=True, cuda=True),
    "checkpoint.pth.tar": partial(write_pth, checkpoint=True, prefix="module."),
    "a.npy": write_npy,
    "a.npz": write_npz,
    "a.pth": write_pth,
    "old.pth": partial(write_pth, zipped=False),
    "a.caffemodel": write_caffemodel,
}
KERAS_FORMATS = {"a.keras": write_keras, "a.weights.h5": write_keras}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_arrays(tmp_path, weights, name):
    FORMATS[name](tmp_path / name, weights)
    assert_same(read_weights(tmp_path / name), weights)


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize(
    "blobs", [{}, {"legacy": True}, {"packed": False}, {"double": True, "packed": False}]
)
def test_every_kind_of_caffemodel_gives_the_same_arrays(tmp_path, weights, v1, blobs):
    write_caffemodel(tmp_path / "a.caffemodel", weights, v1=v1, **blobs)
    assert_same(read_weights(tmp_path / "a.caffemodel"), weights)


@pytest.mark.parametrize("name", KERAS_FORMATS)
def test_what_keras_writes_is_read(tmp_path, convolutions, name):
    KERAS_FORMATS[name](tmp_path / name, convolutions)
    assert_same(read_weights(tmp_path / name), convolutions)


@pytest.mark.parametrize("name", KERAS_FORMATS)
def test_slopes_are_not_dropped_in_silence(tmp_path, name):
    model = AlexNet(replace(SMALL, activation="prelu"), include_top=False)
    model.save(tmp_path / name) if name == "a.keras" else model.save_weights(tmp_path / name)
    with pytest.raises(BadFile, match=f"{name}: has slopes of prelu, which are not taken"):
        read_weights(tmp_path / name)


def test_a_float16_npz_is_read(tmp_path, weights):
    half = {name: [part.astype("f2") for part in pair] for name, pair in weights.items()}
    write_npz(tmp_path / "a.npz", half)
    assert_same(read_weights(tmp_path / "a.npz"), half)


@pytest.fixture
def int8():
    """The parts of a layer whose kernel is int8: kernel, scale and bias."""
    random = np.random.default_rng(0)
    kernel = random.integers(-127, 128, (11, 11, 3, 96), np.int8)
    return kernel, random.random(96, np.float32), random.random(96, np.float32)


def write_parts(path, kernel, scale, bias):
    np.savez(path, **{"conv1/kernel": kernel, "conv1/scale": scale, "conv1/bias": bias})


def test_an_int8_npz_is_scaled_output_by_output(tmp_path, int8):
    kernel, scale, bias = int8
    write_parts(tmp_path / "a.npz", kernel, scale, bias)
    assert_same(read_weights(tmp_path / "a.npz"), {"conv1": (kernel * scale, bias)})


def test_an_int8_npz_has_a_scale_for_each_output(tmp_path, int8):
    kernel, scale, bias = int8
    write_parts(tmp_path / "a.npz", kernel, scale[:1], bias)
    with pytest.raises(BadFile, match=r"a\.npz: the scale of conv1 should be one number"):
        read_weights(tmp_path / "a.npz")


@pytest.mark.parametrize("name", FORMATS | KERAS_FORMATS)
def test_a_truncated_file_is_an_error(tmp_path, convolutions, name):
    path = tmp_path / name
    (FORMATS | KERAS_FORMATS)[name](path, convolutions)
    content = path.read_bytes()
    for size in (0, 1, 30, 1000, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(BadFile, match=name):
            read_weights(path)


@pytest.mark.parametrize("name", ["a.npz", "a.pth"])
def test_a_flipped_bit_in_a_zip_is_noticed(tmp_path, convolutions, name):
    FORMATS[name](tmp_path / name, convolutions)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile, match=rf"{name}: is damaged: its member"):
        read_weights(tmp_path / name)


HUGE = 1 << 40


def npy_header(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def write_member(path, name, content):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)


def write_state(path, entry):
    """Write a .pth of one storage of four bytes and one tensor."""
    with zipfile.ZipFile(path, "w") as archive:
        state = b"\x80\x02}" + plain("features.0.weight") + entry + b"s."
        archive.writestr("a/data.pkl", state)
        archive.writestr("a/data/0", bytes(4))


def write_pickle(path, opcodes):
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(opcodes)


def write_blob(path, blob):
    path.write_bytes(field(100, field(1, b"conv1") + field(7, blob) + field(7, blob)))


@pytest.mark.parametrize(
    ("name", "write", "content"),
    [
        ("shape.caffemodel", write_blob, field(7, field(1, varint(HUGE))) + field(5, bytes(4))),
        ("legacy.caffemodel", write_blob, field(1, HUGE) + field(5, bytes(4))),
        ("length.caffemodel", write_blob, varint(5 << 3 | 2) + varint(HUGE) + bytes(4)),
        ("dims.caffemodel", write_blob, field(7, field(1, bytes(10**6))) + field(5, bytes(4))),
        ("shape.pth", write_state, tensor("0", (HUGE,), (1,))),
        ("stride.pth", write_state, tensor("0", (HUGE,), (0,))),
        ("outside.pth", write_state, tensor("0", (1, 1), (1, 1)).replace(plain(0), plain(HUGE))),
        ("memo.npy", write_pickle, b"\x80\x04Nr\xff\xff\xff\x7f."),
        ("bytearray.npy", write_pickle, b"\x80\x05\x96" + (1 << 32).to_bytes(8, "little") + b"."),
        ("bytes.npy", write_pickle, b"\x80\x04\x8e" + HUGE.to_bytes(8, "little") + b"."),
        (
            "shape.npz",
            lambda path, header: write_member(path, "conv1/kernel.npy", header + bytes(4)),
            npy_header((HUGE,)),
        ),
    ],
)
def test_what_is_only_promised_is_not_allocated(tmp_path, name, write, content):
    write(tmp_path / name, content)
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match=name):
            read_weights(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_pickled_array_of_a_huge_shape_is_not_allocated(tmp_path):
    array = np.zeros(0, object)
    reconstruct, arguments, _ = array.__reduce__()
    state = (1, (HUGE,), array.dtype, False, [])
    opcodes = pickle.dumps((reconstruct, arguments, state), 4)
    write_pickle(tmp_path / "a.npy", opcodes[:-1] + b".")
    with pytest.raises(BadFile, match="no dict of layers"):
        read_weights(tmp_path / "a.npy")


def test_a_pth_that_would_run_a_command_is_refused(tmp_path):
    write_state(tmp_path / "evil.pth", b"cposix\nsystem\n(X\x09\x00\x00\x00touch rantR")
    with pytest.raises(BadFile, match=r"evil\.pth: refused.*'posix\.system'"):
        read_weights(tmp_path / "evil.pth")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pth", {"readme": b""}, "is a zip of something else: torch.save writes data.pkl"),
        ("a.npz", {"weight.npy": npy_header(())}, "has a member 'weight.npy'"),
        ("a.npz", {"conv1/bias.npy": npy_header((1,)) + bytes(4)}, "lacks the kernel of conv1"),
        ("a.pth", {"data.pkl": b""}, "that torch.save did not write"),
        ("a.keras", {"config.json": b"{}"}, "Keras 3 model.weights.h5"),
    ],
)
def test_a_zip_of_something_else_is_an_error(tmp_path, name, content, message):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        for member, data in content.items():
            archive.writestr(member, data)
    with pytest.raises(BadFile, match=rf"{name}: .*{message}"):
        read_weights(tmp_path / name)


def test_a_compressed_npz_says_how_to_write_it(tmp_path, convolutions):
    np.savez_compressed(tmp_path / "a.npz", **{"conv1/kernel": convolutions["conv1"][0]})
    with pytest.raises(BadFile, match="not savez_compressed"):
        read_weights(tmp_path / "a.npz")


@pytest.fixture
def bvlc_npy(tmp_path, convolutions):
    """Random convolutions, but for the numbers by which BVLC's are known."""
    write_npy(tmp_path / "a.npy", signed(convolutions, BVLC_CONV1))
    return tmp_path / "a.npy"


def test_the_published_bvlc_weights_are_known_by_their_first_numbers(bvlc_npy):
    assert read_weights_file(bvlc_npy).recognized().name == "BVLC AlexNet"
    assert list(open_weights(bvlc_npy, BVLC)) == list(BVLC.conv_kernels())


def test_the_published_bvlc_weights_are_for_bvlc_alone(bvlc_npy):
    with pytest.raises(BadFile, match=r"a\.npy: holds BVLC AlexNet.*give --variant bvlc"):
        AlexNet("caffenet", weights=bvlc_npy, include_top=False)


def test_the_real_bvlc_conv1_is_known(material, convolutions):
    golden = np.load(material / "weights/bvlc_alexnet_golden.npz")
    weights = convolutions | {"conv1": (golden["conv1_kernel"], golden["conv1_bias"])}
    assert recognize(weights) == ("BVLC AlexNet", ("bvlc",))


def test_caffenet_is_known_by_its_first_numbers(tmp_path, convolutions):
    """In a .npy nothing else says that it pools before it normalizes."""
    write_npy(tmp_path / "a.npy", signed(convolutions, CAFFENET_CONV1))
    found = read_weights_file(tmp_path / "a.npy")
    assert found.recognized() == ("CaffeNet", ("caffenet",))
    with pytest.raises(BadFile, match=r"holds CaffeNet.*not bvlc; give --variant caffenet"):
        found.check(BVLC)


def test_the_real_caffenet_conv1_is_known(material, convolutions):
    golden = np.load(material / "weights/caffenet_golden.npz")
    weights = convolutions | {"conv1": (golden["conv1_kernel"], golden["conv1_bias"])}
    assert recognize(weights) == ("CaffeNet", ("caffenet",))


@pytest.mark.parametrize(
    ("signature", "name"), [(BVLC_CONV1, "BVLC AlexNet"), (CAFFENET_CONV1, "CaffeNet")]
)
def test_weights_made_for_pictures_in_rgb_are_turned_around(
    typed, tmp_path, convolutions, signature, name
):
    expected = signed(convolutions, signature)
    kernel, bias = expected["conv1"]
    write_npy(tmp_path / "rgb.npy", expected | {"conv1": (kernel[:, :, ::-1], bias)})
    assert_same(read_weights(tmp_path / "rgb.npy"), expected)
    lines = typed("alexnet_tf", "weights", "rgb.npy").stdout.splitlines()
    assert lines[0] == f"rgb.npy: {name} in RGB order, turned into BGR"


@pytest.mark.parametrize("signature", [BVLC_CONV1, CAFFENET_CONV1])
def test_the_published_weights_are_known_in_numbers_of_16_bits_too(signature, convolutions):
    kernel, bias = upper_halves(signed(convolutions, signature))["conv1"]
    assert recognize({"conv1": (kernel, bias)}).variants
    assert recognize({"conv1": (kernel.astype("f2"), bias)}).variants


def test_a_network_in_caffenets_order_is_known_by_it(tmp_path, convolutions):
    write_caffemodel(tmp_path / "a.caffemodel", convolutions, CAFFENET)
    found = read_weights_file(tmp_path / "a.caffemodel")
    assert found.recognized() == ("weights in CaffeNet's order", ("caffenet",))
    with pytest.raises(BadFile, match=r"in CaffeNet's order.*not bvlc; give --variant caffenet"):
        found.check(BVLC)


def test_a_caffemodel_is_opened_once(tmp_path, convolutions):
    path = tmp_path / "a.caffemodel"
    write_caffemodel(path, convolutions, CAFFENET)
    found = read_weights_file(path)
    path.unlink()
    assert_same(found.check(CAFFENET), convolutions)


def test_an_unknown_caffemodel_is_told_its_variant_by_the_order_of_its_layers(
    tmp_path, convolutions
):
    write_caffemodel(tmp_path / "a.caffemodel", convolutions, BVLC)
    found = read_weights_file(tmp_path / "a.caffemodel")
    assert_same(found.check(BVLC), convolutions)
    with pytest.raises(BadFile, match=r"holds unknown weights.*give --variant bvlc"):
        found.check(CAFFENET)


def test_torchvision_is_known_by_its_shapes():
    weights = {
        name: (np.broadcast_to(np.float32(0), shape), np.zeros(shape[-1:], np.float32))
        for name, shape in TORCHVISION_KERNELS.items()
    }
    assert recognize(weights) == ("weights in torchvision AlexNet's shapes", ("owt",))
    with pytest.raises(BadFile, match=r"a\.pth: holds weights in torchvision.*give --variant owt"):
        WeightsFile("a.pth", weights).check(BVLC)


def test_the_verb_says_what_was_recognized(typed, tmp_path, convolutions):
    write_caffemodel(tmp_path / "a.caffemodel", convolutions, CAFFENET)
    lines = typed("alexnet_tf", "weights", "a.caffemodel").stdout.splitlines()
    assert lines[:2] == ["a.caffemodel: weights in CaffeNet's order", "conv1  11 × 11 × 3 × 96"]
