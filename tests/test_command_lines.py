"""Verbs that do without TensorFlow, and messages about mistakes on the command line."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from alexnet_tf.system import quiet
from tests.support.places import ROOT

COMMANDS = (
    ["train_alexnet.py"], ["predict_alexnet.py"], ["-m", "alexnet_tf"],
    ["-m", "alexnet_tf", "train"], ["-m", "alexnet_tf", "predict"],
)  # fmt: skip


def python(*arguments, cwd=ROOT):
    result = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_tensorflow(command):
    code, out, err = python("-X", "importtime", *command, "--help")
    assert code == 0 and out.startswith("usage:")
    assert "tensorflow" not in err and "keras" not in err


def test_the_package_imports_without_tensorflow_and_offers_its_functions():
    code, out, err = python(
        "-c",
        "import sys, alexnet_tf; print('tensorflow' in sys.modules, 'keras' in sys.modules);"
        "print(alexnet_tf.preprocess_input.__name__, alexnet_tf.AlexNet.__name__)",
    )
    assert (code, out, err) == (0, "False False\npreprocess_input AlexNet\n", "")


def test_the_names_of_imagenet_are_in_output_order():
    from alexnet_tf import decode_predictions

    ((first, second),) = decode_predictions(np.eye(1000)[[386]] * 0.75, top=2)
    assert first == ("n02504458", "African elephant, Loxodonta africana", 0.75)
    assert second == ("n01440764", "tench, Tinca tinca", 0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict_alexnet.py", "1", "a.jpg"], "weights/bvlc_alexnet.npy: there is no such file"),
        (["predict_alexnet.py", "2", "a.jpg"], "a.jpg: does not exist"),
        (["predict_alexnet.py", "2", "a.jpg", "--run", "x"], "x: holds no finished model"),
        (["predict_alexnet.py", "3", "a.jpg"], "3: does not exist, and is no mode"),
        (["predict_alexnet.py", "two", "a.jpg"], "1, for ImageNet's 1,000 classes, or 2"),
        (["alexnet_tf", "compare", "."], ". is a folder, and no variant to train"),
        (["alexnet_tf", "report", "starter"], "trained on pictures that are not here"),
        (["train_alexnet.py", "."], "did you mean --data .?"),
        (["predict_alexnet.py"], "the following arguments are required: PICTURE"),
        (["predict_alexnet.py", "a.jpg", "--tpo", "2"], "did you mean --top?"),
        (["train_alexnet.py", "--epohcs", "3"], "arguments: --epohcs 3; did you mean --epochs?"),
        (["train_alexnet.py", "--Batch_size=3"], "did you mean --batch-size?"),
        (["train_alexnet.py", "--variant", "cafenet"], "did you mean caffenet?"),
        (["alexnet_tf", "trian", "--data", "x"], "did you mean train?"),
        (["train_alexnet.py"], "data: there is no such file or folder. `make data` fetches 25,000"),
        (
            ["train_alexnet.py", "--variant", "caffenet"],
            "weights/bvlc_alexnet.npy: there is no such file of weights; `make weights` fetches",
        ),
        (
            ["train_alexnet.py", "--weights", "starter", "--variant", "bvlc", "--data", "."],
            "knows cats and dogs, for the variant distilled, not bvlc; give --variant distilled",
        ),
        (["train_alexnet.py", "--epochs", "0"], "should be a whole number above 0"),
        (["train_alexnet.py", "--learning-rate", "nan"], "should be a number above 0"),
        (["train_alexnet.py", "--variant", "vgg"], "invalid choice"),
        (["train_alexnet.py", "--seed", 2**32], "at most 4,294,967,295"),
        (["train_alexnet.py", "--threads", 2**31], "0 or above, at most 1,024"),
        (["train_alexnet.py", "--width", "1e308"], "above 0, at most 16"),
        (["train_alexnet.py", "--dropout", "1"], "from 0 to 1, and below 1"),
        (["train_alexnet.py", "--epochs", "9" * 5000], "above 0, at most 2,147,483,647"),
        (["train_alexnet.py", "--learning-rate", "1e39"], "above 0, at most 1,000,000"),
        (["train_alexnet.py", "--weights", ""], "'' should be a path"),
        (["predict_alexnet.py", "1", "a.jpg", "--weights", ""], "'' should be a path"),
        (["predict_alexnet.py", "1", "a.jpg", "--weights", "/"], "/: is a folder, where a file of"),
        (["alexnet_tf", "weights", "/"], "/: is a folder, where a file of weights is expected"),
        (["alexnet_tf", "data", ".", "--seed", 2**32], "at most 4,294,967,295"),
        (
            ["alexnet_tf", "data", "nowhere"],
            "nowhere: there is no such file or folder. `python -m alexnet_tf data`",
        ),
        (["alexnet_tf", "weights", "nowhere.npy"], "those that can be fetched are bvlc_alexnet"),
        (["alexnet_tf", "summary", "vgg"], "invalid choice"),
        (["alexnet_tf", "evaluate", "--imagenet", "val"], "val: is no folder of pictures"),
        (["alexnet_tf", "evaluate"], "the starter was validated with pictures that are not here"),
        (["alexnet_tf", "serve", "--run", "x"], "did you mean RUN without --run?"),
        (["alexnet_tf", "tensorboard", __file__], "is a file, where a run, or a folder of runs,"),
        (["train_alexnet.py", "--config", "x"], "x: cannot be read (No such file or directory)"),
        (["alexnet_tf", "data", "hf:"], "hf:: huggingface_hub cannot fetch it: Repo id must"),
        (["alexnet_tf", "evaluate", "x"], "x: holds no finished model"),
        (["predict_alexnet.py", "1", "a.jpg", "--crops", "5"], "invalid choice"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(typed, arguments, message):
    result = typed(*arguments, code=2)
    assert message in result.stderr and result.stdout == ""


def test_the_program_alone_names_its_verbs(typed):
    result = typed("alexnet_tf")
    assert "say what pictures show" in result.stdout and result.stderr == ""


@pytest.mark.parametrize("start", (["train_alexnet.py"], ["predict_alexnet.py", "2", "a.jpg"]))
def test_a_python_without_the_packages_is_a_sentence(start):
    """As where no virtual environment is active: -S leaves its packages out."""
    code, out, err = python("-S", *start)
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
    assert err.startswith(f"{start[0]}: {sys.executable} lacks ") and "`make setup`" in err


def test_missing_data_is_found_before_tensorflow_is_imported(command, random_weights, tmp_path):
    result = command("train_alexnet.py", "--weights", random_weights, code=2)
    assert "data: there is no such file or folder" in result.stderr
    assert "data: there is no such file or folder" in (tmp_path / "train_alexnet.log").read_text()


def test_data_lists_and_counts(typed, faces, tmp_path):
    photos = shutil.copytree(faces, tmp_path / "photos")
    (photos / "broken.jpg").write_bytes(b"x")
    (photos / "cat.99.jpg").write_bytes(b"x")
    result = typed("alexnet_tf", "data", "photos")
    assert result.stdout.splitlines() == [
        "class  training  validation",
        "cat          26           4",
        "dog          26           4",
        "all          52           8",
        "left out: 2, named with the reason in rejected.txt: 1 × is in no folder of a class and"
        " not named cat.N or dog.N; 1 × is text, no picture",
    ]
    assert len((tmp_path / "data/train.txt").read_text().splitlines()) == 52
    assert (tmp_path / "data/rejected.txt").read_text().splitlines() == [
        "photos/broken.jpg\tis in no folder of a class and not named cat.N or dog.N",
        "photos/cat.99.jpg\tis text, no picture",
    ]


def test_lists_are_split_anew_by_another_seed_where_the_pictures_are_named(typed, faces, tmp_path):
    shutil.copytree(faces, tmp_path / "photos")
    typed("alexnet_tf", "data", "photos")
    lists = [(tmp_path / "data" / name).read_text() for name in ("train.txt", "val.txt")]
    assert "as data/train.txt has it; to list" in typed("alexnet_tf", "data").stdout
    refused = typed("alexnet_tf", "data", "--seed", 1, code=2).stderr
    assert "data/train.txt: says what is trained on, whatever --seed is; to list" in refused
    assert [(tmp_path / "data" / name).read_text() for name in ("train.txt", "val.txt")] == lists
    typed("alexnet_tf", "data", "photos", "--seed", 1)
    others = [(tmp_path / "data" / name).read_text() for name in ("train.txt", "val.txt")]
    assert others != lists
    both = [sorted("".join(each).split("\n")) for each in (lists, others)]
    assert both[0] == both[1]


def test_weights_are_checked(typed, random_weights):
    lines = typed("alexnet_tf", "weights", random_weights).stdout.splitlines()
    assert lines[0] == f"{random_weights}: unknown weights"
    assert lines[2] == "conv2  5 × 5 × 48 × 256"


def test_summary_shows_shapes_and_parameters_and_waits_for_nothing_else(
    command, tmp_path, monkeypatch
):
    """Keras imports these where they are installed, and no command needs them there."""
    for name in quiet.NEEDLESS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} is imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = command("alexnet_tf", "summary", "owt")
    assert "(None, 55, 55, 64)" in result.stdout and "61,100,840" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("face", (["predict_alexnet.py"], ["alexnet_tf", "predict"]))
def test_a_json_line_for_each_failed_picture_wherever_options_stand(typed, face, trained_run):
    result = typed(*face, "2", "--json", "a", "--run", trained_run, "b", code=2)
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"file": name, "error": f"{name}: does not exist"} for name in "ab"
    ]


def test_names_that_begin_with_a_dash_come_after_two(typed, trained_run):
    names, run = ["-x.jpg", "--json"], ("--run", trained_run)
    result = typed("predict_alexnet.py", "2", "--json", *run, "--", *names, code=2)
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == names


@pytest.mark.parametrize("verb", ["serve", "tensorboard"])
def test_a_port_that_there_is_not_is_named_as_the_reason(command, verb):
    message = command("alexnet_tf", verb, "--port", "65536", code=2).stderr
    assert "--port: '65536' should be a whole number" in message and "at most 65,535" in message
