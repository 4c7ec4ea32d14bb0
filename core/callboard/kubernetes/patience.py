"""Asking again where a server says that it is too busy, or not that far yet."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from callboard.kubernetes.failures import ClusterError

T = TypeVar("T")

TRIES: Final = 4
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds that whoever asks is let wait in one pause; a server that wants more gets its error."""


def patiently(
    ask: Callable[[], T], *, writes: bool = False, sleep: Callable[[float], object] = time.sleep
) -> T:
    """Ask, and ask again after the pause the server names, with jitter; a few times at most.

    429 says that nothing was done, so a write may be repeated after it; after 503 only a read may
    (RFC 6585, section 4; RFC 9110, section 15.6.4).
    """
    for attempt in range(TRIES):
        try:
            return ask()
        except ClusterError as error:
            if attempt == TRIES - 1 or not _may_repeat(error, writes):
                raise
            pause = max(error.retry_after or 0.0, FIRST_PAUSE * 2**attempt)
            if pause > LONGEST_PAUSE:
                raise
        sleep(pause * random.uniform(1.0, 1.5))  # noqa: S311 - spreads clients, guards nothing
    raise AssertionError("unreachable")


def _may_repeat(error: ClusterError, writes: bool) -> bool:
    if writes:
        return error.code == 429
    return error.state == "busy" or error.retry_after is not None
