"""What a way to sign in hands over, and what is kept of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard.identity import Principal

LONGEST_NAME: Final = 200

DEMO: Final = "demo"
LOCAL: Final = "local"

Why = Literal["signed-out", "replaced", "ended", "provider", "deactivated", "gone"]
"""Why a session ended: by the person, by a new sign-in in its browser, on the page of sessions, by
the provider, because the account was deactivated, or because its User left the catalog."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to sign in, as `/sign-in` lists it.

    `path` is where its form is posted to (with `next` and the CSRF token); `icon` is one of the
    sprite. `note` says more, such as the host of the provider. `origins` are those that its form is
    redirected to, such as `https://id.example.com`: browsers let forms of the page lead to no other
    (CSP Level 3, `form-action`).
    """

    name: str
    title: Text
    path: str
    icon: str = "lock"
    note: Text = ""
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Somebody of whom it is proven who they are.

    `method` is the provider's name, `demo` or `local`; `subject` is stable there, such as
    `issuer|sub`. `user` is the User entity found or made for them, `groups` are the Group entities
    that claims were mapped to, `names` the provider's own names of groups. `roles` are held without
    a binding. `claims` and `rule` tell administrators what came and what found the User; claims are
    kept as given, so leave out what is secret. Tokens are kept encrypted.
    """

    method: str
    subject: str
    title: str
    email: str = ""
    user: EntityRef | None = None
    groups: tuple[EntityRef, ...] = ()
    names: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    rule: Text = ""
    refresh_token: str = ""
    id_token: str = ""
    provider_session: str = ""
    roles: tuple[str, ...] = ()

    @property
    def principal(self) -> Principal:
        """The person as decisions and the audit log name them."""
        return principal_of(self.method, self.subject, self.user)


def principal_of(method: str, subject: str, user: EntityRef | None) -> Principal:
    """Give the principal of a person: named by their User, else by the provider and its subject."""
    if user is not None:
        return Principal(kind="person", name=str(user), entity=user)
    name = f"{method}|{subject}"
    if len(name) > LONGEST_NAME:
        name = f"{method}|{hashlib.sha256(subject.encode()).hexdigest()}"
    return Principal(kind="person", name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that is open. Times are in UTC.

    `ends_at` is when it ends unless it is used, `limit_at` when it ends in any case.
    """

    id: int
    account: int
    method: str
    subject: str
    title: str
    principal: Principal
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    limit_at: datetime
    address: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DueSession:
    """A session whose account is to be asked for again at its provider."""

    session: int
    account: int
    method: str
    subject: str
    refresh_token: str
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedSession:
    """What a provider is told at sign-out; see `Portal.sign_out_address`."""

    method: str
    subject: str
    id_token: str
    provider_session: str
