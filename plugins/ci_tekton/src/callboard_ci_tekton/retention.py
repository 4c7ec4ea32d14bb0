"""Deletes runs by age and by number, a part at a time."""

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, delete, func, select

from callboard.contributions import JobContext
from callboard_ci_tekton.days import KEPT, delete_days
from callboard_ci_tekton.logs.retention import addresses_of, delete_files
from callboard_ci_tekton.matching.latest import drop_latest, find_latest
from callboard_ci_tekton.models import run, task
from callboard_ci_tekton.runs.states import FINISHED

if TYPE_CHECKING:
    from callboard.host import Host

TOGETHER: Final = 200


def run_prune(context: JobContext) -> None:
    """The scheduled job."""
    prune(context.host)


def prune(host: "Host") -> int:
    """Delete what is older, or more, than the settings keep; give how many runs that were.

    Unfinished runs stay, and so do those that began so late that charts show their day: what a
    chart counts can be looked at, and a day is told in full or not at all. Tasks whose run was
    never seen go by their age. Each part is one transaction with its event and its audit entry:
    killed in between, the next run goes on.
    """
    settings, now = host.settings, host.now()
    before, charted = now - settings.keep_for, now - KEPT
    place = func.row_number().over(
        partition_by=(run.c.cluster, run.c.namespace, run.c.pipeline),
        order_by=(run.c.created_at.desc(), run.c.id.desc()),
    )
    may_go = and_(run.c.state.in_(FINISHED), run.c.created_at < charted)
    ranked = select(run.c.id, may_go.label("may_go"), place.label("place")).subquery()
    many = select(ranked.c.id).where(ranked.c.place > settings.keep_runs, ranked.c.may_go)
    old = select(run.c.id).where(run.c.finished_at < before, may_go)
    deleted = 0
    with host.read() as connection:
        numbers = sorted(set(connection.execute(old).scalars()) | set(
            connection.execute(many).scalars()))  # fmt: skip
    for at in range(0, len(numbers), TOGETHER):
        part = numbers[at : at + TOGETHER]
        with host.read() as connection:
            kept_at = addresses_of(connection, task.c.run_id.in_(part))
        # Before the runs: whoever is killed in between finds them again.
        delete_files(host, kept_at)
        with host.write() as connection:
            # Locked in the order in which others lock them: runs, then what is noted of entities.
            held = select(run.c.id).where(run.c.id.in_(part)).order_by(run.c.id)
            connection.execute(held.with_for_update()).all()
            dropped = drop_latest(connection, part)
            number = connection.execute(delete(run).where(run.c.id.in_(part))).rowcount
            find_latest(connection, dropped)
            host.audit(connection, "ci_tekton.run.prune", "", after={"runs": number})
            host.publish(connection, "ci_tekton.run.pruned", "", {"runs": number})
        deleted += number
    lone = and_(task.c.run_id.is_(None), task.c.created_at < before)
    with host.read() as connection:
        kept_at = addresses_of(connection, lone)
    delete_files(host, kept_at)
    with host.write() as connection:
        connection.execute(delete(task).where(lone))
        delete_days(connection, now)
    return deleted
