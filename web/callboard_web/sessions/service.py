"""Begins, finds and ends sessions."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, select, update
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from callboard import events
from callboard.audit import record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import NotAllowedError
from callboard.i18n import Translator
from callboard.identity import CLIENT_ADDRESS, Subject
from callboard_web.identity.afterwards import afterwards
from callboard_web.personal import Personal
from callboard_web.sessions import accounts, store
from callboard_web.sessions.attempts import Attempts
from callboard_web.sessions.cookie import SessionCookie
from callboard_web.sessions.model import (
    DEMO,
    LOCAL,
    DueSession,
    EndedSession,
    Session,
    SignedIn,
    Why,
)
from callboard_web.sessions.sealing import Seal
from callboard_web.sessions.settings import SessionsSettings
from callboard_web.sessions.store import ACCOUNT, SESSION

_: Final = Translator("callboard")

SECRET_BYTES: Final = 32
SEEN: Final = timedelta(minutes=1)
"""How exact `seen_at` is: it is not written more often."""

PASSIVE: Final = frozenset({"/live", "/live/changes", "/me/session"})
"""Paths that open pages ask for by themselves: they keep no session from ending."""

WATCHED: Final = ("ref", "groups", "names", "roles")
"""What of an account decides what its person may do: a change of it is audited."""


class Sessions:
    """The sessions of one portal, as all its processes see them: nothing is kept in memory."""

    def __init__(
        self,
        database: Database,
        personal: Personal,
        settings: SessionsSettings,
        now: Callable[[], datetime],
        *,
        secret: str,
        base_url: str,
        visitor: Callable[[HTTPConnection], str],
    ) -> None:
        self.database = database
        self.personal = personal
        self.settings = settings
        self.now = now
        self.cookie = SessionCookie(base_url)
        self.attempts = Attempts(database, now)
        self._seal = Seal(secret)
        self._visitor = visitor

    # Signing in

    def sign_in(self, request: Request, response: Response, signed_in: SignedIn) -> int:
        """Begin a session, give its cookie with the response, and its number.

        The account is remembered as described now, the browser's old session ends, and what its
        visitor kept becomes the person's where they have none. Raises `NotAllowedError` over plain
        http from elsewhere, and for an account that was deactivated.
        """
        self.cookie.require_safe(request)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = self.now()
        number = 0
        with self.database.write() as connection:
            account, active = accounts.remember(connection, signed_in, now)
            if active:
                number = self._begin(connection, request, signed_in, account, secret, now)
        if not number:
            self.failed(signed_in.method, str(signed_in.principal), "deactivated")
            raise NotAllowedError(
                _("This account is deactivated."), hint=_("Ask an administrator of the portal.")
            )
        self.cookie.set(request, response, secret)
        return number

    def _begin(
        self,
        connection: Connection,
        request: Request,
        signed_in: SignedIn,
        account: int,
        secret: str,
        now: datetime,
    ) -> int:
        principal = signed_in.principal
        old = self.cookie.read(request)
        if old:
            store.end(connection, SESSION.c.secret == _hash(old), "replaced", now)
        limit = now + self._absolute(signed_in.method)
        row = {
            "secret": _hash(secret),
            "account_id": account,
            "method": signed_in.method,
            "created_at": now,
            "seen_at": now,
            "checked_at": now,
            "ends_at": min(limit, now + self.settings.idle),
            "limit_at": limit,
            "address": CLIENT_ADDRESS.get()[:64],
            "agent": request.headers.get("user-agent", "").replace("\0", "")[:200],
            "provider_session": signed_in.provider_session[:255],
            "id_token": self._seal.close(signed_in.id_token),
            "refresh_token": self._seal.close(signed_in.refresh_token),
        }
        statement = insert(SESSION).values(row).returning(SESSION.c.id)
        number = int(connection.execute(statement).scalar_one())
        self.personal.adopt(connection, self._visitor(request), str(principal))
        told = {"session": number, "method": signed_in.method}
        after = {**told, "rule": str(signed_in.rule)} if signed_in.rule else told
        record(
            connection, "portal.session.start", str(principal), actor=principal, after=after, at=now
        )
        events.publish(
            connection, "portal.session.started", str(principal), told, actor=principal, at=now
        )
        return number

    def _absolute(self, method: str) -> timedelta:
        glass = self.settings.break_glass
        return glass.absolute if method == LOCAL and glass else self.settings.absolute

    def failed(self, method: str, name: str, reason: str) -> None:
        """Record a sign-in that failed: by which method, as whom, and why in a few words."""
        now = self.now()
        after = {"method": method, "reason": reason}
        with self.database.write() as connection:
            record(connection, "portal.session.start", name, result="failed", after=after, at=now)
            events.publish(connection, "portal.session.failed", name[:300], after, at=now)

    # Who asks

    def subject(self, connection: HTTPConnection) -> Subject | None:
        """Give who asks by the session their browser brings; None where there is none."""
        secret = self.cookie.read(connection)
        if not secret:
            return None
        with self.database.glance() as reading:
            found = reading.execute(store.BY_SECRET, {"secret_hash": _hash(secret)})
            row = found.one_or_none()
        now = self.now()
        if row is None or not row.active or row.ends_at <= now or not self._offers(row.method):
            return None
        subject = self.person(row, row.id, row.generation)
        connection.state.session = store.session_of(row)
        if now - row.seen_at >= SEEN and not _is_passive(connection):
            afterwards(connection, lambda: self.touch(row.id))
        return subject

    def _offers(self, method: str) -> bool:
        """Say whether sessions of a method count: those of what was switched off do not."""
        if method == LOCAL:
            return self.settings.break_glass is not None
        return method != DEMO or self.settings.demo

    def current(self, connection: HTTPConnection) -> Session | None:
        """Give the session by which a request was made, if it was made by one."""
        return getattr(connection.state, "session", None)

    def person(
        self, row: Any, session: int | None = None, generation: int | None = None
    ) -> Subject:
        """Give the person of a row of `portal_account` as they ask: with all that is theirs now.

        `generation` is the catalog's, where it was read already.
        """
        principal = store.principal(row)
        user = principal.entity
        start = ((user,) if user else ()) + tuple(map(EntityRef.parse, row.groups))
        name, mine = self.personal.above(start, generation)
        return Subject(
            principal=principal,
            title=name if user in mine else row.title,
            mine=mine,
            names=tuple(f"provider-group:{item}" for item in row.names),
            roles=tuple(row.roles),
            session=session,
        )

    def touch(self, number: int) -> datetime | None:
        """Note that a session is used, and give when it ends now; None where it has ended."""
        now = self.now()
        used = SESSION.c.id == number
        with self.database.write() as connection:
            limit = connection.scalar(
                select(SESSION.c.limit_at).where(used, SESSION.c.ends_at > now)
            )
            if limit is None:
                return None
            ends: datetime = min(limit, now + self.settings.idle)
            connection.execute(update(SESSION).where(used).values(seen_at=now, ends_at=ends))
        return ends

    # Lists

    def of_account(self, account: int) -> Sequence[Session]:
        """Give the open sessions of an account, the one used last first."""
        return self._list(SESSION.c.account_id == account, 200)

    def open(self, *, text: str = "", before: int = 0, limit: int = 50) -> Sequence[Session]:
        """Give open sessions, the newest first; `text` is part of a name or an address.

        `before` is the last number of the page before.
        """
        condition = SESSION.c.id < before if before else SESSION.c.id > 0
        if text:
            condition &= (
                ACCOUNT.c.title.icontains(text, autoescape=True)
                | ACCOUNT.c.ref.icontains(text, autoescape=True)
                | SESSION.c.address.startswith(text, autoescape=True)
            )
        return self._list(condition, limit, newest=True)

    def inactive(self) -> Sequence[tuple[int, str]]:
        """Give number and title of the accounts that were deactivated, by title."""
        statement = select(ACCOUNT.c.id, ACCOUNT.c.title).where(~ACCOUNT.c.active)
        with self.database.read() as connection:
            rows = connection.execute(statement.order_by(ACCOUNT.c.title).limit(200))
            return [(row.id, row.title) for row in rows]

    def get(self, number: int) -> Session | None:
        """Give an open session."""
        found = self._list(SESSION.c.id == number, 1)
        return found[0] if found else None

    def _list(
        self, condition: ColumnElement[bool], limit: int, *, newest: bool = False
    ) -> list[Session]:
        order = (
            (SESSION.c.id.desc(),) if newest else (SESSION.c.seen_at.desc(), SESSION.c.id.desc())
        )
        statement = (
            store.with_account()
            .where(condition, SESSION.c.ends_at > self.now())
            .order_by(*order)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [store.session_of(row) for row in connection.execute(statement)]

    # Checking again, by the provider

    def due_for_check(
        self, method: str, before: datetime, limit: int = 100
    ) -> Sequence[DueSession]:
        """Give open sessions with a refresh token that were last checked before, oldest first."""
        statement = (
            store.with_account()
            .where(
                SESSION.c.method == method,
                SESSION.c.checked_at < before,
                SESSION.c.refresh_token != "",
                SESSION.c.ends_at > self.now(),
            )
            .order_by(SESSION.c.checked_at, SESSION.c.id)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [
                DueSession(
                    session=row.id,
                    account=row.account_id,
                    method=row.method,
                    subject=row.subject,
                    refresh_token=self._seal.open(row.refresh_token),
                    checked_at=row.checked_at,
                )
                for row in connection.execute(statement)
            ]

    def update(self, account_id: int, signed_in: SignedIn, *, session: int = 0) -> None:
        """Keep an account as its provider describes it now.

        `session` is the one that was checked: its time, and the refresh token where there is a new
        one, are kept with it. A change of User, groups or roles is audited.
        """
        now = self.now()
        described = accounts.described(signed_in)
        one = ACCOUNT.c.id == account_id
        with self.database.write() as connection:
            columns = [ACCOUNT.c[name] for name in WATCHED]
            row = connection.execute(select(*columns).where(one)).one_or_none()
            if row is None:
                return
            connection.execute(update(ACCOUNT).where(one).values(**described, updated_at=now))
            if session:
                self._checked(connection, session, account_id, signed_in.refresh_token, now)
            before = dict(row._mapping)
            after = {name: described[name] for name in WATCHED}
            if before != after:
                name = str(signed_in.principal)
                record(
                    connection, "portal.account.update", name, before=before, after=after, at=now
                )
                events.publish(connection, "portal.account.updated", name, at=now)

    def _checked(
        self, connection: Connection, session: int, account: int, token: str, now: datetime
    ) -> None:
        values = {
            "checked_at": now,
            **({"refresh_token": self._seal.close(token)} if token else {}),
        }
        connection.execute(
            update(SESSION)
            .where(SESSION.c.id == session, SESSION.c.account_id == account)
            .values(values)
        )

    # Ending

    def end(self, session_id: int, why: Why) -> EndedSession | None:
        """End a session; give what its provider may be told, or None where it had ended."""
        with self.database.write() as connection:
            rows = store.end(connection, SESSION.c.id == session_id, why, self.now())
        for row in rows:
            return EndedSession(
                method=row.method,
                subject=row.subject,
                id_token=self._seal.open(row.id_token),
                provider_session=row.provider_session,
            )
        return None

    def end_of_account(self, account_id: int, why: Why, *, but: int = 0) -> int:
        """End all sessions of an account, but one; give how many there were."""
        condition = (SESSION.c.account_id == account_id) & (SESSION.c.id != but)
        with self.database.write() as connection:
            return len(store.end(connection, condition, why, self.now()))

    def end_of_provider(self, method: str, *, subject: str = "", provider_session: str = "") -> int:
        """End the sessions that a provider ends: of a person, of its own session, or both given.

        Give how many there were. See OpenID Connect Back-Channel Logout 1.0, section 2.6.
        """
        if not subject and not provider_session:
            return 0
        condition = SESSION.c.method == method
        if subject:
            condition &= ACCOUNT.c.subject == subject
        if provider_session:
            condition &= SESSION.c.provider_session == provider_session
        with self.database.write() as connection:
            return len(store.end(connection, condition, "provider", self.now()))

    def set_active(self, account_id: int, active: bool) -> None:
        """Activate an account, or deactivate it, which ends its sessions; audited."""
        now = self.now()
        with self.database.write() as connection:
            statement = (
                update(ACCOUNT)
                .where(ACCOUNT.c.id == account_id, ACCOUNT.c.active != active)
                .values(active=active, updated_at=now)
                .returning(ACCOUNT.c.method, ACCOUNT.c.subject, ACCOUNT.c.ref)
            )
            row = connection.execute(statement).one_or_none()
            if row is None:
                return
            name = str(store.principal(row))
            before, after = {"active": not active}, {"active": active}
            record(connection, "portal.account.update", name, before=before, after=after, at=now)
            if not active:
                store.end(connection, SESSION.c.account_id == account_id, "deactivated", now)
            events.publish(connection, "portal.account.updated", name, after, at=now)


def _is_passive(connection: HTTPConnection) -> bool:
    return connection.url.path in PASSIVE or "x-live" in connection.headers


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
