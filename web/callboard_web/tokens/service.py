"""Makes, rotates, revokes and lists tokens. Who may do it is asked before."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from callboard import events
from callboard.access.assembly import selector_of
from callboard.access.settings import SelectorSettings
from callboard.audit import record
from callboard.database import Database
from callboard.errors import ConflictError, NotFoundError
from callboard.i18n import Translator
from callboard.identity import SYSTEM, Principal, Selector, asking
from callboard_web.tokens import models, secret
from callboard_web.tokens.settings import TokensSettings

_ = Translator("callboard")

State = Literal["active", "expiring", "expired", "revoked"]
MAKE: Final = "portal.token.make"
ROTATE: Final = "portal.token.rotate"
REVOKE: Final = "portal.token.revoke"
READ: Final = "portal.token.read"

UNUSED: Final = timedelta(days=90)
"""A token not used for as long counts as unused, and so does one never used after a day."""

LONGEST_NAME: Final = 80
LONGEST_PURPOSE: Final = 500
_TABLE: Final = models.token


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a token is: a person's account, or a service account. `name` is how lists name it."""

    name: str
    account: int | None = None
    service_account: int | None = None

    def condition(self) -> ColumnElement[bool]:
        """Give the condition of the tokens that are theirs."""
        if self.service_account is not None:
            return _TABLE.c.service_account_id == self.service_account
        theirs = _TABLE.c.owner == self.name
        if self.account is not None:
            theirs |= _TABLE.c.account_id == self.account
        return and_(theirs, _TABLE.c.service_account_id.is_(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a new token shall be. `permissions` may be patterns; `rate` is requests a minute."""

    name: str
    purpose: str
    permissions: Sequence[str]
    selector: SelectorSettings
    expires_at: datetime
    rate: int | None = None
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it may be shown: without its secret."""

    id: int
    name: str
    purpose: str
    owner: str
    account_id: int | None
    service_account_id: int | None
    permissions: tuple[str, ...]
    selector: SelectorSettings
    rate: int | None
    rotations: int
    created_at: datetime
    created_by: str
    rotated_at: datetime | None
    old_secret_until: datetime | None
    expires_at: datetime
    warn_at: datetime
    last_used_at: datetime | None
    last_used_address: str
    revoked_at: datetime | None
    revoked_by: str

    @property
    def on(self) -> Selector:
        """The entities it is narrowed to."""
        return selector_of(self.selector)

    @property
    def principal(self) -> Principal:
        """Who it is in decisions and in the audit log."""
        return Principal(kind="token", name=str(self.id))

    def state(self, now: datetime) -> State:
        """Say how it stands."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        return "expiring" if self.warn_at <= now else "active"


class Tokens:
    """The tokens of one portal, as all its processes see them: nothing is kept in memory."""

    def __init__(
        self, database: Database, settings: TokensSettings, now: Callable[[], datetime]
    ) -> None:
        self.database = database
        self.settings = settings
        self.now = now

    # Making and ending

    def make(self, owner: Owner, wish: Wish, *, on_behalf_of: Principal | None = None) -> str:
        """Make a token and give its text, which is nowhere afterwards.

        Raises `ConflictError` where the form was sent before, or the owner has too many.
        """
        now = self.now()
        words = secret.new_secret()
        row = {
            "name": wish.name[:LONGEST_NAME],
            "purpose": wish.purpose[:LONGEST_PURPOSE],
            "account_id": owner.account,
            "service_account_id": owner.service_account,
            "owner": owner.name,
            "secret": secret.digest(words),
            "old_secret": "",
            "old_secret_until": None,
            "permissions": list(wish.permissions),
            "selector": wish.selector.model_dump(mode="json", exclude_defaults=True),
            "rate": wish.rate,
            "form": wish.form or secrets.token_urlsafe(24),
            "rotations": 0,
            "created_at": now,
            "created_by": str(_principal())[:300],
            **self._life(now, wish.expires_at),
            "last_used_address": "",
            "revoked_by": "",
        }
        try:
            with self.database.write() as connection:
                self._refuse_too_many(connection, owner)
                statement = insert(_TABLE).values(row).returning(_TABLE.c.id)
                number = int(connection.execute(statement).scalar_one())
                self._note(
                    connection, MAKE, "made", number, owner.name,
                    after=_told(row), on_behalf_of=on_behalf_of,
                )  # fmt: skip
        except IntegrityError as error:
            raise ConflictError(
                _("This token was made already, and its text was shown then."),
                hint=_("Rotate it where the text is lost."),
            ) from error
        return secret.written(number, words)

    def _refuse_too_many(self, connection: Connection, owner: Owner) -> None:
        count = select(func.count()).select_from(_TABLE).where(owner.condition(), self._open())
        if int(connection.execute(count).scalar_one()) >= self.settings.most:
            raise ConflictError(
                _("There are %(most)s tokens already.", most=self.settings.most),
                hint=_("Revoke those that nobody needs."),
            )

    def _life(self, now: datetime, wanted: datetime) -> dict[str, datetime]:
        """Give when a token ends, and from when on that is soon: its last quarter at most."""
        ends = min(wanted, now + self.settings.maximum_age)
        return {"expires_at": ends, "warn_at": ends - min(self.settings.warn, (ends - now) / 4)}

    def rotate(
        self,
        number: int,
        rotations: int,
        *,
        overlap: timedelta,
        expires_at: datetime,
        on_behalf_of: Principal | None = None,
    ) -> str:
        """Give a token a new secret, and its text. The old secret is good for `overlap` more.

        `rotations` is how often it had been rotated when that was decided: what is sent twice
        rotates once. Raises `ConflictError` then, and for a token that has ended.
        """
        now = self.now()
        words = secret.new_secret()
        with self.database.write() as connection:
            row = _row(connection, number)
            if row.rotations != rotations or row.revoked_at:
                raise ConflictError(
                    _("This token was rotated or revoked meanwhile."),
                    hint=_("Look at the list of tokens, and begin again."),
                )
            until = min(now + min(overlap, self.settings.maximum_overlap), row.expires_at)
            values = {
                "secret": secret.digest(words),
                "old_secret": row.secret if until > now else "",
                "old_secret_until": until if until > now else None,
                "rotations": row.rotations + 1,
                "rotated_at": now,
                "announced_at": None,
                **self._life(now, expires_at),
            }
            connection.execute(update(_TABLE).where(_TABLE.c.id == number).values(**values))
            before = {"expires": _iso(row.expires_at)}
            told = {"expires": _iso(values["expires_at"]), "old until": _iso(until)}
            self._note(
                connection, ROTATE, "rotated", number, row.owner,
                before=before, after=told, on_behalf_of=on_behalf_of,
            )  # fmt: skip
        return secret.written(number, words)

    def revoke(self, number: int, *, on_behalf_of: Principal | None = None) -> bool:
        """End a token at once; False where it had been revoked."""
        now = self.now()
        with self.database.write() as connection:
            row = _row(connection, number)
            if row.revoked_at:
                return False
            values = {"revoked_at": now, "revoked_by": str(_principal())[:300], "old_secret": ""}
            connection.execute(update(_TABLE).where(_TABLE.c.id == number).values(**values))
            before = {"name": row.name, "owner": row.owner}
            self._note(
                connection, REVOKE, "revoked", number, row.owner,
                before=before, on_behalf_of=on_behalf_of,
            )  # fmt: skip
        return True

    def used(self, number: int, address: str) -> None:
        """Note that a token was used, if that was not noted within a minute."""
        now = self.now()
        old = or_(
            _TABLE.c.last_used_at.is_(None), _TABLE.c.last_used_at <= now - timedelta(minutes=1)
        )
        with self.database.write() as connection:
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id == number, old)
                .values(last_used_at=now, last_used_address=address[:64])
            )

    def announce(self) -> int:
        """Tell by an event of each token that ends soon, once; give how many there are."""
        now = self.now()
        statement = select(_TABLE.c.id, _TABLE.c.name, _TABLE.c.owner, _TABLE.c.expires_at).where(
            self._open(),
            _TABLE.c.announced_at.is_(None),
            _TABLE.c.warn_at <= now,
        )
        with self.database.write() as connection:
            rows = connection.execute(statement).all()
            connection.execute(
                update(_TABLE)
                .where(_TABLE.c.id.in_([row.id for row in rows]))
                .values(announced_at=now)
            )
            events.publish_many(
                connection,
                [
                    (
                        "portal.token.expiring",
                        f"token:{row.id}",
                        {"name": row.name, "owner": row.owner, "expires": _iso(row.expires_at)},
                    )
                    for row in rows
                ],
                at=now,
            )
        return len(rows)

    # Reading

    def get(self, number: int) -> Token:
        """Give one token; raises `NotFoundError`."""
        with self.database.read() as connection:
            return token_of(_row(connection, number))

    def of(self, owner: Owner) -> list[Token]:
        """Give the tokens of one owner, the newest first."""
        statement = select(_TABLE).where(owner.condition()).order_by(_TABLE.c.id.desc()).limit(500)
        with self.database.read() as connection:
            return [token_of(row) for row in connection.execute(statement)]

    def ending(self, owners: Sequence[str], limit: int = 50) -> list[Token]:
        """Give tokens of these owners that end soon, or ended within a week, the first first."""
        now = self.now()
        statement = (
            select(_TABLE)
            .where(
                _TABLE.c.owner.in_(list(owners)),
                _TABLE.c.revoked_at.is_(None),
                _TABLE.c.warn_at <= now,
                _TABLE.c.expires_at > now - timedelta(days=7),
            )
            .order_by(_TABLE.c.expires_at)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [token_of(row) for row in connection.execute(statement)]

    def search(
        self, *, state: str = "", owner: str = "", before: int = 0, limit: int = 50
    ) -> list[Token]:
        """Give tokens, the newest first.

        `state` is one of `State` or `unused`; `owner` a part of the owner's name; `before` the
        last number of the page before.
        """
        statement = select(_TABLE).order_by(_TABLE.c.id.desc()).limit(limit)
        if state in (conditions := self._states()):
            statement = statement.where(conditions[state])
        if owner:
            statement = statement.where(_TABLE.c.owner.icontains(owner, autoescape=True))
        if before:
            statement = statement.where(_TABLE.c.id < before)
        with self.database.read() as connection:
            return [token_of(row) for row in connection.execute(statement)]

    def _states(self) -> Mapping[str, ColumnElement[bool]]:
        now = self.now()
        never = and_(_TABLE.c.last_used_at.is_(None), _TABLE.c.created_at < now - timedelta(days=1))
        return {
            "active": self._open(),
            "expiring": and_(self._open(), _TABLE.c.warn_at <= now),
            "expired": and_(_TABLE.c.revoked_at.is_(None), _TABLE.c.expires_at <= now),
            "revoked": _TABLE.c.revoked_at.is_not(None),
            "unused": and_(self._open(), or_(never, _TABLE.c.last_used_at < now - UNUSED)),
        }

    def _open(self) -> ColumnElement[bool]:
        return and_(_TABLE.c.revoked_at.is_(None), _TABLE.c.expires_at > self.now())

    def _note(
        self,
        connection: Connection,
        action: str,
        what: str,
        number: int,
        owner: str,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        on_behalf_of: Principal | None = None,
    ) -> None:
        now, subject = self.now(), f"token:{number}"
        record(
            connection, action, subject, before=before, after=after, on_behalf_of=on_behalf_of,
            at=now,
        )  # fmt: skip
        events.publish(
            connection,
            f"portal.token.{what}",
            subject,
            {"owner": owner},
            actor=_principal(),
            at=now,
        )


def token_of(row: Any) -> Token:
    """Give the token of a row of the table."""
    names = (
        "id", "name", "purpose", "owner", "account_id", "service_account_id", "rate", "rotations",
        "created_at", "created_by", "rotated_at", "old_secret_until", "expires_at",
        "warn_at", "last_used_at", "last_used_address", "revoked_at", "revoked_by",
    )  # fmt: skip
    return Token(
        **{name: getattr(row, name) for name in names},
        permissions=tuple(row.permissions),
        selector=SelectorSettings.model_validate(row.selector),
    )


def _row(connection: Connection, number: int) -> Any:
    row = connection.execute(select(_TABLE).where(_TABLE.c.id == number)).one_or_none()
    if row is None:
        raise NotFoundError(_("There is no token %(number)s.", number=number))
    return row


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the audit log keeps of a new token."""
    kept = {name: row[name] for name in ("name", "purpose", "owner", "permissions", "rate")}
    return {**kept, "on": row["selector"], "expires": _iso(row["expires_at"])}


def _iso(at: Any) -> str:
    return at.isoformat() if isinstance(at, datetime) else ""


def _principal() -> Principal:
    subject = asking()
    return subject.principal if subject else SYSTEM
