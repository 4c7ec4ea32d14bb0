"""The core's own contributions, registered like those of any plugin."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from callboard import hookimpl
from callboard.contributions import Job, Metric, Sample
from callboard.host import Host


class CorePlugin:
    """The plugin `core`: tables of the core, and keeping them small.

    `keep` is how long finished runs and events are kept.
    """

    def __init__(self, keep: timedelta) -> None:
        self.keep = keep

    @hookimpl
    def callboard_migrations(self) -> Path:
        return Path(__file__).parent / "migrations" / "versions"

    @hookimpl
    def callboard_jobs(self) -> Iterable[Job]:
        from callboard.jobs import housekeeping

        return [housekeeping(self.keep)]

    @hookimpl
    def callboard_metrics(self) -> Iterable[Metric]:
        return [
            Metric(
                name="jobs",
                help="Runs of jobs that are kept, by state.",
                labels=("state",),
                read=_runs_by_state,
            ),
            Metric(
                name="oldest_waiting_seconds",
                help="How long the run that waits the longest has been due, in seconds.",
                read=_oldest_waiting,
            ),
        ]


def _runs_by_state(host: Host) -> Iterable[Sample]:
    from callboard import jobs

    with host.read() as connection:
        counts = jobs.counts(connection)
    return [Sample(value=number, labels={"state": state}) for state, number in counts.items()]


def _oldest_waiting(host: Host) -> Iterable[Sample]:
    from callboard import jobs

    with host.read() as connection:
        return [Sample(value=jobs.oldest_waiting(connection, host.now()).total_seconds())]
