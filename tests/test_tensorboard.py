"""What TensorBoard reads of a run, and that a kill neither loses nor doubles any of it."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from alexnet_tf.runs.history import read_history
from alexnet_tf.runs.run import Run
from tests.support.small import LENET, job, train

ALL = dict.fromkeys(("tensors", "images", "scalars", "histograms"), 0)
CURVES = {"accuracy", "loss"}
OF_TRAINING = {"learning_rate", "seconds", "conv1", "fc8/kernel", "fc8/bias"}
OF_VALIDATION = {
    "balanced_accuracy", "confusion", "mistakes",
    "precision_recall/cat/pr_curves", "precision_recall/dog/pr_curves",
}  # fmt: skip


def read(run, part=""):
    """Read tag → [(step, value)] of a part of the run, as TensorBoard does."""
    events = EventAccumulator(str(run / "tensorboard" / part), ALL)
    events.Reload()
    return {
        tag: [(event.step, event.tensor_proto) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def steps(run, part):
    """Read tag → steps."""
    return {tag: [step for step, _ in values] for tag, values in read(run, part).items()}


def number(tensor):
    return (
        tensor.float_val[0] if tensor.float_val else np.frombuffer(tensor.tensor_content, "<f4")[0]
    )


def picture(tensor):
    return Image.open(BytesIO(tensor.string_val[2]))


@pytest.fixture(scope="module")
def shown(tmp_path_factory, faces):
    """Train three epochs of a thin network from scratch, with all that is shown by default."""
    run = tmp_path_factory.mktemp("shown") / "run"
    train(job(faces, run, **LENET, tensorboard="light"))
    return run


def test_each_epoch_has_its_curves_weights_answers_and_pictures(shown):
    training, validation = steps(shown, "train"), steps(shown, "validation")
    assert set(training) > CURVES | OF_TRAINING and set(validation) == CURVES | OF_VALIDATION
    assert {tuple(each) for each in (*training.values(), *validation.values())} == {(1, 2, 3)}


def test_the_curves_say_what_the_history_says(shown):
    history = read_history(Run(shown))
    for part, prefix in (("train", ""), ("validation", "val_")):
        for tag in CURVES:
            values = [number(tensor) for _, tensor in read(shown, part)[tag]]
            assert values == pytest.approx([epoch[prefix + tag] for epoch in history])


def test_precision_and_recall_are_those_of_the_answers(shown):
    """Six rows: true and false positives, true and false negatives, precision, recall; in columns
    the thresholds, of which 0 takes all for cats and 0.5 the answers."""
    curve, answered = read(shown, "validation"), read_history(Run(shown))[-1]["val_accuracy"]
    (tensor,) = [value for step, value in curve["precision_recall/cat/pr_curves"] if step == 3]
    rows = np.frombuffer(tensor.tensor_content, "<f4").reshape(6, -1)
    assert rows[:4, 0].tolist() == [4, 4, 0, 0] and rows[4:, 0].tolist() == [0.5, 1]
    assert (rows[0, 50] + rows[2, 50]) / 8 == pytest.approx(answered)


def test_the_histograms_count_all_values_of_a_small_layer(shown):
    buckets = [tensor for _, tensor in read(shown, "train")["fc8/kernel"]]
    for tensor in buckets:
        edges_and_counts = np.frombuffer(tensor.tensor_content, "<f8").reshape(-1, 3)
        assert edges_and_counts[:, 2].sum() == 84 * 2


def test_the_run_as_a_whole_says_what_it_was_told_and_came_to(shown):
    whole = read(shown)
    settings = whole["settings"][0][1].string_val[0].decode()
    assert "batch_size      16" in settings and "variant         lenet5" in settings
    command = whole["command"][0][1].string_val[0].decode()
    assert f"train_alexnet.py --run {shown}" in command and "--batch-size 16" in command
    history = read_history(Run(shown))
    best = max(history, key=lambda epoch: (epoch["val_accuracy"], -epoch["val_loss"]))
    ((step, accuracy),) = whole["accuracy"]
    assert (step, number(accuracy)) == (best["epoch"], pytest.approx(best["val_accuracy"]))
    assert {"_hparams_/session_start_info", "_hparams_/session_end_info"} <= set(whole)


def test_the_graph_has_every_layer_in_order(shown):
    events = EventAccumulator(str(shown / "tensorboard"), ALL)
    events.Reload()
    nodes = {node.name: list(node.input) for node in events.Graph().node}
    assert nodes["conv1"] == ["data"] and nodes["pool1"] == ["conv1"] and nodes["prob"] == ["fc8"]


def test_pictures_are_small_enough_to_be_read_as_they_are(shown):
    for part, tags in (("validation", ("confusion", "mistakes")), ("", ("grad_cam/right",))):
        for tag in tags:
            assert picture(read(shown, part)[tag][-1][1]).width <= 350


def test_the_projector_has_fc7_of_each_validation_picture(shown):
    folder = shown / "tensorboard"
    lines = (folder / "fc7.tsv").read_text().splitlines()
    assert lines[0] == "class\tanswer\tright\tpath" and len(lines) == 1 + 8
    values = np.fromfile(folder / "fc7.bytes", "<f4").reshape(8, 84)
    assert (values >= 0).all() and values.any()
    assert "tensor_shape: 8\n  tensor_shape: 84" in (folder / "projector_config.pbtxt").read_text()
    assert Image.open(folder / "fc7.jpg").size == (3 * 48, 3 * 48)
