"""People of GitLab (REST API v4: groups, members, users)."""

import re
from collections.abc import Mapping
from typing import Any, Final

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.people import FoundPeople, clean
from callboard_scm_hosts.hosts.base import Query, id_of, quoted
from callboard_scm_hosts.people.asking import Asker
from callboard_scm_hosts.people.base import children_of, group_of, login_of, user_of
from callboard_scm_hosts.settings_people import PeopleSettings

_ = Translator("scm_hosts")

SITE: Final = "gitlab.com"
_BOT: Final = re.compile(r"(project|group)_[0-9]+_bot(_[0-9a-f]+|[0-9]*)")
"""Names of the accounts that GitLab makes for access tokens of projects and groups."""


class GitLabPeople:
    """Groups below the scope, and the members of each.

    Who is a member of a group above the scope is a member of its outermost group, as on the host.
    """

    def read(self, asker: Asker, settings: PeopleSettings) -> FoundPeople:
        groups = self._groups(asker, settings)
        below = children_of(groups)
        here = {group["id"] for group in groups}
        people: dict[str, Mapping[str, Any]] = {}
        found = []
        for group in groups:
            # Only the outermost has members that none of the groups here lists itself.
            whole = settings.inherited or group["parent"] not in here
            address = f"/groups/{group['id']}/members{'/all' if whole else ''}"
            members = asker.pages(address, {"per_page": 100}, _member)
            wanted = [item for item in members if settings.bots or not item["bot"]]
            people.update((item["id"], item) for item in wanted)
            annotations = {f"{SITE}/group-id": group["id"], f"{SITE}/group-path": group["path"]}
            ids = [item["id"] for item in wanted]
            found.append(group_of(settings, group, annotations, ids, below.get(group["id"], ())))
        users = []
        for number in sorted(people):
            profile = (
                asker.one(f"/users/{number}", _profile, daily=True) if settings.profiles else {}
            )
            if profile and profile["bot"] and not settings.bots:
                continue
            users.append(user_of(settings, SITE, people[number], profile))
        return FoundPeople(users, found)

    def _groups(self, asker: Asker, settings: PeopleSettings) -> list[dict[str, Any]]:
        query: Query = {"order_by": "id", "sort": "asc", "per_page": 100}
        if not settings.scope:
            return asker.pages("/groups", query, _group)
        address = f"/groups/{quoted(settings.scope)}"
        root = asker.one(f"{address}?with_projects=false", _group)
        if root is None:
            raise NotFoundError(
                _("There is no group %(group)s, or the token may not see it.",
                  group=settings.scope),
                hint=_("Check the name, and the scopes of the token."),
            )  # fmt: skip
        return [root, *asker.pages(f"{address}/descendant_groups", query, _group)]


def _group(item: Mapping[str, Any]) -> dict[str, Any]:
    parent = item.get("parent_id")
    return {
        "id": id_of(item),
        "path": clean(item.get("full_path"), 500),
        "parent": str(parent) if isinstance(parent, int) else "",
        "title": clean(item.get("name")),
        "description": clean(item.get("description"), 2000),
        "picture": clean(item.get("avatar_url"), 1000),
    }


def _member(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a member, None for one who is blocked or was not let in yet."""
    active = item.get("state", "active") == "active"
    if not active or item.get("membership_state", "active") != "active":
        return None
    login = login_of(item, "username")
    return {
        "id": id_of(item),
        "login": login,
        "title": clean(item.get("name")),
        "email": clean(item.get("email") or item.get("public_email"), 320),
        "picture": clean(item.get("avatar_url"), 1000),
        "bot": bool(_BOT.fullmatch(login)),
    }


def _profile(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": clean(item.get("name")),
        "email": clean(item.get("email") or item.get("public_email"), 320),
        "bot": item.get("bot") is True,
    }
