"""What `callboard doctor` looks at: that each host answers, takes the token and shows its lists."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.doctor import Check, Finding
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.folder import find_repositories
from callboard_scm_hosts.hosts import APIS
from callboard_scm_hosts.hosts.base import Query, quoted
from callboard_scm_hosts.ledger import HOUR, Ledger, WaitingError
from callboard_scm_hosts.settings import DiscoverSettings, HostSettings
from callboard_scm_hosts.settings_people import PeopleSettings

if TYPE_CHECKING:
    from callboard.host import Host

_SIZES: Final = ("per_page", "limit")


def make_checks(host: "Host") -> list[Check]:
    """Give a check for each host; none of them says a token."""
    return [
        Check(f"Repository host {item.name} cannot be used.", partial(look, host, item))
        for item in host.settings.hosts
    ]


def look(host: "Host", settings: HostSettings) -> Iterator[Finding]:
    """Ask for one entry of each list that is read there. Requests count as those of readings do.

    What hinders it is raised: see `HostClient`.
    """
    if settings.path is not None:
        yield from _folder(host, settings)
        return
    ledger = Ledger(host, settings.name, settings.requests_per_hour)
    client = HostClient(host.http, settings, ledger)
    try:
        for path, query in _lists(host, settings).items():
            client.get(path, {key: 1 if key in _SIZES else value for key, value in query})
    except WaitingError as error:
        step = f"{error.hint} That is at {error.until:%Y-%m-%d %H:%M} UTC."
        title = f"Repository host {settings.name} must not be asked now."
        yield Finding("warn", title, str(error.message), step)
        return
    finally:
        ledger.keep(changed=True)
    token = "takes the token" if settings.token else "answers; it is asked without a token"
    yield Finding(
        "ok", f"Repository host {settings.name} {token}.", f"{settings.api}, {_left(ledger)}"
    )


def _lists(host: "Host", settings: HostSettings) -> Mapping[str, tuple[tuple[str, str | int], ...]]:
    """Give the lists that are read of a host, or the one of all repositories where none is."""
    api = APIS[settings.type]
    wanted = [item for item in host.settings.discover if item.host == settings.name]
    people = [item for item in host.settings.people if item.host == settings.name]
    if not wanted and not people:
        wanted = [DiscoverSettings(name=settings.name, host=settings.name)]
    found = [api.listing(item) for item in wanted] + [_list_of_people(item) for item in people]
    return {path: tuple(query.items()) for path, query in found}


def _list_of_people(people: PeopleSettings) -> tuple[str, Query]:
    query = {"per_page": 1, "limit": 1}
    if people.organisation:
        return f"/orgs/{quoted(people.scope)}/teams", query
    if people.scope:
        return f"/groups/{quoted(people.scope)}/descendant_groups", query
    return "/groups", query


def _left(ledger: Ledger) -> str:
    """Say how many more requests there may be, by the host and by the settings."""
    state, now = ledger.state, ledger.host.now()
    fresh = state.hour_began is not None and now - state.hour_began < HOUR
    own = ledger.requests_per_hour - (state.hour_requests if fresh else 0)
    said = f"{max(0, own):,} of {ledger.requests_per_hour:,} requests of this hour left"
    if state.remaining is None:
        return f"{said}; the host names no limit."
    return f"{said}; the host allows {state.remaining:,} more."


def _folder(host: "Host", settings: HostSettings) -> Iterator[Finding]:
    assert settings.path is not None
    wanted = [item for item in host.settings.discover if item.host == settings.name]
    scopes = sorted({(item.scope, item.branch) for item in wanted}) or [("", "")]
    number = sum(len(find_repositories(settings.path, *scope)) for scope in scopes)
    title = f"Repository host {settings.name}: {number:,} repositories"
    step = "" if number else f"Put repositories there, or correct path of {settings.name}."
    yield Finding("ok" if number else "warn", title, str(settings.path), step)
