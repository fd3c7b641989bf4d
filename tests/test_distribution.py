"""Several devices, or several machines, at one training give the network that one gives."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.errors import RunError
from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from alexnet_tf.training.distribution import Workers
from tests.support import workers
from tests.support.small import CIFAR, STARTER, job, train, trainer, unexported
from tests.support.verbs import run_script
from tests.support.workers import difference

# Relative to a layer's largest number: what another order of summation may change.
ROUNDING = 1e-5
WORDS = (
    *("--data", "faces", "--weights", "starter", "--variant", "starter", "--train", "from:conv5"),
    *("--dropout", 0.4, "--epochs", 3, "--batch-size", 16, "--precision", "float32"),
    *("--no-report", "--tensorboard", "off", "--worker-timeout", 10, "--log-every", 1),
)
# In a process of its own, for TensorFlow is told only once what its devices are.
ON_TWO_DEVICES = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.test_distribution import train_all
train_all(*sys.argv[1:])
"""


def train_all(faces, run, batch_size):
    """Train all layers, with dropout, in this process."""
    config = {"dropout": 0.4, "epochs": 2, "batch_size": int(batch_size), **STARTER}
    train(job(Path(faces), Path(run), **config))


def accuracies(run):
    return [epoch["val_accuracy"] for epoch in read_history(Run(run))]


@pytest.mark.parametrize("batch_size", [16, 1])  # with 1 the second device has nothing to do
def test_two_devices_of_a_machine_give_the_network_of_one(faces, tmp_path, batch_size):
    train_all(faces, tmp_path / "one", batch_size)
    words = ("-c", ON_TWO_DEVICES, faces, tmp_path / "two", batch_size)
    subprocess.run([sys.executable, *map(str, words)], check=True)
    assert difference(tmp_path / "one", tmp_path / "two") < ROUNDING
    assert accuracies(tmp_path / "one") == accuracies(tmp_path / "two")


def test_a_worker_without_examples_has_outputs_of_none(faces, tmp_path):
    own = trainer(job(faces, tmp_path / "run", **CIFAR))
    of_logits = own.validation, np.arange(0), own.learner.logits, "none"
    ((_, outputs),) = own.outputs(*of_logits)
    assert outputs.shape[1] == 0 and outputs.shape[3] == 2


def test_workers_that_are_stopped_and_killed_leave_the_network_of_one(tmp_path):
    """Each computes what is its own of the features, and nothing of the other's."""
    draw_faces(tmp_path / "faces", per_class=30)
    with pytest.MonkeyPatch.context() as patch:
        unexported(patch)
        assert run_script(tmp_path, "train_alexnet.py", *WORDS, "--run", "one") == 0
    words = (*WORDS, "--run", "two")
    with workers.start(tmp_path, 2, *words, local=True) as processes:
        workers.wait_for(processes, tmp_path, 0, "epoch 1/3")
        processes[1].terminate()
        assert [process.wait() for process in processes] == [143, 143]
    stopped = [
        re.search("stopped after (.+) of 3", workers.said(tmp_path, index))[1] for index in (0, 1)
    ]
    assert stopped[0] == stopped[1]
    made = [len(list(tmp_path.glob(f"features-{n}/*/{p}index"))) for n, p in ((0, ""), (1, "*/"))]
    assert made == [1, 1]
    with workers.start(tmp_path, 2, *words, local=True) as processes:
        # The chief has kept the first epoch before it begins the second.
        workers.wait_for(processes, tmp_path, 1, "epoch 2/3")
        processes[1].kill()
        assert processes[0].wait() == 1
    chief = workers.said(tmp_path, 0)
    assert f"going on after {stopped[0]} of 3" in chief
    assert "train_alexnet.py: worker 1 (127.0.0.1:" in chief and "Traceback" not in chief
    workers.train(tmp_path, 1, *words)
    assert "going on after epoch" in workers.said(tmp_path, 0)
    assert difference(tmp_path / "one", tmp_path / "two") < ROUNDING
    assert accuracies(tmp_path / "one") == accuracies(tmp_path / "two")


def test_weights_that_are_no_longer_equal_end_the_training(monkeypatch):
    ours = Workers.alone()
    ours.count, ours.addresses = 2, ["a:2222", "b:2222"]
    monkeypatch.setattr(ours, "exchange", lambda sums: [sums, sums | {"fc8/kernel": 0}])
    state = {name: np.ones(3, np.float32) for name in ("fc6/kernel", "fc8/kernel")}
    with pytest.raises(RunError, match=r"worker 1 \(b:2222\): its fc8/kernel is no longer that"):
        ours.check_equal(state)


def test_a_place_that_is_none_among_workers_is_refused(tmp_path):
    config = {
        "TF_CONFIG": '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 3}}'
    }
    with workers.start_one(tmp_path, 0, config, "--data", "nowhere") as process:
        assert process.wait() == 2
    assert "TF_CONFIG: there is no worker 3; it should be like" in workers.said(tmp_path, 0)
