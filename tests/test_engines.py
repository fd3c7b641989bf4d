"""The smaller set of tests, which runs once with each engine: predict, evaluate, serve, compare.

Trainings with each are in test_windows.py, kept predictions in test_report.py, look-alikes in
test_similar.py; how far numbers may be apart is derived in tests/support/engines.py.
"""

import json

import numpy as np
import pytest

from alexnet_tf.commands import evaluate, predict
from alexnet_tf.inference import engine as engines
from alexnet_tf.inference.engine import Engine
from alexnet_tf.model import load_model
from alexnet_tf.retrieval.activations import list_pictures
from alexnet_tf.retrieval.search import Index
from alexnet_tf.runs.run import Run
from alexnet_tf.system.processor import FLOAT32, VARIABLE, is_int8
from tests.support.pictures import seen_by
from tests.support.serving import form
from tests.support.verbs import run_verb

pytest.importorskip("fastapi")
from fastapi.testclient import TestClient

from alexnet_tf.serving.application import Served, make_app
from alexnet_tf.serving.explanations import LookAlikes
from alexnet_tf.serving.networks import ServedNetwork


@pytest.fixture
def photos(each_engine, engine_run, monkeypatch):
    """Go to where the run is; return 20 of its photos, about which the engine is asked as about
    thousands."""
    monkeypatch.chdir(engine_run.parent)
    for limit in ("MOST_FOR_LITE", "MOST_AS_IT_IS"):
        monkeypatch.setattr(engines, limit, 0)
    folder = engine_run.parent / "photos"
    return [folder / f"{name}.{number}.jpg" for name in ("cat", "dog") for number in range(10)]


@pytest.fixture
def expected(each_engine, engine_run, photos):
    """Return float32 predictions (20, 2), and the error that the engine may have."""
    model, inputs = load_model(engine_run / "model.keras"), seen_by(engine_run, photos)
    return model.predict_on_batch(inputs), each_engine.answers_error(model, inputs)


def test_pictures_are_answered_as_the_network_does(
    each_engine, engine_run, photos, expected, capsys
):
    settings = Run(engine_run).read_config()["settings"]
    assert settings["precision"] == each_engine.environment[VARIABLE]

    run_verb(predict, "2", *photos, "--run", engine_run, "--json")

    tops = [json.loads(line)["top"] for line in capsys.readouterr().out.splitlines()]
    labelled = [{each["label"]: each["probability"] for each in top} for top in tops]
    found = np.array([[each["cat"], each["dog"]] for each in labelled])
    probabilities, tolerance = expected
    assert np.ptp(probabilities[:, 0]) > 4 * tolerance
    np.testing.assert_allclose(found, probabilities, rtol=0, atol=tolerance)
    assert (np.abs(found - probabilities).max() > 1e-4) == (each_engine.name != FLOAT32)


def test_an_evaluation_counts_what_the_network_says(engine_run, photos, expected, tmp_path, capsys):
    """But for pictures about which it is of two minds."""
    lines = [f"{photo} {int(photo.name.startswith('dog'))}\n" for photo in photos]
    (tmp_path / "pictures.txt").write_text("".join(lines))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")

    run_verb(evaluate, engine_run, "--data", tmp_path / "pictures.txt", "--json")

    found = np.array(json.loads(capsys.readouterr().out)["confusion"])
    probabilities, tolerance = expected
    predicted = probabilities.argmax(axis=1).reshape(2, 10)
    counts = np.array([np.bincount(each, minlength=2) for each in predicted])
    unsure = (np.abs(probabilities[:, 0] - 0.5) <= tolerance).sum()
    assert np.abs(found - counts)[:, 0].sum() <= unsure < 5


def test_a_server_answers_and_finds_look_alikes(
    each_engine, engine_run, photos, expected, tmp_path
):
    engine = Engine.of_run(Run(engine_run))
    pictures, _, _ = list_pictures([str(photo) for photo in photos])
    Index(tmp_path / "index", engine, create=True).add(pictures)
    served = Served(
        [ServedNetwork("faces", engine, engine.single())],
        look_alikes=LookAlikes(tmp_path / "index", engine),
    )
    with TestClient(make_app(served)) as client:
        said = client.post("/v1/predict", files=form(photos[:4])).json()["predictions"]
        alone = client.post("/v1/predict", files=form(photos[3:4])).json()["predictions"]
        similar = client.post("/v1/similar", files=form(photos[:1])).json()["similar"]
    assert not is_int8(each_engine.name) or alone == said[3:]
    found = [{each["label"]: each["probability"] for each in one["top"]}["cat"] for one in said]
    probabilities, tolerance = expected
    np.testing.assert_allclose(found, probabilities[:4, 0], rtol=0, atol=tolerance)
    assert similar[0]["file"] == photos[0].name
    assert similar[0]["distance"] < similar[1]["distance"] / 5
