"""An epoch of a head over millions of made-up features: python -m tests.tools.epochs FOLDER.

The features are zeros in a sparse file, which take no room on the disk; what is read of them comes
from memory. Prints after each step what `millions` does.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from alexnet_tf.data.dataset import Dataset, Picture, to_columns
from alexnet_tf.data.drawings import draw_faces
from alexnet_tf.data.features.batches import BATCH, INDEX, RECORD
from alexnet_tf.data.features.store import FeatureStore
from alexnet_tf.runs.settings import Settings
from alexnet_tf.training.job import Job, feature_stores, prepare
from alexnet_tf.training.trainer import Trainer
from alexnet_tf.variants import VARIANTS
from benchmarks.material import write_random_convolutions
from tests.tools.millions import step

QUICK = ("{scratch}", "--rows", "2000", "--variant", "lenet5", "--classes", "3")
# Share of all pictures, as where a data set has no split of its own.
VALIDATION = 0.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where a run and the sparse file go")
    parser.add_argument("--rows", type=int, default=10_000_000, help="pictures (10,000,000)")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--variant", choices=VARIANTS, default="bvlc")
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    job = _job(options.folder, options.variant, options.batch_size)
    classes = tuple(f"class-{number:04}" for number in range(options.classes))
    last = round(options.rows * VALIDATION)
    validation = to_columns(_pictures(0, last, len(classes)))
    training = to_columns(_pictures(last, options.rows, len(classes)))
    job = replace(job, dataset=Dataset(classes, training, validation))
    store, _ = feature_stores(job)
    size = step("writing the index", lambda: _write(store, job.dataset))
    print(f"{options.rows:,} pictures of {size:,} bytes, batches of {job.settings.batch_size}")
    step("opening the store, whose values are all read and checked", lambda: _open(store, job))
    log = logging.getLogger("epochs")
    trainer = step("finding each picture in it", lambda: Trainer(job, store, store, log).prepare())
    step("an epoch, with validation", lambda: trainer.run_epoch([]))


def _job(folder: Path, variant: str, batch_size: int) -> Job:
    """Prepare a training of a head by the command's defaults, on drawn faces for now."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_faces(folder / "photos", per_class=4)
    write_random_convolutions(folder / "convolutions.npy", variant)
    settings = Settings(
        data=str(folder / "photos"), weights=str(folder / "convolutions.npy"), variant=variant,
        features=str(folder / "features"), head="random", batch_size=batch_size, epochs=1,
        precision="float32",
    )  # fmt: skip
    return prepare(settings, folder / "run")


def _pictures(first: int, end: int, classes: int) -> Iterator[Picture]:
    for number in range(first, end):
        path = f"{number:08}.jpg"
        yield Picture(path, number % classes, hashlib.sha256(path.encode()).hexdigest())


def _write(store: FeatureStore, dataset: Dataset) -> int:
    """Write what the store would have of all pictures; return the bytes of one."""
    store.open()
    pictures, count = dataset.pictures(), len(dataset.train) + len(dataset.validation)
    size = store.flips * math.prod(store.shape) * store.dtype.itemsize
    records = np.zeros(-(-count // BATCH), RECORD)
    records["checksum"] = zlib.crc32(bytes(BATCH * size))
    for number, picture in enumerate(pictures):
        records["digests"][number // BATCH, number % BATCH] = picture.digest
    records.tofile(store.directory / INDEX)
    os.truncate(store.directory / "values", len(records) * BATCH * size)
    return size


def _open(store: FeatureStore, job: Job) -> None:
    store.open()
    assert not store.missing(job.dataset.train[:1000])


if __name__ == "__main__":
    main()
