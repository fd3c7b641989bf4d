"""The server's networks, run by one thread, which batches waiting pictures."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from alexnet_tf.data.images.contents import ImageError, InMemory
from alexnet_tf.data.images.preprocessing import load_crops
from alexnet_tf.inference.engine import Engine, Outputs
from alexnet_tf.serving.metrics import Metrics
from alexnet_tf.system.processor import processors

# Largest batch: larger ones have no higher throughput, and delay other requests.
BATCH = 8


@dataclass(frozen=True)
class ServedNetwork:
    """A finished network and its name in the API; `single` predicts one picture, uint8 RGB (1,
    height, width, 3), sooner than the engine does."""

    name: str
    engine: Engine
    single: Callable[[np.ndarray], Outputs] | None = None

    def load(self, picture: InMemory) -> np.ndarray:
        """Decode a picture: uint8 RGB (height, width, 3). Raises ImageError."""
        (view,) = load_crops(picture, self.engine.variant, self.engine.resize)
        return view

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        """Predict what `load` returned, stacked: float32 (n, classes) and the novelty last, each as
        if it were alone."""
        if self.single:
            found = [self.single(picture[None]) for picture in pictures]
        else:
            found = [self.engine.predict(pictures, len(pictures))]
        return np.concatenate([np.column_stack(outputs) for outputs in found])


@dataclass(frozen=True)
class _Request:
    """A decoded picture, waiting for a network."""

    network: ServedNetwork
    view: np.ndarray
    result: Future[np.ndarray] = field(default_factory=Future)


class Batcher:
    """Decodes pictures on all cores; runs networks in one thread, because each uses all cores."""

    def __init__(self, metrics: Metrics):
        self._metrics = metrics
        self._decoders = ThreadPoolExecutor(processors(), "decode")
        self._runner = ThreadPoolExecutor(1, "run")
        self._waiting: deque[_Request] = deque()

    async def submit(
        self, network: ServedNetwork, pictures: Sequence[InMemory]
    ) -> list[np.ndarray | ImageError]:
        """Return what `ServedNetwork.predict` does for each picture, or its error."""
        return await asyncio.gather(*(self._submit(network, picture) for picture in pictures))

    async def run(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a function that runs a network itself, when its turn comes; return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._runner, function, *arguments)

    async def decode(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Run a function that decodes a picture; return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, function, *arguments)

    def close(self) -> None:
        """Finish the waiting requests, then stop."""
        self._runner.shutdown()
        self._decoders.shutdown()

    async def _submit(self, network: ServedNetwork, picture: InMemory) -> np.ndarray | ImageError:
        try:
            request = _Request(network, await self.decode(network.load, picture))
        except ImageError as error:
            self._metrics.pictures.labels("unreadable").inc()
            return error
        self._waiting.append(request)
        self._runner.submit(self._predict_batch)
        outputs = await asyncio.wrap_future(request.result)
        self._metrics.pictures.labels("answered").inc()
        return outputs

    def _predict_batch(self) -> None:
        """Predict the first waiting picture, and those behind it for the same network."""
        batch: list[_Request] = []
        while self._waiting and len(batch) < BATCH:
            if batch and self._waiting[0].network is not batch[0].network:
                break
            request = self._waiting.popleft()
            if request.result.set_running_or_notify_cancel():
                batch.append(request)
        if not batch:
            return
        self._metrics.batches.labels(len(batch)).inc()
        try:
            found = batch[0].network.predict(np.stack([each.view for each in batch]))
            for request, outputs in zip(batch, found):
                request.result.set_result(outputs)
        except Exception as error:
            for request in batch:
                request.result.set_exception(error)
