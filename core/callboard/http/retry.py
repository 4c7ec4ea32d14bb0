"""When to try again: exponential back-off with full jitter, and what the server asks for."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, section 9.2.2."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between attempts (s): random from 0 to a ceiling that doubles with each attempt.

    Full jitter spreads clients that failed together (AWS Architecture Blog, "Exponential Backoff
    And Jitter").
    """

    base: float = 0.2
    ceiling: float = 10.0
    uniform: Callable[[float, float], float] = random.uniform

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Give the pause after an attempt, counted from 0; never less than the server asks for."""
        drawn = self.uniform(0.0, min(self.ceiling, self.base * 2**attempt))
        return drawn if retry_after is None else max(drawn, retry_after)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Read a `Retry-After` header, seconds or a date (RFC 9110, 10.2.3); None when unusable."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
