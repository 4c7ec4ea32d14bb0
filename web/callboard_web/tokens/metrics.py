"""What is counted of requests with a token."""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Result = Literal["taken", "limited", "refused", "unavailable"]


class BearerRequests(Collector):
    """Counts requests with a token by what became of them."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, result: Result) -> None:
        """Count one request."""
        with self._lock:
            self._counts[result] += 1

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(
            "callboard_bearer_requests",
            "Requests with a token in this process, by what became of them.",
            labels=("result",),
        )
        for result in ("taken", "limited", "refused", "unavailable"):
            family.add_metric((result,), self._counts[result])
        yield family
