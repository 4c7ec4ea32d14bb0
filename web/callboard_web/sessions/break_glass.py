"""The one local administrator, for when no provider answers."""

import logging
import secrets
import threading
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from starlette.requests import Request
from starlette.responses import Response

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.identity import CLIENT_ADDRESS
from callboard_web.sessions.model import LOCAL, SignedIn
from callboard_web.sessions.service import Sessions
from callboard_web.sessions.settings import BreakGlassSettings
from callboard_web.sessions.store import ACCOUNT, SESSION

log = logging.getLogger(__name__)
_: Final = Translator("callboard")

LONGEST: Final = 1024
SHORTEST: Final = 16
"""Characters of a password that `callboard password` takes."""

ALARM: Final = timedelta(hours=24)
"""How long administrators are told of its use; longer while such a session is open."""

_ONE_AT_A_TIME: Final = threading.Lock()


def hash_of(password: str) -> str:
    """Give the argon2id hash of a password, with the parameters of RFC 9106's second choice."""
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def sign_in(
    sessions: Sessions, request: Request, response: Response, name: str, password: str
) -> bool:
    """Sign the local administrator in; False for a wrong name or password.

    Raises `NotFoundError` where there is none, and `TooManyAttemptsError`. A wrong name takes as
    long as a wrong password.
    """
    chosen = settings_of(sessions)
    sessions.cookie.require_safe(request)
    sessions.attempts.take(name[:LONGEST])
    if not _is_right(chosen, name, password):
        sessions.failed(LOCAL, name[:80], "wrong name or password")
        return False
    signed_in = SignedIn(
        method=LOCAL, subject=chosen.user, title=chosen.user, roles=("administrator",)
    )
    number = sessions.sign_in(request, response, signed_in)
    log.error(
        "The local administrator %s signed in from %s (session %d). If this is no emergency, end "
        "the session and change the password.",
        chosen.user, CLIENT_ADDRESS.get() or "an unknown address", number,
    )  # fmt: skip
    return True


def settings_of(sessions: Sessions) -> BreakGlassSettings:
    """Give its settings; raises `NotFoundError` where it is off."""
    if sessions.settings.break_glass is None:
        raise NotFoundError(_("There is no local administrator here."))
    return sessions.settings.break_glass


def _is_right(chosen: BreakGlassSettings, name: str, password: str) -> bool:
    # Checking takes 64 MiB for a moment: many at once would take all there is.
    with _ONE_AT_A_TIME:
        good = _fits(chosen.password_hash.get_secret_value(), password[:LONGEST])
    named = secrets.compare_digest(name.encode(), chosen.user.encode())
    return good and named and len(password) <= LONGEST


def _fits(hashed: str, password: str) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def last_used(sessions: Sessions) -> datetime | None:
    """Give when it was used, as long as administrators are to know it."""
    if sessions.settings.break_glass is None:
        return None
    now = sessions.now()
    open_now = select(func.count()).where(SESSION.c.method == LOCAL, SESSION.c.ends_at > now)
    statement = select(
        func.max(ACCOUNT.c.signed_in_at).label("at"), open_now.scalar_subquery().label("sessions")
    ).where(ACCOUNT.c.method == LOCAL)
    with sessions.database.read() as connection:
        row = connection.execute(statement).one()
    at: datetime | None = row.at
    return at if at and (row.sessions or now - at < ALARM) else None
