"""Each option of each verb, beside whatever it is typed, shows an effect or is refused by name."""

import argparse
import contextlib
import csv
import inspect
import io
import os
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from alexnet_tf.api import pipeline as whole
from alexnet_tf.commands import VERBS, cli, compare, demo
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.images.contents import ImageError
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.export import exporter
from alexnet_tf.inference import ray_data
from alexnet_tf.inference.batch import BatchPredictor
from alexnet_tf.inference.classifier import Classifier, Prediction
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.checkpoints import load_checkpoint
from alexnet_tf.runs.run import Run
from alexnet_tf.system.download import DownloadError
from alexnet_tf.system.files import write_json
from alexnet_tf.system.log import LOG
from alexnet_tf.variants import VARIANTS
from alexnet_tf.weights.formats.npz import write_npz
from alexnet_tf.weights.loading import read_weights
from tests import test_more_pictures, test_schedules
from tests import test_settings_at_work as at_work
from tests.support.caffe import random_weights
from tests.support.small import LENET, convolutions, job, train, unexported

TRAIN = (
    "train --data photos --weights none --train all --variant lenet5 --run new --epochs 1"
    " --batch-size 8 --precision float32 --tensorboard off --no-report --features kept"
)
WIDER = "--variant starter --width 0.1"
# Command lines, each with every option of its verb: `OPTION VALUE : WORDS` is used, where WORDS, if
# there are any, stand in both of the command lines that are compared; after `?` it is used, and
# the command fails; after `!` it is refused.
WAYS = {
    "tune --trials 1 --folds 2": "",  # its other options are those of train
    "predict photos --run run": """
        ? --imagenet
        --json
        --top 2
        --run other
        --crops 10
        --precision int8-conv2
        --out a.csv
        --shard 1/2
        --sort-into sorted
        --by move : --sort-into sorted
        --no-sidecars : --sort-into fresh
        --unsure 0.99 : --sort-into sorted
        ? --undo
        --watch
        --ray local
        --json : --sort-into sorted
        --json : --out a.jsonl
        ! --json : --out a.csv
        ! --by move
        ! --no-sidecars
        ! --unsure 0.5
        ! --unsure 0
        ! --weights full.npz
        ! --classes run/classes.txt
        ! --variant lenet5
        ! --resize squash
        ! --shard 1/2 : --watch
        ! --ray local : --watch
    """,
    "predict --imagenet photos --weights full.npz --variant lenet5 --classes run/classes.txt": """
        --json
        --top 1
        --weights random.npz
        --classes others.txt
        ? --variant cifar32
        --resize squash
        --crops 10
        --precision int8-conv2
        --out a.csv
        --shard 1/2
        --sort-into sorted
        --by link : --sort-into sorted
        --no-sidecars : --sort-into fresh
        --unsure 0.99 : --sort-into sorted
        ? --undo
        --watch
        --ray local
        ! --run run
    """,
    "predict --undo sorted": """
        ! --imagenet
        --sort-into other-sorted
        ! --json
        ! --top 2
        ! --run run
        ! --weights full.npz
        ! --classes run/classes.txt
        ! --variant lenet5
        ! --resize squash
        ! --crops 10
        ! --precision float32
        ! --out a.csv
        ! --shard 1/2
        ! --by move
        ! --no-sidecars
        ! --unsure 0.5
        ! --watch
        ! --ray local
    """,
    "use": """
        --latest
    """,
    "use other": """
        ! --latest
    """,
    "evaluate run --data photos": """
        --data others
        --crops 10
        --precision int8-conv2
        --json
        ! --label kind
        ! --imagenet wordnet
        ! --labels val.txt
        ! --weights full.npz
        ! --variant lenet5
        ! --resize short
    """,
    "evaluate --imagenet wordnet --weights thousand.npz --variant lenet5": """
        --imagenet others-wordnet
        ? --labels val.txt
        --weights thousand-others.npz
        ? --variant cifar32
        --resize squash
        --crops 10
        --precision int8-conv2
        --json
        ! --label kind
        ! --data photos
    """,
    "explain photos/cat.0.jpg --run run": """
        --class dog
        --layer conv1
        --layers
        --filters
        --occlusion
        --out there
        --run other
        ! --weights full.npz
        ! --variant lenet5
        ! --resize short
    """,
    "explain photos/cat.0.jpg --weights full.npz --variant lenet5": """
        --class 1
        --layer conv1
        --layers
        --filters
        --occlusion
        --out there
        --weights random.npz
        ? --variant cifar32
        --resize squash
        ! --run run
    """,
    "explain --filters --run run": """
        --out there
        --run other
        ! --class dog
        ! --layer conv1
        ! --layers
        ! --occlusion
        ! --weights full.npz
        ! --variant lenet5
        ! --resize short
    """,
    "features photos --out fc7.csv --run run": """
        --layer pool5
        --out fc7.npy
        --run other
        ! --weights full.npz
        ! --variant lenet5
        ! --resize short
    """,
    "features photos --out fc7.csv --weights full.npz --variant lenet5": """
        --layer pool5
        --out fc7.npy
        --weights random.npz
        ? --variant cifar32
        --resize squash
        ! --run run
    """,
    "similar photos/cat.0.jpg --index index --run run": """
        --index index2
        --data others
        --top 2
        ? --bits 16
        --out there.png
        ? --run other
        ! --weights full.npz
        ! --variant lenet5
        ! --resize short
    """,
    "similar --data photos --index new --weights full.npz --variant lenet5": """
        --index newer
        --data others
        --weights random.npz
        ? --variant cifar32
        --resize squash
        ! --run run
        ! --top 2
        ! --bits 16
        ! --out there.png
    """,
    "data photos": """
        --out there
        --shards 2
        --seed 3
        ! --label kind
        ! --split 9
        ! --from nowhere
        ! --mirror nowhere
    """,
    "weights full.npz": """
        --to there.safetensors
        ! --from nowhere
        ! --mirror nowhere
    """,
    "summary lenet5": "--classes 5",
    "report run": "--out there.html",
    "compare lenet5 --data photos": """
        --data others
        --run there
        --recipe paddle
        --epochs 3
        --batch-size 4
        --learning-rate 0.5
        --weight-decay 0.5
        --seed 3
        --precision int8-conv2
        --threads 1
        ! --from nowhere
        ! --mirror nowhere
    """,
    "export run --format keras": """
        --format onnx
        --out there
        ! --int8
        ! --crops 10
    """,
    "export run --format savedmodel": """
        --crops 10
        --out there
        ! --int8
    """,
    "export run --format litert": """
        --int8
        --crops 10
        --out there
    """,
    "export run --format onnx": """
        --crops 10
        --out there
        ! --int8
    """,
    "export run --format html": """
        --crops 10
        --out there
        ! --int8
    """,
    "tensorboard run": """
        --port 9
        --host elsewhere
    """,
    "serve run": """
        --host 0.0.0.0
        --port 9
        --weights thousand.npz : --variant lenet5
        --variant lenet5 : --weights full.npz
        --index index
        --cors https://example.org
        --proxy 10.0.0.0/8
        --megabytes 1
        --pictures 1
        --waiting 1
        --rate 1
        --precision int8-conv2
        ! --variant lenet5
    """,
    "doctor run": "",
    "completion bash": "",
    "demo": "--out there",
    TRAIN: f"""
        --recipe scratch
        --config told.json
        --run there
        --log there.log
        --data others
        --weights convolutions.npy
        --variant starter : --width 0.1
        --resize squash
        --scale 144 : {WIDER}
        --leave-out some.txt
        ! --label kind
        ! --split 9
        --train from:fc6 : --weights convolutions.npy
        --head random : --weights full.npz
        --head-rate 0.5 : --weights full.npz
        --initial caffe
        --activation tanh
        --lrn
        --overlap
        --dropout 0.2 : --variant starter --width 0.1
        --width 0.5
        --units 32
        --epochs 2
        --batch-size 4
        --learning-rate 0.001
        --warm-up 2
        --weight-decay 0.1
        --decoupled : --weight-decay 0.1
        --clip 0.001
        --ema 1
        --balance : --leave-out some.txt
        --no-mirror
        --crop : {WIDER}
        --color-shift 1
        --rotate 90
        --zoom 0.5
        --brightness 0.5
        --contrast 0.5
        --seed 1
        --precision int8-conv2 : --weights convolutions.npy --train head
        --threads 1
        ? --worker-timeout 5 : TF_CONFIG
        --calibrate
        --keep 4 : --epochs 4
        --log-every 1
        --tensorboard light
        --report
        --features there
        ? --max-lost 0 : VANISHING
        ! --decay 0.2
        ! --patience 1
        ! --decay-samples 8
        ! --fall 5
        ! --decay 0.2 : --schedule cosine
        ! --patience 1 : --schedule exponential
        ! --decoupled
        ! --dropout 0.2
        ! --head-rate 0.5
        ! --crop : --resize squash
    """,
}  # fmt: skip
# Options of verbs that download or unpack, tried where they do.
OUTSIDE = {
    f"{verb} --from nowhere": """
        ? --from elsewhere
        ? --mirror elsewhere
    """
    for verb in ("data", "weights bvlc_alexnet.npy", "compare lenet5")
} | {
    "data zipped.zip": """
        ? --max-files 1
        ? --max-bytes 1
    """
}

# Settings that only show after several epochs → the test that sees their effect.
ELSEWHERE = {
    "--from-run": test_more_pictures.test_what_is_no_finished_run_is_said,
    "--schedule": test_schedules.test_it_falls_along_half_a_cosine_after_the_warm_up,
    "--fall": test_schedules.test_it_falls_along_half_a_cosine_after_the_warm_up,
    "--decay": test_schedules.test_it_falls_whenever_so_many_pictures_were_seen,
    "--decay-samples": test_schedules.test_it_falls_whenever_so_many_pictures_were_seen,
    "--patience": at_work.test_the_rate_falls_on_a_plateau_and_the_steps_with_it,
    "--stop-early": at_work.test_a_mean_of_epochs_is_of_those_before_it_ended_early,
    "--average": at_work.test_a_mean_of_epochs_is_of_those_before_it_ended_early,
    "--best": at_work.test_each_kind_of_best_keeps_the_weights_of_its_epoch,
}


def recipes(way):
    """Yield (mark, OPTION VALUE, WORDS) of the options beside a command line."""
    for line in (WAYS | OUTSIDE)[way].strip().splitlines():
        words, _, beside = line.strip().partition(" : ")
        mark = words[0] if words[0] in "!?" else ""
        yield mark, words.removeprefix(mark).strip(), beside


CASES = [(way, *recipe) for way in WAYS | OUTSIDE for recipe in recipes(way)]


def parser_of(verb):
    parser = argparse.ArgumentParser(verb)
    import_module(f"alexnet_tf.commands.{verb}").add_arguments(parser)
    return parser


def test_every_verb_is_here():
    assert {way.split()[0] for way in WAYS} == {*VERBS}


@pytest.mark.parametrize("way", WAYS)
def test_every_option_of_the_verb_is_here(way):
    verb = way.split()[0]
    ways = [way, *(each for each in OUTSIDE if each.split()[0] == verb)]
    tried = {words.split()[0] for each in ways for _, words, _ in recipes(each)}
    tried |= {*way.split(), *(ELSEWHERE if way == TRAIN else ())}
    if verb == "tune":
        tried |= {*parser_of("train")._option_string_actions}
    actions = parser_of(verb)._actions
    missing = [
        action.option_strings
        for action in actions
        if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS
        if not tried & {*action.option_strings}
    ]
    assert missing == []


@pytest.mark.parametrize("option", ELSEWHERE)
def test_what_shows_after_epochs_is_set_in_the_test_that_is_named(option):
    name = option.removeprefix("--").replace("-", "_")
    assert re.search(rf"\b{name}\b", inspect.getsource(ELSEWHERE[option]))


@pytest.fixture(scope="module")
def eager():
    tf.config.run_functions_eagerly(True)  # tracing takes longer than such a training
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def place(eager, tmp_path_factory):
    """Make a folder of everything that the command lines name."""
    place = tmp_path_factory.mktemp("place")
    for name, seed in (("photos", 0), ("others", 1)):
        draw_faces(place / name, per_class=8 - seed, seed=seed)
        for file in (place / name).iterdir():  # squashed, they differ from what is cut out
            Image.open(file).crop((0, 0, 256, 190)).resize((96, 72)).save(file)
    files = sorted((place / "photos").iterdir())
    for folder, count in (("wordnet", 16), ("others-wordnet", 8)):
        for number, file in enumerate(files[:count]):
            target = place / folder / ("n01440764", "n02504458")[number % 2]
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    (place / "val.txt").write_text(
        "".join(f"{file.name} {n}\n" for n, file in enumerate(files[8:]))
    )
    lines = "".join(f"photos/{file.name} {file.name[:3]}\n" for file in files[:4])
    (place / "some.txt").write_text(lines)
    (place / "others.txt").write_text("wolf\nlynx\n")
    shutil.make_archive(str(place / "zipped"), "zip", place, "photos")
    lenet = VARIANTS["lenet5"]
    for name, classes, seed in (
        ("full", 2, 1), ("random", 2, 2), ("thousand", 1000, 3), ("thousand-others", 1000, 4),
    ):  # fmt: skip
        write_npz(random_weights(lenet, classes, seed), None, place / f"{name}.npz")
    convolutions(place / "convolutions.npy", **LENET)
    for name, seed in (("run", 0), ("other", 1)):
        train(job(place / "photos", place / name, **LENET, epochs=2, seed=seed, keep=1))
        Engine.of_run(Run(place / name)).write_litert()
    shutil.rmtree(place / "features")
    write_json(place / "default_run.json", {"run": "run"})
    write_json(place / "told.json", {"seed": 1})
    with contextlib.chdir(place):
        for verb, words in (
            ("similar", "--data photos --index index --run run"),
            ("similar", "--data others --index index2 --run run"),
            ("predict", "photos --run run --sort-into sorted"),
            ("predict", "others --run run --sort-into other-sorted"),
        ):
            module = import_module(f"alexnet_tf.commands.{verb}")
            assert not module.run(cli.parse(parser_of(verb), words.split()))
    (place / "photos/cat.0.xmp").write_text("a sidecar")
    return place


class Seen:
    """Types command lines, each in a copy of `place`; tells all that a user then can see."""

    def __init__(self, place, folder):
        self._place, self._folder, self._count, self._known = place, folder, 0, {}

    def __call__(self, words, again=False):
        if again or words not in self._known:
            self._known[words] = self._typed(words)
        return self._known[words]

    def _typed(self, words):
        self._count += 1
        here = shutil.copytree(self._place, self._folder / str(self._count))
        before = {path: path.read_bytes() for path in files_below(here)}
        said, out, err = [], io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.chdir(here):
            replace_the_outside(patch, said)
            for name in {"TF_CONFIG", "VANISHING"} & {*words.split()}:
                patch.setenv(name, "{}")
                words = words.replace(name, "")
            patch.setattr(sys, "argv", ["alexnet-tf", *words.split()])
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                error = run(words.split(), said)
        said += [error or err.getvalue().splitlines()[-1:]] if said[-1:] == [2] else []
        if words.startswith("train"):  # whose lines have seconds in them
            said += [out.getvalue().count("step")]
        else:
            said += [out.getvalue().replace(str(here), "")]
        said += [sorted(str(path.relative_to(here)) for path in before if not path.exists())]
        for path in files_below(here):
            if before.get(path) != path.read_bytes():
                said += [(str(path.relative_to(here)), shown(path, here))]
        shutil.rmtree(here)
        return error, said


def run(words, said):
    """Run a command line; return the sentence by which it was refused, or ""."""
    handlers = [*LOG.handlers]
    try:
        parser = parser_of(words[0])
        said.append(
            import_module(f"alexnet_tf.commands.{words[0]}").run(cli.parse(parser, words[1:]))
        )
    except (UserError, RunError, DownloadError) as error:
        return str(error)
    except SystemExit:  # of argparse
        return sys.stderr.getvalue().rpartition("error: argument ")[2] or "?"
    finally:
        LOG.handlers = handlers
    return ""


def replace_the_outside(patch, said):
    """Have what starts processes, listens or never ends tell what it was told instead."""

    def outputs(classifier, *arguments):
        for answer in asked(classifier, *arguments):
            said.append("unread" if isinstance(answer, ImageError) else answer.tobytes())
            yield answer

    def prepared(*arguments):
        made = prepare(*arguments)
        if "VANISHING" in os.environ:
            Path("photos/cat.1.jpg").unlink()
        return made

    def started(threads, then=None):
        said.append(f"{threads} threads")
        return then and then()

    def joined(timeout):
        raise RunError(f"waits {timeout} seconds for the others")

    def made_app(served):
        networks = [*served.networks, *filter(None, [served.imagenet])]
        names = [(network.name, network.engine.precision) for network in networks]
        said.append(
            repr((names, served.look_alikes is None, served.limits, served.hosts, served.origins))
        )

    def exported(_, format, path, int8, crops, files):  # test_exports.py looks into exports
        said.append(repr((os.path.relpath(path), int8, crops)))
        return 0.0

    def listening(address, **_):
        host = {"localhost": "127.0.0.1"}.get(address[0], address[0])
        return SimpleNamespace(getsockname=lambda: (host, address[1]))

    asked, prepare = Classifier.outputs, whole.prepare
    patch.setattr(Classifier, "outputs", outputs)
    patch.setattr(
        BatchPredictor, "watch", lambda self, folder: [Prediction(folder, (("watched", 1.0),))]
    )
    patch.setattr(ray_data, "check_ray", lambda: None)
    patch.setattr(
        ray_data,
        "classify",
        lambda _, files, *configured: (Prediction(f, (("ray", 1.0),)) for f in files),
    )
    patch.setattr(whole, "prepare", prepared)
    patch.setattr(whole, "import_tensorflow", started)
    patch.setattr("alexnet_tf.training.distribution.Workers.join", joined)
    unexported(patch)
    patch.setattr(compare, "train_apart", lambda configured: said.append(repr(configured)) or 3)
    patch.setattr(exporter, "_export", exported)
    patch.setattr(demo, "draw_faces", lambda folder: said.append(folder))
    patch.setattr(demo, "_type", lambda *words: said.append(repr(words)))
    patch.setattr("tensorboard.program.TensorBoard.configure", lambda _, argv: said.append(argv))
    patch.setattr("tensorboard.program.TensorBoard.main", lambda _: 0)
    patch.setattr("alexnet_tf.serving.application.make_app", made_app)
    patch.setattr("alexnet_tf.commands.teach.command", lambda *words: said.append(words[:2]) or [])
    patch.setattr(
        "uvicorn.Config",
        lambda *_, **configured: said.append(repr(configured["forwarded_allow_ips"])),
    )
    patch.setattr(
        "uvicorn.Server", lambda _: SimpleNamespace(run=lambda sockets: None, started=True)
    )
    patch.setattr("socket.create_server", listening)


def files_below(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def shown(path, here):
    """Return what a file shows of the training or answer that it came of, without times."""
    if path.name in ("config.json", "seconds.json", "report.html") or path.suffix == ".log":
        return ""
    if path.suffix == ".keras":
        layers = read_weights(path)
        return [(name, array.tobytes()) for name in layers for array in layers[name]]
    if path.parent.name == "checkpoints":
        arrays, _ = load_checkpoint(path)
        return [(name, array.tobytes()) for name, array in sorted(arrays.items())]
    if path.suffix == ".npz":  # a zip, which has the time in it, as model.keras has
        with np.load(path) as arrays:
            return [(name, arrays[name].tobytes()) for name in sorted({*arrays} - {"model"})]
    if path.name == "history.csv":
        return [dict(row, seconds="") for row in csv.DictReader(path.read_text().splitlines())]
    if path.name.startswith("events."):
        return ""
    return path.read_bytes().replace(str(here).encode(), b"")


@pytest.fixture(scope="module")
def seen(place, tmp_path_factory):
    return Seen(place, tmp_path_factory.mktemp("seen"))


@pytest.mark.parametrize(
    "way", ["predict photos --run run", "features photos --out fc7.csv --run run", TRAIN]
)
def test_the_same_command_line_shows_the_same_again(seen, way):
    once, again = seen(way)[1], seen(way, again=True)[1]
    assert [str(one)[:80] for one, other in zip(once, again, strict=True) if one != other] == []


@pytest.mark.parametrize(("way", "mark", "option", "beside"), CASES)
def test_an_option_shows_an_effect_or_is_refused(seen, way, mark, option, beside):
    base = f"{way} {beside}".strip()
    error, said = seen(f"{base} {option}")
    if mark == "!":
        assert option.split()[0] in error
        return
    assert (error, said) != seen(base)
    assert bool(error) == bool(mark)
