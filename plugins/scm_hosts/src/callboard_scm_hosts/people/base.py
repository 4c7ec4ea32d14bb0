"""What every type of host does with people and groups."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from callboard.people import FoundGroup, FoundPeople, FoundUser, clean
from callboard_scm_hosts.people.asking import Asker
from callboard_scm_hosts.settings_people import PeopleSettings, filled

Data = Mapping[str, Any]


class PeopleApi(Protocol):
    """One type of host."""

    def read(self, asker: Asker, settings: PeopleSettings) -> FoundPeople:
        """Give everybody. Raises what `HostClient` does; nothing incomplete is given."""


def login_of(item: Data, key: str) -> str:
    """Give an account's name; raises `ValueError` where it has none."""
    login = clean(item.get(key), 200)
    if not login or "/" in login or login in (".", ".."):
        raise ValueError(f"{key} is no name of an account")
    return login


def user_of(settings: PeopleSettings, site: str, data: Data, profile: Data | None) -> FoundUser:
    """Make a person of what a list says of them, and of their profile.

    `data` has id, login, title, email and picture; `site` is the prefix of annotations that signing
    in by this type of host looks at.
    """
    profile = profile or {}
    login, number = data["login"], data["id"]
    email = profile.get("email") or data.get("email", "")
    parts = {"login": login, "id": number, "mail": email.partition("@")[0]}
    email = email or filled(settings.email, parts)
    return FoundUser(
        id=number,
        name=filled(settings.user_name, parts) or login,
        title=profile.get("title") or data.get("title", "") or login,
        email=email,
        picture=data.get("picture", ""),
        annotations={f"{site}/user-id": number, f"{site}/user-login": login},
    )


def group_of(
    settings: PeopleSettings, data: Data, annotations: Mapping[str, str],
    members: Iterable[str], children: Iterable[str],
) -> FoundGroup:  # fmt: skip
    """Make a group of id, path, title, description and picture."""
    path, number = data["path"], data["id"]
    parts = {
        "path": path,
        "below": path.removeprefix(f"{settings.scope}/"),
        "slug": path.rpartition("/")[2],
        "id": number,
        "organisation": settings.scope,
    }
    return FoundGroup(
        id=number,
        name=filled(settings.group_name, parts),
        title=data.get("title", "") or path,
        description=data.get("description", ""),
        picture=data.get("picture", ""),
        annotations=annotations,
        members=frozenset(members),
        children=frozenset(children),
    )


def children_of(groups: Iterable[Data]) -> dict[str, set[str]]:
    """Give the ids of the groups directly below each, by its id."""
    found: dict[str, set[str]] = {}
    for group in groups:
        found.setdefault(group["parent"], set()).add(group["id"])
    return found
