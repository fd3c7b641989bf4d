"""A small installation: LiteRT predicts, and TensorFlow is not there."""

import os
import shutil
import subprocess

import numpy as np
import pytest

from alexnet_tf.inference import engine as engines
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import Run
from alexnet_tf.system import children
from tests.support.places import ROOT
from tests.support.runs import write_run
from tests.support.serving import form, serving

# Left out by deploy/serve-small.txt; Keras comes with TensorFlow.
ABSENT = ("tensorflow", "sklearn", "scipy", "h5py", "tensorboard", "openvino", "matplotlib")


@pytest.fixture
def environment(tmp_path):
    """Variables for a process that finds none of `ABSENT`."""
    hiding = f"import sys\nsys.modules.update(dict.fromkeys({ABSENT}))\n"
    (tmp_path / "sitecustomize.py").write_text(hiding)
    return {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run with its LiteRT file."""
    run = write_run(tmp_path_factory.mktemp("whole") / "run")
    Engine.of_run(run).write_litert()
    return run.directory


def test_a_server_predicts_and_says_what_it_cannot(whole, faces, environment, tmp_path):
    with serving(tmp_path, whole, **environment) as server:
        (said,) = server.predict(faces / "cat.0.jpg").json()["predictions"]
        assert said["label"] in ("cat", "dog")
        refused = server.post("/v1/explain", files=form([faces / "cat.0.jpg"]))
        assert refused.status_code == 501
        assert "needs tensorflow" in refused.json()["detail"]
        assert not server.get("/v1/networks").json()["lessons"]


def test_litert_predicts_more_than_it_is_fast_for(whole, monkeypatch):
    monkeypatch.setattr(engines, "has_tensorflow", lambda: False)
    engine = Engine.of_run(Run(whole))
    side = engine.variant.picture_size
    found, _ = engine.predict(np.zeros((2, side, side, 3), np.uint8), 1_000_000)
    assert found.shape == (2, 2)


@pytest.mark.parametrize("verb", ["predict", "serve"])
def test_a_run_without_its_litert_file_is_refused_in_a_sentence(
    whole, faces, environment, verb, tmp_path
):
    run = shutil.copytree(whole, tmp_path / "run")
    (run / "model.tflite").unlink()
    words = ["2", "--run", run, faces / "cat.0.jpg"] if verb == "predict" else ["--port", 0, run]
    command = children.python("-m", "alexnet_tf", verb, *words)
    command["env"] |= environment
    done = subprocess.run(**command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "without TensorFlow, only LiteRT" in done.stderr and "model.tflite" in done.stderr
    assert "Traceback" not in done.stderr
