"""What a host was asked, and how much more it may be: kept in memory, and now and then in a table.

A host says what it allows in headers: `RateLimit-*` (GitLab), `X-RateLimit-*` (GitHub, Gitee),
`Retry-After` (RFC 9110, 10.2.3). Beside it stands the portal's own budget of an hour.
"""

import random
import threading
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from callboard.errors import NotReadyError
from callboard.http import Response
from callboard.i18n import Text, Translator
from callboard_scm_hosts.models import host as table

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

HOUR: Final = timedelta(hours=1)
KEPT_EVERY: Final = timedelta(minutes=10)
"""So old the counters in the table may be while nothing else happens."""
KEPT_AFTER: Final = 50
LONGEST_WAIT: Final = timedelta(hours=6)
_LIMITS: Final = ("ratelimit", "x-ratelimit")


class WaitingError(NotReadyError):
    """The host is not asked before `until`."""

    def __init__(self, message: Text, until: datetime) -> None:
        super().__init__(message, hint=_("It goes on by itself then."))
        self.until = until


@dataclass(frozen=True, slots=True)
class State:
    """The row of a host, as in `models.host`."""

    requests: int = 0
    not_modified: int = 0
    failures: int = 0
    hour_began: datetime | None = None
    hour_requests: int = 0
    budget: int | None = None
    remaining: int | None = None
    resets_at: datetime | None = None
    waiting_until: datetime | None = None
    waiting_for: Text = ""
    in_a_row: int = 0
    asked_at: datetime | None = None


class Ledger:
    """The state of one host. Threads may share it; several processes add up in the table."""

    def __init__(self, host: "Host", name: str, requests_per_hour: int) -> None:
        self.host = host
        self.name = name
        self.requests_per_hour = requests_per_hour
        self._lock = threading.Lock()
        self._kept = self.state = load_state(host, name)

    def take(self) -> None:
        """Count a request before it is sent; raises `WaitingError` where it must not be."""
        with self._lock:
            state, now = self.state, self.host.now()
            if state.waiting_until and state.waiting_until > now:
                raise WaitingError(state.waiting_for, state.waiting_until)
            if state.hour_began is None or now - state.hour_began >= HOUR:
                state = replace(state, hour_began=now, hour_requests=0)
            began = state.hour_began or now
            if state.hour_requests >= self.requests_per_hour:
                message = _(
                    "The %(number)s requests an hour that %(host)s may be sent are used up.",
                    number=self.requests_per_hour,
                    host=self.name,
                )
                self.state = _waiting(state, message, began + HOUR)
                raise WaitingError(message, began + HOUR)
            self.state = replace(
                state,
                requests=state.requests + 1,
                hour_requests=state.hour_requests + 1,
                asked_at=now,
                waiting_until=None,
                waiting_for="",
            )

    def answered(self, response: Response) -> None:
        """Learn from an answer; raises `WaitingError` where it says that it is enough."""
        with self._lock:
            now = self.host.now()
            state = _with_limits(self.state, response, now)
            if response.not_modified:
                state = replace(state, not_modified=state.not_modified + 1)
            until = _pause(response, state, now)
            if until is not None:
                state = replace(state, failures=state.failures + 1)
                message = _("%(host)s asks to be left alone for a while.", host=self.name)
            elif response.status < 500:
                refused = response.status >= 400 and response.status not in (404, 409, 410)
                state = replace(state, in_a_row=0, failures=state.failures + refused)
                # What was answered is answered; the next request waits.
                if state.remaining == 0 and state.resets_at and state.resets_at > now:
                    message = _("The requests that %(host)s allows are used up.", host=self.name)
                    state = _waiting(state, message, min(state.resets_at, now + LONGEST_WAIT))
            self.state = state
            if until is not None:
                self.state = _waiting(state, message, until)
                raise WaitingError(message, until)
        self.keep()

    def failed(self) -> None:
        """Count a request without a usable answer; after several the host has a longer pause."""
        with self._lock:
            state, now = self.state, self.host.now()
            state = replace(state, failures=state.failures + 1, in_a_row=state.in_a_row + 1)
            if state.in_a_row >= 3:
                longest = min(30 * 2 ** min(state.in_a_row - 3, 10), 3600)
                pause = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311
                message = _("%(host)s did not answer several times.", host=self.name)
                state = _waiting(state, message, now + pause)
            self.state = state

    def keep(self, *, changed: bool = False) -> None:
        """Write the counters to the table, where it is worth it.

        That is with `changed`, after many requests, when the host fails, is waited for or no
        more, and after ten minutes. So looking at a host where nothing changed writes nothing.
        """
        with self._lock:
            now, state = self.state, self._kept
            if not (changed or _is_news(now, state)):
                return
            self._kept = now
        if now != state:
            with self.host.write() as connection:
                found = connection.execute(
                    select(table).where(table.c.name == self.name)
                ).one_or_none()
                values = {item.name: getattr(now, item.name) for item in fields(State)}
                if found is None:
                    connection.execute(insert(table), {"name": self.name, **values})
                    return
                names = ["requests", "not_modified", "failures"]
                if found.hour_began == now.hour_began:
                    names.append("hour_requests")
                for name in names:
                    values[name] = getattr(found, name) + getattr(now, name) - getattr(state, name)
                connection.execute(update(table).where(table.c.name == self.name).values(**values))


def load_state(host: "Host", name: str) -> State:
    """Give the row of a host, or that of one that was never asked."""
    with host.read() as connection:
        row = connection.execute(select(table).where(table.c.name == name)).one_or_none()
    return (
        State(**{item.name: getattr(row, item.name) for item in fields(State)}) if row else State()
    )


def _is_news(now: State, kept: State) -> bool:
    if (now.waiting_until, now.in_a_row) != (kept.waiting_until, kept.in_a_row):
        return True
    if now.requests - kept.requests >= KEPT_AFTER:
        return True
    if now.asked_at is None:
        return False
    return kept.asked_at is None or now.asked_at - kept.asked_at >= KEPT_EVERY


def _waiting(state: State, message: Text, until: datetime) -> State:
    return replace(state, waiting_until=until, waiting_for=message)


def _with_limits(state: State, response: Response, now: datetime) -> State:
    for prefix in _LIMITS:
        remaining = _number(response, f"{prefix}-remaining")
        if remaining is None:
            continue
        reset = _number(response, f"{prefix}-reset")
        return replace(
            state,
            budget=_number(response, f"{prefix}-limit"),
            remaining=remaining,
            resets_at=None if reset is None else _moment(reset, now),
        )
    return state


def _moment(reset: int, now: datetime) -> datetime:
    """Read a reset: a time (GitLab, GitHub), or the seconds until then (the drafts of the IETF)."""
    if reset < 10_000_000:
        return now + timedelta(seconds=reset)
    try:
        return min(datetime.fromtimestamp(reset, UTC), now + timedelta(days=1))
    except (OverflowError, ValueError, OSError):
        return now + HOUR


def _number(response: Response, name: str) -> int | None:
    value = response.headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else None


def _pause(response: Response, state: State, now: datetime) -> datetime | None:
    """Give until when the host wants no request, None where it did not refuse for being asked.

    GitHub refuses with 403, too: with `Retry-After`, with nothing remaining, or with words (its
    "Rate limits for the REST API", secondary rate limits).
    """
    if response.status not in (403, 429):
        return None
    after = _retry_after(response.headers.get("retry-after"), now)
    if after is not None:
        return min(after, now + LONGEST_WAIT)
    if state.remaining == 0 and state.resets_at and state.resets_at > now:
        return min(state.resets_at, now + LONGEST_WAIT)
    if response.status == 429 or b"secondary rate limit" in response.body[:2000].lower():
        return now + timedelta(seconds=60 + random.uniform(0, 30))  # noqa: S311
    return None


def _retry_after(value: str | None, now: datetime) -> datetime | None:
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=int(text[:9]))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
