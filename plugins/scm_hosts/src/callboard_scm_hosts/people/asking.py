"""Asks a host for lists of people, each page only if it changed, and goes on where it was ended."""

import hashlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sqlalchemy import delete, insert, select, update

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.client import HostClient, check_paging
from callboard_scm_hosts.people.models import answer, reading

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

log = logging.getLogger(__name__)

Reduce = Callable[[Mapping[str, Any]], dict[str, Any] | None]
"""Gives what is used of one thing, None where it is left out; raises `ValueError` for what is
none."""

DAY: Final = timedelta(days=1)
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class _Kept:
    etag: str
    following: str
    items: list[dict[str, Any]]
    count: int
    asked_at: datetime


class Asker:
    """One reading. End it with `finish`, or with `interrupt` where something hinders it.

    Each answer is kept when it came. A reading that was interrupted is taken up by the next one
    within a day: what it was answered is not asked again.
    """

    def __init__(self, host: "Host", client: HostClient, people: str) -> None:
        self.host, self.client, self.people = host, client, people
        self.now = host.now()
        with host.read() as connection:
            rows = connection.execute(select(answer).where(answer.c.people == people)).all()
            ended = connection.scalar(select(reading.c.began_at).where(reading.c.people == people))
        self._resumed = ended is not None
        # Answers since then count; of a reading that begins now none does.
        self._since = ended if ended and self.now - ended < DAY else None
        self._kept = {
            row.key: _Kept(
                row.etag, row.following, row.data["items"], row.data["count"], row.asked_at
            )
            for row in rows
        }
        self._seen: set[str] = set()
        self._same: set[str] = set()
        self._daily: set[str] = set()
        self._moved = False

    def pages(
        self, path: str, query: Mapping[str, str | int], reduce: Reduce
    ) -> list[dict[str, Any]]:
        """Give all that a list has; raises as `HostClient.pages`."""
        address = f"{self.client.settings.api}{path}?{urlencode(query)}"
        full = int(query.get("per_page", query.get("limit", 0)))
        asked: set[str] = set()
        found: list[dict[str, Any]] = []
        while address:
            check_paging(address, asked)
            asked.add(address)
            page = self._ask(address, reduce, self._since, full)
            found += page.items
            address = page.following
        return found

    def one(self, path: str, reduce: Reduce, *, daily: bool = False) -> dict[str, Any] | None:
        """Give one thing, None where there is none. With `daily` it may be a day old."""
        address = f"{self.client.settings.api}{path}"
        since = self._since
        if daily:
            since = min(since or self.now, self.now - DAY)
            self._daily.add(_key(address))
        try:
            page = self._ask(address, reduce, since, 0)
        except NotFoundError:
            return None
        return page.items[0] if page.items else None

    def finish(self) -> None:
        """Forget answers that were not needed; where there are none, nothing is written."""
        gone = sorted(self._kept.keys() - self._seen)
        same = sorted(self._same & self._daily)
        if not (gone or same or self._resumed):
            return
        with self.host.write() as connection:
            connection.execute(delete(reading).where(reading.c.people == self.people))
            for start in range(0, len(gone), AT_ONCE):
                keys = gone[start : start + AT_ONCE]
                connection.execute(delete(answer).where(*self._are(keys)))
            self._touch(connection, same)

    def interrupt(self) -> None:
        """Note how far this reading came."""
        if not self._moved:
            return
        with self.host.write() as connection:
            connection.execute(delete(reading).where(reading.c.people == self.people))
            row = {"people": self.people, "began_at": self._since or self.now}
            connection.execute(insert(reading), row)
            self._touch(connection, sorted(self._same))

    def _touch(self, connection: Any, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), AT_ONCE):
            part = keys[start : start + AT_ONCE]
            connection.execute(update(answer).where(*self._are(part)).values(asked_at=self.now))

    def _are(self, keys: Sequence[str]) -> tuple[Any, Any]:
        return answer.c.people == self.people, answer.c.key.in_(keys)

    def _ask(self, address: str, reduce: Reduce, since: datetime | None, full: int) -> _Kept:
        key = _key(address)
        kept = self._kept.get(key)
        self._seen.add(key)
        if kept is not None and since is not None and kept.asked_at >= since:
            return kept
        # A full last page says nothing of the one that may have come after it.
        whole = kept is not None and (not full or kept.following or kept.count < full)
        got = self.client.get(address, etag=kept.etag if kept and whole else "")
        self._moved = True
        if got.not_modified and kept is not None:
            self._same.add(key)
            return kept
        listed = got.data if full else [got.data]
        if not isinstance(listed, list):
            raise InputError(
                _("%(host)s answered with something that is no list of people or groups.",
                  host=self.client.settings.name),
                hint=_("Check the type and the address of this host in the settings."),
            )  # fmt: skip
        items = [item for entry in listed if (item := self._reduced(entry, reduce)) is not None]
        page = _Kept(got.etag, got.following if full else "", items, len(listed), self.now)
        self._keep(key, page)
        return page

    def _reduced(self, entry: Any, reduce: Reduce) -> dict[str, Any] | None:
        try:
            return reduce(entry) if isinstance(entry, dict) else None
        except ValueError as error:
            log.warning("People %s: an entry is left out: %s.", self.people, error)
            return None

    def _keep(self, key: str, page: _Kept) -> None:
        values = {
            "etag": page.etag,
            "following": page.following,
            "data": {"items": page.items, "count": page.count},
            "asked_at": page.asked_at,
        }
        self._kept[key] = page
        with self.host.write() as connection:
            connection.execute(delete(answer).where(*self._are([key])))
            connection.execute(insert(answer), {"people": self.people, "key": key, **values})


def _key(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()


def forget_others(host: "Host", kept: Collection[str]) -> None:
    """Forget the answers for entries of `people` that are not in the settings any more."""
    with host.read() as connection:
        known = set(connection.scalars(select(answer.c.people).distinct()))
    if known <= set(kept):
        return
    with host.write() as connection:
        for table in (answer, reading):
            connection.execute(delete(table).where(table.c.people.not_in(kept)))
