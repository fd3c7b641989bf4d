"""python -m alexnet_tf doctor [RUN]"""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from alexnet_tf.data.images.preprocessing import preprocess_input
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation import diagnostics as doctor
from alexnet_tf.evaluation import golden
from alexnet_tf.model import AlexNet
from alexnet_tf.runs.run import Run
from alexnet_tf.system.processor import VARIABLE
from alexnet_tf.variants import FC_LAYERS, VARIANTS
from tests.support import reference
from tests.support.caffe import random_weights as draw_weights
from tests.support.formats import BVLC_CONV1, signed, write_npz
from tests.support.places import ROOT
from tests.support.runs import write_run


def test_the_golden_numbers_are_the_formulas():
    variant, weights = VARIANTS["bvlc"], golden.golden_weights()
    nothing = dict.fromkeys(FC_LAYERS, (np.zeros((1, 1), "f4"), np.zeros(1, "f4")))
    nothing["fc6"] = (np.zeros((9216, 1), "f4"), np.zeros(1, "f4"))
    picture = preprocess_input(golden.golden_input())
    pool5 = reference.forward(variant, weights | nothing, picture)["pool5"]
    assert pool5.mean() == pytest.approx(golden.MEAN, rel=1e-8)
    for place, value in golden.VALUES.items():
        assert pool5[place] == pytest.approx(value, rel=1e-8)


def test_a_network_whose_numbers_are_wrong_is_noticed(monkeypatch):
    assert "correct to" in doctor.network()
    for wrong in ({"lrn_alpha": 2.01e-5}, {"lrn_beta": 0.751}):

        def network(**configured):
            return AlexNet(dataclasses.replace(VARIANTS["bvlc"], **wrong), **configured)  # noqa: B023

        monkeypatch.setattr(golden, "AlexNet", network)
        with pytest.raises(UserError, match=r"its numbers differ by .*e-04"):
            doctor.network()


def test_an_installation_is_checked_line_by_line(command):
    result = command("alexnet_tf", "doctor")
    lines = result.stdout.splitlines()
    assert [line.split()[1] for line in lines] == [
        "versions:", "processor:", "engines:", "disk:", "network:", "starter:", "weights:",
    ]  # fmt: skip
    assert lines[-1] == (
        "ok     weights: none in weights/, so the starter's; `python -m alexnet_tf weights` "
        "fetches some"
    )


def test_the_engines_are_measured_unless_one_is_chosen(monkeypatch):
    assert doctor.engines() == "float32, as ALEXNET_TF_PRECISION says"
    monkeypatch.delenv(VARIABLE)
    found = doctor.engines()
    assert found.endswith(" pictures of 115 pixels a second")
    rates = [each.split()[:2] for each in found.split(", ")]
    assert {"float32", "int8"} <= {name for name, _ in rates}
    speeds = [float(rate.replace(",", "")) for _, rate in rates]
    assert speeds == sorted(speeds, reverse=True)


def test_all_is_well_where_there_are_weights(typed, tmp_path, random_weights):
    (tmp_path / "weights").mkdir()
    shutil.copy(random_weights, tmp_path / "weights/random.npy")
    lines = typed("alexnet_tf", "doctor").stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert lines[-1] == "ok     weights: weights/random.npy: unknown weights"


def test_weights_with_known_answers_are_named_whatever_they_are_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    weights = draw_weights(VARIANTS["starter"], classes=3)
    write_npz(tmp_path / "bvlc.npz", signed(weights, BVLC_CONV1))
    (tmp_path / "bvlc.npz").rename(tmp_path / "weights/BVLC")
    shutil.copy(ROOT / "weights/README.md", tmp_path / "weights")
    (tmp_path / "weights/BVLC.bvlc.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    found = doctor.weights()
    assert found.startswith("weights/BVLC: BVLC AlexNet; docs/weights.md has pictures to try")


def test_a_package_that_is_too_old_is_named(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["numpy>=99", "x; extra=='dev'"])
    with pytest.raises(UserError, match=r"numpy is [0-9.]+, not >=99; `pip install .numpy>=99.`"):
        doctor.versions()


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["no-such-package"])
    with pytest.raises(
        UserError, match="no-such-package is not installed; `pip install no-such-package`"
    ):
        doctor.versions()


def test_a_full_disk_is_named(monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=10**9)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserError, match=r"1\.0 GB are free here.*make room"):
        doctor.disk()


@pytest.fixture
def run(trained_run, tmp_path, monkeypatch):
    """A copy of a run and its pictures, to spoil, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained_run.parent / "photos", "photos")
    shutil.copytree(trained_run, "run")
    return tmp_path / "run"


def findings(monkeypatch, *names):
    """Return the findings of the checks called `names` on run/, made as the verb makes them."""
    monkeypatch.setattr(doctor, "INSTALLATION", ())
    monkeypatch.setattr(doctor, "RUN", tuple(getattr(doctor, name) for name in names))
    return [(f.is_well, f.text) for f in doctor.examine(Run("run"))]


def replace(path, text):
    """Without touching the original, to which the copy is a link."""
    path.unlink()
    path.write_text(text) if isinstance(text, str) else path.write_bytes(text)


def test_a_good_run_is_well(typed, run):
    lines = typed("alexnet_tf", "doctor", "run").stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert [line.split(maxsplit=2)[2] for line in lines[-5:-2]] == [
        "52 to train with, 8 to validate with",
        "none across the split",
        "26 to 26 pictures of a class",
    ]
    assert lines[-2].endswith(" readable, the last is epoch-0003.npz")
    assert lines[-1] == "ok     model: run/model.keras opens, 2 outputs"


def test_no_run_is_a_mistake(typed):
    assert "nowhere: is no run directory" in typed("alexnet_tf", "doctor", "nowhere", code=2).stderr


def change_config(run, **changes):
    config = json.loads((run / "config.json").read_text())
    replace(run / "config.json", json.dumps(config | changes))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "config.json: cannot be read"),
        ("[" * 100_000, "config.json: cannot be read"),
        ('{"settings": NaN}', "config.json: cannot be read"),
        ("[]", "is damaged, or not the config.json of a run"),
    ],
)
def test_a_config_that_is_none_is_named(run, monkeypatch, content, message):
    replace(run / "config.json", content)
    ((is_well, text),) = findings(monkeypatch, "config")
    assert not is_well and message in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["cat", 1]}, "its classes should be two names or more"),
        ({"classes": ["cat", "cow"]}, "are not those of classes.txt"),
        ({"settings": {"variant": "x"}}, "--variant: "),
    ],
)
def test_a_config_that_does_not_fit_is_named(run, monkeypatch, changes, message):
    change_config(run, **changes)
    ((is_well, text),) = findings(monkeypatch, "config")
    assert not is_well and message in text


def test_weights_that_are_gone_are_named(run, monkeypatch, tmp_path):
    settings = json.loads((run / "config.json").read_text())["settings"]
    change_config(run, settings=settings | {"weights": str(tmp_path / "gone.npy")})
    assert "gone.npy: there is no such file" in findings(monkeypatch, "pretrained")[0][1]


def test_other_weights_are_named(run, monkeypatch):
    change_config(run, weights="0")
    assert "is not what the run was started with" in findings(monkeypatch, "pretrained")[0][1]


def test_pictures_that_have_changed_are_named(run, monkeypatch):
    first = (run / "train.txt").read_text().split(" ")[0]
    Image.new("RGB", (9, 9)).save(first)
    assert findings(monkeypatch, "pictures")[0][1].startswith("run: its lists or pictures have")


def test_pictures_that_are_gone_are_named(run, monkeypatch):
    first = (run / "train.txt").read_text().split(" ")[0]
    os.unlink(first)
    (finding,) = findings(monkeypatch, "pictures")
    assert finding[1].startswith(f"1 of 60 cannot be read, the first is {first}; ask from")


def test_a_leak_across_the_split_is_named(run, monkeypatch):
    first, other = ((run / name).read_text().split(" ")[0] for name in ("train.txt", "val.txt"))
    shutil.copy(first, other)
    (finding,) = findings(monkeypatch, "duplicates")
    assert finding[1].startswith(
        f"1 pictures are trained on and validated with, the first is {other}"
    )


def test_classes_out_of_balance_are_named(run, monkeypatch):
    lines = (run / "train.txt").read_text().splitlines(keepends=True)
    replace(run / "train.txt", "".join(lines[:28]))
    assert (
        "'cat' has 26 pictures to train with and 'dog' 2" in findings(monkeypatch, "balance")[0][1]
    )


def test_a_label_without_a_class_is_named(run, monkeypatch):
    replace(run / "classes.txt", "cat\n")
    assert "train.txt: a label in it is '1'" in findings(monkeypatch, "balance")[0][1]


def test_damaged_checkpoints_are_named(run, monkeypatch):
    path = max((run / "checkpoints").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace(path, bytes(content))
    (finding,) = findings(monkeypatch, "checkpoints")
    assert "epoch-0003.npz: is broken (Bad CRC-32" in finding[1] and "goes on" in finding[1]


def test_missing_checkpoints_are_named(run, monkeypatch):
    shutil.rmtree(run / "checkpoints")
    assert (
        "there are none; `alexnet-tf train --run run`" in findings(monkeypatch, "checkpoints")[0][1]
    )


def test_a_spoiled_model_is_named(run, monkeypatch):
    replace(run / "model.keras", b"x")
    assert "is damaged or not a file of weights" in findings(monkeypatch, "model")[0][1]


def test_a_missing_model_is_named(run, monkeypatch):
    (run / "model.keras").unlink()
    assert "model.keras: is not there; `alexnet-tf train" in findings(monkeypatch, "model")[0][1]


STRANGE_FILES = {
    "a list that is a pipe": ("train.txt", os.mkfifo),
    "a table of digests that is a folder": ("pictures.sha256", os.mkdir),
    "no classes": ("classes.txt", lambda path: path.write_text("")),
    "a table of digests without digests": ("pictures.sha256", lambda path: path.write_text("x")),
    "a history of words": ("history.csv", lambda path: path.write_text("epoch\nmany\n")),
    "a model of no bytes": ("model.keras", lambda path: path.write_text("")),
}


@pytest.mark.parametrize("kind", STRANGE_FILES)
def test_a_strangers_run_never_ends_the_doctor(tmp_path, monkeypatch, kind):
    """Every check has its line, well or not, whatever the files are."""
    run = write_run(tmp_path / "run")
    name, make = STRANGE_FILES[kind]
    (run.directory / name).unlink(missing_ok=True)
    make(run.directory / name)
    monkeypatch.setattr(doctor, "INSTALLATION", ())
    found = list(doctor.examine(run))
    assert [finding.name for finding in found] == [check.__name__ for check in doctor.RUN]
    assert not any("the check failed" in finding.text for finding in found)
