"""Export a run in every format, and ask each about photos, without this package: a table.

HTML is asked in Chromium, if that is there.

python -m tests.tools.parity RUN FOLDER [--photos 200] [--format html]

Exits with 1 if one answers otherwise than the run, by more than `export` allows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alexnet_tf.commands import export
from alexnet_tf.export.parity import MOST, MOST_INT8
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.runs.run import finished_run
from alexnet_tf.system.text import markdown
from tests.support.browser import browsing, chromium
from tests.support.exported_page import ask_page, open_offline
from tests.support.verbs import run_verb

QUICK = ("{run}", "{photos}", "--photos", "2")
# Each is told where the export is, and on standard input the files; it sees nothing of this
# package, and answers with probabilities and the seconds that they took.
FEED = """
import json, sys, time
import numpy as np
from PIL import Image, ImageOps
files = json.load(sys.stdin)
def pixels(file):
    return np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGB"))[None]
"""
ANSWER = """
assert "alexnet_tf" not in sys.modules
start = time.monotonic()
answers = [ask(file)[0].tolist() for file in files]
print(json.dumps([answers, time.monotonic() - start]))
"""
ASK = {
    "savedmodel": """
import tensorflow as tf
network = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
def ask(file):
    return network(bytes=tf.constant([open(file, "rb").read()]))["probabilities"].numpy()
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
network = Interpreter(sys.argv[1])
place = network.get_input_details()[0]["index"]
def ask(file):
    network.resize_tensor_input(place, pixels(file).shape)
    return network.get_signature_runner()(pixels=pixels(file))["probabilities"]
""",
    "onnx": """
import onnxruntime
network = onnxruntime.InferenceSession(sys.argv[1])
def ask(file):
    return network.run(["probabilities"], {"pixels": pixels(file)})[0]
""",
}
EXPORTS = (
    ("savedmodel", "pets"),
    ("litert", "pets.tflite"),
    ("litert --int8", "small.tflite"),
    ("onnx", "pets.onnx"),
    *([("html", "pets.html")] if chromium() else []),
)


def ask_browser(path: Path, files: list[str], classes: Sequence[str]) -> tuple[np.ndarray, float]:
    """Ask an exported page in a browser, as `ask_alone` does; print how long it loads."""
    with browsing() as browser:
        page, start = browser.new_page(), time.monotonic()
        open_offline(page, path)
        ask_page(page, files[:1], classes)
        loaded = time.monotonic()
        print(f"html: the first prediction after {loaded - start:.1f} s")
        return ask_page(page, files, classes), time.monotonic() - loaded


def ask_alone(format: str, path: Path, files: list[str]) -> tuple[np.ndarray, float]:
    """Ask an export in an isolated Python: probabilities (n, classes), and the seconds it took."""
    script = FEED + ASK[format] + ANSWER
    result = subprocess.run(
        [sys.executable, "-I", "-c", script, str(path)],
        cwd=path.parent, input=json.dumps(files), capture_output=True, text=True, check=True,
    )  # fmt: skip
    predictions, seconds = json.loads(result.stdout.splitlines()[-1])
    return np.array(predictions), seconds


def main() -> int:
    """Print the table; return 1 if an export answers otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--format", default="", help="only this one")
    options = parser.parse_args()
    every = sorted(map(str, options.folder.resolve().rglob("*.jpg")))
    files = every[:: max(1, len(every) // options.photos)][: options.photos]
    engine = Engine.of_run(finished_run(options.run))
    expected = np.stack([answer[0] for answer in Classifier([engine]).probabilities(files)])
    lines, far = [["format", "MB", "ms a photo", "largest difference", "labels changed"]], []
    for words, name in EXPORTS:
        format, *config = words.split()
        if options.format not in ("", format):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            run_verb(export, options.run, "--format", format, *config, "--out", path)
            if format == "html":
                found, asking = ask_browser(path, files, engine.classes)
            else:
                found, asking = ask_alone(format, path, files)
            size = sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
        difference = np.abs(found - expected).max()
        far.append(difference > (MOST_INT8 if config or format == "html" else MOST))
        changed = (found.argmax(axis=1) != expected.argmax(axis=1)).sum()
        numbers = f"{size / 1e6:.0f}", f"{1000 * asking / len(files):.0f}"
        lines.append([words, *numbers, f"{difference:.4f}", f"{changed} of {len(files)}"])
    print(markdown(lines))
    return int(any(far))


if __name__ == "__main__":
    sys.exit(main())
