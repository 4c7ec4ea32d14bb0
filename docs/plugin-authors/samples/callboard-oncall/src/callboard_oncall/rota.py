"""The rota: read by a job, kept in a table."""

import json
from collections.abc import Iterable

from sqlalchemy import Connection, Row, delete, insert, select

from callboard.contributions import JobContext
from callboard.entities import EntityRef
from callboard_oncall.models import duty


def read_rota(context: JobContext) -> None:
    """Write who is on call for which team; what did not change is not written."""
    host = context.host
    rota = json.loads(host.settings.rota.read_text())
    wanted = {str(EntityRef.parse(team, default_kind="group")): rota[team] for team in rota}
    with host.write() as connection:
        known = {row.team: row.person for row in connection.execute(select(duty))}
        changed = {team: person for team, person in wanted.items() if known.get(team) != person}
        stale = [*changed, *(known.keys() - wanted.keys())]
        connection.execute(delete(duty).where(duty.c.team.in_(stale)))
        for team, person in changed.items():
            values = {"team": team, "person": person, "since": host.now()}
            connection.execute(insert(duty).values(values))


def duties(
    connection: Connection, teams: Iterable[EntityRef]
) -> dict[EntityRef, Row[tuple[object, ...]]]:
    """Give who is on call for many teams by one query."""
    named = {str(team): team for team in teams}
    rows = connection.execute(select(duty).where(duty.c.team.in_(named)))
    return {named[row.team]: row for row in rows}
