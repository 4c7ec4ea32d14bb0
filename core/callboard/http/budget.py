"""How many requests a host is sent: a token bucket for each, with counters a page can show."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class HostBudget:
    """The state of one host's budget. Times in seconds."""

    host: str
    limit: int
    period: float
    available: float
    requests: int = 0
    retries: int = 0
    failures: int = 0
    not_modified: int = 0
    bytes_received: int = 0
    waited: float = 0.0


@dataclass(slots=True)
class _Bucket:
    state: HostBudget
    filled: float


@dataclass(slots=True)
class Budgets:
    """Lets `limit` requests pass in `period` seconds to each host, in bursts of up to `limit`."""

    limit: int
    period: float
    clock: Callable[[], float]
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, host: str, longest: float) -> float | None:
        """Take a place; give how long to wait for it (s), or None when that is too long."""
        with self._lock:
            bucket = self._bucket(host)
            now = self.clock()
            gained = (now - bucket.filled) * self.limit / self.period
            available = min(float(self.limit), bucket.state.available + gained)
            wait = max(0.0, (1.0 - available) * self.period / self.limit)
            bucket.filled = now
            if wait > longest:
                bucket.state = replace(bucket.state, available=available)
                return None
            # Below zero: places that are taken and waited for.
            bucket.state = replace(
                bucket.state,
                available=available - 1.0,
                requests=bucket.state.requests + 1,
                waited=bucket.state.waited + wait,
            )
            return wait

    def count(
        self,
        host: str,
        *,
        retries: int = 0,
        failures: int = 0,
        not_modified: int = 0,
        size: int = 0,
    ) -> None:
        """Add to the counters of a host."""
        with self._lock:
            bucket = self._bucket(host)
            state = bucket.state
            bucket.state = replace(
                state,
                retries=state.retries + retries,
                failures=state.failures + failures,
                not_modified=state.not_modified + not_modified,
                bytes_received=state.bytes_received + size,
            )

    def snapshot(self) -> dict[str, HostBudget]:
        """Give the state of every host that was asked."""
        with self._lock:
            return {host: bucket.state for host, bucket in sorted(self._buckets.items())}

    def _bucket(self, host: str) -> _Bucket:
        if host not in self._buckets:
            state = HostBudget(host, self.limit, self.period, float(self.limit))
            self._buckets[host] = _Bucket(state, self.clock())
        return self._buckets[host]
