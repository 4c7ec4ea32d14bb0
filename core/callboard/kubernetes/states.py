"""How clusters fare: noted by every use, kept in the table `cluster`."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.events import publish
from callboard.i18n import Text
from callboard.kubernetes.cluster import ClusterState
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.models import cluster
from callboard.kubernetes.settings import ClusterSettings

ANSWERING: Final = "answering"
UNKNOWN: Final = "unknown"
FRESH: Final = timedelta(seconds=15)
"""How old the time of the last answer may be in the table while a cluster is used."""
LATE: Final = timedelta(minutes=10)
"""How late a note may be written; a row that is newer by more is of a clock that was set back."""


@dataclass(frozen=True, slots=True)
class Noted:
    """How a cluster answered one request, or did not."""

    state: str
    at: datetime
    error: Text = ""
    said: str = ""


def noted_of(error: ClusterError | None, at: datetime) -> Noted:
    """Give how a cluster fares by how one request went: None where it answered."""
    if error is None:
        return Noted(ANSWERING, at)
    return Noted(error.state, at, error.message, error.said)


class States:
    """What this process has seen of clusters; `settle` writes it. Any thread may note."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._noted: dict[str, Noted] = {}
        self._written: dict[str, Noted] = {}

    def note(self, name: str, error: ClusterError | None) -> None:
        """Note how a request went, in memory: whoever asks may be amid a transaction."""
        noted = noted_of(error, self._clock())
        with self._lock:
            self._noted[name] = noted

    def settle(self) -> None:
        """Write down what is new since the last time: another state, or a much later answer."""
        with self._lock:
            new = {name: noted for name, noted in self._noted.items() if self._tells(name, noted)}
        if not new:
            return
        with self._database.write() as connection:
            write_states(connection, new)
        with self._lock:
            self._written |= new

    def _tells(self, name: str, noted: Noted) -> bool:
        before = self._written.get(name)
        if before is None or before.state != noted.state:
            return True
        return noted.at - before.at >= FRESH


def write_states(connection: Connection, noted: Mapping[str, Noted]) -> None:
    """Write how clusters fare; an event tells of each that fares differently now.

    What is known later than this is left as it is: jobs, watches and pages tell of the same
    clusters, and some write long after they asked. Rows are locked by name, and before events.
    """
    _add_rows(connection, noted)
    statement = (
        select(cluster.c.name, cluster.c.state, cluster.c.asked_at)
        .where(cluster.c.name.in_(noted))
        .order_by(cluster.c.name)
        .with_for_update()
    )
    rows = connection.execute(statement).all()
    before: dict[str, str] = {
        row.name: row.state for row in rows if not _is_late(noted[row.name].at, row.asked_at)
    }
    new = {name: noted[name] for name in before}
    for name, found in new.items():
        values = {"state": found.state, "error": found.error, "said": found.said,
                  "asked_at": found.at}  # fmt: skip
        if found.state == ANSWERING:
            values["answered_at"] = found.at
        connection.execute(update(cluster).where(cluster.c.name == name).values(values))
    for name, found in new.items():
        if before[name] != found.state:
            publish(
                connection, "portal.cluster.changed", f"cluster:{name}",
                {"state": found.state, "before": before[name]}, at=found.at,
            )  # fmt: skip


def _is_late(at: datetime, known: datetime | None) -> bool:
    return known is not None and timedelta(0) < known - at < LATE


def write_facts(connection: Connection, name: str, facts: Mapping[str, Any]) -> None:
    """Write what a cluster is: some of the columns `version`, `resources` and `lacks`."""
    _add_rows(connection, [name])
    connection.execute(update(cluster).where(cluster.c.name == name).values(facts))


def forget_others(connection: Connection, names: Iterable[str]) -> None:
    """Delete the rows of clusters that the settings do not name any more."""
    connection.execute(delete(cluster).where(cluster.c.name.not_in(list(names))))


def read_states(
    connection: Connection, clusters: Sequence[ClusterSettings]
) -> Sequence[ClusterState]:
    """Give how the clusters of the settings fare, in their order."""
    columns = [column for column in cluster.c if column is not cluster.c.resources]
    rows = {row.name: row for row in connection.execute(select(*columns))}
    return [_state(one, rows.get(one.name)) for one in clusters]


def _state(settings: ClusterSettings, row: Any) -> ClusterState:
    title = settings.title or settings.name
    if row is None:
        return ClusterState(settings.name, title, UNKNOWN)
    return ClusterState(
        settings.name,
        title,
        row.state,
        message=row.error or "",
        said=row.said,
        version=row.version,
        as_of=row.answered_at,
        lacks=row.lacks,
    )


def _add_rows(connection: Connection, names: Iterable[str]) -> None:
    empty = {"version": "", "state": UNKNOWN, "error": "", "said": "", "resources": {}, "lacks": {}}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [{**empty, "name": name} for name in sorted(names)]
    connection.execute(dialect.insert(cluster).on_conflict_do_nothing(), rows)
