"""The core's own contributions, registered like those of any plugin."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from callboard import hookimpl
from callboard.access import AccessSettings
from callboard.access.parts import PERMISSIONS, policy_job
from callboard.audit.settings import AuditSettings
from callboard.contributions import Job, Metric, Permission, Sample
from callboard.host import Host

if TYPE_CHECKING:
    from callboard.access.sources import SourceReader
    from callboard.hosting import Services


class CorePlugin:
    """The plugin `core`: tables of the core, keeping them small, and the work of the audit log.

    `keep` is how long finished runs and events are kept, `access` says where policies are read.
    `services` are given once they are made; relative paths of settings begin at `base`.
    """

    def __init__(
        self, keep: timedelta, access: AccessSettings, audit: AuditSettings, base: Path
    ) -> None:
        self.keep = keep
        self.access = access
        self.audit = audit
        self.base = base
        self.services: Services | None = None

    @hookimpl
    def callboard_migrations(self) -> Path:
        return Path(__file__).parent / "migrations" / "versions"

    @hookimpl
    def callboard_jobs(self) -> Iterable[Job]:
        from callboard.audit.jobs import audit_jobs
        from callboard.jobs import housekeeping

        jobs = [housekeeping(self.keep), *audit_jobs(self.audit, self.base)]
        if self.access.policies:
            jobs.append(policy_job(self.access, self._policy_reader))
        return jobs

    @hookimpl
    def callboard_permissions(self) -> Iterable[Permission]:
        return PERMISSIONS

    def _policy_reader(self) -> "SourceReader":
        from callboard.access.sources import SourceReader

        services = self.services
        if services is None:
            raise RuntimeError("Policies are read once the portal has been put together.")
        return SourceReader(
            services.database,
            self.access,
            base=services.base,
            repository=services.repository,
            now=services.clock,
        )

    @hookimpl
    def callboard_metrics(self) -> Iterable[Metric]:
        from callboard.audit.jobs import audit_metrics

        return [
            *audit_metrics(self.audit),
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
