"""Compares what reading pictures takes, from files, shards and a server on loopback:
python -m tests.tools.reading FOLDER SCRATCH.

Prints milliseconds a picture, of the processor and of the clock, by one thread; "cold" is after the
system was told to forget what it keeps of the files in memory.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from alexnet_tf.data.dataset import open_dataset
from alexnet_tf.data.images.contents import read_content
from alexnet_tf.data.images.decoding import decoded
from alexnet_tf.data.images.records import shard_of
from alexnet_tf.data.shards import write_shards
from tests.support.flaky import Flaky

QUICK = ("{photos}", "{scratch}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="pictures, of classes")
    parser.add_argument("scratch", type=Path, help="a new folder, for the shards")
    options = parser.parse_args()
    dataset = open_dataset(options.folder)
    sharded = write_shards(dataset, options.scratch, 1).train
    files = sorted(picture.path for picture in dataset.train)
    records = sorted(f"{options.scratch}/{picture.path}" for picture in sharded)
    for name, paths in (("files", files), ("shard", records)):
        _forget({shard_of(path) or path for path in paths})
        _row(f"{name}, cold", paths, read_content)
        _row(f"{name}, warm", paths, read_content)
    with Flaky(options.folder) as site:
        urls = [f"{site.url}/{os.path.relpath(path, options.folder)}" for path in files]
        _row("http://127.0.0.1, server included", urls, read_content)
    _row("decoding, for comparison", files, _decode)


def _decode(path: str) -> None:
    with decoded(path, 2 * 288):
        pass


def _forget(paths: set[str]) -> None:
    os.sync()
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _row(what: str, paths: Sequence[str], act: Callable[[str], object]) -> None:
    clock, processor = time.monotonic(), time.process_time()
    for path in paths:
        act(path)
    clock, processor = time.monotonic() - clock, time.process_time() - processor
    milliseconds = [f"{1000 * each / len(paths):.2f} ms" for each in (processor, clock)]
    print(f"| {what} | {' | '.join(milliseconds)} |", flush=True)


if __name__ == "__main__":
    main()
