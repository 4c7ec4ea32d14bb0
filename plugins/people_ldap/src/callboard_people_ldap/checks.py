"""What `callboard doctor` looks at: that each directory lets the portal in and shows its people."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.doctor import Check, Finding
from callboard_people_ldap.client import Directory, connected
from callboard_people_ldap.settings import GroupSearch, ServerSettings, UserSearch

if TYPE_CHECKING:
    from callboard.host import Host

MOST: Final = 5000
"""How many entries are counted: a check has little time, and has seen enough then."""


def make_checks(host: "Host") -> list[Check]:
    """Give a check for each server; none of them says a password."""
    return [
        Check(f"Directory {server.name} cannot be read.", partial(look, server))
        for server in host.settings.servers
    ]


def look(server: ServerSettings) -> Iterator[Finding]:
    """Sign in, and count people and groups as a reading would find them.

    What hinders it is raised: see `client.connected` and `client.Directory.search`.
    """
    with connected(server) as directory:
        who = server.bind_dn or "nobody in particular"
        how = "encrypted" if server.tls or server.start_tls else "not encrypted"
        yield Finding("ok", f"Directory {server.name} lets the portal in.", f"As {who}, {how}.")
        yield _counted(directory, server, server.users, "people", server.users.written)
        if server.groups is not None:
            yield _counted(directory, server, server.groups, "groups", server.groups.filter)


def _counted(
    directory: Directory,
    server: ServerSettings,
    search: UserSearch | GroupSearch,
    what: str,
    written: str,
) -> Finding:
    number = named = 0
    for entry in directory.search(search.base, written, search.scope, [search.map.name]):
        number += 1
        named += bool(entry.text(search.map.name))
        if number == MOST:
            break
    title = f"Directory {server.name}: {number:,} {what}{' or more' if number == MOST else ''}"
    below = f"Below {search.base}, with {written}"
    key = f"people_ldap, {'users' if isinstance(search, UserSearch) else 'groups'} of {server.name}"
    if not number:
        step = f"Check base and filter ({key}), and what the account may read."
        return Finding("warn", title, below, step)
    if named < number:
        step = f"Check map.name ({key}): who has none is named by a mark."
        return Finding("warn", title, f"{number - named:,} without {search.map.name}.", step)
    return Finding("ok", title, below)
