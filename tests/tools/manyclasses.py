"""Measure the report of a run of a thousand classes: python -m tests.tools.manyclasses DIR

DIR gets small drawn pictures and a run whose predictions are random, mostly right. Printed are the
size of the report, the time until Chromium has loaded it, and its width on a phone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet_tf.reports.run_report import write_report
from alexnet_tf.runs.predictions import write_predictions
from alexnet_tf.runs.run import Run
from tests.support.browser import browsing
from tests.support.runs import write_run

QUICK = ("{scratch}", "--classes", "30")
PARTS = {"train.txt": 5, "val.txt": 3}  # pictures of each class
LOADED = "() => performance.getEntriesByType('navigation')[0].loadEventEnd"
PHONE = {"width": 320, "height": 640}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--classes", type=int, default=1000)
    options = parser.parse_args()
    path = write_report(make_run(options.folder.resolve(), options.classes))
    with browsing() as browser:
        page = browser.new_page(viewport=PHONE)
        page.goto(path.as_uri())
        seconds = page.evaluate(LOADED) / 1000
        width = page.evaluate("document.documentElement.scrollWidth")
    print(f"{path.stat().st_size / 1e6:.1f} MB, loaded in {seconds:.1f} s, {width} pixels wide")


def make_run(folder: Path, classes: int) -> Run:
    """Write a run and its pictures."""
    run = write_run(folder / "run", [f"class {n}" for n in range(classes)])
    random = np.random.default_rng(0)
    for name, count in PARTS.items():
        lines = []
        for number in range(count * classes):
            path = folder / f"{name}-{number}.jpg"
            pixels = random.integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(pixels).resize((200, 150)).save(path)
            lines.append(f"{path} {number // count}\n")
        (run.directory / name).write_text("".join(lines))
    labels = np.repeat(np.arange(classes), PARTS["val.txt"])
    probabilities = random.dirichlet(np.full(classes, 0.02), len(labels))
    right = np.flatnonzero(random.random(len(labels)) < 0.7)
    probabilities[right, labels[right]] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    novelty = random.gamma(4, 0.15, len(labels)).astype(np.float32)
    write_predictions(run, probabilities.astype(np.float32), novelty)
    return run


if __name__ == "__main__":
    main()
