"""The work of the audit log outside of requests, and what is measured of it."""

import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from callboard.audit.forward import AnyDestination, carrier_of, forward, forwardings
from callboard.audit.retention import BATCH, prune
from callboard.audit.seal import backlog, head_of
from callboard.audit.settings import AuditSettings
from callboard.audit.verification import verify_and_record
from callboard.contributions import Job, JobContext, Metric, Sample
from callboard.host import Host
from callboard.i18n import Translator
from callboard.jobs import store

_: Final = Translator("callboard")

FORWARD: Final = "audit-forward-"
BATCHES_A_RUN: Final = 50

log = logging.getLogger(__name__)


def audit_jobs(settings: AuditSettings, base: Path) -> list[Job]:
    """Give the jobs; `base` is the folder that relative paths of the settings begin at."""
    jobs = [
        Job(
            name="audit-verify", title=_("Verify the audit log"), run=_verify,
            every=settings.verify_every, timeout=timedelta(hours=6), attempts=1,
        ),
        *(_forwarding(destination, base) for destination in settings.forward),
    ]  # fmt: skip
    if settings.keep is not None:
        run = partial(_prune, settings, settings.keep)
        title = _("Remove old entries of the audit log")
        jobs.append(Job(name="audit-prune", title=title, run=run, every=timedelta(hours=1)))
    return jobs


def _forwarding(destination: AnyDestination, base: Path) -> Job:
    def run(context: JobContext) -> None:
        forward(destination, carrier_of(destination, context.host, base), context.host)

    return Job(
        name=FORWARD + destination.name,
        title=_("Send the audit log to %(name)s", name=destination.name),
        run=run,
        # Asked for whenever something was sealed; the schedule tries again what failed.
        every=timedelta(minutes=1),
        quiet=True,
    )


def ask_to_forward(connection: Connection, settings: AuditSettings, host: Host) -> None:
    """Have what was sealed in this transaction sent."""
    for destination in settings.forward:
        name = ("core", FORWARD + destination.name)
        store.submit(connection, name, {}, "", attempts=3, now=host.now(), hasten=False)


def _verify(context: JobContext) -> None:
    outcome = verify_and_record(
        context.host, context.host.now, lambda fault: log.error("The audit log: %s", fault)
    )
    if outcome.faults:
        log.error("The audit log has %d faults; run callboard audit verify.", outcome.faults)


def _prune(settings: AuditSettings, keep: timedelta, context: JobContext) -> None:
    now = context.host.now()
    for done in range(BATCHES_A_RUN):
        with context.host.write() as connection:
            removed = prune(connection, settings, now - keep, now)
        context.progress(done + 1, BATCHES_A_RUN, "")
        if removed < BATCH:
            return


def audit_metrics(settings: AuditSettings) -> Sequence[Metric]:
    """Give what is measured."""
    return [
        Metric(
            name="audit_entries",
            help="Entries of the audit log that were sealed since its beginning.",
            read=_sealed,
        ),
        Metric(
            name="audit_unsealed",
            help="Entries of the audit log that wait for their place in the chain.",
            read=_unsealed,
        ),
        Metric(
            name="audit_unsealed_seconds",
            help="For how long the oldest of them has waited, in seconds.",
            read=_unsealed_seconds,
        ),
        Metric(
            name="audit_forward_behind",
            help="Entries of the audit log that were not sent yet, by destination.",
            labels=("destination",),
            read=partial(_behind, settings),
        ),
        Metric(
            name="audit_forward_late_seconds",
            help="Age of the oldest of them, in seconds.",
            labels=("destination",),
            read=partial(_late, settings),
        ),
    ]


def _sealed(host: Host) -> Iterable[Sample]:
    with host.read() as connection:
        return [Sample(value=head_of(connection).position)]


def _unsealed(host: Host) -> Iterable[Sample]:
    with host.read() as connection:
        return [Sample(value=backlog(connection, host.now()).number)]


def _unsealed_seconds(host: Host) -> Iterable[Sample]:
    with host.read() as connection:
        return [Sample(value=backlog(connection, host.now()).age.total_seconds())]


def _behind(settings: AuditSettings, host: Host) -> Iterable[Sample]:
    with host.read() as connection:
        found = forwardings(connection, settings, host.now())
    return [Sample(value=item.behind, labels={"destination": item.name}) for item in found]


def _late(settings: AuditSettings, host: Host) -> Iterable[Sample]:
    with host.read() as connection:
        found = forwardings(connection, settings, host.now())
    return [
        Sample(value=item.late.total_seconds(), labels={"destination": item.name}) for item in found
    ]
