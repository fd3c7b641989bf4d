"""Events for TensorBoard, each shown once, after its checkpoint was written. Those of an epoch are
a part: a file, whole or absent, that TensorBoard does not read. It reads one file with all shown
parts in sequence, which the next start repairs after a kill."""

import errno
import os
import time
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary

from alexnet_tf.system.disk import room_for
from alexnet_tf.system.files import atomic_write, is_regular, remove_leftovers

# TensorBoard reads files with "tfevents" in their names, in order.
SHOWN = "events.out.tfevents."


class Events:
    """The numbered parts of events of a kind in `folder`, which is a run in TensorBoard's sense,
    where the kinds are in the order of their names."""

    def __init__(self, folder: Path, kind: str):
        self.folder, self.kind = folder, kind
        remove_leftovers(folder, [f"{kind}-*.events", "all.events"])

    def __contains__(self, number: int) -> bool:
        return is_regular(self._part_path(number))

    def write(self, number: int, *events: Summary | Event) -> None:
        """Write part `number` atomically, the step of each summary, without showing it; NoRoom."""
        content = [Event(file_version="brain.Event:2")]
        content += [Event(summary=e) if isinstance(e, Summary) else e for e in events]
        for event in content:
            event.wall_time, event.step = time.time(), number
        size = sum(event.ByteSize() for event in content)
        with atomic_write(self._part_path(number), size) as temporary:
            _write(temporary, content)

    def show(self, numbers: Sequence[int]) -> None:
        """Show exactly the parts of these numbers, in this order; if possible the shown file
        grows."""
        content = b"".join(self._part_path(each).read_bytes() for each in numbers if each in self)
        shown = sorted(self.folder.glob(f"{SHOWN}{self.kind}.*"))
        last = shown[-1] if shown and is_regular(shown[-1]) else None
        before = last.read_bytes() if last else b""
        if last and before and content.startswith(before):
            with room_for(last, len(content)), open(last, "ab") as file:
                file.write(content[len(before) :])
            shown.remove(last)
        elif content:
            path = self.folder / "all.events"
            with atomic_write(path, len(content)) as temporary:
                temporary.write_bytes(content)
            path.rename(self.folder / f"{SHOWN}{self.kind}.{time.time_ns()}")  # sorts after others
        for path in shown:
            path.unlink()

    def _part_path(self, number: int) -> Path:
        return self.folder / f"{self.kind}-{number:04}.events"


def _write(path: Path, content: Sequence[Event]) -> None:
    """Write events as TFRecords; OSError if the disk gets full."""
    try:
        with tf.io.TFRecordWriter(str(path)) as file:
            for event in content:
                file.write(event.SerializeToString())
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
