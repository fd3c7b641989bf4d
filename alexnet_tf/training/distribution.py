"""Training on several GPUs or machines: the only module that uses tf.distribute.

Every worker has a copy of the network, and those examples of each batch whose features it has.
Gradients are summed over the workers, and each makes the same step. So their weights stay
bit-identical, and equal to those of one worker except for the rounding of sums. Without TF_CONFIG
there is one worker, whose GPUs share its examples.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf.coordination_config_pb2 import CoordinatedJob
from tensorflow.python.eager import context as eager

from alexnet_tf.data.dataset import Picture
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.system import signals
from alexnet_tf.system.text import printable

Made = TypeVar("Made")
# A job and a number in it, as in TensorFlow: ("worker", "0").
Task = tuple[str, str]

TF_CONFIG = "TF_CONFIG"
# Seconds that workers wait for each other at the start.
PATIENCE = 1800
# Numbers of 16 bits that are exchanged at once.
BLOCK = 1 << 18
# Digits of a picture's digest that choose its worker.
DIGITS = 8
# What collectives raise when a worker is gone or cannot be reached.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)


class Workers:
    """The processes of one training; this is number `index` of `count`, and 0 is the chief."""

    def __init__(self, strategy: tf.distribute.Strategy, tasks: Mapping[Task, str], index: int = 0):
        """Take the address of each task, the chief's first."""
        self.strategy, self.tasks, self.addresses = strategy, [*tasks], [*tasks.values()]
        self.index, self.count, self.is_chief = index, len(tasks), index == 0
        # Devices of all workers, and of this one.
        self.devices = strategy.num_replicas_in_sync
        self.own_devices = self.devices // self.count
        self._add = tf.function(self._add_all, [tf.TensorSpec([None], tf.float32)])

    @classmethod
    def alone(cls) -> Workers:
        """Return this process as the only worker, with all its GPUs, or its processor."""
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        strategy = tf.distribute.get_strategy()
        if len(devices) > 1:
            strategy = tf.distribute.MirroredStrategy([each.name for each in devices])
        return cls(strategy, {("worker", "0"): "here"})

    @classmethod
    def join(cls, timeout: int) -> Workers:
        """Connect to the workers in TF_CONFIG, before anything else of TensorFlow; each may be
        silent for `timeout` seconds. Raises UserError for an unusable TF_CONFIG, RunError if the
        others do not come."""
        tasks, own = _read_config()
        if len(tasks) < 2:
            return cls.alone()
        counts = Counter(job for job, _ in tasks)
        # MultiWorkerMirroredStrategy would do the same with its own timeout.
        eager.context().configure_coordination_service(
            "standalone",
            service_leader=f"/job:{min(counts)}/replica:0/task:0",
            cluster_register_timeout_in_ms=1000 * PATIENCE,
            heartbeat_timeout_in_ms=1000 * timeout,
            coordinated_jobs=[CoordinatedJob(name=job, num_tasks=counts[job]) for job in counts],
        )
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except tf.errors.OpError as error:
            raise RunError(
                f"the workers at {', '.join(tasks.values())} did not meet within {PATIENCE // 60} "
                f"minutes; start the same command on each of them ({error.message[:300]})"
            ) from error
        # TensorFlow's server has replaced the handler of SIGTERM, and ignores it.
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
        return cls(strategy, tasks, [*tasks].index(own))

    def owners(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Return the index of each picture's worker, int64 (n,)."""
        if self.count == 1:
            return np.zeros(len(pictures), np.int64)
        digests = (int(picture.digest[:DIGITS], 16) for picture in pictures)
        return np.fromiter(digests, np.int64, len(pictures)) % self.count

    def own(self, pictures: Sequence[Picture]) -> list[Picture]:
        """Return the pictures of this worker."""
        owners = self.owners(pictures)
        return [each for each, owner in zip(pictures, owners) if owner == self.index]

    def run_on_all(self, work: Callable[[], Made]) -> list[Made]:
        """Run `work` on every worker, and return all results; if one raises UserError or RunError,
        all do."""
        if self.count == 1:
            return [work()]
        with self.watched():
            made: Any
            try:
                with self._watching():
                    made = work()
            except (UserError, RunError) as error:
                made = error
            results = self.exchange(made)
        for worker, result in enumerate(results):
            if isinstance(result, UserError | RunError):
                kind = UserError if isinstance(result, UserError) else RunError
                raise kind(f"{'' if worker == self.index else f'worker {worker}: '}{result}")
        return results

    def run_on_chief(self, work: Callable[[], Made]) -> Made:
        """Run `work` on the chief, and return its result to all; all raise its errors."""
        made: list[Any] = self.run_on_all(lambda: work() if self.is_chief else None)
        return made[0]

    def exchange(self, value: Made) -> list[Made]:
        """Return the `value` of every worker."""
        if self.count == 1:
            return [value]
        # Pickles are safe enough here: TensorFlow's servers run whatever they are sent.
        mine = np.frombuffer(pickle.dumps(value), np.uint8)
        sizes = np.zeros(self.count, np.int64)
        sizes[self.index] = len(mine)
        sizes = self._joined(sizes)
        ends = np.cumsum(sizes)
        whole = np.zeros(ends[-1], np.uint8)
        whole[ends[self.index] - len(mine) : ends[self.index]] = mine
        whole = self._joined(whole)
        return [pickle.loads(whole.data[end - size : end]) for size, end in zip(sizes, ends)]

    def gather(self, found: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """Join the rows of an array (n, …) that each worker has `found` for its own pictures."""
        if self.count == 1:
            return found
        parts = self.exchange(found)
        whole = np.empty((len(owners), *max(parts, key=len).shape[1:]), found.dtype)
        for worker, part in enumerate(parts):
            whole[owners == worker] = part
        return whole

    def learn(
        self,
        learn: Callable[..., tuple[Any, ...]],
        weights: Sequence[tf.Tensor],
        batch: Sequence[tf.Tensor],
        rows: tf.Tensor,
        size: tf.Tensor,
    ) -> tuple[Any, ...]:
        """Run `learn` on a batch of `size` examples, of which this worker has those in `rows`;
        return losses and hits (size,), new values of other variables, gradients."""

        def share(weights: Any, batch: Any, rows: Any, size: Any) -> Any:
            replica = tf.distribute.get_replica_context()
            place = replica.replica_id_in_sync_group % self.own_devices
            rows, *batch = (each[place :: self.own_devices] for each in (rows, *batch))
            losses, hits, values, gradients = learn(weights, batch, rows, size)
            seen = (
                tf.scatter_nd(rows[:, None], tf.cast(each, tf.float32), [size])
                for each in (losses, hits)
            )
            sums = [*seen, *(tf.cast(gradient, tf.float32) for gradient in gradients)]
            return replica.all_reduce("SUM", sums), values

        found = self.strategy.run(share, (weights, batch, rows, size))
        (losses, hits, *gradients), values = tf.nest.map_structure(self._of_first, found)
        return losses, hits > 0, values, gradients

    def check(self) -> None:
        """Raise Stopped on all workers after the same step if one was asked to end."""
        if self.count == 1:
            return signals.check()
        if self._sum([signals.is_stop_requested()])[0]:
            signals.check()
            raise signals.Stopped(signal.SIGTERM)

    def check_equal(self, state: Mapping[str, np.ndarray]) -> None:
        """Raise RunError unless all workers have the same weights."""
        if self.count == 1:
            return
        sums = self.exchange({name: zlib.crc32(array.tobytes()) for name, array in state.items()})
        for worker, found in enumerate(sums):
            if found != sums[0]:
                name = next(name for name in sums[0] if found[name] != sums[0][name])
                raise RunError(
                    f"{self._name(worker)}: its {name} is no longer that of the chief; train on "
                    "machines of one kind, with the same versions"
                )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Run a block that communicates with all workers; RunError if one is gone."""
        try:
            yield
        except LOST as error:
            if self.count == 1:
                raise
            raise self._lost(error) from error

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Run a block without communication, then wait for the others. Meanwhile `signals` raise
        RunError if one of them is gone, Stopped if one was asked to end."""
        is_done, is_stopped = threading.Event(), threading.Event()

        def watch() -> None:
            busy, stopped = 1, 0
            try:
                while busy and not stopped:
                    busy = not is_done.wait(1)  # a second
                    busy, stopped = self._sum([busy, is_stopped.is_set()])
                if stopped:
                    signals.interrupt(signals.Stopped(signal.SIGTERM))
            except LOST as error:
                signals.interrupt(self._lost(error))

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        except signals.Stopped:
            is_stopped.set()
            raise
        finally:
            is_done.set()
            thread.join()

    def _joined(self, array: np.ndarray) -> np.ndarray:
        """Add arrays of all workers; at each index all but one of them are 0."""
        halves = np.frombuffer(array.tobytes() + bytes(-array.nbytes % 2), np.uint16)
        blocks = np.split(halves, range(BLOCK, len(halves), BLOCK))
        # Numbers below 2**16 are exact in float32, which all devices add.
        joined = np.concatenate([self._sum(block) for block in blocks]).astype(np.uint16)
        return np.frombuffer(joined.tobytes()[: array.nbytes], array.dtype).copy()

    def _sum(self, numbers: Sequence[float] | np.ndarray) -> np.ndarray:
        """Sum over all workers, float32 (n,)."""
        return self._add(np.array(numbers, np.float32)).numpy()

    def _add_all(self, numbers: tf.Tensor) -> tf.Tensor:
        def add(numbers: tf.Tensor) -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            is_first = replica.replica_id_in_sync_group % self.own_devices == 0
            return replica.all_reduce("SUM", numbers * tf.cast(is_first, tf.float32))

        return self._of_first(self.strategy.run(add, (numbers,)))

    def _of_first(self, value: Any) -> Any:
        """Return the value of this worker's first device."""
        return self.strategy.experimental_local_results(value)[0]

    def _name(self, worker: int) -> str:
        return f"worker {worker} ({self.addresses[worker]})"

    def _lost(self, error: tf.errors.OpError) -> RunError:
        """Convert TensorFlow's error about a lost worker to a sentence."""
        tasks = re.findall(r"/job:(chief|worker)/(?:replica:0/)?task:(\d+)", str(error))
        others = {self.tasks.index(task) for task in tasks} - {self.index}
        who = self._name(others.pop()) if len(others) == 1 else "another worker"
        return RunError(
            f"{who} has ended or cannot be reached, and so this one ends too; what was finished "
            "before is good: start the same command on every machine, and they go on from there"
        )


def _read_config() -> tuple[dict[Task, str], Task]:
    """Read the address of each task in TF_CONFIG, the chief's first, and the task of this process;
    UserError for an unusable value."""
    text = os.environ[TF_CONFIG]
    try:
        config = json.loads(text)
        jobs, own = config.get("cluster") or {}, config.get("task") or {}
        tasks = {
            (job, str(number)): str(address)
            for job in ("chief", "worker")
            for number, address in enumerate(jobs.get(job, ()))
        }
        place = own.get("type", "worker"), str(own.get("index", 0))
        if tasks and place not in tasks:
            raise ValueError(f"there is no {' '.join(place)}")
        if {*jobs} - {"chief", "worker"} or len(jobs.get("chief", ())) > 1:
            raise ValueError("a training knows but one chief, and workers")
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(
            f"{TF_CONFIG}: {printable(str(error))}; it should be like "
            '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
            f", and is {printable(text[:200])}"
        ) from error
    return tasks, place
