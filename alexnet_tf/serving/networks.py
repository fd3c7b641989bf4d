"""The server's networks, run by one thread, which batches waiting pictures."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any

import numpy as np

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.preprocessing import load_crops
from alexnet_tf.inference.engine import Engine
from alexnet_tf.serving.metrics import Metrics
from alexnet_tf.system.processor import processors

# Largest batch: larger ones have no higher throughput, and delay other requests.
BATCH = 8


@dataclass(frozen=True)
class ServedNetwork:
    """A finished network and its name in the API.

    `single` predicts one picture, uint8 RGB (1, height, width, 3), sooner than the engine does.
    """

    name: str
    engine: Engine
    single: Callable[[np.ndarray], np.ndarray] | None = None

    def load(self, picture: InMemory) -> np.ndarray | ImageError:
        """Decode a picture: uint8 RGB (height, width, 3)."""
        try:
            (view,) = load_crops(picture, self.engine.variant, self.engine.resize)
        except ImageError as error:
            return error
        return view

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """Predict what `load` returned, stacked: float32 (n, classes), each as if it were alone."""
        if self.single:
            return np.concatenate([self.single(picture[None]) for picture in pictures])
        return self.engine.probabilities(pictures, len(pictures))

    def top(self, probabilities: np.ndarray, most: int) -> list[Any]:
        """Return the `most` likeliest classes, the likeliest first."""
        best = np.argsort(-probabilities, kind="stable")[:most]
        return [
            {"label": self.engine.classes[i], "probability": float(probabilities[i])} for i in best
        ]


@dataclass(frozen=True)
class _Request:
    """An entry of the queue: a network and its inputs; or a function to call; or the end."""

    network: Any = None
    inputs: Any = None
    function: Callable[[], object] | None = None
    result: Future[Any] = field(default_factory=Future)

    def goes_with(self, other: _Request) -> bool:
        """Check whether both can be in one batch."""
        return self.network is not None and self.network is other.network


class Batcher:
    """Decodes pictures on all cores; runs networks in one thread, because each uses all cores."""

    def __init__(self, metrics: Metrics):
        self._metrics = metrics
        self._decoders = ThreadPoolExecutor(processors(), "decode")
        self._waiting: deque[_Request] = deque()
        self._changed = Condition()
        self._thread = Thread(target=self._work, name="ask", daemon=True)
        self._thread.start()

    async def submit(
        self, network: ServedNetwork, pictures: Sequence[InMemory]
    ) -> list[np.ndarray | ImageError]:
        """Return the probabilities of each picture, float32 (classes,), or its error."""
        return await asyncio.gather(*(self._submit(network, picture) for picture in pictures))

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a function that runs a network itself, when its turn comes; return its result."""
        return await self._put(_Request(function=lambda: function(*arguments)))

    async def decode(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a function that decodes a picture; return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, function, *arguments)

    def close(self) -> None:
        """Finish the waiting requests, then stop."""
        with self._changed:
            self._waiting.append(_Request())
            self._changed.notify()
        self._thread.join()
        self._decoders.shutdown()

    async def _submit(self, network: ServedNetwork, picture: InMemory) -> np.ndarray | ImageError:
        inputs = await self.decode(network.load, picture)
        if isinstance(inputs, ImageError):
            self._metrics.pictures.labels("unreadable").inc()
            return inputs
        probabilities = await self._put(_Request(network, inputs))
        self._metrics.pictures.labels("answered").inc()
        return probabilities

    async def _put(self, question: _Request) -> Any:
        with self._changed:
            self._waiting.append(question)
            self._changed.notify()
        return await asyncio.wrap_future(question.result)

    def _work(self) -> None:
        for batch in iter(self._next, []):
            asked = [each for each in batch if each.result.set_running_or_notify_cancel()]
            if not asked:
                continue
            try:
                for question, result in zip(asked, self._predictions(asked)):
                    question.result.set_result(result)
            except Exception as error:
                for question in asked:
                    question.result.set_exception(error)

    def _predictions(self, asked: Sequence[_Request]) -> Iterable[Any]:
        network, function = asked[0].network, asked[0].function
        if function:
            return [function()]
        self._metrics.batches.labels(len(asked)).inc()
        return network.probabilities(np.stack([each.inputs for each in asked]))

    def _next(self) -> list[_Request]:
        """Wait for the next request and take all that can share its batch; [] at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            batch = [self._waiting.popleft()]
            while self._waiting and len(batch) < BATCH and self._waiting[0].goes_with(batch[0]):
                batch.append(self._waiting.popleft())
        is_end = batch[0].network is None and batch[0].function is None
        return [] if is_end else batch
