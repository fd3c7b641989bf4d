"""The Python API: train, open a run, predict with it."""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import signal
import sys
import threading
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import MagicMock

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from werkzeug.datastructures import FileStorage

import alexnet_tf
from alexnet_tf.commands import evaluate
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import DEFAULTS
from alexnet_tf.system import signals
from alexnet_tf.training import loop
from tests.support.pages import python
from tests.support.pictures import answer_of
from tests.support.places import ROOT
from tests.support.small import without_litert  # noqa: F401 - used by every test
from tests.support.verbs import run_verb

# A small head on the starter's convolutions trains in seconds.
SMALL = {
    "weights": "starter", "variant": "starter", "epochs": 2, "batch_size": 16, "units": 16,
    "precision": "float32", "tensorboard": "off", "report": False,
}  # fmt: skip


class Recorder(keras.callbacks.Callback):
    """Keeps what it is told, as a tracker of experiments does."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(self.params["batch_size"])

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append((epoch, logs))

    def on_train_end(self, logs=None):
        self.calls.append(logs)


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def run(folder, faces, recorder):
    """`train` returns the finished run."""
    run = alexnet_tf.train(
        faces, folder / "run", features=folder / "features", callbacks=[recorder], **SMALL
    )
    assert not Run(run.directory).litert_path.exists()
    return run


@pytest.fixture
def cat(faces):
    return faces / "cat.0.jpg"


def test_a_training_returns_what_can_be_asked(run, folder):
    assert run.directory == folder / "run" and run.classes == ("cat", "dog")
    assert run.variant.name == "starter" and run.settings["batch_size"] == 16
    assert [epoch["epoch"] for epoch in run.history] == [1, 2]
    assert repr(run).startswith(f"<FinishedRun {folder}/run: cat, dog; 2 epochs, accuracy ")


def test_callbacks_of_keras_are_told_of_each_epoch(run, recorder):
    epochs = [
        (e["epoch"] - 1, {n: e[n] for n in e if n not in ("epoch", "seconds")}) for e in run.history
    ]
    assert recorder.calls == [16, *epochs, epochs[-1][1]]
    for wrong in (["mlflow"], [Recorder], recorder):
        with pytest.raises(alexnet_tf.UserError, match="callbacks: should be keras"):
            alexnet_tf.train(run.settings["data"], run.directory, callbacks=wrong)


def test_whatever_is_wrong_with_arguments_and_files_is_told_at_once(tmp_path):
    """Before weights are read or features computed."""
    (tmp_path / "file").touch()
    settings = {"epohcs": 2, "units": "many", "weights": str(tmp_path / "w.npy")}
    with pytest.raises(alexnet_tf.UserError) as caught:
        alexnet_tf.train(tmp_path / "photos", tmp_path / "file", callbacks=["mlflow"], **settings)
    for reason in (
        "file: is no folder", "did you mean epochs?", "units: should be of the type int",
        "callbacks: should be keras", "w.npy: there is no such", "photos: there is no such",
    ):  # fmt: skip
        assert reason in str(caught.value)
    with pytest.raises(
        alexnet_tf.UserError, match=r"run: should be .*None\ndata: should be of the type str"
    ):
        alexnet_tf.train(3, None, callbacks=None)


@pytest.mark.parametrize("crops", ("x", 3, None))
def test_other_numbers_of_crops_are_refused_wherever_they_are_given(crops, cat):
    run, message = alexnet_tf.load_run("starter"), "crops: should be 1 or 10, but is "
    for ask in (run.predict, run.predict_proba, run.evaluate):
        with pytest.raises(alexnet_tf.UserError, match=message):
            ask(cat, crops=crops)
    with pytest.raises(alexnet_tf.UserError, match=message):
        run.export("litert", crops=crops)


def test_what_is_no_path_of_a_run_is_said():
    with pytest.raises(alexnet_tf.UserError, match="run: should be the path of a folder, but is 5"):
        alexnet_tf.load_run(5)


def test_a_run_that_was_trained_before_is_opened(run, cat):
    opened = alexnet_tf.load_run(run.directory)
    assert opened.predict(cat) == run.predict(cat) and opened.history == run.history


def test_a_picture_gets_an_answer_with_label_and_probability(run, cat):
    answer = run.predict(cat)
    assert (answer.label, answer.probability) == answer.top[0] and len(answer.top) == 2
    assert sum(probability for _, probability in answer.top) == pytest.approx(1)
    assert run.predict(cat, top=1).top == answer.top[:1]


class Upload:
    """A stand-in for FastAPI's UploadFile, whose own `read` is a coroutine."""

    def __init__(self, content):
        self.file, self.filename = io.BytesIO(content), "upload.jpg"

    async def read(self):
        raise AssertionError


def closed():
    file = io.BytesIO()
    file.close()
    return file


def test_files_that_are_open_and_uploads_are_pictures_from_their_start(run, cat):
    content, expected = cat.read_bytes(), run.predict(cat).top
    begun = io.BytesIO(content)
    begun.seek(100)
    streamlit = io.BytesIO(content)
    streamlit.name = "mine.jpg"
    werkzeug = FileStorage(io.BytesIO(content), "theirs.jpg")
    with open(cat, "rb") as opened:
        predictions = run.predict([begun, opened, Upload(content), streamlit, werkzeug])
    for each in predictions:
        assert dict(each.top) == pytest.approx(dict(expected), abs=1e-6)
    names = ["an open file", str(cat), "upload.jpg", "mine.jpg", "theirs.jpg"]
    assert [each.file for each in predictions] == names and begun.tell() == 100
    assert run.predict(io.BytesIO(content)).top == expected  # one, not one for each of its lines


def test_collections_of_any_kind_are_lists_of_pictures(run, cat, faces):
    paths = [str(cat), str(faces / "dog.1.jpg")]
    expected = run.predict(paths)
    table = pd.DataFrame({"label": ["cat", "dog"], "path": paths, "width": [1, 2]}, [7, 3])
    for pictures in (
        np.array(paths), np.array([paths], object).T, np.array(paths, "S"), pd.Series(paths),
        pd.Series(paths, dtype="string"), table, table[["path"]], tuple(paths), iter(paths),
        dict(zip("ab", paths)).values(),
    ):  # fmt: skip
        assert run.predict(pictures) == expected
    named = run.predict({"first": paths[0], 2: Image.open(paths[1]), "text": b"text"})
    assert [each.file for each in named] == ["first", "2", "text"]
    assert [each.label for each in named[:2]] == [each.label for each in expected]
    assert run.predict_proba({"a": cat}).shape == (1, 2)


def test_fractions_and_numbers_of_many_bits_are_read_by_their_range(run, cat):
    colours = np.asarray(Image.open(cat))
    expected = run.predict(colours).top
    for scaled in (
        colours / 255, (colours / 255).astype("f4"), colours.astype("f8"), colours.astype("i8"),
        colours.astype("u2") * 257,
    ):  # fmt: skip
        assert run.predict(scaled).top == expected
        pair = run.predict(np.stack([scaled, scaled]))
        assert dict(pair[1].top) == pytest.approx(dict(expected), abs=1e-6)
    grey = np.asarray(Image.open(cat).convert("L"))
    expected = run.predict(grey).top
    for image in (
        Image.fromarray((grey / 255).astype("f4")), Image.fromarray(grey.astype("i4")),
        Image.fromarray(grey.astype("u2") * 257), Image.fromarray(grey).convert("LA").convert("La"),
        grey[..., None],
    ):  # fmt: skip
        assert run.predict(image).top == expected
    with pytest.raises(alexnet_tf.UserError, match=r"0\.772549, and 0 to 1 or 255"):
        run.predict(Image.fromarray(grey / np.float32(127.5) - 1))


def test_a_picture_may_be_a_path_bytes_an_image_or_an_array(run, cat):
    """A JPEG that is decoded at its full size by Pillow, and not smaller, may be a grey apart."""
    image = Image.open(cat)
    kinds = [str(cat), cat.read_bytes(), memoryview(cat.read_bytes()), image, np.asarray(image)]
    predictions = [run.predict(kind) for kind in kinds] + run.predict(kinds)
    for answer in predictions:
        assert answer.probability == pytest.approx(run.predict(cat).probability, abs=0.01)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I", "I;16", "CMYK", "F"])
def test_an_image_may_have_any_mode(run, cat, mode):
    grey = Image.open(cat).convert("L")
    image = grey.convert("RGB").convert(mode) if mode != "I;16" else grey.convert(mode)
    if mode in ("I;16", "I"):
        image = Image.fromarray((np.asarray(grey).astype(np.uint16) << 8).astype(np.uint16))
    # Some change the colours.
    expected = run.predict(image.convert("RGB") if mode in ("1", "P", "CMYK") else grey)
    assert dict(run.predict(image).top) == pytest.approx(dict(expected.top), abs=0.001)


def test_an_image_that_a_camera_turned_is_upright(run, cat, tmp_path):
    image = Image.open(cat).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # what turns it back
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        assert run.predict(turned).top == run.predict(Image.open(cat)).top


def test_a_picture_that_cannot_be_read_is_an_error_that_names_it(run, cat, tmp_path):
    with pytest.raises(alexnet_tf.UserError, match=r"nope\.jpg: does not exist"):
        run.predict("nope.jpg")
    good, bad = run.predict([cat, b"text"])
    assert good == run.predict(cat) and "a picture of 4 bytes: is text" in str(bad.error)
    with pytest.raises(alexnet_tf.UserError, match="is text, no picture"):
        _ = bad.label
    with pytest.raises(alexnet_tf.UserError, match=r"nope\.jpg: does not exist"):
        run.features([cat, "nope.jpg"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (7, "int: is no picture; give a path"),
        (None, "NoneType: is no picture"),
        ([7, 8], "int: is no picture; give a path"),
        (object(), "object: is no picture"),
        ([[1, 2]], "list: is no picture"),
        (np.zeros((3, 8, 8)), r"float64 \(3, 8, 8\): is no picture; that should be \(h, w\)"),
        (np.full((8, 8, 3), -1.0), "has values from -1 to -1, and 0 to 1 or 255 or 65535 is read"),
        (np.full((2, 8, 8, 3), np.nan), "has values from nan to nan"),
        (io.StringIO("text"), "an open file: does not give bytes; open it with mode 'rb'"),
        (closed(), "an open file: cannot be read: I/O operation on closed file"),
        (pd.DataFrame({"a": [1], "b": ["x"]}), "the columns a, b, of which none may hold pictures"),
        (pd.DataFrame({"a": ["x.jpg"], "b": ["y.jpg"]}), "of which a and b may hold pictures"),
        (np.array([["a.jpg", "b.jpg"]]), r"an array of <U5 \(1, 2\): is no list of pictures"),
        (np.zeros((8, 8, 5), np.uint8), r"uint8 \(8, 8, 5\): is no picture"),
        (np.zeros((0, 8, 3), np.uint8), "is no picture"),
        (b"", "is empty"),
        (Image.new("RGB", (0, 3)), "is a broken picture"),
    ],
)
def test_what_is_no_picture_is_refused(run, wrong, message):
    with pytest.raises(alexnet_tf.UserError, match=message):
        run.predict(wrong)


def test_no_pictures_get_no_answers(run):
    assert run.predict([]) == []


def test_an_array_of_several_pictures_is_a_list_of_them(run, cat):
    several = np.stack([np.asarray(Image.open(cat))] * 3)
    assert len(run.predict(several)) == 3


def test_it_tells_how_good_it_is_as_the_command_does(run, faces, capsys):
    found = run.evaluate(faces)
    assert run_verb(evaluate, run.directory, "--data", faces, "--json") == 0
    assert f'"accuracy": {found["accuracy"]}' in capsys.readouterr().out
    assert found["pictures"] == 60 and run.evaluate()["pictures"] == 8


def test_probabilities_of_several_pictures_are_one_array_in_the_order_of_the_classes(run, cat):
    found = run.predict_proba([cat, cat.read_bytes()])
    assert found.shape == (2, 2) and found.dtype == np.float32
    assert found[0] == pytest.approx([dict(run.predict(cat).top)[name] for name in run.classes])
    assert run.predict_proba(cat) == pytest.approx(found[0]) and run.predict_proba([]).shape == (
        0,
        2,
    )
    with pytest.raises(alexnet_tf.UserError, match=r"nope\.jpg: does not exist"):
        run.predict_proba([cat, "nope.jpg"])


def test_the_network_is_there_as_a_keras_model(run, cat):
    pixels = alexnet_tf.load_image(cat, run.variant, run.settings["resize"])[None]
    found = run.model.predict(alexnet_tf.preprocess_input(pixels, run.variant), verbose=0)
    np.testing.assert_allclose(found[0], run.predict_proba(cat), atol=1e-5)


def test_what_an_argument_lacks_is_said_by_its_name_in_python(run):
    with pytest.raises(alexnet_tf.UserError, match=r"^int8 is for format litert"):
        run.export("onnx", int8=True)
    with pytest.raises(alexnet_tf.UserError, match=r"^data: should be a path, .* but is BytesIO"):
        run.evaluate(io.BytesIO())


def test_a_run_writes_its_exports_and_its_report(run, tmp_path):
    path = run.export("keras", tmp_path / "mine.keras")
    assert path == tmp_path / "mine.keras" and path.read_bytes() == run._run.model_path.read_bytes()
    assert run.report(tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE")
    with pytest.raises(alexnet_tf.UserError, match="format: should be one of keras, savedmodel, l"):
        run.export("coreml")


def test_a_run_that_is_copied_or_sent_to_another_process_is_opened_there(run, cat, monkeypatch):
    monkeypatch.chdir(run.directory.parent)
    opened = alexnet_tf.load_run("run")
    content = pickle.dumps(opened)
    monkeypatch.chdir("/")
    for other in (pickle.loads(content), copy.deepcopy(run)):
        assert other.predict(cat) == run.predict(cat)
    starter = pickle.loads(pickle.dumps(alexnet_tf.load_run("starter")))
    assert starter.classes == ("cat", "dog")


def test_home_is_understood_and_so_are_numbers_of_numpy(run, cat, faces, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(run.directory.parent))
    assert alexnet_tf.load_run("~/run").directory == run.directory
    assert len(run.predict(cat, top=np.int64(1)).top) == 1
    config = SMALL | {
        "epochs": np.int64(1),
        "learning_rate": np.float32(0.5),
        "units": np.int32(16),
    }
    monkeypatch.setenv("HOME", str(tmp_path))
    made = alexnet_tf.train(faces, "~/run", features=run.directory.parent / "features", **config)
    assert made.directory == tmp_path / "run" and made.settings["learning_rate"] == 0.5


def test_what_is_shown_of_answers_and_explanations_is_short(run, cat):
    answer = run.predict(cat)
    shown = f"Prediction('{cat}', label='{answer.label}', probability={answer.probability:.4f})"
    assert repr(answer) == shown and len(repr(run.explain(cat))) < 300
    assert run.explain(cat)._repr_png_().startswith(b"\x89PNG")
    assert "error='b.jpg: does not exist'" in repr(run.predict(["b.jpg"])[0])


def test_a_run_shows_its_curves_and_its_confusion_matrix(run, cat, tmp_path):
    confusion = run.confusion
    matrix = np.asarray(confusion)
    said = run.evaluate()
    assert matrix.trace() / matrix.sum() == pytest.approx(said["accuracy"])
    assert matrix.tolist() == said["confusion"]
    rows = repr(confusion).splitlines()
    assert rows[0].split() == list(run.classes)
    assert rows[1].split() == [run.classes[0], *map(str, matrix[0])]
    assert Image.open(io.BytesIO(confusion._repr_png_())).width == confusion.figure().width
    run.plot().savefig(tmp_path / "curves.png")
    accuracy, loss = run.plot().axes
    assert [line.get_label() for line in accuracy.lines][:2] == ["validation", "training"]
    assert list(accuracy.lines[0].get_ydata()) == [each["val_accuracy"] for each in run.history]
    assert loss.get_title() == "loss"


def test_a_notebook_shows_a_run_and_its_predictions_in_html(run, cat):
    prediction = run.predict(cat)
    shown = prediction._repr_html_()
    assert shown.count("<meter") == len(run.classes) and f"{prediction.probability:.1%}" in shown
    assert "<script>" not in Prediction("x", (("<script>", 1.0),))._repr_html_()
    assert run.classes[0] in run._repr_html_()


def test_features_and_explanations_are_of_one_picture_or_of_each(run, cat):
    assert run.features(cat, layer="fc7").shape == (16,)
    assert run.features([cat, cat.read_bytes()], layer="fc6").shape == (2, 16)
    explanation = run.explain(Image.open(cat), label="dog")
    assert explanation.label == "dog" and explanation.heat.max() == pytest.approx(1)
    first, second = run.explain([cat, cat])
    np.testing.assert_allclose(first.heat, second.heat, atol=1e-5)
    assert run.features([], layer="fc6").shape == (0, 16)
    with pytest.raises(alexnet_tf.UserError, match="layer: should be one of pool5, fc6, fc7"):
        run.features(cat, layer="conv5")
    assert run.explain(cat, label=np.int64(1)).label == run.explain(cat, label=1).label == "dog"
    for label in ("bird", 2):
        with pytest.raises(alexnet_tf.UserError, match=f"there is no class '{label}'"):
            run.explain(cat, label=label)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "epoch: there is no such setting; did you mean epochs?"),
        ({"batchsize": 3}, "did you mean batch_size?"),
        ({"zzz": 3}, r"zzz: there is no such setting; help\(alexnet_tf.train\) lists them"),
        ({"epochs": 0}, "^epochs: '0' should be a whole number above 0"),
        ({"epochs": "3"}, "^epochs: should be of the type int, but is '3'"),
        ({"variant": "vgg"}, "^variant: should be one of|the variants are"),
        ({"recipe": "quick"}, "^recipe: should be one of head, .*, but is 'quick'"),
        ({"learning_rate": -1}, "^learning_rate: '-1' should be"),
        ({"head_rate": 1.0, "head": "random"}, "^head_rate goes with head pretrained, not with"),
        ({"decoupled": True}, "^decoupled: says how weight_decay works"),
        ({"weights": "nowhere.npy"}, r"nowhere\.npy: .*`alexnet-tf weights` fetches one"),
    ],
)
def test_a_wrong_setting_is_a_sentence(tmp_path, faces, settings, message):
    with pytest.raises(alexnet_tf.UserError, match=message):
        alexnet_tf.train(faces, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_pictures_that_are_not_there_are_said_how_to_get(tmp_path):
    with pytest.raises(alexnet_tf.UserError, match="`alexnet-tf data` fetches 25,000 photos"):
        alexnet_tf.train(tmp_path / "nowhere", tmp_path / "run", **SMALL)


def test_a_run_that_is_not_there_is_said_how_to_get(tmp_path):
    with pytest.raises(alexnet_tf.UserError, match="`alexnet-tf train --run "):
        alexnet_tf.load_run(tmp_path)


def test_what_is_not_told_is_as_on_the_command_line(tmp_path, faces):
    """Without weights that is another recipe; of what goes on it is what it was told at first."""
    config = {
        "weights": "none", "train": "all", "variant": "lenet5", "report": False, "epochs": 1,
        "tensorboard": "off",
    }  # fmt: skip
    directory = tmp_path / "run"
    run = alexnet_tf.train(faces, directory, features=tmp_path / "features", seed=3, **config)
    assert run.settings["batch_size"] == DEFAULTS["batch_size"] and run.settings["seed"] == 3
    again = alexnet_tf.train(faces, directory, features=tmp_path / "features", epochs=2)
    assert again.settings["variant"] == "lenet5" and len(again.history) == 2


def _interrupted(monkeypatch, at):
    """Let Ctrl-C come when the epoch `at` has begun, in the main thread."""
    run_epoch = loop.Trainer.run_epoch

    def interrupted(trainer, history, *rest):
        if len(history) == at:
            signal.raise_signal(signal.SIGINT)
        return run_epoch(trainer, history, *rest)

    monkeypatch.setattr(loop.Trainer, "run_epoch", interrupted)


def test_ctrl_c_ends_a_step_and_the_same_call_goes_on(run, tmp_path, faces, monkeypatch):
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    config = {**SMALL, "features": run.settings["features"]}
    with pytest.MonkeyPatch.context() as patch:
        _interrupted(patch, at=1)
        with pytest.raises(KeyboardInterrupt, match="called again, it goes on from there"):
            alexnet_tf.train(faces, tmp_path / "run", **config)
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before
    (unfinished,) = (tmp_path / "run/checkpoints").glob("*.unfinished.npz")
    finished = alexnet_tf.train(faces, tmp_path / "run", **config)
    assert not unfinished.exists()
    for ours, theirs in zip(finished.history, run.history, strict=True):
        assert ours | {"seconds": 0} == theirs | {"seconds": 0}


def test_it_trains_and_answers_off_the_main_thread(run, tmp_path, faces, cat):
    config = {**SMALL, "features": run.settings["features"]}
    found = []

    def work():
        found.append(alexnet_tf.train(faces, tmp_path / "run", **config).predict(cat))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].top == run.predict(cat).top


def test_other_probabilities_than_imagenets_are_said_where_to_ask(run):
    model = alexnet_tf.load_model(Run(run.directory).model_path)
    predictions = model.predict(np.zeros((1, *model.input_shape[1:]), np.float32), verbose=0)
    with pytest.raises(ValueError, match=r"\(1, 2\).*alexnet_tf\.load_run\(DIRECTORY\)\.predict"):
        alexnet_tf.decode_predictions(predictions)


def test_help_names_every_setting_with_its_default():
    parameters = inspect.signature(alexnet_tf.train).parameters
    assert {*DEFAULTS} <= {*parameters} and parameters["epochs"].default == 30
    assert "\n    epochs: passes over the training pictures" in alexnet_tf.train.__doc__
    assert {"train", "load_run", "AlexNet"} <= {*dir(alexnet_tf)}
    assert (Path(alexnet_tf.__file__).parent / "py.typed").is_file()


def test_the_python_on_the_pages_runs_as_it_stands(faces, tmp_path, monkeypatch):
    """But for the network, which is the starter's: the pages have ImageNet's weights."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "test-photos", "more"):
        (tmp_path / name).symlink_to(faces)
    names = {"a.jpg": "cat.0", "b.jpg": "dog.0", "cat.jpg": "cat.1", "dog.jpg": "dog.1"}
    for name, drawn in names.items():
        (tmp_path / name).symlink_to(faces / f"{drawn}.jpg")
    content = Path("cat.jpg").read_bytes()
    with Image.open("cat.jpg") as image:
        image.load()
    given = {"path": "cat.jpg", "image": image, "array": np.asarray(image), "content": content}
    paths = [faces / f"{name}.{n}.jpg" for name in ("cat", "dog") for n in range(8)]
    given |= {"paths": paths, "labels": ["cat"] * 8 + ["dog"] * 8}
    small = {name: value for name, value in SMALL.items() if name != "epochs"}
    monkeypatch.setattr(alexnet_tf, "train", partial(alexnet_tf.train, **small))
    classifier = partial(alexnet_tf.AlexNetClassifier, **small)
    monkeypatch.setattr(alexnet_tf, "AlexNetClassifier", classifier)
    monkeypatch.setenv("WANDB_MODE", "offline")
    trackers = {}  # where one is installed, it is itself
    for name in ("mlflow", "wandb"):
        if not find_spec(name):
            trackers[name] = MagicMock()
            monkeypatch.setitem(sys.modules, name, trackers[name])
    for page in ("README.md", "docs/api.md", "docs/look.md"):
        names = dict(given)
        exec(compile(python(ROOT / page), page, "exec"), names)
    for each in trackers.values():
        config = [*each.log_metrics.mock_calls, *each.init().__enter__().log.mock_calls]
        assert [call.kwargs["step"] for call in config] == [1, 2]
        assert 0 < config[1].args[0]["val_accuracy"] <= 1
    mine = tmp_path / "runs/mine"
    assert names["dog"].label == answer_of(mine, tmp_path / "dog.jpg")
    assert names["dog"].heat.max() == 1
    assert len(alexnet_tf.load_run("runs/mine").history) == 5
