"""How the audit log fares: its chain, its verification, and where it is sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from callboard.audit import entries
from callboard.audit.forward import Forwarding, forwardings
from callboard.audit.seal import Backlog, Head, backlog, head_of
from callboard.audit.settings import AuditSettings
from callboard.audit.verification import ACTION
from callboard.contributions import Status
from callboard.i18n import Translator

if TYPE_CHECKING:
    from callboard_web.administration.health import Finding
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

SLOW: Final = timedelta(seconds=30)
STUCK: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Verified:
    """What the last verification found."""

    at: datetime
    faults: int
    entry: int


@dataclass(frozen=True, slots=True)
class State:
    """All of it; `verified` is None where nobody has verified the log yet."""

    head: Head
    backlog: Backlog
    verified: Verified | None
    forwardings: tuple[Forwarding, ...]

    @property
    def sealing(self) -> Status:
        """Whether entries get their place in time."""
        if self.backlog.age > STUCK:
            return "bad"
        return "warn" if self.backlog.age > SLOW else "ok"


def state_of(connection: Connection, runtime: "Runtime") -> State:
    """Give how it fares. Raises `NotReadyError` where the head of the chain is gone."""
    now = runtime.now()
    last = next(iter(entries(connection, action=ACTION, limit=1)), None)
    chosen = runtime.settings.section(AuditSettings)
    faults = last.after.get("faults", 0) if last and isinstance(last.after, dict) else 0
    return State(
        head_of(connection),
        backlog(connection, now),
        Verified(last.at, faults, last.id) if last else None,
        tuple(forwardings(connection, chosen, now)),
    )


def forwarding_status(item: Forwarding) -> Status:
    """Give how a destination fares."""
    if not item.failures and item.late <= SLOW:
        return "ok"
    return "bad" if item.late > STUCK else "warn"


def findings(runtime: "Runtime") -> Iterator["Finding"]:
    """Look at the audit log for the page of health."""
    from callboard_web.administration.health import Finding

    with runtime.database.read() as connection:
        state = state_of(connection, runtime)
    waiting = state.backlog
    if state.sealing == "ok":
        detail = _("%(number)s entries in the chain", number=state.head.position)
        yield Finding("ok", _("The audit log is sealed"), detail, path="/audit")
    else:
        detail = _("%(number)s entries wait for their seal.", number=waiting.number)
        step = _("See the log of the portal: it says what keeps the sealer from its work.")
        yield Finding(
            state.sealing, _("The audit log is not sealed in time"), detail, step, "/audit"
        )
    if runtime.sealer is not None and runtime.sealer.fault:
        title = _("The sealer of the audit log had a fault")
        yield Finding("warn", title, runtime.sealer.fault, path="/audit")
    if state.verified and state.verified.faults:
        title = _("The audit log was changed by hand")
        detail = _("The last verification found %(number)s faults.", number=state.verified.faults)
        step = _("callboard audit verify names each of them.")
        yield Finding("bad", title, detail, step, f"/audit/{state.verified.entry}")
    for item in state.forwardings:
        yield _forwarding(item)


def _forwarding(item: Forwarding) -> "Finding":
    from callboard_web.administration.health import Finding

    status = forwarding_status(item)
    if status == "ok":
        title = _("The audit log is sent to %(name)s", name=item.name)
        return Finding("ok", title, path="/audit")
    title = _("The audit log is not sent to %(name)s", name=item.name)
    detail = _("%(number)s entries wait. %(error)s", number=item.behind, error=item.error)
    step = _("They are sent as soon as it takes them; none is lost.")
    return Finding(status, title, detail, step, "/audit")
