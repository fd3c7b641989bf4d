import hashlib
from math import inf

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.sources.lists import read_list
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.model import AlexNet
from alexnet_tf.variants import get_variant
from alexnet_tf.weights.loading import read_weights
from benchmarks import layers, table
from benchmarks.material import write_photos
from benchmarks.process import run_python
from benchmarks.results import Results
from benchmarks.row import Comparison, Row

CONDITIONS = {"processor": "a fast one"}
ROW = Row(
    "conv",
    "convolutions",
    {"ours": None, "Keras": None, "PyTorch": None},
    (
        Comparison("ours", "Keras", "3×"),
        Comparison("ours", "PyTorch", "5×"),
        Comparison("ours", None, "1 s or less"),
    ),
    lambda seconds: f"{seconds:.1f} s",
)


@pytest.fixture
def inputs():
    """Make two pictures of noise as the network takes them."""
    return np.random.default_rng(0).uniform(-120, 140, (2, 227, 227, 3)).astype(np.float32)


def close(pool5, expected):
    return np.abs(pool5 - expected).max() < 1e-3 * np.abs(expected).max()


def test_the_usual_recipe_in_keras_is_the_same_network(random_weights, inputs):
    from benchmarks import recipe_keras

    weights = read_weights(random_weights)
    for variant in ("bvlc", "caffenet"):
        ours = AlexNet(variant, weights=weights, include_top=False)(inputs).numpy()
        usual = recipe_keras.plain_convolutions(get_variant(variant), weights)(inputs).numpy()
        assert close(usual, ours)


def test_the_usual_recipe_in_pytorch_is_the_same_network(random_weights, inputs):
    torch = pytest.importorskip("torch")
    from benchmarks import recipe_pytorch

    weights = read_weights(random_weights)
    for variant in ("bvlc", "caffenet"):
        ours = AlexNet(variant, weights=weights, include_top=False)(inputs).numpy()
        network = recipe_pytorch.plain_convolutions(get_variant(variant), weights)
        usual = network(torch.from_numpy(inputs.transpose(0, 3, 1, 2))).numpy()
        assert close(usual.transpose(0, 2, 3, 1), ours)


def test_medians_and_ratios_of_what_has_been_measured(tmp_path):
    results = Results(tmp_path / "bench.json", CONDITIONS)
    for ours, keras in ((0.5, 2.0), (0.4, 1.8), (9.0, 1.9)):
        results.add("conv", "ours", {"seconds": ours})
        results.add("conv", "Keras", {"seconds": keras})
    lines = table.summary([ROW], Results(tmp_path / "bench.json", CONDITIONS))
    assert [line.get("against") for line in lines] == ["Keras", None]
    assert lines[0]["ours_median"] == 0.5 and lines[0]["against_median"] == 1.9
    assert lines[0]["ratio"] == pytest.approx(3.8)
    assert table.summary_table(lines).splitlines()[2:] == [
        "| convolutions | ours | 0.5 s | Keras   | 1.9 s | 3.8×  | 3×          |",
        "| convolutions | ours | 0.5 s |         |       |       | 1 s or less |",
    ]


def test_what_is_never_reached_is_kept_too(tmp_path):
    results = Results(tmp_path / "bench.json", CONDITIONS)
    results.add("conv", "ours", {"seconds": 2.0})
    results.add("conv", "Keras", {"seconds": inf})
    results.summarize(table.summary([ROW], results))
    lines = table.summary([ROW], Results(tmp_path / "bench.json", CONDITIONS))
    assert lines[0]["against_median"] == lines[0]["ratio"] == inf


def test_figures_of_another_machine_are_not_added_to(tmp_path):
    Results(tmp_path / "bench.json", CONDITIONS).add("conv", "ours", {"seconds": 1.0})
    with pytest.raises(UserError, match="'a fast one', now it is 'a slow one'; give another --out"):
        Results(tmp_path / "bench.json", {"processor": "a slow one"})


def test_copies_are_the_same_pictures_in_other_bytes_on_the_same_side(tmp_path, photos):
    train = write_photos(photos, 60, tmp_path / "copies")
    parts = [read_list(train.with_name(name)) for name in ("train.txt", "val.txt")]
    assert [len(part) for part in parts] == [48, 12]
    paths = [[path for path, _ in part] for part in parts]
    files = [read(path) for path in (*paths[0], *paths[1])]
    assert len({hashlib.sha256(file).digest() for file in files}) == 60
    pixels = [{Image.open(path).tobytes() for path in part} for part in paths]
    assert len(pixels[0]) == 16 and len(pixels[1]) == 4 and not pixels[0] & pixels[1]


def test_a_file_that_is_no_jpeg_is_named(tmp_path, photos):
    Image.new("RGB", (8, 8)).save(photos / "cat/drawn.png")
    with pytest.raises(UserError, match=r"cat/drawn\.png: is no JPEG file"):
        write_photos(photos, 21, tmp_path / "copies")


def test_the_operations_are_those_of_the_paper_s_layers():
    """Multiplications are half of them: 55·55·11·11·3·96 in conv1, for example."""
    millions = [round(count / 2e6, 1) for count in layers.operations().values()]
    assert millions == [105.4, 223.9, 149.5, 112.1, 74.8]


def test_a_program_is_watched_and_its_failure_told():
    child, parent = (f"x = b'1' * {size:.0f}; import time; time.sleep(1)" for size in (2e8, 1e8))
    start_child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ended = run_python("-c", f"{parent}; print('done'); {start_child}")
    assert ended.output == "done\n"
    assert 1e8 < ended.memory < 1.8e8 and 2e8 < ended.children < 2.8e8
    with pytest.raises(RunError, match="exit code 3"):
        run_python("-c", "raise SystemExit(3)")


@pytest.fixture
def photos(tmp_path):
    """Write twenty JPEG files of noise, in two classes."""
    random = np.random.default_rng(0)
    for number in range(20):
        path = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
    return tmp_path / "photos"


def read(path):
    with open(path, "rb") as file:
        return file.read()
