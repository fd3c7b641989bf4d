"""Metrics for Prometheus, in its text format (version 0.0.4)."""

from __future__ import annotations

import math
from collections import Counter

from starlette.types import Scope

# Upper bounds of the duration histogram's buckets, in seconds.
ENDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, math.inf)


class Metrics:
    """Counters of a server since it started."""

    def __init__(self) -> None:
        self.pictures: Counter[str] = Counter()
        self.batches: Counter[int] = Counter()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._durations: Counter[float] = Counter()
        self._seconds = 0.0

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request by its route, never by its actual path."""
        route = scope.get("route")
        self._requests[getattr(route, "path", "none"), status] += 1
        if getattr(route, "path", None) == "/v1/predict":
            self._seconds += seconds
            self._durations.update(end for end in ENDS if seconds <= end)

    def text(self, waiting: int) -> str:
        """Return all metrics, and the number of pictures `waiting`, in Prometheus's format."""
        ends = [
            (f'le="{"+Inf" if end == math.inf else end}"', self._durations[end]) for end in ENDS
        ]
        seconds = "alexnet_predict_seconds"
        lines = [
            *_metric("alexnet_requests_total", "counter", "Requests by route and status.", {
                f'route="{route}",status="{status}"': count
                for (route, status), count in sorted(self._requests.items())
            }),
            *_metric("alexnet_pictures_total", "counter", "Pictures by what became of them.", {
                f'result="{result}"': count for result, count in sorted(self.pictures.items())
            }),
            *_metric("alexnet_batches_total", "counter", "Batches by how many pictures they had.", {
                f'pictures="{size}"': count for size, count in sorted(self.batches.items())
            }),
            *_metric("alexnet_waiting_pictures", "gauge", "Pictures in hand.", {"": waiting}),
            *_metric(seconds, "histogram", "Seconds that predictions took.", {}),
            *(f"{seconds}_bucket{{{label}}} {count}" for label, count in ends),
            f"{seconds}_sum {self._seconds:.6f}",
            f"{seconds}_count {self._durations[math.inf]}",
        ]  # fmt: skip
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, about: str, values: dict[str, int]) -> list[str]:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return lines + [
        f"{name}{{{label}}} {n}" if label else f"{name} {n}" for label, n in values.items()
    ]
