"""The whole main job on drawn faces, by the commands that a user types."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from alexnet_tf import starter
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.errors import UserError
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.files import replacing
from alexnet_tf.variants import get_variant

EPOCHS = 8


def demo(folder: Path) -> None:
    """List, train and predict in `folder`, in subprocesses of the scripts in the working directory.

    Uses the pretrained weights where they are in their place, the starter's convolutions otherwise.
    """
    if not Path("train_alexnet.py").is_file():
        raise UserError("run the demo in the project's folder, where train_alexnet.py is")
    photos, run = folder / "photos", folder / "run"
    print(f"Drawing 200 cats and 200 dogs into {photos}/")
    draw_faces(photos)
    weights, variant = Settings().weights, Settings().variant
    pretrained = Path(weights).is_file()
    if not pretrained:
        print(f"There is no {weights}, so the convolutions are those of the starter, which comes")
        print("with the program and was trained on photos of cats and dogs.")
        weights = variant = starter.NAME
    log = folder / "train_alexnet.log"
    _run("-m", "alexnet_tf", "data", photos, "--out", folder)
    _run(
        "train_alexnet.py",
        "--data",
        folder,
        "--run",
        run,
        "--weights",
        weights,
        "--variant",
        variant,
        "--epochs",
        EPOCHS,
        "--features",
        folder / "features",
        "--log",
        log,
    )
    _run("predict_alexnet.py", "2", photos / "cat.0.jpg", "--run", run)
    several = [photos / f"{name}.{number}.jpg" for number in (1, 2) for name in ("cat", "dog")]
    _run("predict_alexnet.py", "2", *several, "--top", "2", "--run", run)
    if pretrained:
        _run("predict_alexnet.py", "1", photos / "cat.0.jpg")
    print(f"""
Made in {folder}/: photos/ (the drawings), train.txt and val.txt (the split), features/ (pool5 of
every picture), train_alexnet.log, and run/ with checkpoints/, tensorboard/, history.csv and
model.keras, the trained network. Next:
  make tensorboard RUN={run}   look at the curves on http://localhost:9090
  make weights                      pretrained weights, for real photos and for ImageNet's classes
  make data                         25,000 photos of cats and dogs
  make train                        the real job""")


def write_random_convolutions(path: Path, variant: str = "bvlc", seed: int = 0) -> None:
    """Write conv1 … conv5 in the layout of bvlc_alexnet.npy, Gaussian with He's deviation."""
    random = np.random.default_rng(seed)
    layers = {}
    for name, shape in get_variant(variant).conv_kernels().items():
        deviation = np.sqrt(2 / np.prod(shape[:3]))  # He 2015, equation 10
        kernel = random.normal(0, deviation, shape).astype(np.float32)
        layers[name] = [kernel, np.zeros(shape[3], np.float32)]
    with replacing(path, sum(kernel.nbytes for kernel, _ in layers.values())) as temporary:
        np.save(temporary, np.array(layers, dtype=object))


def _run(*arguments: object) -> None:
    words = [str(argument) for argument in arguments]
    print(f"\n$ python {shlex.join(words)}", flush=True)
    subprocess.run([sys.executable, *words], check=True)
