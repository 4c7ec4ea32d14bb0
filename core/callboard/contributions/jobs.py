"""Work outside of requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """One run of a job. `payload` is JSON; `attempt` counts from 1."""

    host: "Host"
    run: int
    payload: Mapping[str, Any]
    attempt: int
    progress: Callable[[int, int, str], None]
    """`progress(done, total, what)` shows how far the run is; it may be called often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work outside of requests, scheduled (`every`) or submitted. Safe to be killed and run twice.

    One runner at a time for each (job, key). A failure is tried again `attempts` times in all,
    after `backoff`, doubled each time, with jitter. Of a `quiet` job, one that runs often and
    mostly finds nothing to do, only the latest success is kept and no event tells of it.
    """

    name: str
    title: Text
    run: Callable[[JobContext], None]
    every: timedelta | None = None
    attempts: int = 3
    backoff: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(minutes=10)
    quiet: bool = False
