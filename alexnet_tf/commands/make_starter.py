"""``python -m alexnet_tf.commands.make_starter``: make the files in alexnet_tf/starter/ anew.

From photos of cats and dogs, by the commands that a user types, in some hours.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from alexnet_tf.commands import cli
from alexnet_tf.commands.compare import train_apart
from alexnet_tf.data.sources.listing import DATA_FOLDER
from alexnet_tf.errors import UserError
from alexnet_tf.evaluation.evaluate import evaluate_runs
from alexnet_tf.reports.evaluation import evaluation_text
from alexnet_tf.runs.run import STARTER_RUN, Run
from alexnet_tf.starter import FIGURES_PATH
from alexnet_tf.system.files import write_json, write_text
from alexnet_tf.weights.formats.npz import write_int8
from alexnet_tf.weights.loading import read_weights

NAME = "alexnet_tf.commands.make_starter"
CLASSES = ("cat", "dog")
LISTS, RUN = DATA_FOLDER / "starter", Run("runs/starter")
# The originals alone, split as they are here: what other networks are compared on.
ORIGINALS = LISTS / "originals"
# Of each class: the share of the small photos to validate with, and the originals to train with.
HELD_OUT = 0.1
SEEN_ORIGINALS = 500

Labelled = tuple[Path, str]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog=f"python -m {NAME}",
        description="Train the starter, a network for cats and dogs, from scratch. Started again, "
        f"it goes on where it stopped, in {RUN.directory}/.",
    )
    parser.add_argument(
        "small", type=Path, metavar="DIR144", help="15,000 photos, the short side of 144 pixels"
    )
    parser.add_argument(
        "originals", type=Path, metavar="ORIGINALS", help="1,200 others, as Kaggle has them"
    )
    options = parser.parse_args()
    return make(options.small, options.originals)


def make(small: Path, originals: Path) -> int:
    """Train the starter, keep it as int8, and measure that; return the exit code of the training.

    `small` and `originals` are folders of cat.N.jpg and dog.N.jpg. It takes hours, and goes on
    where it was stopped. Raises UserError where there are no such photos.
    """
    write_lists(small, originals)
    if not RUN.model_path.is_file():
        code = train_apart({"recipe": "starter", "data": LISTS, "run": RUN.directory})
        if code:
            return code
    publish(RUN)
    write_json(FIGURES_PATH, figures())
    return 0


def write_lists(small: Path, originals: Path) -> None:
    """Write train.txt and val.txt into `LISTS`, and into `ORIGINALS` those of the originals."""
    held_out, seen, unseen = split(small, originals)
    for folder, name, photos in (
        (LISTS, "train", seen),
        (LISTS, "val", held_out),
        (ORIGINALS, "train", [photo for photo in seen if photo[0].parent == originals]),
        (ORIGINALS, "val", unseen),
    ):
        lines = (f"{path} {label}\n" for path, label in photos)
        write_text(folder / f"{name}.txt", "".join(lines))


def split(small: Path, originals: Path) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """Return the small photos to validate with, all those to train with, and the originals that
    nothing is trained or chosen by: the same ones every time."""
    random = Random(0)
    held_out, seen, unseen = [], [], []
    for label in CLASSES:
        photos = sorted(_photos(small, label))
        random.shuffle(photos)
        number = round(HELD_OUT * len(photos))
        held_out += _labelled(photos[:number], label)
        seen += _labelled(photos[number:], label)
        photos = sorted(_photos(originals, label), key=lambda path: int(path.name.split(".")[1]))
        random.shuffle(photos)
        seen += _labelled(photos[:SEEN_ORIGINALS], label)
        unseen += _labelled(photos[SEEN_ORIGINALS:], label)
    return held_out, seen, unseen


def _photos(folder: Path, label: str) -> list[Path]:
    photos = list(folder.glob(f"{label}.*.jpg"))
    if not photos:
        raise UserError(f"{folder}: has no {label}.N.jpg; name a folder of Kaggle's photos")
    return photos


def _labelled(photos: Sequence[Path], label: str) -> list[Labelled]:
    return [(path, label) for path in photos]


def publish(run: Run) -> None:
    """Put the finished `run` in the place of the starter."""
    write_int8(read_weights(run.model_path), STARTER_RUN.model_path)
    for name in ("config.json", "history.csv", "classes.txt"):
        shutil.copy(run.directory / name, STARTER_RUN.directory)


def figures() -> dict[str, Any]:
    """Measure what the card says: how often the starter is right, and was before it was int8."""
    lists = {"validation": LISTS / "val.txt", "originals": ORIGINALS / "val.txt"}
    return {name: _accuracy(path) for name, path in lists.items()}


def _accuracy(photos: Path) -> dict[str, Any]:
    evaluation = evaluate_runs([RUN, STARTER_RUN], str(photos))
    print(evaluation_text(evaluation))
    before, after = (evaluation.accuracy(predictions) for predictions in evaluation.predictions)
    return {"pictures": len(evaluation.labels), **after, "float32": before["accuracy"]}


if __name__ == "__main__":
    cli.run(main, NAME)
