"""Make copies of photos in many ways, and see which of them a report finds.

Type `python -m tests.tools.copies PICTURES --weights FILE --variant NAME --out DIR`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import Picture, open_dataset, write_lists
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.evaluation.duplicates import find_duplicates
from alexnet_tf.inference.engine import Engine
from alexnet_tf.inference.predictions import open_store, vectors
from alexnet_tf.runs.pictures import started_pictures
from alexnet_tf.runs.run import Run
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system.text import markdown
from benchmarks.process import run_python

QUICK = ("{photos}", "--weights", "starter", "--variant", "starter", "--out", "{scratch}")
COPIED = 40
# No side has more: a photo is copied as large as it is.
MOST_PIXELS = 1 << 16


def cut(left: float, top: float, right: float, bottom: float) -> Callable:
    """Return what cuts these shares off a picture."""

    def of(picture: Image.Image) -> Image.Image:
        width, height = picture.size
        return picture.crop(
            (int(left * width), int(top * height), int((1 - right) * width),
             int((1 - bottom) * height))
        )  # fmt: skip

    return of


def captioned(picture: Image.Image) -> Image.Image:
    """Return the picture with a white bar over its lowest tenth."""
    picture, (width, height) = picture.copy(), picture.size
    ImageDraw.Draw(picture).rectangle((0, int(0.9 * height), width, height), "white")
    return picture


# The name of a way: what it makes of a picture, and JPEG's quality.
WAYS = {
    "compressed to JPEG 20": (lambda picture: picture, 20),
    "half the size": (lambda picture: picture.reduce(2), 90),
    "mirrored": (ImageOps.mirror, 90),
    "30% brighter": (lambda picture: ImageEnhance.Brightness(picture).enhance(1.3), 90),
    "without colours": (lambda picture: picture.convert("L").convert("RGB"), 90),
    "5% cut off at each edge": (cut(0.05, 0.05, 0.05, 0.05), 90),
    "10% cut off at each edge": (cut(0.1, 0.1, 0.1, 0.1), 90),
    "15% cut off at two edges": (cut(0, 0, 0.15, 0.15), 90),
    "a caption over a tenth": (captioned, 90),
    "turned by 3 degrees": (lambda picture: picture.rotate(3), 90),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", metavar="PICTURES", help="as --data of train_alexnet.py")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--out", required=True, type=Path, help="for copies, features and a run")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    true, run = open_dataset(options.pictures), Run(options.out / "run")
    chosen = np.random.default_rng(0).choice(len(true.train), COPIED, replace=False)
    copies = [
        (way, copy, picture.path)
        for picture in (true.train[number] for number in chosen)
        for way, copy in copied(picture, options.out / "copies")
    ]
    train = (*true.train, *(copy for _, copy, _ in copies))
    write_lists(replace(true, train=train), options.out)
    run_python(
        "train_alexnet.py", "--data", options.out / "train.txt", "--run", run.directory,
        "--weights", options.weights, "--variant", options.variant, "--epochs", 1, "--no-report",
        "--features", options.out / "features", "--log", options.out / "log",
    )  # fmt: skip
    engine, dataset = Engine.of_run(run), started_pictures(run)
    store = open_store(engine, Settings(**run.read_config()["settings"]))
    pictures = [*dataset.train, *dataset.validation]
    pairs = find_duplicates(pictures, vectors(store, pictures))
    found = {frozenset((pair.first.path, pair.second.path)) for pair in pairs}
    hits = Counter(way for way, copy, of in copies if frozenset((copy.path, of)) in found)
    made = {copy.path for _, copy, _ in copies}
    lines = [(way, str(hits[way])) for way in WAYS]
    others = sum(not pair & made for pair in found)
    print(markdown([("copies", f"found of {COPIED}"), *lines, ("other pairs", str(others))]))


def copied(picture: Picture, folder: Path) -> list[tuple[str, Picture]]:
    """Write a copy of a picture in each way; return (way, copy)."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with decoded(picture.path, least=MOST_PIXELS) as (original, _):
        for number, (way, (change, quality)) in enumerate(WAYS.items()):
            path = folder / f"{Path(picture.path).stem}.{number}.jpg"
            change(original).save(path, quality=quality)
            made.append((way, replace(picture, path=str(path))))
    return made


if __name__ == "__main__":
    cli.run(main, "copies")
