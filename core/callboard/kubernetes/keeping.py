"""Statements that keep what was seen: a few for each batch, however many objects it has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard import events
from callboard.kubernetes.failures import NOT_ANSWERING
from callboard.kubernetes.inbox import Listed, Seen, Told
from callboard.kubernetes.leases import Held, WatchKey, holders_of
from callboard.kubernetes.models import cluster_object, cluster_watch
from callboard.kubernetes.states import Noted, noted_of, write_states

GONE_AT_ONCE: Final = 1000
EVENT: Final = "portal.cluster.watch"
"""The kind of the events that tell of a watch whose state has changed."""
FOLLOWER_EVENT: Final = "portal.cluster.follower"
"""The kind of the events that tell of a plugin that fails at what changed."""


@dataclass(slots=True)
class Batch:
    """What came for one watch, several events of an object folded into the last one."""

    held: Held
    objects: dict[str, Seen] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    events: int = 0
    version: str = ""
    oldest: float | None = None

    def add(self, item: Seen | Told) -> None:
        """Take in one more, in the order in which they came."""
        if isinstance(item, Told):
            self.told.append(item)
            # What is listed anew begins without a version: a list that is cut off is no state.
            self.version = "" if item.what == "listing" else item.version or self.version
            return
        # Taken out first, so that the order is that of the last events.
        self.objects.pop(item.uid, None)
        self.objects[item.uid] = item
        if not item.listed:
            self.events += 1
            self.version = item.version
            self.oldest = item.at if self.oldest is None else self.oldest


@dataclass(slots=True)
class Result:
    """What a transaction did: the watches with new changes, and those that others hold."""

    changed: set[int] = field(default_factory=set)
    lost: list[Held] = field(default_factory=list)


def folded(items: Iterable[Seen | Told]) -> list[Batch]:
    """Give a batch for each watch."""
    batches: dict[str, Batch] = {}
    for item in items:
        batches.setdefault(item.held.holder, Batch(item.held)).add(item)
    return list(batches.values())


def keep(
    connection: Connection, items: Iterable[Seen | Told], *, now: datetime, clock: float
) -> Result:
    """Write what came, and nothing of objects that are as they were.

    `clock` is the monotonic time that the arrival of events is compared with.
    """
    result, batches = Result(), folded(items)
    rows = _locked(connection, [batch.held.watch for batch in batches])
    kept = []
    for batch in batches:
        row = rows.get(batch.held.watch)
        if row is None or row["holder"] != batch.held.holder:
            result.lost.append(batch.held)
        else:
            kept.append((batch, row))
    # Before the watches' own events: whoever looks at clusters locks their rows, then publishes.
    if learned := _learned([batch for batch, _ in kept]):
        write_states(connection, learned)
    before = _before(connection, [batch for batch, _ in kept])
    written: list[dict[str, Any]] = []
    for batch, row in kept:
        changed = _changes(batch, row, before)
        written += changed
        if changed:
            result.changed.add(batch.held.watch)
        _note(connection, batch, row, now=now, clock=clock)
    if written:
        _put(connection, written)
    if kept:
        connection.execute(_UPDATE, [_bound(row) for _, row in kept])
    return result


def _locked(connection: Connection, watches: Sequence[int]) -> dict[int, dict[str, Any]]:
    statement = (
        select(cluster_watch)
        .where(cluster_watch.c.id.in_(watches))
        .order_by(cluster_watch.c.id)
        .with_for_update()
    )
    return {row["id"]: dict(row) for row in connection.execute(statement).mappings()}


def _learned(batches: Iterable[Batch]) -> dict[str, Noted]:
    """Give how clusters fare by the last request of a watch in each."""
    found = [
        (batch.held.key.cluster, noted)
        for batch in batches
        for noted in map(_of_cluster, batch.told)
        if noted is not None
    ]
    return dict(sorted(found, key=lambda item: item[1].at))


def _of_cluster(told: Told) -> Noted | None:
    """Give what one request of a watch tells of its cluster, None for nothing.

    What comes over an open stream does not tell how the next request will go. A `failed` may be
    the page of a proxy as well, or a fault of the portal itself.
    """
    if told.error is None:
        return noted_of(None, told.at) if told.what in {"listing", "open"} else None
    if told.error.state == "failed":
        return None
    return noted_of(told.error if told.error.state in NOT_ANSWERING else None, told.at)


def _before(
    connection: Connection, batches: Sequence[Batch]
) -> dict[tuple[int, str], tuple[str, bool]]:
    """Give version and whether it is gone of what is known already, by watch and uid.

    One watch at a time: SQLite looks through the whole index for a list of pairs.
    """
    found = cluster_object.c
    known: dict[tuple[int, str], tuple[str, bool]] = {}
    statement = select(found.uid, found.resource_version, found.gone)
    for batch in batches:
        if batch.objects:
            watch = batch.held.watch
            wanted = statement.where(found.watch == watch, found.uid.in_(list(batch.objects)))
            for uid, version, gone in connection.execute(wanted):
                known[watch, uid] = (version, gone)
    return known


def _changes(
    batch: Batch, row: dict[str, Any], before: Mapping[tuple[int, str], tuple[str, bool]]
) -> list[dict[str, Any]]:
    """Give the rows to write, and count them in the row of the watch."""
    written = []
    for seen in batch.objects.values():
        known = before.get((batch.held.watch, seen.uid))
        if known == (seen.version, seen.gone):
            continue
        row["change"] += 1
        was_there = known is not None and not known[1]
        row["objects"] += (not seen.gone) - was_there
        written.append(
            {
                "watch": batch.held.watch,
                "uid": seen.uid,
                "namespace": seen.namespace,
                "name": seen.name,
                "resource_version": seen.version,
                "change": row["change"],
                "gone": seen.gone,
                "body": seen.body,
            }
        )
    return written


def _note(
    connection: Connection, batch: Batch, row: dict[str, Any], *, now: datetime, clock: float
) -> None:
    """Note in the row of a watch what came of it."""
    state = row["state"]
    for told in batch.told:
        _tell(told, row, now)
    if batch.version or any(told.what == "listing" for told in batch.told):
        row["resource_version"] = batch.version
    row["events"] += batch.events
    if batch.oldest is not None:
        row["event_at"] = now
        row["lag"] = round(max(0.0, clock - batch.oldest), 4)
    if batch.objects or any(told.what in {"open", "bookmark"} for told in batch.told):
        row["seen_at"] = now
    if row["state"] != state:
        publish(connection, row, now)


def _tell(told: Told, row: dict[str, Any], now: datetime) -> None:
    if told.error is not None:
        row["state"], row["error"] = told.error.state, told.error.message
        row["failing_since"] = row["failing_since"] or now
        return
    if told.what == "bookmark":
        return
    row["error"] = ""
    row["failing_since"] = None
    row["state"] = {"open": "watching"}.get(told.what, told.what)
    row["connects"] += told.what == "open"


def publish(connection: Connection, row: Mapping[str, Any], now: datetime) -> None:
    """Tell those who look that the state of a watch has changed."""
    data = {"namespace": row["namespace"], "state": row["state"]}
    events.publish(connection, EVENT, f"{row['cluster']}/{row['resource']}", data, at=now)


def publish_follower(connection: Connection, follower: str, key: WatchKey, now: datetime) -> None:
    """Tell those who look that a follower fails."""
    data = {"namespace": key.namespace, "follower": follower}
    events.publish(connection, FOLLOWER_EVENT, f"{key.cluster}/{key.resource}", data, at=now)


def missing(connection: Connection, listed: Listed) -> list[str]:
    """Give the objects that are there by the tables and not by a list."""
    found = cluster_object.c
    statement = select(found.uid).where(found.watch == listed.held.watch, ~found.gone)
    return [uid for uid in connection.execute(statement).scalars() if uid not in listed.uids]


def bury(connection: Connection, held: Held, uids: Sequence[str]) -> bool:
    """Write that objects are gone; False where others hold the watch by now."""
    rows = _locked(connection, [held.watch])
    row = rows.get(held.watch)
    if row is None or row["holder"] != held.holder:
        return False
    found = cluster_object.c
    connection.execute(
        update(cluster_object)
        .where(found.watch == held.watch, found.uid == bindparam("lost"))
        .values(gone=True, change=bindparam("number")),
        [{"lost": uid, "number": row["change"] + at} for at, uid in enumerate(uids, 1)],
    )
    connection.execute(
        _OF_WATCH.values(change=row["change"] + len(uids), objects=row["objects"] - len(uids)),
        {"b_id": held.watch},
    )
    return True


def end_list(connection: Connection, listed: Listed, now: datetime) -> bool:
    """Note that a list is complete, and where to go on; False where others hold the watch."""
    if holders_of(connection, [listed.held.watch]).get(listed.held.watch) != listed.held.holder:
        return False
    connection.execute(
        _OF_WATCH.values(
            resource_version=listed.version,
            objects=len(listed.uids),
            lists=cluster_watch.c.lists + 1,
            listed_at=now,
            seen_at=now,
            failing_since=None,
        ),
        {"b_id": listed.held.watch},
    )
    return True


_COUNTED: Final = (
    "state", "error", "resource_version", "change", "objects", "lag", "events", "connects",
    "event_at", "seen_at", "failing_since",
)  # fmt: skip
_OF_WATCH: Final = update(cluster_watch).where(cluster_watch.c.id == bindparam("b_id"))
_UPDATE: Final = _OF_WATCH.values({name: bindparam(f"b_{name}") for name in _COUNTED})


def _bound(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"b_{name}": row[name] for name in ("id", *_COUNTED)}


def _upsert(dialect: Any) -> Any:
    statement = dialect.insert(cluster_object)
    changed = {
        name: statement.excluded[name]
        for name in ("namespace", "name", "resource_version", "change", "gone", "body")
    }
    return statement.on_conflict_do_update(index_elements=["watch", "uid"], set_=changed)


_UPSERT: Final = {"sqlite": _upsert(sqlite), "postgresql": _upsert(postgresql)}


def _put(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(_UPSERT[connection.dialect.name], rows)
