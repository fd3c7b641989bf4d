"""Metrics for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from alexnet_tf.serving.limits import Load

# Upper bounds of the duration histogram's buckets, in seconds.
ENDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters of a server since it started, and its `load`."""

    def __init__(self, load: Load):
        own = self._registry = CollectorRegistry()
        self._requests = Counter(
            "alexnet_requests", "Requests by route and status.", ("route", "status"), registry=own
        )
        self.pictures = Counter(
            "alexnet_pictures", "Pictures by what became of them.", ("result",), registry=own
        )
        self.batches = Counter(
            "alexnet_batches", "Batches by how many pictures they had.", ("pictures",), registry=own
        )
        self._seconds = Histogram(
            "alexnet_predict_seconds", "Seconds that predictions took.", registry=own, buckets=ENDS
        )
        waiting = Gauge("alexnet_waiting_pictures", "Pictures in hand.", registry=own)
        waiting.set_function(lambda: load.pictures)

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request by its route, never by its actual path."""
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(route, status).inc()
        if route == "/v1/predict":
            self._seconds.observe(seconds)

    def text(self) -> str:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()
