"""From 1,000 to 100,000 pictures: time for each, and memory.

Every picture has bytes of its own (see `write_photos`), so that each is listed, computed and
trained on. A second view would repeat what one shows: there is one. There are two epochs, for the
checkpoint of one is written while the next trains, and that takes the most memory.
"""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.system.text import markdown
from benchmarks.material import train, write_photos
from benchmarks.row import Comparison, Figures, Place, Row

COUNTS = (1_000, 10_000, 100_000)
EXTRACTION = re.compile(r"features: made in ([\d.]+) s")
EPOCH = re.compile(r"epoch 2/2 .* ([\d.]+) s$", re.MULTILINE)


def _measure(count: int, place: Place) -> Figures:
    """Measure the seconds a picture of each stage, the bytes a picture in the store, and the most
    bytes of anonymous memory (RssAnon) of the training and of what writes its LiteRT file."""
    pictures = place.scaled(count)
    with TemporaryDirectory(dir=place.folder) as name:
        folder = Path(name)
        lists = write_photos(place.photos, pictures, folder)
        start = time.monotonic()
        open_dataset(lists)
        listing = time.monotonic() - start
        ended = train(place, lists, folder, "--no-mirror", "--epochs", 2)
        store = sum(file.stat().st_size for file in (folder / "features").glob("*/*"))
    return {
        "listing": listing / pictures,
        "features": _seconds(EXTRACTION, ended.output) / pictures,
        "epoch": _seconds(EPOCH, ended.output) / pictures,
        "store": store / pictures,
        "memory": ended.memory,
        "children": ended.children,
    }


def _seconds(line: re.Pattern[str], output: str) -> float:
    return float(line.search(output)[1])


def _details(medians: dict[str, Figures]) -> str:
    headings = (
        *("pictures", "listing", "features", "epoch", "training, RssAnon"),
        *("LiteRT export, RssAnon", "on the disk"),
    )
    lines = [
        (
            side,
            *(f"{1000 * figures[stage]:.2f} ms" for stage in ("listing", "features", "epoch")),
            *(f"{figures[memory] / 1e9:.2f} GB" for memory in ("memory", "children")),
            f"{figures['store'] / 1e3:.1f} KB",
        )
        for side, figures in medians.items()
    ]
    return markdown([headings, *lines], right=False)


ROW = Row(
    "scale",
    "training on up to 100,000 distinct pictures, peak of RssAnon",
    {f"{count:,}": partial(_measure, count) for count in COUNTS},
    (Comparison("100,000", None, "2.5 GB or less"),),
    lambda memory: f"{memory / 1e9:.2f} GB",
    figure="memory",
    rounds=1,
    details=_details,
)
