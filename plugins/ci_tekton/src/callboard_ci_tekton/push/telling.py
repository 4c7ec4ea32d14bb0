"""Links runs with what set them off, and tells the host of a repository how they fare."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, func, select, update

from callboard.contributions import EventContext, JobContext
from callboard.errors import CallboardError, InputError, NotFoundError
from callboard.i18n import Translator
from callboard.repositories.hosts import CommitStatus, StatusState
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.models import delivery, run
from callboard_ci_tekton.push.hosts import host_of
from callboard_ci_tekton.push.store import load_delivery, set_delivery

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

TELL: Final = "tell_status"
STATES: Final[dict[str, StatusState]] = {
    "waiting": "pending",
    "held": "pending",
    "running": "running",
    "stopping": "running",
    "succeeded": "success",
    "failed": "failed",
    "timed_out": "failed",
    "cancelled": "cancelled",
    "deleted": "cancelled",
}
WORDS: Final[dict[StatusState, str]] = {
    "pending": "The run is waiting.",
    "running": "The run is at work.",
    "success": "The run has passed.",
    "failed": "The run has failed.",
    "cancelled": "The run was cancelled.",
}
"""What is written at the host, which has one language for all who read it."""

_RANK: Final[dict[str, int]] = {"": 0, "pending": 1, "running": 2}


def on_runs(context: EventContext) -> None:
    """Link runs that began or ended, and have their hosts told."""
    numbers = sorted({int(event.subject) for event in context.events if event.subject.isdecimal()})
    with context.host.read() as connection:
        known = _known_events(connection, numbers)
        repeated = _repeated(connection, numbers)
        linked = select(delivery.c.id).where(delivery.c.run_id.in_(numbers)).limit(1)
        if not (known or repeated or connection.execute(linked).first()):
            return
    with context.host.write() as connection:
        for event in sorted(known):
            link_event(connection, event)
        for row in repeated:
            values = {"run_id": row.run_id, "told": ""}
            older = (delivery.c.id == row.id) & (delivery.c.run_id < row.run_id)
            connection.execute(update(delivery).where(older).values(**values))
        concerned = delivery.c.event.in_(known) | delivery.c.run_id.in_(numbers)
        rows = connection.execute(
            select(delivery.c.id).where(concerned, delivery.c.context != "")
        ).scalars()
        tell_soon(context.host, connection, list(rows))


def _known_events(connection: Connection, numbers: Sequence[int]) -> set[str]:
    """Give the events that set runs off, as far as rules did."""
    query = select(run.c.event).where(run.c.id.in_(numbers), run.c.event != "")
    told = set(connection.execute(query).scalars())
    wanted = select(delivery.c.event).where(delivery.c.event.in_(told)).distinct()
    return set(connection.execute(wanted).scalars()) if told else set()


def _repeated(connection: Connection, numbers: Sequence[int]) -> Sequence[Any]:
    """Give runs that repeat, for the same commit, one that a rule started, with its answer."""
    first = run.alias()
    query = (
        select(delivery.c.id, run.c.id.label("run_id"))
        .select_from(run)
        .join(first, (first.c.cluster == run.c.cluster) & (first.c.uid == run.c.rerun_of))
        .join(delivery, delivery.c.run_id == first.c.id)
        .where(run.c.id.in_(numbers), run.c.rerun_of != "", run.c.commit == first.c.commit)
    )
    return connection.execute(query).all()


def link_event(connection: Connection, event: str) -> None:
    """Give what set a run off its newest run: an event may have several."""
    if not event:
        return
    newest = select(func.max(run.c.id)).where(run.c.event == event).scalar_subquery()
    older = delivery.c.run_id.is_(None) | (delivery.c.run_id < newest)
    statement = update(delivery).where(delivery.c.event == event, older)
    connection.execute(statement.values(run_id=newest))


def tell_soon(host: "Host", connection: Connection, numbers: Iterable[int]) -> None:
    """Have the statuses of commits written, in the caller's transaction."""
    for number in numbers:
        host.submit(TELL, {"delivery": number}, key=str(number), connection=connection)


def run_tell(context: JobContext) -> None:
    """The job that writes one status: the one of now, and never an earlier one after it.

    One run at a time has the key of a status, so they come in order. A failure is shown on the
    page of the run, and tried again.
    """
    host, number = context.host, int(context.payload["delivery"])
    with host.read() as connection:
        row = load_delivery(connection, number)
    if row is None or not row.context:
        return
    state = STATES.get(row.run_state or "waiting", "pending")
    if state == row.told or _RANK.get(state, 3) <= _RANK.get(row.told, 3):
        return
    try:
        _write(host, row, state)
    except CallboardError as error:
        with host.write() as connection:
            set_delivery(connection, number, told_error=error.message)
        if isinstance(error, InputError | NotFoundError):
            return  # it will be the same however often it is asked
        raise
    with host.write() as connection:
        set_delivery(connection, number, told=state, told_at=host.now(), told_error="")
        subject = f"{row.push_repository}@{row.push_commit[:12]}"
        after = {"state": state, "context": row.context}
        host.audit(connection, "ci_tekton.status.write", subject, after=after)
        host.publish(connection, "ci_tekton.status.written", str(number), {"state": state})


def _write(host: "Host", row: Row[Any], state: StatusState) -> None:
    """Ask the host of the repository. Remote."""
    lacking = _("No host of the settings has %(repository)s, so its commits get no status.",
                repository=row.push_repository)  # fmt: skip
    code_host = host_of(host, row.push_address, lacking)
    link = f"{host.address}{run_path(row.run_id)}" if host.address and row.run_id else ""
    status = CommitStatus(state=state, context=row.context, description=WORDS[state], link=link)
    code_host.set_status(code_host.path_of(row.push_address), row.push_commit, status)
