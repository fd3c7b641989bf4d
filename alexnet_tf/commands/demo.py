"""``python -m alexnet_tf demo``: the whole job on drawings, by the commands that a user types."""

import argparse
import shlex
import subprocess
from pathlib import Path

from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.errors import RunError
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import children
from alexnet_tf.system.program import command
from alexnet_tf.weights.loading import find_weights

HELP = "the whole job on drawings, without any download"
EPOCHS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", default="demo", metavar="DIR", help="the folder for all files (%(default)s)"
    )


def run(options: argparse.Namespace) -> None:
    demo(Path(options.out))


def demo(folder: Path) -> None:
    """List, train and predict in `folder`, in processes of their own, with the pretrained weights
    if they are there, or else the starter's convolutions."""
    photos, run = folder / "photos", folder / "run"
    print(f"Drawing 200 cats and 200 dogs into {photos}/")
    draw_faces(photos)
    options = {
        "data": folder,
        "run": run,
        "epochs": EPOCHS,
        "features": folder / "features",
        "log": folder / "train_alexnet.log",
    }
    _type("data", photos, "--out", folder)
    _type("train", *(word for name in options for word in (f"--{name}", options[name])))
    _type("predict", "2", photos / "cat.0.jpg", "--run", run)
    several = [photos / f"{name}.{number}.jpg" for number in (1, 2) for name in ("cat", "dog")]
    _type("predict", "2", *several, "--top", "2", "--run", run)
    if find_weights(Settings().weights).is_file():
        _type("predict", "1", photos / "cat.0.jpg")
    print(f"""
Made in {folder}/: photos/ (the drawings), train.txt and val.txt (the split), features/ (pool5 of
every picture), train_alexnet.log, and run/ with checkpoints/, tensorboard/, history.csv,
model.keras, the trained network, and report.html, a page about it. Next:
  {command("tensorboard", run)}
    look at the curves on http://localhost:9090
  {command("weights")}
    fetch pretrained weights, for real photos and for ImageNet's classes
  {command("data")}
    fetch 25,000 photos of cats and dogs
  {command("train")}
    the real job""")


def _type(verb: str, *arguments: object) -> None:
    """Print a command and run it."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ {command(verb)} {shlex.join(words)}", flush=True)
    result = subprocess.run(**children.python("-m", "alexnet_tf", verb, *words))
    if result.returncode:
        raise RunError(f"that ended with {result.returncode}, so the demo ends here")
