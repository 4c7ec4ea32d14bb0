"""Counts looks in memory; a thread of its own writes them. No page waits for it."""

import hashlib
import hmac
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.threads import Flusher
from callboard_catalog.reading import stored_form
from callboard_web.personal.secrets import shared_secret
from callboard_web.usage.models import looker, named, shown, usage, usage_sum
from callboard_web.usage.settings import UsageSettings
from callboard_web.usage.sums import COLUMNS, advance, summands

BUFFERED: Final = 20_000
"""Different looks that wait to be written; others are left out until they are."""

FLUSH_SECONDS: Final = 30.0
BATCH: Final = 500
SECRET: Final = "usage "  # noqa: S105 - the beginning of a name
MACHINE: Final = "machine"
UNKNOWN: Final = ""
PERSON: Final = "person:"
BY_NAME: Final = "/api/catalog/entities/by-name/"

Looks = Mapping[tuple[date, str, str], int]
"""How often, by day, reference and who."""


class UsageRecorder:
    """Notes who looked at which entity, where that is switched on."""

    def __init__(
        self, database: Database, settings: UsageSettings, now: Callable[[], datetime]
    ) -> None:
        self.settings = settings
        self.counts = {"people": 0, "machines": 0, "left out": 0}
        self._database = database
        self._now = now
        self._waiting: defaultdict[tuple[date, str, str], int] = defaultdict(int)
        self._lock = threading.Lock()
        self._flusher = Flusher(
            self.flush,
            name="usage",
            every=FLUSH_SECONDS,
            failed="Looks at entities could not be written.",
        )
        self._key: tuple[date, bytes] | None = None
        self._summed: date | None = None

    def note(self, ref: EntityRef, who: str) -> None:
        """Note a look: of a person by their key, of one who is `UNKNOWN`, or of a `MACHINE`."""
        if not self.settings.enabled:
            return
        item = (self._now().date(), stored_form(ref), who)
        with self._lock:
            if item not in self._waiting and len(self._waiting) >= BUFFERED:
                self.counts["left out"] += 1
                return
            self._waiting[item] += 1
            self.counts["machines" if who == MACHINE else "people"] += 1

    def asked(self, path: str) -> None:
        """Note that the catalog's API answered this path, where it is that of one entity."""
        if not self.settings.enabled or not path.startswith(BY_NAME):
            return
        parts = path.removeprefix(BY_NAME).split("/")
        if len(parts) == 3:
            try:
                ref = EntityRef.of(*parts)
            except InputError:
                return
            self.note(ref, MACHINE)

    def start(self) -> None:
        """Begin to write beside requests."""
        if self.settings.enabled:
            self._flusher.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._flusher.stop()

    def flush(self) -> None:
        """Write what waits, a batch of entities and days in each transaction."""
        with self._lock:
            waiting, self._waiting = self._waiting, defaultdict(int)
        pairs = sorted({(day, ref) for day, ref, _who in waiting})
        grouped: dict[tuple[date, str], dict[tuple[date, str, str], int]] = defaultdict(dict)
        for item, number in waiting.items():
            grouped[item[:2]][item] = number
        keys = {day: self._key_of(day) for day in {day for day, _ref in pairs}}
        for start in range(0, len(pairs), BATCH):
            part = {
                item: number
                for pair in pairs[start : start + BATCH]
                for item, number in grouped[pair].items()
            }
            with self._database.write() as connection:
                write_looks(connection, part, keys)
        self._begin_day()

    def _begin_day(self) -> None:
        """Have the sums of looks end with the day that has begun, before a page asks for them."""
        today = self._now().date()
        if self.settings.enabled and self._summed != today:
            with self._database.write() as connection:
                advance(connection, today)
            self._summed = today

    def _key_of(self, day: date) -> bytes:
        """Give the key of a day, the same in every process, which is deleted after it."""
        if self._key is None or self._key[0] != day:
            secret = shared_secret(self._database, f"{SECRET}{day.isoformat()}", self._now())
            self._key = (day, secret.encode())
        return self._key[1]


def write_looks(connection: Connection, looks: Looks, keys: Mapping[date, bytes]) -> None:
    """Add looks to what is counted; `keys` are those of the days."""
    if not looks:
        return
    until = advance(connection, max(day for day, _ref, _who in looks))
    totals: defaultdict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    hashes = set()
    for (day, ref, who), number in looks.items():
        totals[(ref, day)][who == MACHINE] += number
        if who not in (MACHINE, UNKNOWN):
            digest = hmac.new(keys[day], f"{ref}\0{who}".encode(), hashlib.sha256)
            hashes.add((day, ref, digest.hexdigest()[:32]))
    _insert(connection, looker, ("day", "ref", "hash"), hashes)
    people = _people(connection, {(ref, day) for day, ref, _hash in hashes})
    rows = [
        (ref, day, looks_, people.get((ref, day), 0), machines)
        for (ref, day), (looks_, machines) in totals.items()
    ]
    # One column after the other: how many people there are was counted, not added up.
    _add(connection, usage, ("ref", "day", "looks", "people", "machines"), rows, {"people"})
    _add(connection, usage_sum, COLUMNS, summands(rows, until), {"people", "last"})
    _write_named(connection, looks)


def _people(
    connection: Connection, pairs: Iterable[tuple[str, date]]
) -> dict[tuple[str, date], int]:
    wanted = set(pairs)
    if not wanted:
        return {}
    statement = (
        select(looker.c.ref, looker.c.day, func.count())
        .where(
            looker.c.day.in_({day for _ref, day in wanted}),
            looker.c.ref.in_({ref for ref, _day in wanted}),
        )
        .group_by(looker.c.ref, looker.c.day)
    )
    return {(ref, day): number for ref, day, number in connection.execute(statement)}


def _write_named(connection: Connection, looks: Looks) -> None:
    people = {who for _day, _ref, who in looks if who.startswith(PERSON)}
    if not people:
        return
    # Locked: who takes it back meanwhile waits, and then deletes what is written here as well.
    chosen = select(shown.c.key).where(shown.c.key.in_(people)).with_for_update()
    willing = set(connection.scalars(chosen))
    rows = {(who, ref, day, n) for (day, ref, who), n in looks.items() if who in willing}
    _add(connection, named, ("key", "ref", "day", "looks"), rows)


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _rows(names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    # In one order, so that processes that write at once wait for each other in turn.
    return [dict(zip(names, row, strict=True)) for row in sorted(rows)]


def _insert(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> None:
    given = _rows(names, rows)
    if given:
        statement = _dialect(connection).insert(table).on_conflict_do_nothing()
        connection.execute(statement, given)


def _add(
    connection: Connection,
    table: Table,
    names: tuple[str, ...],
    rows: Iterable[tuple[Any, ...]],
    counted: Collection[str] = (),
) -> None:
    """Add rows to those of the same key; the columns `counted` are the greater of both."""
    given = _rows(names, rows)
    if not given:
        return
    statement = _dialect(connection).insert(table)
    new, old = statement.excluded, table.c
    keys = table.primary_key.columns.keys()
    sums = {*names}.difference(keys, counted)
    changed = {name: old[name] + new[name] for name in sums}
    greatest = func.greatest if connection.dialect.name == "postgresql" else func.max
    changed |= {name: greatest(old[name], new[name]) for name in counted}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(keys), set_=changed), given
    )
