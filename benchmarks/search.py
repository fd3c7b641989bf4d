"""Measure how long `similar` searches an index, of random fc7: python -m benchmarks.search

Making the index takes some minutes, and 900 MB on the disk for 100,000 pictures.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
from PIL import Image

from alexnet_tf.retrieval.activations import list_pictures
from alexnet_tf.retrieval.search import Index
from alexnet_tf.system import arguments
from alexnet_tf.system.quiet import import_tensorflow
from alexnet_tf.variants import VARIANTS
from benchmarks.machine import describe_machine

UNITS, TOP, BITS, ROUNDS = 4096, 10, 128, 20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--pictures", type=arguments.positive, default=100_000, metavar="N")
    options = parser.parse_args()
    import_tensorflow()
    print(describe_machine())
    with TemporaryDirectory() as folder:
        index = _make_index(Path(folder), options.pictures)
        queries = index.values(slice(0, 64))
        one = _milliseconds(lambda: index.nearest(queries[:1], TOP))
        many = _milliseconds(lambda: index.nearest(queries, TOP)) / len(queries)
        start = time.perf_counter()
        codes = index.codes(BITS)
        seconds = time.perf_counter() - start
        coded = _milliseconds(lambda: index.nearest(queries[:1], TOP, codes))
    print(f"the nearest {TOP} of {len(index):,}: {one:.0f} ms, of 64 at once {many:.0f} ms each")
    print(f"by {BITS} bits: {coded:.1f} ms; codes trained and measured in {seconds:.0f} s")


def _make_index(folder: Path, count: int) -> Index:
    """Index `count` tiny pictures, for which the network's answers are drawn at random."""
    (folder / "pictures").mkdir()
    for number in range(count):
        picture = Image.frombytes("RGB", (2, 1), number.to_bytes(6, "big"))
        picture.save(folder / f"pictures/{number}.png")
    random = np.random.default_rng(0)

    def fc7(inputs: np.ndarray) -> np.ndarray:
        return np.maximum(random.standard_normal((len(inputs), UNITS), np.float32), 0)

    variant = replace(VARIANTS["lenet5"], fc_units=(UNITS, UNITS))
    engine = SimpleNamespace(
        network=variant,
        variant=variant,
        resize="squash",
        source=folder,
        weights=SimpleNamespace(layers={}),
        layer=lambda name: fc7,
    )
    index = Index(folder / "index", engine, create=True)
    index.add(list_pictures([str(folder / "pictures")])[0])
    return index


def _milliseconds(call: Callable[[], object]) -> float:
    """Time `call` several times; return the median."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return median(times)


if __name__ == "__main__":
    main()
