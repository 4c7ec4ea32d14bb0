"""One scan of a discovery: which repositories there are, and what is new in them.

Every step is kept when it is done, so a scan that was ended goes on where it was. Where nothing
changed, nothing is written.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import update

from callboard.errors import CallboardError, InputError, NotFoundError, reason_of
from callboard.i18n import Text, Translator
from callboard_scm_hosts import store
from callboard_scm_hosts.choosing import (
    digest_of,
    may_lag,
    must_be_read,
    wanted_of,
    why_skipped,
)
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.folder import find_repositories
from callboard_scm_hosts.git_reading import read_by_git
from callboard_scm_hosts.hosts import APIS
from callboard_scm_hosts.ledger import Ledger, WaitingError
from callboard_scm_hosts.listing import Listing, list_repositories
from callboard_scm_hosts.models import discovery as table
from callboard_scm_hosts.models import repository
from callboard_scm_hosts.settings import DiscoverSettings, HostSettings
from callboard_scm_hosts.values import Found, Known, Reading

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

_ = Translator("scm_hosts")

log = logging.getLogger(__name__)

KEPT_EVERY: Final = timedelta(minutes=10)
"""So old the time of the last scan in the table may be while nothing else changes."""
SUSPICIOUS: Final = 10
"""A list that is empty is not believed where so many repositories were known."""
NAMED: Final = 20

Progress = Callable[[int, int, str], None]


@dataclass(slots=True)
class Outcome:
    """What a scan came to. `waiting`: until when the host is left alone; `error`: why it failed."""

    discovery: str
    listed: int = 0
    added: int = 0
    left: int = 0
    read: int = 0
    failed: int = 0
    moved: bool = False
    waiting: datetime | None = None
    error: str = ""


class Scan:
    """Scans one discovery. Two at a time do no harm: what they find is the same."""

    def __init__(self, host: "Host", discovery: DiscoverSettings) -> None:
        self.host = host
        self.discovery = discovery
        settings = host.settings.host(discovery.host)
        if settings is None:
            raise NotFoundError(_("There is no host named %(name)s.", name=discovery.host))
        self.settings: HostSettings = settings
        self.ledger = Ledger(host, settings.name, settings.requests_per_hour)
        self.client = HostClient(host.http, settings, self.ledger)
        self.api = APIS.get(settings.type)
        self.digest = digest_of(discovery, settings.address)
        self.outcome = Outcome(discovery.name)

    def run(self, progress: Progress, *, touched_only: bool = False) -> Outcome:
        """Scan; what hinders it is noted in the tables and given back, not raised."""
        with self.host.read() as connection:
            row = store.load_discovery(connection, self.discovery.name)
        if row is None:
            with self.host.write() as connection:
                store.add_discovery(connection, self.discovery.name, self.settings.name)
        listing: Listing | None = None
        try:
            if not touched_only:
                listing = self._list()
            self._read_all(self._merged(listing), progress)
        except WaitingError as error:
            self.outcome.waiting = error.until
        except CallboardError as error:
            self._fail(error.message, error.hint, touched_only)
        finally:
            self.ledger.keep(changed=self.outcome.moved)
        if not self.outcome.error:
            self._finish(listing)
        return self.outcome

    # Listing

    def _list(self) -> Listing:
        if self.settings.path is not None:
            found = find_repositories(
                self.settings.path, self.discovery.scope, self.discovery.branch
            )
            return Listing({item.id: item for item in found})
        return list_repositories(self.host, self.client, self.discovery)

    def _merged(self, listing: Listing | None) -> list[tuple[Any, Found]]:
        """Bring the table up to the listing; give the repositories that must be read."""
        name, now = self.discovery.name, self.host.now()
        with self.host.read() as connection:
            rows = store.load_repositories(connection, name)
        if listing is None:
            return [(row, _found(row)) for row in rows.values() if _is_touched(row)]
        self._check_listing(listing, rows)
        self.outcome.listed = len(listing.found)
        if self._write_listing(listing.found, rows):
            with self.host.read() as connection:
                rows = store.load_repositories(connection, name)
        lags = self.api is not None and self.api.lags
        return [
            (row, listing.found[key])
            for key, row in rows.items()
            if key in listing.found
            and row.state != "skipped"
            and must_be_read(row, listing.found[key], self.digest, lags=lags, now=now)
        ]

    def _check_listing(self, listing: Listing, rows: Mapping[str, Any]) -> None:
        if not listing.found and len(rows) >= SUSPICIOUS:
            raise InputError(
                _(
                    "%(host)s lists no repository any more, though %(number)s were known.",
                    host=self.settings.name,
                    number=len(rows),
                ),
                hint=_("Check the token. If it is right, take this entry out of discover."),
            )

    def _write_listing(self, found: Mapping[str, Found], rows: Mapping[str, Any]) -> bool:
        added, changed = [], []
        for key, item in found.items():
            reason = why_skipped(self.discovery, item)
            row = rows.get(key)
            if row is None:
                added.append((item, {"state": "skipped", "reason": reason} if reason else {}))
            elif values := _differences(row, item, reason):
                changed.append((row, values))
        gone = [row for key, row in rows.items() if key not in found]
        if not (added or changed or gone):
            return False
        with self.host.write() as connection:
            self._apply(connection, added, changed, gone)
        self.outcome.added, self.outcome.left = len(added), len(gone)
        return True

    def _apply(
        self,
        connection: "Connection",
        added: Sequence[tuple[Found, dict[str, Any]]],
        changed: Sequence[tuple[Any, dict[str, Any]]],
        gone: Sequence[Any],
    ) -> None:
        name = self.discovery.name
        store.add_repositories(connection, name, added)
        for row, values in changed:
            store.change_repository(connection, row.id, values)
        skipped = [row.id for row, values in changed if values.get("state") == "skipped"]
        store.drop_contents(connection, skipped)
        store.drop_repositories(connection, [row.id for row in gone])
        renamed = [row for row, values in changed if values.keys() & {"path", "branch", "files"}]
        if any(row.descriptors for row in (*gone, *renamed)):
            self._moved(connection)
        names = {"added": [item.path for item, _more in added], "left": [row.path for row in gone]}
        if added or gone:
            after = {key: {"number": len(value), "first": sorted(value)[:NAMED]}
                     for key, value in names.items() if value}  # fmt: skip
            self.host.audit(connection, "scm_hosts.discovery.change", name, after=after)
            numbers = {key: len(value) for key, value in names.items()}
            self.host.publish(connection, "scm_hosts.discovery.changed", name, numbers)

    # Reading

    def _read_all(self, pending: Sequence[tuple[Any, Found]], progress: Progress) -> None:
        total = len(pending)
        with ThreadPoolExecutor(self.settings.readers, thread_name_prefix="scm_hosts") as pool:
            waiting: WaitingError | None = None
            stopped = Event()
            ahead = 2 * self.settings.readers
            readings = _in_turn(pool, self._read, pending, ahead, stopped)
            for done, (row, found, future) in enumerate(readings, 1):
                try:
                    self._keep(row, found, future.result())
                except WaitingError as error:
                    # What others have read by now is kept all the same.
                    waiting = error
                    stopped.set()
                except CallboardError as error:
                    self._note(row, found, error.message)
                except (ValueError, TypeError, KeyError) as error:
                    log.warning("%s of %s: %r", found.path, self.settings.name, error)
                    message = _("The host answered with something that was not expected.")
                    self._note(row, found, message)
                except OSError as error:
                    self._note(row, found, reason_of(error))
                progress(done, total, found.path)
        if waiting is not None:
            raise waiting

    def _read(self, row: Any, found: Found) -> Reading | None:
        with self.host.read() as connection:
            _files, etag, blobs = store.load_files(connection, row.id)
        same = row.read_by == self.digest and row.read_at is not None and row.state != "failed"
        known = Known(row.id, found, row.head if same else "", etag if same else "", blobs)
        wanted = wanted_of(self.discovery)
        if not (found.branch or wanted.branch):
            return Reading("empty")
        if self.api is None or self.settings.through == "git":
            return read_by_git(self.host, self.settings, known, wanted)
        return self.api.read(self.client, known, wanted)

    def _keep(self, row: Any, found: Found, reading: Reading | None) -> None:
        now = self.host.now()
        more = {
            "read_moved": found.moved,
            "read_by": self.digest,
            "read_at": now,
            "touched": repository.c.touched - row.touched,
        }
        if reading is None:
            settled = row.read_moved == found.moved and not row.touched
            if settled and may_lag(row, found) and now < row.read_at + KEPT_EVERY:
                return
            with self.host.write() as connection:
                store.change_repository(connection, row.id, more)
            return
        self.outcome.read += 1
        with self.host.write() as connection:
            if store.write_reading(connection, row.id, reading, more):
                self._moved(connection)

    def _note(self, row: Any, found: Found, message: Text) -> None:
        """Say that one repository cannot be read; what it gave before is kept."""
        self.outcome.failed += 1
        with self.host.write() as connection:
            values = {
                "state": "failed",
                "reason": message,
                "attempts": row.attempts + 1 if row.state == "failed" else 1,
                "read_moved": found.moved,
                "read_by": self.digest,
                "read_at": self.host.now(),
                "touched": repository.c.touched - row.touched,
            }
            store.change_repository(connection, row.id, values)

    # What came of it

    def _moved(self, connection: "Connection") -> None:
        self.outcome.moved = True
        store.grow(connection, self.discovery.name)

    def _fail(self, message: Text, hint: Text, touched_only: bool) -> None:
        self.outcome.error = str(message)
        if touched_only:
            return
        name, now = self.discovery.name, self.host.now()
        with self.host.read() as connection:
            row = store.load_discovery(connection, name)
        if row is not None and row.failing_since and str(row.error) == str(message):
            return
        log.warning("Discovery %s: %s", name, message)
        with self.host.write() as connection:
            store.fail_discovery(connection, name, message, hint, now)
            self.host.publish(
                connection, "scm_hosts.discovery.failed", name, {"error": str(message)[:500]}
            )

    def _finish(self, listing: Listing | None) -> None:
        name, now = self.discovery.name, self.host.now()
        with self.host.read() as connection:
            row = store.load_discovery(connection, name)
        if row is None:
            return
        values: dict[str, Any] = {}
        if listing is not None:
            complete = self.outcome.waiting is None
            values = {"error": "", "hint": "", "note": listing.note, "complete": complete,
                      "host": self.settings.name}  # fmt: skip
            old = row.scanned_at is None or now - row.scanned_at >= KEPT_EVERY
            differs = any(str(getattr(row, key)) != str(value) for key, value in values.items())
            if not (old or differs or self.outcome.moved or self.outcome.added):
                return
            values |= {"scanned_at": now, "failing_since": None}
        elif self.outcome.waiting is not None:
            # What is left to read is read by a whole scan, as soon as the host may be asked.
            values = {"complete": False}
        elif not self.outcome.moved:
            return
        with self.host.write() as connection:
            if values:
                connection.execute(update(table).where(table.c.name == name).values(**values))
            if row.failing_since and "failing_since" in values:
                self.host.publish(connection, "scm_hosts.discovery.recovered", name)
            if self.outcome.moved:
                self.host.refresh(name, connection=connection)


def _in_turn(
    pool: ThreadPoolExecutor,
    read: Callable[[Any, Found], Reading | None],
    pending: Sequence[tuple[Any, Found]],
    ahead: int,
    stopped: Event,
) -> Iterator[tuple[Any, Found, "Future[Reading | None]"]]:
    """Yield readings as they come, with only a few begun ahead: what is read is kept at once."""
    running: dict[Future[Reading | None], tuple[Any, Found]] = {}
    remaining = iter(pending)
    try:
        while True:
            while not stopped.is_set() and len(running) < ahead:
                item = next(remaining, None)
                if item is None:
                    break
                running[pool.submit(read, *item)] = item
            if not running:
                return
            done, _not_done = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield (*running.pop(future), future)
    finally:
        for future in running:
            future.cancel()


def _differences(row: Any, found: Found, reason: Text) -> dict[str, Any]:
    """Give the columns of a repository that the listing changes; a push alone is no change."""
    values = {
        key: value
        for key, value in store.listed_values(found).items()
        if getattr(row, key) != value
    }
    if reason and (row.state != "skipped"):
        values |= {**store.EMPTY, "touched": row.touched, "state": "skipped", "reason": reason}
    elif not reason and row.state == "skipped":
        values |= {"state": "new", "reason": ""}
    if "branch" in values and "state" not in values:
        values["read_by"] = ""
    return values


def _is_touched(row: Any) -> bool:
    return bool(row.touched) and row.state != "skipped"


def _found(row: Any) -> Found:
    return Found(row.remote_id, row.path, row.branch, row.read_moved, tuple(row.topics),
                 row.archived, row.fork)  # fmt: skip
