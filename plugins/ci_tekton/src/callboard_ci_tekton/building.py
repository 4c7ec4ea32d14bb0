"""Build records: what a run that succeeded has built, told to whom it concerns.

Tekton Chains signs after a run has ended, and notes it on the run: the record is brought up to
date then, which is told once for each change.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, bindparam, insert, select, update

from callboard.builds import BuildFinished, publish
from callboard_ci_tekton.matching.service import in_parts
from callboard_ci_tekton.models import build, detail, match, run
from callboard_ci_tekton.runs.images import images_of, provenance_of

if TYPE_CHECKING:
    from callboard.entities import EntityRef
    from callboard.host import Host


HISTORY: Final = timedelta(hours=1)
"""What was told so long after its end is history: a first import, or the portal stood still."""


def is_history(host: "Host", finished_at: datetime | None) -> bool:
    """Say whether what ended at a time is told too late to be news."""
    return finished_at is not None and finished_at < host.now() - HISTORY


def run_path(number: int) -> str:
    """Give the address of a run's page."""
    return f"/ci_tekton/runs/{number}"


def start_path(ref: "EntityRef") -> str:
    """Give the address where runs of an entity are started."""
    return f"/ci_tekton/start?entity={quote(str(ref), safe=':/')}"


def tell_builds(host: "Host", connection: Connection, numbers: Collection[int]) -> None:
    """Write the build records of runs that succeeded, and publish each run once.

    Of one that was told, what Chains says now is published where it is not what it said before.
    """
    for part in in_parts(numbers):
        query = select(build.c.run_id, build.c.provenance).where(build.c.run_id.in_(part))
        told = {row.run_id: row.provenance for row in connection.execute(query)}
        rows: list[dict[str, Any]] = []
        events: list[tuple[BuildFinished, bool]] = []
        signed: list[dict[str, Any]] = []
        for number, made in _builds(host, connection, part):
            if number not in told:
                rows += _records(number, made)
                events.append((replace(made, imported=is_history(host, made.finished_at)), False))
            elif made.provenance and made.provenance != told[number]:
                signed.append({"_run": number, "_provenance": dict(made.provenance)})
                events.append((made, True))
        if rows:
            connection.execute(insert(build), rows)
        if signed:
            of_run = update(build).where(build.c.run_id == bindparam("_run"))
            connection.execute(of_run.values(provenance=bindparam("_provenance")), signed)
        for made, is_signed in events:
            publish(host, connection, made, signed=is_signed)


def _builds(
    host: "Host", connection: Connection, numbers: Collection[int]
) -> Iterator[tuple[int, BuildFinished]]:
    entities: dict[int, list[str]] = {}
    for row in connection.execute(select(match).where(match.c.run_id.in_(numbers))):
        entities.setdefault(row.run_id, []).append(row.entity)
    query = select(
        run.c.id, run.c.pipeline, run.c.repository, run.c.branch, run.c.commit, run.c.finished_at,
        detail.c.results, detail.c.annotations,
    ).join(detail, detail.c.run_id == run.c.id)  # fmt: skip
    for row in connection.execute(query.where(run.c.id.in_(numbers))).all():
        images = images_of(row.results)
        if images:
            results = {
                item["name"]: item["value"][:1000]
                for item in row.results[:50]
                if isinstance(item["value"], str)
            }
            yield row.id, BuildFinished(
                run=run_path(row.id), pipeline=row.pipeline,
                entities=sorted(entities.get(row.id, ())), repository=row.repository,
                branch=row.branch, commit=row.commit, images=images, results=results,
                provenance=provenance_of(row.annotations),
                finished_at=row.finished_at or host.now(),
            )  # fmt: skip


def _records(number: int, made: BuildFinished) -> list[dict[str, Any]]:
    return [
        {"run_id": number, "repository": made.repository, "commit": made.commit,
         "image": image.address, "digest": image.digest, "results": dict(made.results),
         "provenance": dict(made.provenance), "built_at": made.finished_at}
        for image in made.images
    ]  # fmt: skip
