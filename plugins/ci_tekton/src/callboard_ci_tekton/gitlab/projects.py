"""Which projects are read: repositories that entities and claims name, on hosts that are GitLab."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update

from callboard.contributions import EventContext, JobContext
from callboard.errors import CallboardError, NotReadyError, reason_of
from callboard.repositories.hosts import CodeHost
from callboard.repositories.pipelines import Told
from callboard.repositories.pushed import comparable
from callboard_ci_tekton.matching.service import in_parts
from callboard_ci_tekton.models import claim, project, selector

if TYPE_CHECKING:
    from callboard.host import Host

PREFIX: Final = "repository:"
TOGETHER: Final = 500
LONGEST_HELD: Final = timedelta(hours=1)
LONGEST_FAILED: Final = timedelta(hours=6)
DAILY: Final = timedelta(days=1)


def run_find(context: JobContext) -> None:
    """The job that finds projects."""
    if context.host.settings.gitlab.enabled:
        find_projects(context.host)


def find_projects(host: "Host") -> None:
    """Take in the projects that are asked for now, and let go of the others; asks no host."""
    with host.read() as connection:
        asked = _asked(connection)
        known = set(connection.execute(select(project.c.address)).scalars())
    found = {address: place for address in asked if (place := _place(host, address))}
    new, lost = sorted(found.keys() - known), sorted(known - found.keys())
    if not new and not lost:
        return
    with host.write() as connection:
        # Another process may have found them meanwhile.
        known = set(connection.execute(select(project.c.address).with_for_update()).scalars())
        rows = [_new_row(host, address, *found[address]) for address in new if address not in known]
        if rows:
            connection.execute(insert(project), rows)
        for part in in_parts(lost):
            connection.execute(delete(project).where(project.c.address.in_(part)))
        data = {"found": len(rows), "left": len(lost)}
        host.publish(connection, "ci_tekton.projects.changed", "", data)


def _asked(connection: Connection) -> set[str]:
    """Give the comparable addresses of repositories whose runs somebody asks for."""
    keys = [
        *connection.execute(
            select(selector.c.key).where(selector.c.key.startswith(PREFIX)).distinct()
        ).scalars(),
        *connection.execute(select(claim.c.key).where(claim.c.key.startswith(PREFIX))).scalars(),
    ]
    return {key.removeprefix(PREFIX) for key in keys}


def _is_asked(connection: Connection, addresses: Collection[str]) -> bool:
    keys = [f"{PREFIX}{address}" for address in addresses]
    asked = select(selector.c.key).where(selector.c.key.in_(keys)).limit(1)
    claimed = select(claim.c.key).where(claim.c.key.in_(keys)).limit(1)
    return any(connection.execute(query).first() for query in (asked, claimed))


def _place(host: "Host", address: str) -> tuple[str, str] | None:
    """Give the name of the host and the path of a project, None where no GitLab has it."""
    found = host_of(host, address)
    path = found.path_of(f"https://{address}") if found else ""
    fits = found is not None and "/" in path and len(path) <= 253 and len(found.name) <= 63
    return (found.name, path) if found is not None and fits and len(address) <= 500 else None


def host_of(host: "Host", address: str) -> CodeHost | None:
    """Give the host of a comparable address where it is a GitLab."""
    found = host.code_host(f"https://{address}")
    return found if found is not None and found.kind == "gitlab" else None


def _new_row(host: "Host", address: str, name: str, path: str) -> dict[str, Any]:
    return {
        "address": address, "host": name, "path": path, "state": "new", "error": "", "branch": "",
        "failures": 0, "due_at": host.now(), "needs": {},
    }  # fmt: skip


def run_due(context: JobContext) -> None:
    """The job that asks for a read of each project whose time has come."""
    host = context.host
    if not host.settings.gitlab.enabled:
        return
    query = select(project.c.id, project.c.path).where(project.c.due_at <= host.now())
    with host.read() as connection:
        rows = connection.execute(query.order_by(project.c.due_at).limit(TOGETHER)).all()
    for row in rows:
        host.submit("gitlab_project", {"project": row.id}, key=_key(row.id, row.path))


def _key(number: int, path: str, pipeline: int = 0) -> str:
    """Give the key of a job about a project, for people as well: it is on the page of jobs."""
    name = f"{number}/{pipeline}" if pipeline else f"{number}"
    return f"{name} {path}"[:300]


def on_pipelines(context: EventContext) -> None:
    """Have pipelines read of which a host tells; what it says of them is not taken."""
    host = context.host
    if not host.settings.gitlab.enabled:
        return
    for event in context.events:
        try:
            told = Told.of(event.data)
        except ValueError:
            continue
        addresses = {comparable(address) for address in told.addresses} - {""}
        row = _project_at(host, addresses)
        if row is not None:
            payload = {"project": row.id, "pipeline": told.pipeline}
            host.submit("gitlab_pipeline", payload, key=_key(row.id, row.path, told.pipeline))


def _project_at(host: "Host", addresses: Collection[str]) -> Row[Any] | None:
    query = select(project).where(project.c.address.in_(addresses)).limit(1)
    with host.read() as connection:
        row = connection.execute(query).one_or_none()
        if row is not None or not _is_asked(connection, addresses):
            return row
    find_projects(host)
    with host.read() as connection:
        return connection.execute(query).one_or_none()


def load_project(host: "Host", number: int) -> Row[Any] | None:
    """Give a project's row, None where it is followed no more."""
    with host.read() as connection:
        return connection.execute(select(project).where(project.c.id == number)).one_or_none()


def note_read(
    host: "Host", row: Row[Any], due: datetime, *, off: bool = False, **values: Any
) -> None:
    """Note that a project was read, and when it is next; `off` where it has no CI."""
    state = "off" if off else "read"
    with host.write() as connection:
        connection.execute(
            update(project)
            .where(project.c.id == row.id)
            .values(
                state=state, error="", failing_since=None, failures=0, read_at=host.now(),
                due_at=due, **values,
            )
        )  # fmt: skip
        if row.failing_since is not None:
            host.publish(connection, "ci_tekton.project.recovered", row.address)


def note_failure(host: "Host", row: Row[Any], error: CallboardError) -> None:
    """Note why a project could not be read; the longer it fails, the less it is asked.

    A host that does not answer, or asks to be left alone, says nothing about the project.
    """
    settings, now = host.settings.gitlab, host.now()
    held = isinstance(error, NotReadyError)
    pause = settings.while_running if held else settings.every
    longest = LONGEST_HELD if held else LONGEST_FAILED
    failures = row.failures + 1
    values: dict[str, Any] = {
        "error": reason_of(error),
        "failing_since": row.failing_since or now,
        "failures": failures,
        "due_at": now + min(pause * 2 ** min(failures, 12), max(longest, settings.every)),
    }
    if not held:
        values["state"] = "failed"
    with host.write() as connection:
        connection.execute(update(project).where(project.c.id == row.id).values(values))
        if row.failing_since is None:
            data = {"error": str(error.message)[:500]}
            host.publish(connection, "ci_tekton.project.failed", row.address, data)
