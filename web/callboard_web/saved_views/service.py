"""Keeps saved views. A shared one is everyone's to see, its maker's to change, and audited."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, or_, select, update

from callboard import audit
from callboard.database import Database
from callboard.errors import InputError, NotAllowedError, NotFoundError
from callboard.events.log import publish
from callboard.i18n import Translator
from callboard_web.personal import models

_: Final = Translator("callboard")
TABLE: Final = models.view

MOST_OF_ONE: Final = 100
MOST_SHARED: Final = 300
LONGEST_NAME: Final = 80
LONGEST_QUERY: Final = 8_000
DELETED: Final = "deleted:"
"""What the key of a deleted view begins with: it is nobody's until it is wanted back."""

KEPT: Final = timedelta(hours=1)
"""How long a deleted view can be had back."""

SHARE: Final = "portal.view.share"
MANAGE: Final = "portal.view.manage"


@dataclass(frozen=True, slots=True)
class SavedView:
    """A list under a name. `query` is what follows `/catalog?`; `may_change` is about who asks."""

    id: int
    name: str
    query: str
    shared: bool
    mine: bool
    may_change: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and whether they may change what others share.

    `key` is empty for one who keeps nothing.
    """

    key: str
    manages: bool = False


class SavedViews:
    """Keeps and gives saved views."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.database = database
        self.now = now

    def all(self, asking: Asking) -> Sequence[SavedView]:
        """Give the views of who asks and the shared ones, by name."""
        visible = or_(TABLE.c.key == asking.key, TABLE.c.shared)
        statement = select(TABLE).where(visible, ~TABLE.c.key.startswith(DELETED))
        with self.database.read() as connection:
            rows = connection.execute(statement.order_by(TABLE.c.name, TABLE.c.id))
            return [_view(row, asking) for row in rows]

    def get(self, number: int, asking: Asking) -> SavedView:
        """Give one view; raises `NotFoundError` also for one of somebody else's."""
        with self.database.read() as connection:
            return _view(_row(connection, number, asking), asking)

    def save(self, name: str, query: str, shared: bool, asking: Asking) -> int:
        """Keep a list under a name and give its number; raises `InputError` for what cannot be."""
        values = {"name": name, "query": query, "shared": shared}
        with self.database.write() as connection:
            self._check(connection, 0, values, asking)
            now = self.now()
            row = {**values, "key": asking.key, "created_at": now, "updated_at": now}
            number = int(
                connection.execute(insert(TABLE).values(row).returning(TABLE.c.id)).scalar_one()
            )
            self._note(connection, "created", number, None, row, asking)
        return number

    def change(self, number: int, asking: Asking, **values: Any) -> None:
        """Change the name, the query or whether it is shared.

        Raises `NotAllowedError` for one of somebody else's, `InputError` for what cannot be.
        """
        with self.database.write() as connection:
            before = _row(connection, number, asking)
            _must_be_allowed(before, asking)
            after = {"name": before.name, "query": before.query, "shared": before.shared, **values}
            self._check(connection, number, after, asking)
            connection.execute(
                update(TABLE).where(TABLE.c.id == number).values(**after, updated_at=self.now())
            )
            self._note(connection, "updated", number, dict(before._mapping), after, asking)

    def delete(self, number: int, asking: Asking) -> SavedView:
        """Delete a view, and for good those that nobody has wanted back for an hour."""
        with self.database.write() as connection:
            row = _row(connection, number, asking)
            _must_be_allowed(row, asking)
            gone = TABLE.c.key.startswith(DELETED) & (TABLE.c.updated_at < self.now() - KEPT)
            connection.execute(delete(TABLE).where(gone))
            connection.execute(
                update(TABLE)
                .where(TABLE.c.id == number)
                .values(key=(DELETED + row.key)[:300], updated_at=self.now())
            )
            self._note(connection, "deleted", number, dict(row._mapping), None, asking)
            return _view(row, asking)

    def restore(self, number: int, asking: Asking) -> SavedView:
        """Take a deletion back; twice does nothing more."""
        with self.database.write() as connection:
            row = connection.execute(select(TABLE).where(TABLE.c.id == number)).one_or_none()
            if row is None:
                raise _missing()
            key = row.key.removeprefix(DELETED)
            if key != asking.key and not (row.shared and asking.manages):
                raise _missing()
            if key != row.key:
                connection.execute(update(TABLE).where(TABLE.c.id == number).values(key=key))
                self._note(connection, "restored", number, None, dict(row._mapping), asking)
            return _view(row, asking)

    def _check(
        self, connection: Connection, number: int, values: Mapping[str, Any], asking: Asking
    ) -> None:
        name = values["name"]
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise InputError(
                _("Write a name of at most %(most)s characters in one line.", most=LONGEST_NAME)
            )
        if len(values["query"]) > LONGEST_QUERY:
            raise InputError(_("There are too many filters to be saved."))
        others = select(TABLE.c.name, TABLE.c.shared).where(
            TABLE.c.id != number,
            ~TABLE.c.key.startswith(DELETED),
            TABLE.c.shared if values["shared"] else TABLE.c.key == asking.key,
        )
        rows = connection.execute(others).all()
        if any(row.name == name and row.shared == values["shared"] for row in rows):
            raise InputError(_("There is a view of this name already."))
        if len(rows) >= (MOST_SHARED if values["shared"] else MOST_OF_ONE):
            raise InputError(_("There are too many views. Delete one first."))

    def _note(
        self,
        connection: Connection,
        what: str,
        number: int,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        asking: Asking,
    ) -> None:
        """Note what concerns others: a change of a view that is shared, or was."""
        if not any(values and values["shared"] for values in (before, after)):
            return
        audit.record(
            connection,
            SHARE,
            f"view:{number}",
            before=_told(before),
            after=_told(after),
            at=self.now(),
        )
        name = (after or before or {})["name"]
        publish(connection, f"portal.view.{what}", f"view:{number}", {"name": name}, at=self.now())


def _told(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: values[name] for name in ("name", "query", "shared")}


def _row(connection: Connection, number: int, asking: Asking) -> Any:
    row = connection.execute(select(TABLE).where(TABLE.c.id == number)).one_or_none()
    if row is None or row.key.startswith(DELETED) or not (row.shared or row.key == asking.key):
        raise _missing()
    return row


def _missing() -> NotFoundError:
    return NotFoundError(
        _("There is no such view."), hint=_("It may have been deleted, or be somebody else's.")
    )


def _must_be_allowed(row: Any, asking: Asking) -> None:
    if not _may_change(row, asking):
        raise NotAllowedError(
            _("This view is somebody else's."),
            hint=_("Its maker or an administrator can change it. Save it as a view of your own."),
            permission=MANAGE,
        )


def _may_change(row: Any, asking: Asking) -> bool:
    return bool(asking.key and row.key == asking.key) or (row.shared and asking.manages)


def _view(row: Any, asking: Asking) -> SavedView:
    mine = bool(asking.key) and row.key == asking.key
    return SavedView(
        row.id, row.name, row.query, row.shared, mine, _may_change(row, asking), row.updated_at
    )
