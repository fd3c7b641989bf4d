"""`python -m alexnet_tf similar`: pictures that look alike, from an index on the disk."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.commands import features, similar
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.errors import UserError
from alexnet_tf.inference.engine import Engine
from alexnet_tf.retrieval.activations import activation_store, compute, list_pictures, outputs
from alexnet_tf.retrieval.codes import (
    hamming,
    measure_recall,
    random_encoder,
    smallest,
    train_encoder,
)
from alexnet_tf.retrieval.search import Index, widened
from alexnet_tf.system.processor import BFLOAT16, FLOAT32, VARIABLE
from tests.support.engines import FLOAT16
from tests.support.flaky import Flaky
from tests.support.runs import write_run
from tests.support.verbs import run_verb


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A thin network of random weights."""
    return write_run(tmp_path_factory.mktemp("thin") / "run")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """140 drawn faces."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_faces(folder, per_class=70)
    return folder


@pytest.fixture(scope="module")
def built(run, photos, tmp_path_factory):
    """An index of the faces."""
    directory = tmp_path_factory.mktemp("built") / "index"
    run_verb(similar, "--index", directory, "--data", photos, "--run", run.directory)
    return directory


@pytest.fixture
def index(built, tmp_path):
    """A copy of it, which may be changed."""
    return shutil.copytree(built, tmp_path / "index")


@pytest.fixture
def search(run, tmp_path):
    """Search as a user does; return what the JSON says."""

    def search(*words, code=0):
        out = tmp_path / "out" / "found.png"
        assert run_verb(similar, *words, "--run", run.directory, "--out", out) == code
        return json.loads(out.with_suffix(".json").read_text())

    return search


def test_what_is_found_is_nearest_by_fc7(each_engine, run, photos, search, tmp_path):
    """Compared with the verb features. The index rounds to float16: either of two neighbours that
    are closer than that may come first."""
    index = tmp_path / "index"
    run_verb(similar, "--index", index, "--data", photos, "--run", run.directory)
    run_verb(features, photos, "--run", run.directory, "--out", tmp_path / "fc7.npz")
    content = np.load(tmp_path / "fc7.npz")
    cat, dog = (str(photos / name) for name in ("cat.7.jpg", "dog.7.jpg"))

    found = search(cat, dog, "--index", index, "--top", 4)

    assert found["pictures"] == 140 and len(found["predictions"]) == 2
    for answer, file in zip(found["predictions"], (cat, dog)):
        values = content["features"].astype(np.float64)
        far = np.linalg.norm(values - values[list(content["names"]).index(file)], axis=1)
        rounding = FLOAT16 * np.linalg.norm(values, axis=1).max()
        similar_files = [each["file"] for each in answer["similar"]]
        assert answer["file"] == similar_files[0] == file and len({*similar_files}) == 4
        of_found = far[[list(content["names"]).index(each) for each in similar_files]]
        np.testing.assert_allclose(of_found, np.sort(far)[:4], rtol=0, atol=2 * rounding)
        distances = [each["distance"] for each in answer["similar"]]
        np.testing.assert_allclose(distances, of_found, rtol=0, atol=rounding)
        assert np.sort(far)[4:].mean() > 50 * rounding
    assert Image.open(tmp_path / "out/found.png").size == (5 * 154 + 30, 2 * 188 + 10)


def test_distances_are_those_of_numpy(run, index):
    queries = np.random.default_rng(0).normal(0, 3, (3, 205)).astype(np.float32)
    searched = Index(index, Engine.of_run(run))

    found = searched.distances(queries)

    values = searched.values(slice(None)).astype(float)
    expected = np.linalg.norm(values[None] - queries[:, None], axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_every_finite_float16_is_widened_to_the_same_number():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = halves[np.isfinite(halves)]

    np.testing.assert_array_equal(widened(finite), finite.astype(np.float32))


def test_an_index_is_extended_and_knows_copies_by_their_content(run, photos, index, tmp_path):
    more = tmp_path / "more"
    draw_faces(more, per_class=2, seed=9)
    shutil.copy(photos / "cat.0.jpg", more / "copy.jpg")

    run_verb(similar, "--index", index, "--data", more, "--run", run.directory)

    searched = Index(index, Engine.of_run(run))
    assert len(searched) == 144
    assert str(more / "copy.jpg") in searched.paths
    assert str(photos / "cat.0.jpg") not in searched.paths


def test_what_two_commands_add_at_once_is_all_in_the_index(run, photos, tmp_path):
    """Both create it, and each has read the names before the other has written its own."""
    engine, pictures = Engine.of_run(run), list_pictures([str(photos)])[0]
    with ThreadPoolExecutor() as pool:
        indices = list(pool.map(lambda _: Index(tmp_path / "index", engine, create=True), range(2)))
    for index, part in zip(indices, (pictures[:30], pictures[30:40])):
        assert index.add(part) == []
    assert len(Index(tmp_path / "index", engine)) == 40


def test_what_is_behind_an_address_is_found_again(run, photos, search, tmp_path):
    with Flaky(photos) as site:
        names = [f"{site.url}/{kind}.{n}.jpg" for kind in ("cat", "dog") for n in range(3)]
        lines = [f"{name} {name[-9:-6]}\n" for name in names]
        (tmp_path / "list.txt").write_text("".join(lines))
        words = (photos / "cat.1.jpg", "--index", tmp_path / "index")
        found = search(*words, "--data", tmp_path / "list.txt", "--top", 1)
    assert found["predictions"][0]["similar"][0]["file"] == names[1]


def test_a_killed_indexing_goes_on(run, photos, search, tmp_path, monkeypatch):
    asked = []
    layer = Engine.layer

    def stopping(self, *config):
        forward = layer(self, *config)

        def count(inputs):
            asked.append(len(inputs))
            if len(asked) == 2:
                raise KeyboardInterrupt
            return forward(inputs)

        return count

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "layer", stopping)
        words = ("--index", tmp_path / "index", "--data", photos, "--run", run.directory)
        with pytest.raises(KeyboardInterrupt):
            run_verb(similar, *words)
        assert len(Index(tmp_path / "index", Engine.of_run(run))) == 64

        run_verb(similar, *words)

    assert len(asked) == 4  # one batch of three was kept
    assert len(Index(tmp_path / "index", Engine.of_run(run))) == 140


def test_another_network_is_refused(photos, index, tmp_path):
    other = write_run(tmp_path / "other", seed=1)

    with pytest.raises(UserError, match=r"was made by another network than .*other.*, by .*keras"):
        run_verb(similar, photos / "cat.0.jpg", "--index", index, "--run", other.directory)


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ([], ["a.jpg"], "holds no index; --data DATA makes one"),
        (["mine.txt"], ["--data", "a.jpg"], "holds something else than an index"),
        ([], [], "name a picture to look for, or --data"),
        ([], ["a.jpg", "--out", "a.jpg"], r"a\.jpg: should end with \.png"),
    ],
)
def test_what_cannot_be_done_is_said(run, tmp_path, files, words, message):
    (tmp_path / "index").mkdir()
    for name in files:
        (tmp_path / "index" / name).touch()

    with pytest.raises(UserError, match=message):
        run_verb(similar, "--index", tmp_path / "index", "--run", run.directory, *words)

    assert [path.name for path in (tmp_path / "index").iterdir()] == files


def test_pictures_that_are_gone_are_grey_on_the_sheet(run, photos, index, search, tmp_path):
    """An index remembers them, and so does the JSON."""
    shutil.copytree(photos, tmp_path / "moved")
    run_verb(similar, "--index", index, "--data", tmp_path / "moved", "--run", run.directory)
    shutil.rmtree(tmp_path / "moved")

    found = search(photos / "cat.3.jpg", "--index", index, "--top", 1)

    assert found["predictions"][0]["similar"][0]["file"] == str(tmp_path / "moved/cat.3.jpg")
    sheet = Image.open(tmp_path / "out/found.png")
    assert sheet.getpixel((20 + 154 + 72, 82)) == (0xDD, 0xDD, 0xDD)


def test_short_codes_are_kept_and_damaged_ones_made_anew(
    photos, index, search, capsys, monkeypatch
):
    monkeypatch.setattr("alexnet_tf.retrieval.codes.EPOCHS", 2)
    words = (photos / "cat.3.jpg", "--index", index, "--top", 2, "--bits", 32)
    path = index / "codes-32.npz"

    found = search(*words)
    made = path.read_bytes()
    path.write_bytes(made[:1000])
    anew = search(*words)
    kept = path.stat().st_mtime_ns
    again = search(*words)

    assert (
        found["predictions"] == anew["predictions"] == again["predictions"] and found["bits"] == 32
    )
    assert path.stat().st_mtime_ns == kept and len(path.read_bytes()) == len(made)
    assert found["predictions"][0]["similar"][0]["file"] == str(photos / "cat.3.jpg")
    assert "recall@10 of 32 bits: 0." in capsys.readouterr().out
    assert 0 < found["recall"]["codes"]["alone"] <= found["recall"]["codes"]["shortlisted"] <= 1


def test_trained_codes_beat_random_projections():
    """Of 1,000 points near a surface of eight dimensions, as pictures are said to be."""
    random = np.random.default_rng(0)
    inner = random.normal(size=(1000, 8)).astype(np.float32)
    values = np.maximum(inner @ random.normal(size=(8, 200)).astype(np.float32), 0)
    values += 0.3 * np.abs(random.normal(size=values.shape)).astype(np.float32)
    tested = np.arange(100)
    distances = np.linalg.norm(values[tested, None] - values, axis=2)

    trained, projected = (
        measure_recall(train(values[100:], 64).encode(values), tested, distances)
        for train in (train_encoder, random_encoder)
    )

    assert trained.alone > projected.alone + 0.03


def test_hamming_distances_count_the_bits_that_differ():
    random = np.random.default_rng(0)
    codes = random.integers(0, 256, (50, 16), np.uint8)
    bits = np.unpackbits(codes, axis=1)

    np.testing.assert_array_equal(hamming(codes, codes[7]), (bits != bits[7]).sum(axis=1))


def test_the_smallest_are_in_order_and_may_lack_one():
    values = np.array([5, 1, 4, 0, 3])

    assert smallest(values, 3).tolist() == [3, 1, 4]
    assert smallest(values, 3, but=1).tolist() == [3, 4, 2]
    assert smallest(values, 9).tolist() == [3, 1, 4, 2, 0]


def test_codes_of_few_pictures_are_refused(run, faces, tmp_path):
    words = ("--index", tmp_path / "few", "--data", faces, "--run", run.directory)

    with pytest.raises(UserError, match="has 60 pictures, and codes take 100 or more"):
        run_verb(similar, faces / "cat.0.jpg", *words, "--bits", 32)


@pytest.fixture
def on_another_machine(monkeypatch):
    """Compute as a processor does that multiplies bfloat16, where this one does not."""
    other = BFLOAT16 if os.environ[VARIABLE] == FLOAT32 else FLOAT32
    return lambda: monkeypatch.setenv(VARIABLE, other)


@pytest.mark.bfloat16
def test_an_index_is_extended_and_asked_in_the_precision_in_which_it_was_begun(
    run, photos, index, search, tmp_path, on_another_machine
):
    more = tmp_path / "more"
    draw_faces(more, per_class=2, seed=9)
    engine = Engine.of_run(run)
    expected = np.stack(list(outputs(engine, "fc7", [str(more / "cat.0.jpg")])))
    on_another_machine()
    other = np.stack(list(outputs(engine, "fc7", [str(more / "cat.0.jpg")])))
    found = search(more / "cat.0.jpg", "--index", index, "--data", more, "--top", 1)
    searched = Index(index, engine)
    place = searched.paths.index(str(more / "cat.0.jpg"))
    np.testing.assert_allclose(searched.values(slice(place, place + 1)), expected, rtol=1e-3)
    assert found["predictions"][0]["similar"][0]["distance"] < 1e-3
    assert np.abs(other - expected).max() > 1e-2 * np.abs(expected).max() / 10


def test_an_index_of_an_earlier_version_is_read_and_extended(run, index, search, tmp_path):
    about = json.loads((index / "index.json").read_text())
    assert about.pop("precision") == os.environ[VARIABLE]
    engine = Engine.of_run(run)
    before = activation_store(engine, index, "fc7", "<f2", None).directory
    (index / about["store"]).rename(before)
    (index / "index.json").write_text(json.dumps(about | {"store": before.name}))
    more = tmp_path / "more"
    draw_faces(more, per_class=2, seed=9)
    found = search(more / "cat.0.jpg", "--index", index, "--data", more, "--top", 1)
    assert found["pictures"] == 144
    assert found["predictions"][0]["similar"][0]["file"] == str(more / "cat.0.jpg")


@pytest.mark.bfloat16
def test_features_begun_on_another_machine_are_computed_anew(
    run, photos, tmp_path, on_another_machine
):
    engine, out, own = Engine.of_run(run), tmp_path / "fc7.npy", os.environ[VARIABLE]
    partial = activation_store(engine, tmp_path / ".fc7.npy.partial", "fc7", "<f4", own)
    pictures, _, _ = list_pictures([str(photos)])
    compute(engine, partial.open(), pictures[:70], own)
    on_another_machine()
    run_verb(features, photos, "--run", run.directory, "--out", out)
    files = [picture.path for picture in pictures]
    expected = np.stack(list(outputs(engine, "fc7", files)))
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
