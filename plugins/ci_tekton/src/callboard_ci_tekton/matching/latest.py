"""The newest run of each pipeline of an entity, those of work under way aside."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from callboard_ci_tekton.models import latest, match, run

COLUMNS = (
    run.c.id, run.c.cluster, run.c.namespace, run.c.pipeline, run.c.aside, run.c.created_at,
)  # fmt: skip
"""What is looked at in runs."""


def note_latest(connection: Connection, matched: Iterable[tuple[Row[Any], str]]) -> None:
    """Take in runs that entities have now; one that is older than the one that is noted stays."""
    newest: dict[tuple[str, str], Row[Any]] = {}
    for row, entity in matched:
        place = (entity, _name(row))
        had = newest.get(place)
        if not row.aside and (had is None or _age(had) < _age(row)):
            newest[place] = row
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(latest)
    given, has = statement.excluded, latest.c
    statement = statement.on_conflict_do_update(
        index_elements=[has.entity, has.pipeline],
        set_={"run_id": given.run_id, "created_at": given.created_at},
        where=or_(
            has.created_at < given.created_at,
            and_(has.created_at == given.created_at, has.run_id < given.run_id),
        ),
    )
    rows = [
        {"entity": entity, "pipeline": name, "run_id": row.id, "created_at": row.created_at}
        for (entity, name), row in sorted(newest.items(), key=lambda item: item[0])
    ]
    if rows:
        connection.execute(statement, rows)


def drop_latest(connection: Connection, numbers: Collection[int]) -> list[tuple[str, Row[Any]]]:
    """Let go of runs of which some are no entity's any more; give what `find_latest` mends."""
    query: Select[Any] = select(latest.c.entity, *COLUMNS).join(run, run.c.id == latest.c.run_id)
    rows = connection.execute(query.where(latest.c.run_id.in_(numbers))).all()
    if rows:
        connection.execute(
            delete(latest).where(
                latest.c.entity == bindparam("_entity"), latest.c.pipeline == bindparam("_name")
            ),
            [{"_entity": row.entity, "_name": _name(row)} for row in rows],
        )
    return [(row.entity, row) for row in rows]


def find_latest(connection: Connection, dropped: Sequence[tuple[str, Row[Any]]]) -> None:
    """Look for the newest run of pipelines whose newest one was let go of."""
    found = []
    for entity, row in dropped:
        query: Select[Any] = (
            select(*COLUMNS)
            .join(match, match.c.run_id == run.c.id)
            .where(
                match.c.entity == entity,
                run.c.cluster == row.cluster,
                run.c.namespace == row.namespace,
                run.c.pipeline == row.pipeline,
                run.c.aside.is_(False),
            )
            .order_by(match.c.created_at.desc(), match.c.run_id.desc())
            .limit(1)
        )
        newest = connection.execute(query).one_or_none()
        if newest is not None:
            found.append((newest, entity))
    note_latest(connection, found)


def _name(row: Row[Any]) -> str:
    return f"{row.cluster}/{row.namespace}/{row.pipeline}"[:600]


def _age(row: Row[Any]) -> tuple[Any, int]:
    return row.created_at, row.id
