"""Files of weights that were damaged at random, or made up."""

import pickle
import struct
import subprocess
import sys
import time
import zipfile

import h5py
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alexnet_tf.errors import BadFile
from alexnet_tf.system.pickles import PickledArray
from alexnet_tf.weights.formats import BEGINNINGS, ZIP
from alexnet_tf.weights.loading import read_weights
from tests.support.caffe import field, varint
from tests.support.formats import plain, tensor
from tests.support.places import ROOT
from tests.tools.fuzz import GOOD, npy_header, read

QUIET = settings(
    max_examples=100,
    deadline=2000,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_damaged_files_are_errors_or_arrays():
    """`make fuzz` reads 20,000."""
    script = [sys.executable, "-m", "tests.tools.fuzz", "--inputs", "600", "--seed", "1"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("600 inputs")


def test_a_run_with_a_damaged_file_is_refused_or_read():
    """`make fuzz` reads 2,000."""
    script = [sys.executable, "-m", "tests.tools.fuzz", "--of", "runs", "--inputs", "90"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("90 inputs")


def test_damaged_data_is_refused_or_understood_the_same_twice():
    """Pictures, lists, tars and odd folders; `make fuzz` reads 10,000."""
    script = [sys.executable, "-m", "tests.tools.fuzz", "--of", "data", "--inputs", "260"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("260 inputs")


def test_layouts_and_tables_are_understood_as_they_were_meant():
    """`make fuzz` draws 5,000."""
    script = [sys.executable, "-m", "tests.tools.fuzz", "--of", "layouts", "--inputs", "300"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("300 inputs")


def test_pictures_of_programs_in_python_are_understood_as_they_were_meant():
    """`make fuzz` draws 5,000."""
    script = [sys.executable, "-m", "tests.tools.fuzz", "--of", "inputs", "--inputs", "400"]
    result = subprocess.run(script, capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("400 inputs")


def assert_bounded(path, content):
    path.write_bytes(content)
    assert read(path) in GOOD


@QUIET
@given(
    beginning=st.sampled_from([*BEGINNINGS, ZIP, b"", field(1, 8), b"\x40" + bytes(7) + b"{"]),
    content=st.binary(max_size=500),
)
def test_made_up_bytes(tmp_path, beginning, content):
    assert_bounded(tmp_path / "a.npy", beginning + content)


# The opcodes that numpy and PyTorch write, in any order, with numbers that promise a lot.
NUMBERS = st.sampled_from([0, 1, 4, -1, 1 << 31, 1 << 40, 1 << 62, 1 << 64])
GLOBALS = st.sampled_from(
    [
        b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n",
        b"c_codecs\nencode\n", b"ccollections\nOrderedDict\n", b"ctorch\nFloatStorage\n",
        b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_parameter\n",
    ]
)  # fmt: skip
OPCODES = st.one_of(
    GLOBALS,
    NUMBERS.map(plain),
    st.sampled_from(["storage", "cpu", "0", "f4", "<", "features.0.weight", "conv1"]).map(plain),
    st.sampled_from(
        [bytes([code]) for code in b"()tNQR}]asubeo012\x81\x85\x86\x87\x8f\x90\x91\x94"]
    ),
    st.integers(0, 9).map(lambda place: b"q" + bytes([place])),
    st.integers(0, 9).map(lambda place: b"h" + bytes([place])),
    st.just(tensor("0", (1 << 40,), (1,))),
)
PICKLES = st.lists(OPCODES, max_size=40).map(lambda codes: b"\x80\x02" + b"".join(codes) + b".")


@QUIET
@given(content=PICKLES)
def test_made_up_pickles(tmp_path, content):
    assert_bounded(tmp_path / "a.npy", npy_header() + content)
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/data/0", bytes(8))
    assert read(tmp_path / "a.pth") in GOOD


VALUES = st.one_of(
    st.sampled_from([0, 1, 2, 1 << 31, 1 << 40, (1 << 64) - 1]), st.binary(max_size=12)
)
MESSAGES = st.recursive(
    st.lists(st.tuples(st.integers(1, 8), VALUES), max_size=6).map(
        lambda records: b"".join(field(*record) for record in records)
    ),
    lambda inner: st.lists(st.tuples(st.sampled_from([1, 2, 4, 6, 7, 100]), inner), max_size=4).map(
        lambda records: b"".join(field(*record) for record in records)
    ),
)


@QUIET
@given(content=MESSAGES)
def test_made_up_messages(tmp_path, content):
    assert_bounded(tmp_path / "a.caffemodel", content)


HUGE = 1 << 40
PAIRS = plain("x") + b"q\x010h\1h\1\x86" * 60


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # A name that is a number would be that many zeros.
        ("a.caffemodel", field(100, field(1, 1 << 33))),
        # A tuple repeated as often as a shape says.
        ("shape.npy", npy_header() + b"\x80\x02" + plain((HUGE, (0, 0))) + b"."),
        # Pairs of pairs of pairs: their hash, their text and their product never end.
        ("key.npy", npy_header() + b"\x80\x02}" + PAIRS + plain(1) + b"s."),
        ("keys.npy", npy_header() + b"\x80\x02}(" + PAIRS + plain(1) + b"u."),
        ("dict.npy", npy_header() + b"\x80\x02(" + PAIRS + plain(1) + b"d."),
        ("set.npy", npy_header() + b"\x80\x04\x8f(" + PAIRS + b"\x90."),
        ("frozen.npy", npy_header() + b"\x80\x04(" + PAIRS + b"\x91."),
        ("ordered.npy", npy_header() + b"\x80\x02ccollections\nOrderedDict\n]]("
            + PAIRS + plain(1) + b"ea\x85R."),
    ],
)  # fmt: skip
def test_a_few_bytes_take_little_time(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    start = time.thread_time()
    with pytest.raises(BadFile, match=name):
        read_weights(tmp_path / name)
    assert time.thread_time() - start < 1


@pytest.mark.parametrize("shape", [(HUGE, (0, 0)), ((), HUGE), ("ab", HUGE), [HUGE], (HUGE, HUGE)])
def test_a_shape_is_numbers(tmp_path, shape):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        entry = tensor("0", (1,)).replace(plain((1,)), plain(shape), 1)
        archive.writestr("a/data.pkl", b"\x80\x02}" + plain("features.0.weight") + entry + b"s.")
        archive.writestr("a/data/0", bytes(4))
    assert read(tmp_path / "a.pth") == "BadFile"


def test_a_pickle_sets_no_attributes(tmp_path):
    """BUILD with a pair of states would set them on anything, the reader's own classes included."""
    state = b"N}" + plain("evil") + plain(1) + b"s\x86b"
    content = npy_header() + b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n" + state + b"."
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(BadFile):
        read_weights(tmp_path / "a.npy")
    assert not hasattr(PickledArray, "evil")


@pytest.mark.parametrize("layout", [{}, {"chunks": (1000,)}, {"maxshape": (None,)}])
def test_an_hdf5_dataset_is_as_large_as_the_file(tmp_path, layout):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        variables = file.create_group("layers/grouped_conv2d/vars")
        for number in "01":
            variables.create_dataset(number, (HUGE,), "f4", **layout)
    assert read(tmp_path / "a.weights.h5") == "BadFile"


def test_members_that_overlap_are_refused_before_they_are_read(tmp_path):
    """Each of 900 members is the whole megabyte, which would be read 900 times."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conv1/kernel.npy", bytes(1 << 20))
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 900, 900, 900 * (end - start), start, 0)
    path.write_bytes(content[:start] + 900 * content[start:end] + tail)
    with pytest.raises(BadFile, match="its members overlap"):
        read_weights(path)


def test_a_zip_of_too_many_members_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        for number in range(1001):
            archive.writestr(str(number), b"")
    with pytest.raises(BadFile, match="more than 1000 entries"):
        read_weights(tmp_path / "a.pth")


def test_numbers_beyond_a_float32_are_infinite_and_silent(tmp_path, recwarn):
    blob = field(7, field(1, varint(1))) + field(8, struct.pack("<d", 1e300))
    kernel = field(7, field(1, varint(1) * 4)) + field(8, struct.pack("<d", 1e300))
    layer = field(1, b"conv1") + field(7, kernel) + field(7, blob)
    (tmp_path / "a.caffemodel").write_bytes(field(100, layer))
    assert read(tmp_path / "a.caffemodel") == "arrays" and not recwarn


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_pickles_of_every_protocol_are_still_read(tmp_path, protocol):
    (tmp_path / "a.npy").write_bytes(npy_header() + pickle.dumps({"conv1": None}, protocol))
    with pytest.raises(BadFile, match="the layer 'conv1' should be"):
        read_weights(tmp_path / "a.npy")
