"""Matches runs anew where entities ask for others: part by part, each a transaction of its own.

What is left to do stands in a table, so whoever is killed in between has lost one part at most.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.contributions import JobContext
from callboard_ci_tekton.matching.service import TOGETHER, hold_matching, in_parts, match_runs
from callboard_ci_tekton.models import key, rematch

if TYPE_CHECKING:
    from callboard.host import Host

JOB = "rematch"


def ask_rework(host: "Host", connection: Connection, keys: Collection[str]) -> None:
    """Note that runs with these keys are to be matched anew, and ask for the job that does it."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(rematch)
    statement = statement.on_conflict_do_update(index_elements=[rematch.c.key], set_={"after": 0})
    for part in in_parts(sorted(keys)):
        connection.execute(statement, [{"key": name, "after": 0} for name in part])
    if keys:
        host.submit(JOB, connection=connection)


def run_rework(context: JobContext) -> None:
    """The job."""
    rework(context.host)


def rework(host: "Host") -> None:
    """Match anew until nothing is left to do."""
    while rework_part(host):
        pass


def rework_part(host: "Host", only: str = "") -> bool:
    """Match 500 runs at most anew, those with one key; False where nothing was left to do."""
    query = select(rematch).order_by(rematch.c.key).limit(1).with_for_update(skip_locked=True)
    if only:
        query = query.where(rematch.c.key == only)
    with host.write() as connection:
        hold_matching(connection)
        row = connection.execute(query).one_or_none()
        if row is None:
            return False
        mine = rematch.c.key == row.key
        numbers = select(key.c.run_id).where(key.c.key == row.key, key.c.run_id > row.after)
        found = connection.execute(numbers.order_by(key.c.run_id).limit(TOGETHER)).scalars().all()
        match_runs(connection, found)
        if len(found) < TOGETHER:
            connection.execute(delete(rematch).where(mine))
        else:
            connection.execute(update(rematch).where(mine).values(after=found[-1]))
    return True
