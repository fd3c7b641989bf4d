"""The formats that people have AlexNet in: known by content, read as safely as any, converted."""

from __future__ import annotations

import json
import pickle
import time
import tracemalloc
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import pytest
import safetensors.numpy
from onnx import TensorProto, helper, numpy_helper

from alexnet_tf.errors import BadFile
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.formats import WRITERS
from alexnet_tf.weights.formats.npz import quantize, read_npz, write_int8
from alexnet_tf.weights.formats.pytorch import read_tensors
from alexnet_tf.weights.loading import read_weights, read_weights_file
from tests.support.caffe import field, random_weights, varint, write_caffemodel
from tests.support.formats import (
    MAGIC_NUMBER,
    onnx_node,
    onnx_tensor,
    plain,
    tensor,
    torch_arrays,
    upper_halves,
    write_npy,
    write_npy_of_dicts,
    write_npz,
    write_onnx,
    write_pth,
    write_safetensors,
)
from tests.support.formats import (
    safetensors as safetensors_content,
)
from tests.test_readers import FORMATS, assert_same

# Whole networks of kilobytes: pool5 is 1 × 1 × 2.
TINY = replace(VARIANTS["bvlc"], image_size=67, filters=(2,) * 5, groups=(1,) * 5, fc_units=(3, 3))
HUGE = 1 << 40


@pytest.fixture(scope="module")
def weights():
    return random_weights(TINY, classes=3)


@pytest.mark.parametrize("name", ["UPPER.NPY", "a.pt", "a.bin", "a.pth.tar", "weights"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_file_is_known_by_its_content_whatever_it_is_called(tmp_path, weights, format, name):
    write = partial(write_caffemodel, variant=TINY) if "caffemodel" in format else FORMATS[format]
    write(tmp_path / format, weights)
    (tmp_path / format).rename(tmp_path / name)
    assert_same(read_weights(tmp_path / name), weights)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\n", b"\x89PNG\r\n\x1a\n", b"{}"])
def test_a_file_of_something_else_is_told_what_is_read(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(BadFile, match=r"a\.onnx: .*(not a file of weights|no layer with weights)"):
        read_weights(tmp_path / "a.onnx")


def half(weights):
    return {name: tuple(each.astype("f2").astype("f4") for each in pair) for name, pair in weights}


@pytest.mark.parametrize(
    "write",
    [
        partial(write_pth, dtype="<f2"),
        partial(write_pth, dtype="<f2", zipped=False, cuda=True),
        partial(write_safetensors, dtype="F16"),
        partial(write_onnx, dtype="<f2"),
    ],
)
def test_numbers_of_float16_are_read(tmp_path, weights, write):
    write(tmp_path / "a", weights)
    assert_same(read_weights(tmp_path / "a"), half(weights.items()))


@pytest.mark.parametrize(
    "odd", [(b"storage", b"strange"), (b"ctorch\nFloatStorage", b"cnumpy\ndtype")]
)
def test_a_pth_that_refers_to_no_storage_of_numbers_is_damaged(tmp_path, weights, odd):
    write_pth(tmp_path / "a.pth", weights, zipped=False)
    content = (tmp_path / "a.pth").read_bytes()
    assert odd[0] in content
    (tmp_path / "a.pth").write_bytes(content.replace(*odd))
    with pytest.raises(BadFile, match=r"a\.pth: .*refers to something that is no storage"):
        read_weights(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "write",
    [
        partial(write_pth, dtype="<u2"),
        partial(write_safetensors, dtype="BF16"),
        partial(write_onnx, dtype="<u2"),
    ],
)
def test_numbers_of_bfloat16_are_read(tmp_path, weights, write):
    write(tmp_path / "a", weights)
    assert_same(read_weights(tmp_path / "a"), upper_halves(weights))


@pytest.mark.parametrize(
    "options",
    [
        {"raw": False},
        {"dtype": "<f8"},
        {"dtype": "<f8", "raw": False},
        {"constants": True},
        {"transposed": False},
    ],
)
def test_every_kind_of_onnx_gives_the_same_arrays(tmp_path, weights, options):
    write_onnx(tmp_path / "a.onnx", weights, **options)
    assert_same(read_weights(tmp_path / "a.onnx"), weights)


@pytest.mark.parametrize(
    ("steps", "variants"),
    [
        (("LRN", "MaxPool"), {"bvlc"}),
        (("MaxPool", "LRN"), {"caffenet"}),
    ],
)
def test_the_order_of_an_onnx_tells_the_variant(tmp_path, steps, variants):
    wide = random_weights(replace(VARIANTS["bvlc"], fc_units=(3, 3)), classes=3)
    write_onnx(tmp_path / "a.onnx", wide, steps=steps)
    assert variants <= set(read_weights_file(tmp_path / "a.onnx").recognized().variants)
    with pytest.raises(BadFile, match="--variant"):
        other = {"bvlc": "caffenet", "caffenet": "bvlc"}[min(variants)]
        read_weights_file(tmp_path / "a.onnx").check(VARIANTS[other])


def test_an_onnx_without_normalization_and_64_filters_is_owt(tmp_path):
    owt = random_weights(replace(VARIANTS["owt"], fc_units=(3, 3)), classes=3)
    write_onnx(tmp_path / "a.onnx", owt, steps=("MaxPool",))
    assert read_weights_file(tmp_path / "a.onnx").recognized().variants == ("owt",)


def test_what_the_package_onnx_writes_is_read(tmp_path, weights):
    arrays, nodes, last = torch_arrays(weights), [], "data"
    for place in dict.fromkeys(name.rpartition(".")[0] for name in arrays):
        kind = "Conv" if place.startswith("features") else "Gemm"
        options = {"transB": 1} if kind == "Gemm" else {}
        inputs = [last, f"{place}.weight", f"{place}.bias"]
        nodes.append(helper.make_node(kind, inputs, [place], **options))
        last = place
    stored = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    data = helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 67, 67])
    prob = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 3])
    model = helper.make_model(helper.make_graph(nodes, "alexnet", [data], [prob], stored))
    onnx.save(model, tmp_path / "a.onnx")
    assert_same(read_weights(tmp_path / "a.onnx"), weights)
    onnx.save(
        model,
        tmp_path / "b.onnx",
        save_as_external_data=True,
        location="b.data",
        size_threshold=0,
    )
    with pytest.raises(BadFile, match=r"b\.onnx: keeps the numbers of conv1 in another file"):
        read_weights(tmp_path / "b.onnx")


def test_an_onnx_that_computes_its_weights_is_refused():
    """The package's own BVLC AlexNet, whose kernels are one number each, repeated."""
    light = onnx.__path__[0] + "/backend/test/data/light/light_bvlc_alexnet.onnx"
    with pytest.raises(BadFile, match=r"does not hold the numbers of conv1.*from ConstantOfShape"):
        read_weights(light)


def write_nodes(path, *operators, **tensors):
    nodes = [onnx_node(name, ["x", "kernel", "bias"], name) for name in operators]
    stored = [onnx_tensor(name, array) for name, array in tensors.items()]
    graph = b"".join([*(field(1, node) for node in nodes), *(field(5, each) for each in stored)])
    path.write_bytes(field(1, 8) + field(7, graph))


KERNEL, BIAS = np.zeros((2, 3, 11, 11), "f4"), np.zeros(2, "f4")


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        (["QLinearConv"], "is quantized, for it has QLinearConv; take the file of floats"),
        (["DequantizeLinear", "Conv"], "is quantized, for it has DequantizeLinear"),
        (["Conv"] * 6, "has 6 Conv; AlexNet has 5"),
        (["MatMul"], "has neither Conv nor Gemm"),
        (["Conv", "Transpose", "Gemm"], "a Transpose between its convolutions and fc6"),
        (["Relu"] * 1001, "has more parts than AlexNet has"),
    ],
)
def test_an_onnx_of_another_kind_is_refused_by_name(tmp_path, operators, message):
    write_nodes(tmp_path / "a.onnx", *operators, kernel=KERNEL, bias=BIAS)
    with pytest.raises(BadFile, match=rf"a\.onnx: .*{message}"):
        read_weights(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    "prefix", ["module.", "module.module.", ""], ids=["DataParallel", "twice", "none"]
)
@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_checkpoint_of_pytorch_is_read(tmp_path, weights, prefix, checkpoint):
    write_pth(tmp_path / "a.pth.tar", weights, prefix=prefix, checkpoint=checkpoint)
    assert_same(read_weights(tmp_path / "a.pth.tar"), weights)


def test_module_may_stand_within_a_name(tmp_path, weights):
    """As where only the convolutions were trained on several GPUs."""

    def within(name):
        return name.replace("features.", "features.module.")

    write_safetensors(tmp_path / "a.safetensors", weights, names=within)
    assert_same(read_weights(tmp_path / "a.safetensors"), weights)


@pytest.mark.parametrize("name", ["ordered_dict_of_pairs", "rebuild_tensor_v1"])
def test_files_of_python_2_are_opened(material, name):
    """They are of another network, of five layers of 1 × 1 for as many of AlexNet's outputs."""
    tensors = read_tensors(material / f"weights/old_torch/{name}.pth")
    assert [array.shape for array in tensors.values()] == [
        (1, channels, 1, 1) for channels in (64, 192, 384, 256, 256)
    ]
    assert all(np.isfinite(array).all() and (array >= 0).all() for array in tensors.values())
    with pytest.raises(BadFile, match="has an entry 'lin0"):
        read_weights(material / f"weights/old_torch/{name}.pth")


def test_dicts_that_hold_each_other_take_little_time(tmp_path):
    """A thousand entries that are the dict itself, which is not looked through a thousand times."""
    entries = b"".join(plain(str(number)) + b"h\1" for number in range(3000))
    content = b"\x80\x02}q\1(" + entries + b"u."
    (tmp_path / "a.pth").write_bytes(plain_pickles(content))
    start = time.thread_time()
    with pytest.raises(BadFile, match="holds no state dict"):
        read_weights(tmp_path / "a.pth")
    assert time.thread_time() - start < 1


def plain_pickles(state, *storages):
    """Return the older format of torch.save, with the bytes of its `storages`, called 0, 1 …"""
    items = [pickle.dumps(item, 2) for item in (MAGIC_NUMBER, 1001, {})]
    keys = pickle.dumps([str(key) for key in range(len(storages))], 2)
    return b"".join([*items, state, keys, *(bytes(8) + each for each in storages)])


def test_a_checkpoint_that_would_run_a_command_is_refused(tmp_path):
    state = b"\x80\x02}(" + plain("epoch") + b"cposix\nsystem\n(X\x09\x00\x00\x00touch rantRu."
    (tmp_path / "evil.pt").write_bytes(plain_pickles(state))
    with pytest.raises(BadFile, match=r"evil\.pt: refused.*'posix\.system'"):
        read_weights(tmp_path / "evil.pt")


def test_a_storage_of_an_old_pth_may_begin_within_another(tmp_path):
    part = tensor("0", (2, 2), (1, 1), first_version=True)
    assert part.count(b"NtQ") == 1
    part = part.replace(b"NtQ", plain(("its own key", 1, 3)) + b"tQ")
    content = b"\x80\x02}(" + plain("a") + part + b"u."
    (tmp_path / "a.pth").write_bytes(plain_pickles(content, np.arange(4, dtype="f4").tobytes()))
    assert read_tensors(tmp_path / "a.pth")["a"].tolist() == [[1, 2], [2, 3]]


def test_two_networks_in_one_file_are_not_mixed(tmp_path):
    entries = b"".join(
        plain(name) + tensor("0", (1,)) for name in ("features.0.bias", "module.features.0.bias")
    )
    content = plain_pickles(b"\x80\x02}(" + entries + b"u.", bytes(4))
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(BadFile, match="two entries for the bias of conv1"):
        read_weights(tmp_path / "a.pth")


def test_what_the_package_safetensors_writes_is_read(tmp_path, weights):
    safetensors.numpy.save_file(torch_arrays(weights), tmp_path / "a.safetensors")
    assert_same(read_weights(tmp_path / "a.safetensors"), weights)


def entry(shape=(1,), offsets=(0, 4), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"a": entry(), "b": entry(offsets=(2, 6))}, "its tensors overlap"),
        ({"a": entry(offsets=(6, 10))}, "'a' lies at 6 to 10 of 8 bytes"),
        ({"a": entry(offsets=(4, 0))}, "'a' lies at 4 to 0"),
        ({"a": entry((HUGE,))}, "has 4 bytes"),
        ({"a": entry((-1, -1))}, "a size in it is no whole number"),
        ({"a": entry((1 << 62,) * 1000)}, "a size in it"),
        ({"a": entry(dtype="F8_E4M3")}, "of type F8_E4M3; F16, BF16, F32, F64 are read"),
        ({"a": entry()}, "has an entry 'a'; torchvision's AlexNet has features.0"),
        (b'{"a": 1, "a": 2}', "a name is twice in its header"),
        (b'{"a":' + b"[" * 100_000, "is damaged"),
        (b"{" + b" " * (1 << 18), "its header has"),
        ([], "no object|not a file of weights"),
    ],
)
def test_a_safetensors_that_promises_too_much_is_refused(tmp_path, header, message):
    (tmp_path / "a.safetensors").write_bytes(safetensors_content(header, bytes(8)))
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match=rf"a\.safetensors: .*({message})"):
            read_weights(tmp_path / "a.safetensors")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "tensor",
    [
        field(1, HUGE) + field(2, 1) + field(9, bytes(4)),
        field(1, varint(HUGE) * 2) + field(2, 1) + field(4, bytes(4)),
        field(1, bytes(10**6)) + field(2, 1) + field(9, bytes(4)),
        field(1, 1) + varint(9 << 3 | 2) + varint(HUGE),
    ],
)
def test_what_an_onnx_only_promises_is_not_allocated(tmp_path, tensor):
    node = onnx_node("Conv", ["x", "kernel", "kernel"], "y")
    graph = field(1, node) + field(5, field(8, b"kernel") + tensor)
    (tmp_path / "a.onnx").write_bytes(field(1, 8) + field(7, graph))
    tracemalloc.start()
    try:
        with pytest.raises(BadFile, match=r"a\.onnx"):
            read_weights(tmp_path / "a.onnx")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("target", ["b.npz", "b.safetensors"])
@pytest.mark.parametrize("source", FORMATS)
def test_any_format_is_written_in_another_bit_for_bit(typed, tmp_path, weights, source, target):
    write = partial(write_caffemodel, variant=TINY) if "caffemodel" in source else FORMATS[source]
    write(tmp_path / source, weights)
    if source not in ("a.npy", "a.caffemodel"):  # a process each takes a while
        file = read_weights_file(tmp_path / source)
        WRITERS[f".{target[2:]}"](file.layers, file.order, tmp_path / target)
    else:
        result = typed("alexnet_tf", "weights", source, "--to", target)
        assert result.stdout.endswith(f"written: {target}\n")
    assert_same(read_weights(tmp_path / target), weights)
    before, after = (read_weights_file(tmp_path / name) for name in (source, target))
    assert before.order == after.order


def test_pytorchs_users_read_what_is_written(typed, tmp_path, weights):
    write_npy(tmp_path / "a.npy", weights)
    typed("alexnet_tf", "weights", "a.npy", "--to", "b.safetensors")
    found = safetensors.numpy.load_file(tmp_path / "b.safetensors")
    expected = torch_arrays(weights)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("target", WRITERS)
def test_lenet5_is_written_and_read_again(tmp_path, target):
    """Its safetensors begins with the byte that begins a pickle, for its header has 896 bytes."""
    weights = random_weights(VARIANTS["lenet5"], classes=2)
    WRITERS[target](weights, None, tmp_path / f"a{target}")
    assert_same(read_weights_file(tmp_path / f"a{target}").layers, weights)


@pytest.mark.parametrize("order", ["little", "big"])
def test_a_pth_says_which_byte_of_a_number_comes_first(tmp_path, weights, order):
    """Without a machine that writes them the other way round, such files are refused, not read."""
    write_pth(tmp_path / "a.pth", weights)
    with zipfile.ZipFile(tmp_path / "a.pth", "a") as archive:
        archive.writestr("alexnet/byteorder", order)
    if order == "little":
        assert_same(read_weights(tmp_path / "a.pth"), weights)
        return
    with pytest.raises(BadFile, match=r"a\.pth: was written by a big-endian machine"):
        read_weights(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("target", "message"),
    [("a.npy", "a.npy: weights are written to files called .npz or .safetensors"),
     ("a.npz", "a.npz: is there already; give another name")],
)  # fmt: skip
def test_nothing_that_is_there_is_written_over(typed, tmp_path, weights, target, message):
    write_npz(tmp_path / "a.npz", weights)
    before = (tmp_path / "a.npz").read_bytes()
    assert message in typed("alexnet_tf", "weights", "a.npz", "--to", target, code=2).stderr
    assert (tmp_path / "a.npz").read_bytes() == before


@pytest.fixture
def places(tmp_path):
    """A network of five classes on CIFAR-10's pictures, and their names."""
    weights = random_weights(VARIANTS["cifar32"], classes=5)
    write_npy_of_dicts(tmp_path / "places.npy", weights)
    names = ("/a/airfield", "/b/beach house", "/c/canyon", "/d/desert", "/f/forest path")
    lines = [f"{name} {index}\n" for index, name in enumerate(names)]
    (tmp_path / "places.txt").write_text("".join(lines))
    return names


def test_a_network_of_other_classes_names_them(typed, tmp_path, faces, places):
    config = ("predict_alexnet.py", "1", faces / "cat.0.jpg", "--weights", "places.npy")
    config += ("--variant", "cifar32", "--json")
    message = typed(*config, code=2).stderr
    assert (
        "it knows 5 classes; `python predict_alexnet.py 1` takes their names by --classes"
        in message
    )
    for _ in ("Keras", "LiteRT"):
        answer = json.loads(typed(*config, "--classes", "places.txt").stdout)
        assert {each["label"] for each in answer["top"]} == set(places)
    assert "it knows 5 classes" in typed(*config, code=2).stderr


def test_too_few_names_are_noticed(typed, tmp_path, faces, places):
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    config = ("predict_alexnet.py", "1", faces / "cat.0.jpg", "--weights", "places.npy")
    config += ("--variant", "cifar32", "--classes", "three.txt")
    assert "should have the shape (512, 3), but has (512, 5)" in typed(*config, code=2).stderr


def test_a_kernel_of_int8_reaches_as_far_as_its_largest_number_output_by_output():
    kernel, scale = quantize(np.float32([[0, -2, 0.5], [0, 1, 0.25]]))
    assert kernel.tolist() == [[0, -127, 127], [0, 64, 64]] and kernel.dtype == np.int8
    assert scale.tolist() == pytest.approx([1, 2 / 127, 0.5 / 127])


def test_a_kernel_of_int8_is_multiplied_by_its_scales(tmp_path):
    write_int8({"fc8": [np.float32([[0, -2], [0, 1]]), np.float32([3, 4])]}, tmp_path / "w.npz")
    kernel, bias = read_npz(tmp_path / "w.npz").layers["fc8"]
    assert kernel.tolist() == [[0, -2], [0, pytest.approx(64 * 2 / 127)]]
    assert bias.tolist() == [3, 4]


@pytest.mark.parametrize(
    ("kernel", "scale"), [("i2", "f4"), ("i1", "i4"), ("i1", "3f4")], ids=lambda each: each
)
def test_scales_that_fit_no_kernel_of_int8_are_refused(tmp_path, kernel, scale):
    scales = np.ones(3 if scale == "3f4" else 2, scale[-2:])
    parts = {"kernel": np.ones((2, 2), kernel), "bias": np.ones(2, "f4"), "scale": scales}
    np.savez(tmp_path / "w.npz", **{f"fc8/{part}": array for part, array in parts.items()})
    with pytest.raises(BadFile, match="the scale of fc8 should be one number for each output"):
        read_npz(tmp_path / "w.npz")


def test_an_array_that_is_no_part_of_a_layer_is_named(tmp_path):
    np.savez(tmp_path / "w.npz", fc8=np.ones(2))
    with pytest.raises(BadFile, match=r"has a member 'fc8\.npy'; weights are LAYER/kernel"):
        read_npz(tmp_path / "w.npz")


def test_the_numbers_of_a_safetensors_begin_at_a_multiple_of_eight_bytes(tmp_path, weights):
    for order in (None, ("norm", "pool"), ("pool", "norm")):
        WRITERS[".safetensors"](weights, order, tmp_path / "a.safetensors")
        content = (tmp_path / "a.safetensors").read_bytes()
        size = int.from_bytes(content[:8], "little")
        assert size % 8 == 0 and content[8 : 8 + size].decode().rstrip(" ").endswith("}")
        numbers = sum(part.nbytes for pair in weights.values() for part in pair)
        assert len(content) == 8 + size + numbers


def test_a_safetensors_that_ends_within_its_header_is_cut_short(tmp_path):
    (tmp_path / "a.safetensors").write_bytes((20).to_bytes(8, "little") + b'{"a": {"dtype": ')
    with pytest.raises(BadFile, match=r"cut short: its header should have 20 bytes"):
        read_weights(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("count", "words"), [(32, "holds 2 numbers"), (33, "has more than 32 dimensions")]
)
@pytest.mark.parametrize("is_packed", [True, False])
def test_a_blob_of_caffe_has_32_dimensions_at_most(tmp_path, count, words, is_packed):
    """kMaxBlobAxes; more would be read number by number."""
    shape = field(1, b"\x01" * count) if is_packed else field(1, 1) * count
    blobs = field(7, field(7, shape) + field(5, bytes(8))) * 2
    (tmp_path / "a.caffemodel").write_bytes(field(100, field(1, b"conv1") + blobs))
    with pytest.raises(BadFile, match=words):
        read_weights(tmp_path / "a.caffemodel")
