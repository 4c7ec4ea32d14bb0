"""Reading an entity's source again: asking for it, and how far it is."""

from dataclasses import dataclass
from typing import Final, Literal

from callboard import jobs
from callboard.audit import record
from callboard.entities import Entity
from callboard.jobs import Run
from callboard_web.portal import Portal

State = Literal["reading", "read", "failed"]
_OVER: Final = ("succeeded", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Reading:
    """A run that reads the source of an entity. `changed` says that it changed the entity."""

    run: Run
    state: State
    source: str
    changed: bool


def ask(portal: Portal, entity: Entity, source: str) -> int:
    """Ask for a source to be read again, for the sake of an entity, and give the run's number."""
    runtime = portal.runtime
    with runtime.database.write() as connection:
        run = runtime.jobs.submit(connection, "catalog", "refresh", {"source": source}, key=source)
        record(
            connection,
            "catalog.entity.refresh",
            str(entity.ref),
            after={"source": source, "run": run},
            at=runtime.now(),
        )
    return run


def reading_of(portal: Portal, entity: Entity, source: str, number: str) -> Reading | None:
    """Give the run of this number, or one that is on its way; None where nothing is to be told."""
    with portal.runtime.database.read() as connection:
        run = jobs.find(connection, int(number)) if _is_number(number) else None
        if run is None:
            found = [
                item
                for state in ("running", "waiting")
                for item in jobs.runs(
                    connection, state=state, plugin="catalog", name="refresh", key=source, limit=1
                )
            ]
            run = found[0] if found else None
    if run is None or (run.plugin, run.name, run.key) != ("catalog", "refresh", source):
        return None
    if run.state not in _OVER:
        # One that waits for another attempt is told as what it is: a failure.
        state: State = "failed" if run.state == "waiting" and run.error else "reading"
        return Reading(run, state, source, False)
    return _ended(portal, entity, source, run)


def _ended(portal: Portal, entity: Entity, source: str, run: Run) -> Reading:
    known = portal.runtime.catalog.source(source)
    failed = run.state != "succeeded" or (known is not None and known.state == "failing")
    provenance = portal.runtime.catalog.provenance(entity.ref)
    changed = (
        provenance is not None
        and run.started_at is not None
        and provenance.updated_at >= run.started_at
    )
    return Reading(run, "failed" if failed else "read", source, changed)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) < 19
