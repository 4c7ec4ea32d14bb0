"""Records some of the requests that were decided, to try policies against them."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from callboard.access.models import request as table
from callboard.access.settings import RecordingSettings
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.identity import EntityFacts, Principal, PrincipalKind, Subject
from callboard.threads import Flusher

BUFFERED: Final = 2000
"""Different requests that wait to be written; others are left out until they are."""

FLUSH_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was decided: all that roles and bindings look at in it."""

    subject: Subject
    permission: str
    facts: EntityFacts | None
    environment: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request with what was decided last, how often it was recorded, and when."""

    request: Request
    allowed: bool
    count: int
    last_at: datetime


class Recorder:
    """Notes requests in memory; a thread of its own writes them. No page waits for it.

    Kept of a person is their reference and those of their groups, nothing else. Requests of
    tokens are left out: what narrows them is not part of policies.
    """

    def __init__(
        self, database: Database, settings: RecordingSettings, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._settings = settings
        self._now = now
        self._waiting: dict[Request, tuple[bool, int]] = {}
        self._lock = threading.Lock()
        self._flusher = Flusher(
            self.flush,
            name="access-requests",
            every=FLUSH_SECONDS,
            failed="Recorded requests could not be written.",
        )

    def note(self, request: Request, allowed: bool) -> None:
        """Note a request, if it is one of the share that is recorded."""
        if request.subject.limits is not None:
            return
        with self._lock:
            count = self._waiting.get(request, (allowed, 0))[1]
            if count or len(self._waiting) < BUFFERED:
                self._waiting[request] = (allowed, count + 1)

    def chosen(self) -> bool:
        """Say whether the next request is one of the share that is recorded."""
        return self._flusher.is_running and random.random() < self._settings.share  # noqa: S311 - nothing secret

    def start(self) -> None:
        """Begin to write beside requests."""
        if self._settings.share > 0:
            self._flusher.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._flusher.stop()

    def flush(self) -> None:
        """Write what waits, and delete what is old or too much."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        now = self._now()
        rows = sorted(
            (_row(item, allowed, count, now) for item, (allowed, count) in waiting.items()),
            key=lambda row: row["digest"],
        )
        with self._database.write() as connection:
            dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(table)
            new = statement.excluded
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["digest"],
                    set_={
                        "count": table.c.count + new.count,
                        "last_at": new.last_at,
                        "allowed": new.allowed,
                    },
                ),
                rows,
            )
            self._prune(connection, now)

    def _prune(self, connection: Connection, now: datetime) -> None:
        connection.execute(delete(table).where(table.c.last_at < now - self._settings.keep))
        newest = select(table.c.last_at).order_by(table.c.last_at.desc())
        first = connection.scalar(newest.offset(self._settings.most).limit(1))
        if first is not None:
            connection.execute(delete(table).where(table.c.last_at <= first))


def recorded(database: Database) -> Iterator[Recorded]:
    """Give the requests that are recorded."""
    with database.read() as connection:
        rows = connection.execute(select(table).order_by(table.c.digest)).all()
    for row in rows:
        request = _request(row.content, row.permission)
        yield Recorded(request, row.allowed, row._mapping["count"], row.last_at)


def _row(item: Request, allowed: bool, count: int, now: datetime) -> dict[str, Any]:
    subject = item.subject
    content = {
        "principal": [subject.principal.kind, subject.principal.name],
        "mine": [str(ref) for ref in subject.mine],
        "names": sorted(subject.names),
        "roles": sorted(subject.roles),
        "facts": _facts_data(item.facts),
        "environment": item.environment,
    }
    written = orjson.dumps([content, item.permission], option=orjson.OPT_SORT_KEYS)
    return {
        "digest": hashlib.sha256(written).hexdigest(),
        "content": content,
        "permission": item.permission,
        "allowed": allowed,
        "count": count,
        "last_at": now,
    }


def _facts_data(facts: EntityFacts | None) -> dict[str, Any] | None:
    return None if facts is None else {**asdict(facts), "tags": sorted(facts.tags)}


def _request(content: Mapping[str, Any], permission: str) -> Request:
    kind: PrincipalKind
    kind, name = content["principal"]
    subject = Subject(
        principal=Principal(kind=kind, name=name),
        mine=tuple(EntityRef.parse(item) for item in content["mine"]),
        names=tuple(content["names"]),
        roles=tuple(content["roles"]),
    )
    given = content["facts"]
    facts = None if given is None else EntityFacts(**{**given, "tags": frozenset(given["tags"])})
    return Request(subject, permission, facts, content["environment"])
