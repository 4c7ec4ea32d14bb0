"""How often one may ask: a bucket for each token, and one of failures for each address.

Buckets are kept in memory, so each process counts for itself: behind N replicas a token may ask up
to N times as often. What is told to clients follows draft-ietf-httpapi-ratelimit-headers.
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MOST_BUCKETS: Final = 10_000
"""Buckets kept; the one not used for longest is forgotten, and begins full again."""

WINDOW: Final = 60
"""Seconds in which `rate` requests are earned."""


@dataclass(slots=True)
class _Bucket:
    level: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one request: whether it may go on, and what is left. Times in seconds."""

    allowed: bool
    rate: int
    burst: int
    remaining: int
    retry_after: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Give the header fields that tell a client of it."""
        told = {
            "RateLimit-Policy": f'"token";q={self.rate};w={WINDOW}',
            "RateLimit": f'"token";r={self.remaining};t={self.reset}',
        }
        return told if self.allowed else {**told, "Retry-After": str(self.retry_after)}


class Buckets:
    """Buckets that fill by `rate` a minute up to `burst`; each request takes one."""

    def __init__(self, now: Callable[[], datetime], most: int = MOST_BUCKETS) -> None:
        self._now = now
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, rate: int, burst: int) -> Taken:
        """Take one from the bucket of a key, if there is one."""
        with self._lock:
            bucket = self._filled(key, rate, burst)
            allowed = bucket.level >= 1
            if allowed:
                bucket.level -= 1
            speed = rate / WINDOW
            return Taken(
                allowed,
                rate,
                burst,
                math.floor(bucket.level),
                max(1, math.ceil((1 - bucket.level) / speed)),
                math.ceil((burst - bucket.level) / speed),
            )

    def has(self, key: str, rate: int, burst: int) -> bool:
        """Say whether there is one in the bucket of a key; takes nothing."""
        with self._lock:
            return self._filled(key, rate, burst).level >= 1

    def _filled(self, key: str, rate: int, burst: int) -> _Bucket:
        now = self._now()
        bucket = self._buckets.pop(key, None) or _Bucket(burst, now)
        # A clock that is set back gives nothing and takes nothing.
        passed = max(0.0, (now - bucket.at).total_seconds())
        bucket.level = min(float(burst), bucket.level + passed * rate / WINDOW)
        bucket.at = now
        self._buckets[key] = bucket
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


class Seldom:
    """Says whether something may be told again: once in a while for each key."""

    def __init__(
        self, now: Callable[[], datetime], seconds: float, most: int = MOST_BUCKETS
    ) -> None:
        self._now = now
        self._seconds = seconds
        self._most = most
        self._told: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()

    def may(self, key: str) -> bool:
        """Say whether it is time, and note that it was told."""
        with self._lock:
            now = self._now()
            before = self._told.get(key)
            if before is not None and abs((now - before).total_seconds()) < self._seconds:
                return False
            self._told.pop(key, None)
            self._told[key] = now
            while len(self._told) > self._most:
                self._told.popitem(last=False)
            return True
