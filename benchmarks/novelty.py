"""Measure how well novelty tells strange pictures from known ones: python -m benchmarks.novelty

Trainings by default settings on 85% of the photos, split anew for each draw, are shown the others,
then photos of other classes, and pages of text, noise and textures, which are drawn. Beside the
novelty is the maximum softmax probability (Hendrycks 2017): of that the threshold is the best that
there could be, which flags as many of the unseen photos.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from alexnet_tf.commands import cli
from alexnet_tf.data.dataset import open_dataset, write_lists
from alexnet_tf.data.images.in_memory import as_file
from alexnet_tf.metrics.novelty import FLAGGED
from alexnet_tf.runs.recipes import RECIPES
from alexnet_tf.runs.settings import Settings
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.system.text import markdown
from benchmarks.material import default_material

LOG = logging.getLogger("benchmarks.novelty")
DRAWN, SIDE = 40, 288


def parse_arguments() -> argparse.Namespace:
    photos, weights, variant = default_material()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.novelty", description=__doc__)
    add = parser.add_argument
    add("--photos", default=photos, metavar="PATH", help="pictures in classes (%(default)s)")
    add("--strangers", required=True, metavar="PATH", help="pictures of other classes")
    add("--weights", default=weights, metavar="FILE", help="pretrained weights (%(default)s)")
    add("--variant", default=variant, metavar="NAME", help="what they were trained for")
    add("--draws", type=arguments.positive, default=3, metavar="N")
    add("--features", default="data/features", metavar="DIR", help="where features are kept")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    strange = [picture.path for picture in open_dataset(options.strangers).labelled()]
    shown = {Path(options.strangers).name: strange}
    shown |= {kind: [as_file(draw(seed)) for seed in range(DRAWN)] for kind, draw in KINDS.items()}
    import_tensorflow()
    draws = [dict(_measured(options, shown, draw)) for draw in range(options.draws)]
    headings = ("shown", "flagged by novelty", "AUROC", "by maximum softmax", "AUROC")
    means = {name: np.mean([draw[name] for draw in draws], axis=0) for name in draws[0]}
    lines = (
        (name, f"{flagged:.1%}", f"{area:.3f}", f"{by_softmax:.1%}", f"{softmax_area:.3f}")
        for name, (flagged, area, by_softmax, softmax_area) in means.items()
    )
    print(markdown([headings, *lines]))


def _measured(
    options: argparse.Namespace, shown: dict[str, Sequence[object]], draw: int
) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Train on a part of the photos; yield the figures of a line for the others and for `shown`."""
    from alexnet_tf.inference.classifier import Classifier
    from alexnet_tf.inference.engine import Engine
    from alexnet_tf.runs.run import Run
    from alexnet_tf.training.job import prepare
    from alexnet_tf.training.loop import train

    with TemporaryDirectory() as name:
        dataset, run = open_dataset(options.photos, draw), Run(Path(name) / "run")
        write_lists(dataset, Path(name))
        config = RECIPES["head"] | {
            "data": str(Path(name) / "train.txt"), "weights": options.weights,
            "variant": options.variant, "features": options.features, "tensorboard": "off",
            "report": False, "keep": 1,
        }  # fmt: skip
        train(prepare(Settings(**config), run.directory), LOG)
        classifier = Classifier([Engine.of_run(run)])

        def scores(files: Sequence[object]) -> np.ndarray:
            found = [*classifier.classify(files, 1)]
            return np.array([(each.novelty, 1 - each.probability) for each in found if each.top])

        known = scores([picture.path for picture in dataset.validation])
        limits = 1.0, np.quantile(known[:, 1], 1 - FLAGGED)
        for kind, found in {"unseen photos": known, **{k: scores(shown[k]) for k in shown}}.items():
            columns = zip(limits, known.T, found.T)
            pairs = [
                ((strange > limit).mean(), area(same, strange)) for limit, same, strange in columns
            ]
            yield kind, (*pairs[0], *pairs[1])


def area(known: np.ndarray, strange: np.ndarray) -> float:
    """Return the area under the ROC curve: how often a strange picture's score is the higher."""
    higher, equal = strange[:, None] > known, strange[:, None] == known
    return float(higher.mean() + equal.mean() / 2)


def draw_text(seed: int) -> Image.Image:
    """Draw a page of words of random letters."""
    random = np.random.default_rng(seed)
    paper = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(235, 256, 3).tolist()))
    size, ink = int(random.integers(8, 20)), tuple(random.integers(0, 60, 3).tolist())
    letters, font = [*"abcdefghijklmnopqrstuvwxyz     "], ImageFont.load_default(size)
    for top in range(size, SIDE - size, int(1.3 * size)):
        line = "".join(random.choice(letters, 3 * SIDE // size))
        ImageDraw.Draw(paper).text((size, top), line, fill=ink, font=font)
    return paper


def draw_noise(seed: int) -> Image.Image:
    """Draw noise of one to fifty pixels a grain, grey or in colours, faint or strong."""
    random = np.random.default_rng(seed)
    side, strength = int(SIDE / random.choice([1, 1, 4, 16, 50])), random.uniform(10, 80)
    grains = random.normal(128, strength, (side, side, int(random.choice([1, 3]))))
    pixels = np.broadcast_to(grains.clip(0, 255), (side, side, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def draw_texture(seed: int) -> Image.Image:
    """Draw stripes, checks, dots or bricks in two colours, turned and grained."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    turn, period = random.uniform(0, np.pi), random.uniform(6, 60)
    x, y = ((columns * c + rows * s) / period for c, s in (
        (np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))
    ))  # fmt: skip
    pattern = [
        x % 1 < 0.5,
        (x % 1 < 0.5) ^ (y % 1 < 0.5),
        np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.35,
        (y % 1 < 0.1) | ((x + y // 1) % 2 < 0.1),
    ][random.integers(4)]
    colors = random.integers(0, 256, (2, 3))
    grain = random.normal(0, random.uniform(0, 15), (SIDE, SIDE, 1))
    pixels = np.where(pattern[..., None], *colors) + grain
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


KINDS: dict[str, Callable[[int], Image.Image]] = {
    "text": draw_text,
    "noise": draw_noise,
    "textures": draw_texture,
}


if __name__ == "__main__":
    cli.run(main, "novelty")
