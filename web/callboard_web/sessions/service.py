"""Begins, finds and ends sessions."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from callboard import events
from callboard.audit import hidden, record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import NotAllowedError
from callboard.i18n import Translator
from callboard.identity import CLIENT_ADDRESS, Principal, Subject
from callboard_web.personal import Personal
from callboard_web.sessions import models
from callboard_web.sessions.cookie import SessionCookie
from callboard_web.sessions.model import (
    LOCAL,
    DueSession,
    EndedSession,
    Session,
    SignedIn,
    Why,
    principal_of,
)
from callboard_web.sessions.sealing import Seal
from callboard_web.sessions.settings import SessionsSettings

_: Final = Translator("callboard")

SECRET_BYTES: Final = 32
SEEN: Final = timedelta(minutes=1)
"""How exact `seen_at` is: it is not written more often."""

_ACCOUNT: Final = models.account
_SESSION: Final = models.session


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
        with self.database.write() as connection:
            account, active = self._remember(connection, signed_in, now)
            if active:
                number = self._begin(connection, request, signed_in, account, secret, now)
        if not active:
            self.failed(signed_in.method, str(signed_in.principal), "deactivated")
            raise NotAllowedError(
                _("This account is deactivated."), hint=_("Ask an administrator of the portal.")
            )
        self.cookie.set(request, response, secret)
        return number

    def _remember(
        self, connection: Connection, signed_in: SignedIn, now: datetime
    ) -> tuple[int, bool]:
        """Write the account as it is described now; give its number and whether it is active."""
        described = {**_described(signed_in), "signed_in_at": now, "updated_at": now}
        row = {
            **described, "method": signed_in.method, "subject": signed_in.subject, "active": True,
            "created_at": now,
        }  # fmt: skip
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = (
            dialect.insert(_ACCOUNT)
            .values(row)
            .on_conflict_do_update(
                index_elements=[_ACCOUNT.c.method, _ACCOUNT.c.subject], set_=described
            )
            .returning(_ACCOUNT.c.id, _ACCOUNT.c.active)
        )
        written = connection.execute(statement).one()
        return written.id, written.active

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
            self._end(connection, _SESSION.c.secret == _hash(old), "replaced")
        row = {
            "secret": _hash(secret),
            "account_id": account,
            "method": signed_in.method,
            "created_at": now,
            "seen_at": now,
            "checked_at": now,
            "ends_at": now + self._absolute(signed_in.method),
            "address": CLIENT_ADDRESS.get()[:64],
            "agent": request.headers.get("user-agent", "").replace("\0", "")[:200],
            "provider_session": signed_in.provider_session[:255],
            "id_token": self._seal.close(signed_in.id_token),
            "refresh_token": self._seal.close(signed_in.refresh_token),
        }
        number = int(
            connection.execute(insert(_SESSION).values(row).returning(_SESSION.c.id)).scalar_one()
        )
        self.personal.adopt(connection, self._visitor(request), str(principal))
        after = {"session": number, "method": signed_in.method, "rule": str(signed_in.rule)}
        record(
            connection, "portal.session.start", str(principal), actor=principal, after=after, at=now
        )
        told = {"session": number, "method": signed_in.method}
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
        row = self._find(_SESSION.c.secret == _hash(secret)) if secret else None
        if row is None or not row.active or self._limit(row) <= self.now():
            return None
        connection.state.session = self._session(row)
        return self.person(row, row.id)

    def current(self, connection: HTTPConnection) -> Session | None:
        """Give the session by which a request was made, if it was made by one."""
        return getattr(connection.state, "session", None)

    def person(self, row: Any, session: int | None = None) -> Subject:
        """Give the person of a row of `portal_account` as they ask: with all that is theirs now."""
        user = EntityRef.parse(row.ref) if row.ref else None
        start = ((user,) if user else ()) + tuple(map(EntityRef.parse, row.groups))
        name, mine = self.personal.above(start)
        return Subject(
            principal=principal_of(row.method, row.subject, user),
            title=name if user and user in mine else row.title,
            mine=mine,
            names=tuple(f"provider-group:{item}" for item in row.names),
            roles=tuple(row.roles),
            session=session,
        )

    def _limit(self, row: Any) -> datetime:
        """Give when a session ends if it is not used again."""
        limit: datetime = min(row.ends_at, row.seen_at + self.settings.idle)
        return limit

    def _find(self, condition: ColumnElement[bool]) -> Any:
        with self.database.read() as connection:
            return connection.execute(_open().where(condition)).one_or_none()

    def _session(self, row: Any) -> Session:
        user = EntityRef.parse(row.ref) if row.ref else None
        return Session(
            id=row.id,
            account=row.account_id,
            method=row.method,
            subject=row.subject,
            title=row.title,
            principal=principal_of(row.method, row.subject, user),
            created_at=row.created_at,
            seen_at=row.seen_at,
            ends_at=self._limit(row),
            address=row.address,
            agent=row.agent,
        )

    # Checking again, by the provider

    def due_for_check(
        self, method: str, before: datetime, limit: int = 100
    ) -> Sequence[DueSession]:
        """Give open sessions with a refresh token that were last checked before, oldest first."""
        statement = (
            _open()
            .where(
                _SESSION.c.method == method,
                _SESSION.c.checked_at < before,
                _SESSION.c.refresh_token != "",
                _SESSION.c.ends_at > self.now(),
            )
            .order_by(_SESSION.c.checked_at, _SESSION.c.id)
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
        described = _described(signed_in)
        watched = ("ref", "groups", "names", "roles")
        columns = [_ACCOUNT.c[name] for name in watched]
        with self.database.write() as connection:
            row = connection.execute(
                select(*columns).where(_ACCOUNT.c.id == account_id)
            ).one_or_none()
            if row is None:
                return
            before = {name: getattr(row, name) for name in watched}
            after = {name: described[name] for name in watched}
            connection.execute(
                update(_ACCOUNT)
                .where(_ACCOUNT.c.id == account_id)
                .values(**described, updated_at=now)
            )
            if session:
                fresh = {"refresh_token": self._seal.close(signed_in.refresh_token)}
                connection.execute(
                    update(_SESSION)
                    .where(_SESSION.c.id == session, _SESSION.c.account_id == account_id)
                    .values(checked_at=now, **(fresh if signed_in.refresh_token else {}))
                )
            if before != after:
                name = str(signed_in.principal)
                record(
                    connection, "portal.account.update", name, before=before, after=after, at=now
                )
                events.publish(connection, "portal.account.updated", name, at=now)

    # Ending

    def end(self, session_id: int, why: Why) -> EndedSession | None:
        """End a session; give what its provider may be told, or None where it had ended."""
        with self.database.write() as connection:
            ended = self._end(connection, _SESSION.c.id == session_id, why)
        return ended[0] if ended else None

    def end_of_account(self, account_id: int, why: Why, *, but: int = 0) -> int:
        """End all sessions of an account, but one; give how many there were."""
        condition = (_SESSION.c.account_id == account_id) & (_SESSION.c.id != but)
        with self.database.write() as connection:
            return len(self._end(connection, condition, why))

    def end_of_provider(self, method: str, *, subject: str = "", provider_session: str = "") -> int:
        """End the sessions that a provider ends: of a person, of its own session, or both given.

        Give how many there were. See OpenID Connect Back-Channel Logout 1.0, section 2.6.
        """
        if not subject and not provider_session:
            return 0
        condition = _SESSION.c.method == method
        if subject:
            condition &= _ACCOUNT.c.subject == subject
        if provider_session:
            condition &= _SESSION.c.provider_session == provider_session
        with self.database.write() as connection:
            return len(self._end(connection, condition, "provider"))

    def _end(
        self, connection: Connection, condition: ColumnElement[bool], why: Why
    ) -> list[EndedSession]:
        rows = connection.execute(_open().where(condition)).all()
        connection.execute(delete(_SESSION).where(_SESSION.c.id.in_([row.id for row in rows])))
        now = self.now()
        for row in rows:
            principal = self._principal(row)
            told = {"session": row.id, "method": row.method, "why": why}
            record(connection, "portal.session.end", str(principal), before=told, at=now)
            events.publish(connection, "portal.session.ended", str(principal), told, at=now)
        return [
            EndedSession(
                method=row.method,
                subject=row.subject,
                id_token=self._seal.open(row.id_token),
                provider_session=row.provider_session,
            )
            for row in rows
        ]

    def _principal(self, row: Any) -> Principal:
        return principal_of(row.method, row.subject, EntityRef.parse(row.ref) if row.ref else None)


def _described(signed_in: SignedIn) -> dict[str, Any]:
    return {
        "title": signed_in.title.replace("\0", "")[:200],
        "email": signed_in.email.replace("\0", "")[:320],
        "ref": str(signed_in.user) if signed_in.user else "",
        "groups": [str(ref) for ref in signed_in.groups],
        "names": list(signed_in.names),
        "roles": list(signed_in.roles),
        "claims": hidden(signed_in.claims),
        "rule": signed_in.rule,
    }


def _open() -> Select[Any]:
    account = (
        _ACCOUNT.c.subject, _ACCOUNT.c.title, _ACCOUNT.c.ref, _ACCOUNT.c.groups, _ACCOUNT.c.names,
        _ACCOUNT.c.roles, _ACCOUNT.c.active,
    )  # fmt: skip
    return select(_SESSION, *account).join_from(_SESSION, _ACCOUNT)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
