"""Sign-ins under way: begun in one browser, ended there once, within ten minutes."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from callboard_web.sign_in.begun import Begun
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.models import pending as _TABLE  # noqa: N812

LASTS: Final = timedelta(minutes=10)
MOST_OF_BROWSER: Final = 10
"""Sign-ins a browser may have under way, such as in several tabs; the oldest goes."""

RANDOM_BYTES: Final = 32
VERIFIER_BYTES: Final = 48
"""64 characters; RFC 7636, section 4.1, wants 43 to 128."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A sign-in that is to be completed; `next` is the page that was wanted."""

    begun: Begun
    next: str


def fresh() -> Begun:
    """Give new random values."""
    return Begun(
        state=secrets.token_urlsafe(RANDOM_BYTES),
        nonce=secrets.token_urlsafe(RANDOM_BYTES),
        verifier=secrets.token_urlsafe(VERIFIER_BYTES),
    )


def fresh_browser() -> str:
    """Give a new secret by which a browser is known again."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def keep(
    connection: Connection, begun: Begun, browser: str, provider: str, next_: str, now: datetime
) -> None:
    """Keep what was begun, and forget what is too old or too much."""
    connection.execute(delete(_TABLE).where(_TABLE.c.expires_at <= now))
    mine = select(_TABLE.c.state).where(_TABLE.c.browser == digest(browser))
    surplus = mine.order_by(_TABLE.c.expires_at.desc()).offset(MOST_OF_BROWSER - 1)
    connection.execute(delete(_TABLE).where(_TABLE.c.state.in_(list(connection.scalars(surplus)))))
    row = {
        "state": digest(begun.state),
        "browser": digest(browser),
        "provider": provider,
        "nonce": begun.nonce,
        "verifier": begun.verifier,
        "next": next_,
        "expires_at": now + LASTS,
    }
    connection.execute(insert(_TABLE).values(row))


def take(connection: Connection, state: str, browser: str, provider: str, now: datetime) -> Taken:
    """Give what was begun, once. Raises `SignInFailedError` for what this browser did not begin.

    A state that comes from another browser is burnt: it has leaked.
    """
    row = connection.execute(
        delete(_TABLE)
        .where(_TABLE.c.state == digest(state))
        .returning(
            _TABLE.c.browser, _TABLE.c.provider, _TABLE.c.nonce, _TABLE.c.verifier,
            _TABLE.c.next, _TABLE.c.expires_at,
        )
    ).one_or_none()  # fmt: skip
    if row is None or row.expires_at <= now:
        raise UnknownStateError("state")
    if not browser or not secrets.compare_digest(row.browser, digest(browser)):
        raise UnknownStateError("state")
    if row.provider != provider:
        raise UnknownStateError("mix-up")
    begun = Begun(state=state, nonce=row.nonce, verifier=row.verifier)
    return Taken(begun=begun, next=row.next)


class UnknownStateError(SignInFailedError):
    """An answer to a question this browser has not asked."""


def digest(text: str) -> str:
    """Give the SHA-256 under which a secret is kept."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
