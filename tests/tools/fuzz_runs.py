"""A small run, its files damaged one at a time, and all that reads a run but TensorFlow."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from alexnet_tf.data.dataset import Dataset, Picture
from alexnet_tf.data.sources.open import open_source
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation import diagnostics as doctor
from alexnet_tf.inference.litert.run import LiteModel
from alexnet_tf.runs.checkpoint_spec import CheckpointSpec
from alexnet_tf.runs.checkpoints import save_checkpoint
from alexnet_tf.runs.history import COLUMNS, read_history
from alexnet_tf.runs.run import Run, finished_run
from alexnet_tf.system import children
from alexnet_tf.weights import fingerprint
from tests.support.runs import CLASSES, THIN, write_run
from tests.tools.fuzz import damaged, damaged_inside

# The reader has the libraries of pictures, LiteRT and scikit-learn beside it.
MEMORY = 1 << 30
GOOD, INPUTS = ("well", "refused"), 2000
# Where the tables of a LiteRT file are; behind them are weights.
TABLES = 8000
# Values that hostile JSON may hold anywhere.
STRANGE = (
    *(None, True, -1, 0, 1, 0.5, 1e308, -1e308, 1 << 31, 1 << 64, 10**400),
    *("", "x", "x" * 10_000, "../..", "/dev/zero", "\x1b[2J", "from:conv1", "head", "prelu"),
    *([], [[]], {}, ["cat"], ["cat"] * 2, ["dog", "cat"], ["a", "b", "c", "d"], [1, 2], {"a": 1}),
)
# Things that may lie in place of a file.
KINDS = {
    "nothing": lambda path: None,
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a loop": lambda path: os.symlink(path, path),
    "zeros for ever": lambda path: os.symlink("/dev/zero", path),
    "a terabyte of nothing": lambda path: _sparse(path, 1 << 40),
    "deep JSON": lambda path: path.write_text("[" * 200_000),
    "NaN": lambda path: path.write_text('{"settings": NaN}'),
}


def samples(folder: Path) -> dict[str, bytes]:
    """Make a finished run in `folder`/run, as a training leaves it; return its files by name."""
    run, pictures = write_run(folder / "run"), _pictures(folder)
    dataset = Dataset(CLASSES, pictures[:4], pictures[4:])
    config = run.read_config() | {"data": dataset.fingerprint(), "weights": fingerprint({})}
    run.config_path.write_text(json.dumps(config))
    run.checkpoints_folder.mkdir()
    for name, part in (("train.txt", dataset.train), ("val.txt", dataset.validation)):
        lines = (f"{picture.path} {picture.label}\n" for picture in part)
        (run.directory / name).write_text("".join(lines))
    run.digests_path.write_text("".join(f"{each.digest}  {each.path}\n" for each in pictures))
    epoch = dict.fromkeys(COLUMNS, 0.5) | {"epoch": 1}
    table = (",".join(epoch), ",".join(map(str, epoch.values())), "")
    run.history_path.write_text("\n".join(table))
    expected = CheckpointSpec(THIN, CLASSES, 4, config["data"], config["weights"])
    shapes, whose = expected.shapes, expected.identity
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    save_checkpoint(run.checkpoints_folder, arrays, [epoch], identity=whose)
    command = children.python("-m", "alexnet_tf", "export", run.directory, "--format", "litert")
    subprocess.run(**command, check=True, capture_output=True)
    files = [path for path in run.directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _pictures(folder: Path) -> tuple[Picture, ...]:
    """Write six pictures, the last two to validate with."""
    pictures = []
    for number in range(6):
        path = folder / f"{number}.png"
        Image.new("RGB", (40, 40), (40 * number, 0, 0)).save(path)
        pictures.append(Picture(str(path), number % 2, sha256(path.read_bytes()).hexdigest()))
    return tuple(pictures)


def mutant(originals: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes | str]:
    """Make the name of a file and what is there instead, its content or one of `KINDS`."""
    chance = random.Random(f"{seed} {number}")
    name = sorted(originals)[number % len(originals)]
    content = originals[name]
    if chance.random() < 0.1:
        return name, chance.choice(sorted(KINDS))
    if name.endswith(".json") and chance.random() < 0.8:
        return name, json.dumps(_strange(json.loads(content), chance)).encode()
    if name.endswith(".tflite"):
        return name, _damaged_tables(content, chance)
    if content.startswith(b"PK") and chance.random() < 0.8:
        return name, damaged_inside(content, chance)
    return name, damaged(content, originals[chance.choice(sorted(originals))], chance)


def _strange(value: Any, chance: random.Random) -> Any:
    """Put something strange in the place of some part of `value`, or leave that out."""
    if not value or not isinstance(value, dict | list) or chance.random() < 0.1:
        return chance.choice(STRANGE)
    key = chance.choice([*value] if isinstance(value, dict) else range(len(value)))
    if chance.random() < 0.1:
        del value[key]
    else:
        value[key] = _strange(value[key], chance)
    return value


def _damaged_tables(content: bytes, chance: random.Random) -> bytes:
    """Put numbers of any size into the tables of a LiteRT file."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        number = chance.choice((0, 1, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
        kind = chance.choice("BHI")
        size = struct.calcsize(kind)
        place = chance.randrange(TABLES // size) * size
        struct.pack_into(f"<{kind}", changed, place, number % 256**size)
    return bytes(changed)


def trial(folder: Path, originals: dict[str, bytes], name: str, content: bytes | str) -> str:
    """Tell how reading the run ends while `content` is in the place of the file `name`."""
    for other in originals:  # the one before may have killed its reader
        _put(folder / other, originals[other])
    _put(folder / name, content)
    return read(folder / "run")


def _put(path: Path, content: bytes | str) -> None:
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    KINDS[content](path) if isinstance(content, str) else path.write_bytes(content)


def read(directory: Path) -> str:
    """Tell how reading the run in `directory` ends: by one of `GOOD`; anything else should not be.

    All that reads it is tried, for the first may refuse what the second would fall over.
    """
    run = Run(directory)
    files = doctor.RunFiles(run)
    trials = [lambda check=check: check(files) for check in doctor.RUN]
    trials += [
        lambda: finished_run(directory),
        lambda: read_history(run),
        lambda: open_source(run.directory / "val.txt"),
        lambda: _ask(run.litert_path),
    ]
    outcome = "well"
    for each in trials:
        try:
            each()
        except UserError:
            outcome = "refused"
        except Exception as error:
            return f"{error!r}"
    return outcome


def _ask(path: Path) -> None:
    """Ask the LiteRT file about a picture, whatever it was made from."""
    if path.is_file():
        answer = LiteModel(path, len(CLASSES)).predict_on_batch(np.zeros((1, 32, 32, 3), "f4"))
        assert answer.shape == (1, len(CLASSES))


def _sparse(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        file.truncate(size)
