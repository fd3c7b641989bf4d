"""Distributed batch prediction on a Ray cluster, by Ray Data."""

import logging
import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from alexnet_tf.data.images.contents import ImageError, absolute
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.inference.classifier import Classifier, Prediction
from alexnet_tf.system import signals

# Number of batches per task of an actor.
BATCHES = 8


def check_ray() -> None:
    """Raise UserError unless Ray is installed."""
    if not find_spec("ray"):
        raise UserError("--ray needs Ray: pip install 'ray[data]', here and on all its machines")


def classify(
    classifier: Classifier, files: Sequence[str], top: int, among: int | None, address: str
) -> Iterator[Prediction]:
    """Predict as `Classifier.classify`, on the machines of the Ray cluster at `address`.

    These have this program, and the network and the pictures under the same paths. Each runs one
    actor, which uses all its cores; the pictures of a machine that is lost go to the others.
    Raises RunError when the cluster fails.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    logging.getLogger("ray").setLevel(logging.ERROR)
    for engine in classifier.engines:
        engine.source, engine.litert_path = engine.source.absolute(), engine.litert_path.absolute()
    try:
        _connect(address)
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        machines = [node["Resources"].get("CPU", 1) for node in nodes if node["Alive"]]
        size = BATCHES * classifier.batch
        portions = [files[start : start + size] for start in range(0, len(files), size)]
        paths = [
            {"paths": [os.fsencode(absolute(file)) for file in portion]} for portion in portions
        ]
        rows = ray.data.from_items(paths, override_num_blocks=len(paths)).map(
            _Actor,  # type: ignore[arg-type]
            fn_constructor_args=(classifier, top, among),
            # Ray spreads actors. That of a machine that is lost has room beside another.
            num_cpus=min(machines) / len(machines),
            compute=ray.data.ActorPoolStrategy(size=len(machines)),
        )
        for portion, row in zip(portions, rows.iter_rows()):
            for file, (likeliest, reason, novelty) in zip(
                portion, pickle.loads(row["predictions"])
            ):
                yield Prediction(file, likeliest, reason and ImageError(file, reason), novelty)
    except (ray.exceptions.RayError, ConnectionError) as error:
        gist = str(error).strip().rsplit("\n", 1)[-1]
        raise RunError(f"Ray at {address}: {gist}; the same command goes on") from error
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    """Connect to a cluster; signal handlers are left unchanged."""
    import ray

    handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
    try:
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class _Actor:
    """Ray actor that predicts lists of paths with its own copy of the network."""

    def __init__(self, classifier: Classifier, top: int, among: int):
        self._classifier, self._top, self._among = classifier, top, among

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        files = [os.fsdecode(path) for path in row["paths"]]
        predictions = self._classifier.classify(files, self._top, self._among)
        packed = [(p.top, p.error.reason if p.error else None, p.novelty) for p in predictions]
        return {"predictions": pickle.dumps(packed)}
