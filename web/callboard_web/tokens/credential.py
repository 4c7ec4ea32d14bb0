"""The first credential that is asked for: `Authorization: Bearer` (RFC 6750)."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import unquote_plus

from sqlalchemy import select
from starlette.requests import HTTPConnection
from starlette.types import Scope

from callboard.access import Access
from callboard.access.assembly import selector_of
from callboard.audit import record
from callboard.database import Database
from callboard.i18n import Text, Translator
from callboard.identity import ANONYMOUS, CLIENT_ADDRESS, Principal, Subject
from callboard_web.identity.afterwards import afterwards
from callboard_web.sessions.model import DEMO, LOCAL
from callboard_web.sessions.models import account
from callboard_web.sessions.service import Sessions
from callboard_web.tokens import models, secret
from callboard_web.tokens.accounts import PREFIX as SERVICE
from callboard_web.tokens.errors import (
    BadTokenError,
    IssuerNotReadyError,
    MisplacedTokenError,
    TooManyRequestsError,
)
from callboard_web.tokens.limits import Buckets, Seldom
from callboard_web.tokens.metrics import BearerRequests
from callboard_web.tokens.scopes import limits_of
from callboard_web.tokens.service import Tokens, token_of
from callboard_web.tokens.settings import TokensSettings
from callboard_web.tokens.workloads import Workload, Workloads, looks_signed

_ = Translator("callboard")

USE: Final = "portal.token.use"
STATE: Final = "bearer"
"""Where `Bearer` of a request is kept in its state."""

NOT_OURS: Final = "/hooks/"
"""Webhooks prove who sends them in their own ways, this header among them."""

MINUTE: Final = 60
MOST_ENTRIES: Final = 120
"""Refusals recorded a minute, whatever the number of addresses they come from."""

KEPT_CLAIMS: Final = (
    "iss", "sub", "jti", "project_path", "ref", "ref_protected", "pipeline_id", "job_id",
    "user_login", "environment", "sha", "repository", "workflow_ref", "run_id", "run_attempt",
    "actor", "event_name", "kubernetes.io",
)  # fmt: skip
"""What the audit log keeps of a job's token."""

_TOKEN: Final = models.token
_SERVICE: Final = models.service_account


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """How a request was let in: whose bucket it takes from, and until when its token is good."""

    key: str
    rate: int
    expires_at: datetime
    number: int | None = None


class BearerCredential:
    """Finds who asks by the token they show. A wrong one is refused, never passed over."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        sessions: Sessions,
        workloads: Workloads,
        access: Callable[[], Access],
        metrics: BearerRequests,
    ) -> None:
        self.database = database
        self.tokens = tokens
        self.sessions = sessions
        self.workloads = workloads
        self.access = access
        self.metrics = metrics
        self.settings: TokensSettings = tokens.settings
        self.now = tokens.now
        self._failures = Buckets(tokens.now)
        self._told = Seldom(tokens.now, MINUTE)
        self._jobs = Seldom(tokens.now, timedelta(days=2).total_seconds())

    def __call__(self, connection: HTTPConnection) -> Subject | None:
        if connection.scope["path"].startswith(NOT_OURS):
            return None
        connection.scope.setdefault("state", {})
        _refuse_in_address(connection)
        text = _shown(connection)
        if text is None:
            return None
        try:
            subject, bearer = self._let_in(connection, text)
        except BadTokenError as error:
            self._refused(error)
            raise
        except IssuerNotReadyError:
            self.metrics.count("unavailable")
            raise
        connection.scope["state"][STATE] = bearer
        return subject

    def brought(self, scope: Scope) -> bool:
        """Say whether a request may show a token: in its header or, by mistake, its address."""
        if any(name == b"authorization" for name, _ in scope["headers"]):
            return True
        query = unquote_plus(scope["query_string"].decode("latin-1"))
        return "access_token" in query or secret.PREFIX in query

    def _let_in(self, connection: HTTPConnection, text: str) -> tuple[Subject, Bearer]:
        if text.startswith(secret.PREFIX):
            return self._token(connection, text)
        if looks_signed(text):
            return self._job(text)
        raise BadTokenError(
            _("This is neither a token of this portal nor one of a job."),
            "unknown token",
            hint=_("Tokens of this portal begin with cbd_."),
        )

    # Tokens of this portal

    def _token(self, connection: HTTPConnection, text: str) -> tuple[Subject, Bearer]:
        said = secret.read(text)
        row = self._row(said.number) if said else None
        if said is None or row is None:
            raise _unknown()
        now = self.now()
        digest = secret.digest(said.secret)
        if not secrets.compare_digest(digest, row.secret):
            self._check_old(row, digest, now)
        self._check(row, now)
        subject = self._of_service(row) if row.service_account_id else self._of_person(row, now)
        if row.last_used_at is None or now - row.last_used_at >= timedelta(seconds=MINUTE):
            number, address = row.id, CLIENT_ADDRESS.get()
            afterwards(connection, lambda: self.tokens.used(number, address))
        rate = row.rate or self.settings.rate
        bearer = Bearer(key=f"token:{row.id}", rate=rate, expires_at=row.expires_at, number=row.id)
        return subject, bearer

    def _row(self, number: int) -> Any:
        """Give a token with the account it belongs to, in one question."""
        person = [
            account.c[name].label(f"account_{name}")
            for name in (
                "method", "subject", "title", "ref", "groups", "names", "roles", "active",
                "updated_at",
            )
        ]  # fmt: skip
        statement = (
            select(
                _TOKEN,
                *person,
                _SERVICE.c.name.label("service_name"),
                _SERVICE.c.closed_at.label("service_closed_at"),
            )
            .outerjoin(account, account.c.id == _TOKEN.c.account_id)
            .outerjoin(_SERVICE, _SERVICE.c.id == _TOKEN.c.service_account_id)
            .where(_TOKEN.c.id == number)
        )
        with self.database.read() as connection:
            return connection.execute(statement).one_or_none()

    def _check_old(self, row: Any, digest: str, now: datetime) -> None:
        """Raise `BadTokenError` unless it is the secret before the last rotation, in its time."""
        if not row.old_secret or not secrets.compare_digest(digest, row.old_secret):
            raise _unknown()
        if row.old_secret_until <= now:
            raise self._known(
                row,
                _("This secret was replaced, and ended at %(at)s.", at=_at(row.old_secret_until)),
                "replaced",
            )

    def _check(self, row: Any, now: datetime) -> None:
        if row.revoked_at:
            raise self._known(
                row, _("The token was revoked at %(at)s.", at=_at(row.revoked_at)), "revoked"
            )
        if row.expires_at <= now:
            raise self._known(
                row, _("The token expired at %(at)s.", at=_at(row.expires_at)), "expired"
            )

    def _of_service(self, row: Any) -> Subject:
        if row.service_name is None or row.service_closed_at:
            raise self._known(row, _("The service account is closed."), "account closed")
        return Subject(
            principal=Principal(kind="token", name=str(row.id)),
            title=row.name,
            names=(SERVICE + row.service_name,),
            limits=self._limits(row),
        )

    def _of_person(self, row: Any, now: datetime) -> Subject:
        if not row.account_active or not self._counts(row.account_method):
            raise self._known(
                row, _("The account of the token's owner is deactivated."), "account deactivated"
            )
        person = self.sessions.person(_Account(row))
        me = person.principal.entity
        if me is not None and me not in person.mine:
            raise self._known(
                row, _("The token's owner is no longer in the catalog."), "owner gone"
            )
        if now - row.account_updated_at > self.settings.unseen:
            raise self._known(
                row,
                _("The token rests: its owner has not signed in for long."),
                "owner not seen",
                hint=_("It goes on once its owner signs in to the portal."),
            )
        return replace(
            person,
            principal=Principal(kind="token", name=str(row.id)),
            title=row.name,
            limits=self._limits(row),
            on_behalf_of=person.principal,
        )

    def _counts(self, method: str) -> bool:
        """Say whether a way to sign in lets its people have tokens, as it is configured now."""
        return method != LOCAL and (method != DEMO or self.sessions.settings.demo)

    def _limits(self, row: Any) -> Any:
        token = token_of(row)
        return limits_of(token.permissions, token.on, self.access().permissions)

    def _known(
        self, row: Any, message: Text, description: str, *, hint: Text = ""
    ) -> BadTokenError:
        """Give the error for a token that is real but does not count, and note who it was."""
        hint = hint or _("Make a new one at /me/tokens, or ask the owner of the account.")
        error = BadTokenError(message, description, hint=hint)
        error.token = row.id
        return error

    # Tokens of jobs

    def _job(self, text: str) -> tuple[Subject, Bearer]:
        job = self.workloads.let_in(text)
        rule = job.rule
        if rule.service and self._is_closed(rule.service):
            raise BadTokenError(
                _("The service account %(name)s is closed.", name=rule.service), "account closed"
            )
        principal = Principal(kind="workload", name=rule.name)
        described = describe(job)
        subject = Subject(
            principal=principal,
            title=described,
            names=(SERVICE + rule.service,) if rule.service else (),
            roles=tuple(rule.roles),
            limits=limits_of(rule.permissions, selector_of(rule.on), self.access().permissions),
            on_behalf_of=Principal(kind="workload", name=described),
        )
        if self._jobs.may(hashlib.sha256(text.encode("ascii")).hexdigest()):
            self._note_job(subject, job)
        expires = datetime.fromtimestamp(float(job.claims["exp"]), self.now().tzinfo)
        rate = rule.rate or self.settings.rate
        # All jobs of one project share a bucket: a new token for each request gains nothing.
        key = f"workload:{rule.name}:{job.claims.get('sub', '')}"
        return subject, Bearer(key=key[:300], rate=rate, expires_at=expires)

    def _is_closed(self, name: str) -> bool:
        statement = select(_SERVICE.c.closed_at).where(_SERVICE.c.name == name)
        with self.database.read() as connection:
            return connection.scalar(statement) is not None

    def _note_job(self, subject: Subject, job: Workload) -> None:
        """Keep what a job's token says, once for each token and process."""
        said = {name: job.claims[name] for name in KEPT_CLAIMS if name in job.claims}
        with self.database.write() as connection:
            record(
                connection, "portal.workload.use", f"workload:{job.rule.name}",
                actor=subject.principal, on_behalf_of=subject.on_behalf_of, after={"claims": said},
                at=self.now(),
            )  # fmt: skip

    # Refusals

    def _refused(self, error: BadTokenError) -> None:
        """Count and record a refusal; raise `TooManyRequestsError` after too many."""
        self.metrics.count("refused")
        address = CLIENT_ADDRESS.get()
        rate = self.settings.failures
        taken = self._failures.take(address, rate, rate)
        if not taken.allowed:
            self.metrics.count("limited")
            raise TooManyRequestsError(
                _("Too many refused tokens came from this address."),
                {"Retry-After": str(taken.retry_after)},
                hint=_("Wait %(seconds)s s, and use a token that is good.",
                       seconds=taken.retry_after),
            ) from error  # fmt: skip
        subject = f"token:{error.token}" if error.token else "token"
        # One entry a minute for each token and address tells it; more would fill the log.
        if not self._told.may(f"{subject} {address} {error.description}"):
            return
        if not self._failures.take("all", MOST_ENTRIES, MOST_ENTRIES).allowed:
            return
        with self.database.write() as connection:
            actor = Principal(kind="token", name=str(error.token)) if error.token else ANONYMOUS
            record(
                connection, USE, subject, actor=actor, after={"reason": error.description},
                result="denied", at=self.now(),
            )  # fmt: skip


class _Account:
    """The part of a joined row that is the account, under the names of its own table."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"account_{name}")


def describe(job: Workload) -> str:
    """Say in one line which job it is: project, ref and run, as far as its token tells."""
    claims = job.claims
    project = claims.get("project_path") or claims.get("repository") or claims.get("sub", "")
    run = claims.get("job_id") or claims.get("run_id")
    parts = [str(project), str(claims.get("ref") or ""), f"#{run}" if run else ""]
    return " ".join(part for part in parts if part).replace("\0", "")[:250] or job.rule.name


def _shown(connection: HTTPConnection) -> str | None:
    """Give the token of the header; None where the header is of another kind or missing."""
    values = connection.headers.getlist("authorization")
    bearers = [value for value in values if value.partition(" ")[0].lower() == "bearer"]
    if not bearers:
        return None
    text = bearers[0].partition(" ")[2].strip()
    if len(values) > 1 or not text.isascii() or not text:
        raise BadTokenError(
            _("The header Authorization is not as expected."),
            "malformed",
            hint=_("Expected one: Authorization: Bearer TOKEN."),
        )
    return text


def _refuse_in_address(connection: HTTPConnection) -> None:
    parameters = connection.query_params
    if "access_token" in parameters or any(map(secret.is_within, parameters.values())):
        raise MisplacedTokenError(
            _("A token stands in the address, where logs and histories keep it."),
            hint=_("Send it in the header Authorization, and revoke this one."),
        )


def _unknown() -> BadTokenError:
    return BadTokenError(
        _("The token is not known here."),
        "unknown token",
        hint=_("It may be cut, mistyped, rotated, or of another portal."),
    )


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
