"""Work outside of requests: scheduled or submitted, safe to be killed and run again."""

from callboard.jobs.runs import (
    JobSummary,
    counts,
    find,
    housekeeping,
    oldest_waiting,
    runs,
    summaries,
)
from callboard.jobs.service import Jobs
from callboard.jobs.store import Run, State, cancel

__all__ = [
    "JobSummary",
    "Jobs",
    "Run",
    "State",
    "cancel",
    "counts",
    "find",
    "housekeeping",
    "oldest_waiting",
    "runs",
    "summaries",
]
