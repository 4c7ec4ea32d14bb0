"""Service accounts: who machines are, apart from any person."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from callboard import events
from callboard.audit import record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.i18n import Translator
from callboard.identity import SYSTEM, Principal, asking
from callboard_web.tokens import models

_ = Translator("callboard")

PERMISSION: Final = "portal.service_account.write"
PREFIX: Final = "service:"
"""What the name of an account begins with in bindings."""

LONGEST_PURPOSE: Final = 500
MOST: Final = 1_000
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TABLE: Final = models.service_account


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """An account of machines. `owner` is a group, or None where administrators own it."""

    id: int
    name: str
    purpose: str
    owner: EntityRef | None
    created_at: datetime
    created_by: str
    closed_at: datetime | None
    tokens: int = 0

    @property
    def bound_as(self) -> str:
        """Its name in bindings."""
        return PREFIX + self.name


class ServiceAccounts:
    """Keeps and gives service accounts. Who may do what is asked before."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.database = database
        self.now = now

    def all(self, owners: Sequence[EntityRef] | None = None) -> list[ServiceAccount]:
        """Give all accounts, or those of some owners, open ones first and then by name."""
        tokens = (
            select(func.count())
            .select_from(models.token)
            .where(
                models.token.c.service_account_id == _TABLE.c.id,
                models.token.c.revoked_at.is_(None),
                models.token.c.expires_at > self.now(),
            )
            .scalar_subquery()
        )
        statement = select(_TABLE, tokens.label("tokens")).limit(MOST)
        if owners is not None:
            statement = statement.where(_TABLE.c.owner.in_(list(map(str, owners))))
        statement = statement.order_by(_TABLE.c.closed_at.is_not(None), _TABLE.c.name)
        with self.database.read() as connection:
            return [_account(row) for row in connection.execute(statement)]

    def get(self, name: str) -> ServiceAccount:
        """Give one account; raises `NotFoundError`."""
        with self.database.read() as connection:
            return _account(_row(connection, name))

    def find(self, name: str) -> ServiceAccount | None:
        """Give one account, if there is one of this name."""
        with self.database.read() as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
        return _account(row) if row else None

    def make(
        self,
        name: str,
        purpose: str,
        owner: EntityRef | None,
        *,
        on_behalf_of: Principal | None = None,
    ) -> None:
        """Make an account; raises `InputError` or `ConflictError` for a name that cannot be."""
        if not _NAME.fullmatch(name):
            raise InputError(
                _("Write a name of lower-case letters, digits and hyphens, at most 63.")
            )
        now = self.now()
        values = {"purpose": purpose[:LONGEST_PURPOSE], "owner": str(owner) if owner else ""}
        by = str(on_behalf_of or _asker())[:300]
        row = {**values, "name": name, "created_at": now, "created_by": by, "closed_at": None}
        try:
            with self.database.write() as connection:
                connection.execute(insert(_TABLE).values(row))
                record(
                    connection, PERMISSION, PREFIX + name, after=values, on_behalf_of=on_behalf_of,
                    at=now,
                )  # fmt: skip
                _publish(connection, "made", name, now)
        except IntegrityError as error:
            raise ConflictError(
                _("There is a service account of this name, or there was one."),
                hint=_("Names are not given twice, so that nobody comes to what another had."),
            ) from error

    def change(self, name: str, purpose: str, owner: EntityRef | None) -> None:
        """Write another purpose and owner."""
        after = {"purpose": purpose[:LONGEST_PURPOSE], "owner": str(owner) if owner else ""}
        self._change(name, after, "changed", after)

    def close(self, name: str) -> None:
        """Refuse its tokens from now on; a second time changes nothing."""
        self._change(name, {"closed_at": self.now()}, "closed", {"closed": True})

    def open_again(self, name: str) -> None:
        """Take its tokens again, as far as they have not ended otherwise."""
        self._change(name, {"closed_at": None}, "opened", {"closed": False})

    def _change(
        self, name: str, values: Mapping[str, Any], what: str, after: Mapping[str, Any]
    ) -> None:
        now = self.now()
        with self.database.write() as connection:
            row = _row(connection, name)
            before = {
                "purpose": row.purpose, "owner": row.owner, "closed": row.closed_at is not None,
            }  # fmt: skip
            if all(before[key] == value for key, value in after.items()):
                return
            connection.execute(update(_TABLE).where(_TABLE.c.id == row.id).values(**values))
            kept = {key: before[key] for key in after}
            record(connection, PERMISSION, PREFIX + name, before=kept, after=after, at=now)
            _publish(connection, what, name, now)


def _asker() -> Principal:
    subject = asking()
    return subject.principal if subject else SYSTEM


def _publish(connection: Connection, what: str, name: str, at: datetime) -> None:
    events.publish(
        connection, f"portal.service_account.{what}", PREFIX + name, actor=_asker(), at=at
    )


def _row(connection: Connection, name: str) -> Any:
    row = connection.execute(select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
    if row is None:
        raise NotFoundError(_("There is no service account %(name)s.", name=name))
    return row


def _account(row: Any) -> ServiceAccount:
    return ServiceAccount(
        id=row.id,
        name=row.name,
        purpose=row.purpose,
        owner=EntityRef.parse(row.owner) if row.owner else None,
        created_at=row.created_at,
        created_by=row.created_by,
        closed_at=row.closed_at,
        tokens=getattr(row, "tokens", 0),
    )
