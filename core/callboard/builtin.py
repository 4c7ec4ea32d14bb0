"""The core's own contributions, registered like those of any plugin."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from callboard import hookimpl
from callboard.access import AccessSettings
from callboard.access.parts import PERMISSIONS, policy_job
from callboard.audit.settings import AuditSettings
from callboard.contributions import Checks, Job, Metric, Permission, Sample
from callboard.host import Host
from callboard.kubernetes.settings import KubernetesSettings

if TYPE_CHECKING:
    from callboard.access.sources import SourceReader
    from callboard.doctor import Check
    from callboard.hosting import Services


class CorePlugin:
    """The plugin `core`: tables of the core, keeping them small, and the work of the audit log.

    `keep` is how long finished runs and events are kept, `access` says where policies are read,
    `kubernetes` which clusters are looked at.
    `services` are given once they are made; relative paths of settings begin at `base`.
    """

    def __init__(
        self,
        keep: timedelta,
        access: AccessSettings,
        audit: AuditSettings,
        kubernetes: KubernetesSettings,
        base: Path,
    ) -> None:
        self.keep = keep
        self.access = access
        self.audit = audit
        self.kubernetes = kubernetes
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
        if self.kubernetes.clusters:
            from callboard.kubernetes.looking import look_job

            jobs.append(
                look_job(
                    lambda: self._made().clusters,
                    lambda: self._made().cluster_rules(),
                )
            )
        return jobs

    @hookimpl
    def callboard_checks(self) -> Iterable[Checks]:
        return [Checks(checks=self._cluster_checks)] if self.kubernetes.clusters else []

    def _cluster_checks(self, _host: Host) -> "Iterable[Check]":
        from callboard.kubernetes.checks import cluster_checks

        services = self._made()
        return cluster_checks(services.clusters, lambda: services.cluster_rules())

    def _made(self) -> "Services":
        if self.services is None:
            raise RuntimeError("This is known once the portal has been put together.")
        return self.services

    @hookimpl
    def callboard_permissions(self) -> Iterable[Permission]:
        return PERMISSIONS

    def _policy_reader(self) -> "SourceReader":
        from callboard.access.sources import SourceReader

        services = self._made()
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
