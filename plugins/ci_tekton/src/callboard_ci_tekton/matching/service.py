"""Keeps the table of matches by the runs that came or changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    Select,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from callboard_ci_tekton.days import COUNTED, Place, count_days, day_of, places_of
from callboard_ci_tekton.matching.keys import CLAIMED, Selector
from callboard_ci_tekton.matching.latest import COLUMNS, drop_latest, find_latest, note_latest
from callboard_ci_tekton.models import claim, entity, key, match, run, selector

TOGETHER: Final = 500
_LOCK: Final = 0x74656B74  # of PostgreSQL's advisory locks: any number, always the same


def in_parts(values: Iterable[Any]) -> list[list[Any]]:
    """Give values in lists that a statement takes."""
    listed = list(values)
    return [listed[at : at + TOGETHER] for at in range(0, len(listed), TOGETHER)]


def hold_matching(connection: Connection, *, alone: bool = False) -> None:
    """Let nobody change what entities ask for until the end of the transaction.

    Who matches runs calls it before it writes any, who changes what is asked for does so `alone`:
    a run that comes meanwhile would be matched by what was asked for before, and by nothing after.
    """
    if connection.dialect.name == "postgresql":
        take = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
        connection.execute(select(take(literal(_LOCK))))


def note_start(connection: Connection, number: int, ref: str) -> None:
    """Let a run belong to the entity for which this portal started it, in the act's transaction.

    Whoever writes runs in a cluster can name any entity in them; that this portal did, for one who
    may, stands only here.
    """
    connection.execute(update(run).where(run.c.id == number).values(started_for=ref))
    match_runs(connection, [number])


def match_runs(
    connection: Connection, numbers: Collection[int], ended: Collection[int] = ()
) -> None:
    """Work out anew to which entities runs belong, in the caller's transaction.

    Days of entities are counted anew where such a run came or went, or is one of `ended`: those
    that ended, or whose figures changed. Other rows of runs are written before.
    """
    hold_matching(connection)
    places: set[Place] = set()
    for part in in_parts(sorted(set(numbers))):
        places |= _match(connection, part, ended)
    for part in in_parts(sorted(set(ended))):
        places |= places_of(connection, part)
    count_days(connection, places)


def _match(connection: Connection, numbers: Sequence[int], ended: Collection[int]) -> set[Place]:
    """Match runs, and give the days of entities that have others now."""
    query: Select[Any] = select(*COLUMNS, run.c.state, run.c.matched, run.c.started_for)
    query = query.where(run.c.id.in_(numbers)).order_by(run.c.id).with_for_update()
    rows = connection.execute(query).all()
    found = {**_found(connection, numbers), **_started(connection, rows)}
    before: dict[int, dict[str, str]] = {number: {} for number in numbers}
    for item in connection.execute(select(match).where(match.c.run_id.in_(numbers))):
        before[item.run_id][item.entity] = item.how
    changed = [row for row in rows if found[row.id] != before[row.id]]
    lost = [row.id for row in changed if before[row.id].keys() - found[row.id].keys()]
    dropped = drop_latest(connection, lost) if lost else []
    if changed:
        connection.execute(delete(match).where(match.c.run_id.in_([row.id for row in changed])))
    added = [
        {"run_id": row.id, "entity": ref, "how": how, "created_at": row.created_at}
        for row in changed
        for ref, how in found[row.id].items()
    ]
    if added:
        connection.execute(insert(match), added)
    note_latest(connection, ((row, ref) for row in changed for ref in found[row.id]))
    find_latest(connection, dropped)
    for value in (True, False):
        turned = [row.id for row in rows if bool(found[row.id]) is value and row.matched != value]
        if turned:
            connection.execute(update(run).where(run.c.id.in_(turned)).values(matched=value))
    return {
        (ref, day_of(row.created_at))
        for row in changed
        if row.state in COUNTED or row.id in ended
        for ref in found[row.id].keys() ^ before[row.id].keys()
    }


def _started(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[int, dict[str, str]]:
    """Give the entities of runs that were started for them here; nothing else counts then."""
    refs = {row.started_for for row in rows if row.started_for}
    if not refs:
        return {}
    there = set(connection.execute(select(entity.c.ref).where(entity.c.ref.in_(refs))).scalars())
    return {
        row.id: {row.started_for: f"entity:{row.started_for}"}
        for row in rows
        if row.started_for in there
    }


def _found(connection: Connection, numbers: Sequence[int]) -> Mapping[int, dict[str, str]]:
    """Give the entities of runs, each with the key by which it was found."""
    keys: dict[int, set[str]] = {number: set() for number in numbers}
    for row in connection.execute(select(key).where(key.c.run_id.in_(numbers))):
        keys[row.run_id].add(row.key)
    asked = _asked(connection, set().union(*keys.values()))
    return {number: _entities(names, asked) for number, names in keys.items()}


def _asked(connection: Connection, keys: Collection[str]) -> dict[str, list[tuple[str, Selector]]]:
    asked: dict[str, list[tuple[str, Selector]]] = {}
    for part in in_parts(sorted(keys)):
        for row in connection.execute(select(selector).where(selector.c.key.in_(part))):
            found = Selector(row.key, row.rank, tuple(row.conditions))
            asked.setdefault(row.key, []).append((row.entity, found))
        there = exists().where(entity.c.ref == claim.c.entity)
        for row in connection.execute(select(claim).where(claim.c.key.in_(part), there)):
            asked.setdefault(row.key, []).append((row.entity, Selector(row.key, CLAIMED)))
    return asked


def _entities(keys: set[str], asked: dict[str, list[tuple[str, Selector]]]) -> dict[str, str]:
    fitting = [
        (item.rank, ref, name)
        for name in sorted(keys)
        for ref, item in asked.get(name, ())
        if keys.issuperset(item.conditions)
    ]
    lowest = min((rank for rank, _ref, _name in fitting), default=0)
    found: dict[str, str] = {}
    for rank, ref, name in fitting:
        if rank == lowest:
            found.setdefault(ref, name)
    return found
