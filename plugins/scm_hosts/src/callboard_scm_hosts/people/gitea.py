"""People of Gitea and Forgejo (API v1). Teams are not nested there, and lists have profiles."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.people import FoundPeople, clean
from callboard_scm_hosts.hosts.base import id_of, quoted
from callboard_scm_hosts.people.asking import Asker
from callboard_scm_hosts.people.base import group_of, login_of, user_of
from callboard_scm_hosts.settings_people import PeopleSettings

SITE: Final = "gitea.com"


class GiteaPeople:
    """Members of an organisation and its teams."""

    def read(self, asker: Asker, settings: PeopleSettings) -> FoundPeople:
        organisation = f"/orgs/{quoted(settings.scope)}"
        query = {"limit": 50}
        members = asker.pages(f"{organisation}/members", query, _member)
        groups = []
        for team in asker.pages(f"{organisation}/teams", query, _team):
            inside = asker.pages(f"/teams/{team['id']}/members", query, _member)
            annotations = {f"{SITE}/team-slug": f"{settings.scope}/{team['path']}"}
            ids = [item["id"] for item in inside]
            groups.append(group_of(settings, team, annotations, ids, ()))
        return FoundPeople([user_of(settings, SITE, item, None) for item in members], groups)


def _member(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a member, None for one who may not sign in any more."""
    if item.get("prohibit_login") is True:
        return None
    email = clean(item.get("email"), 320)
    # Gitea makes up an address for who keeps theirs to themselves.
    told = not email.rpartition("@")[2].startswith("noreply.")
    return {
        "id": id_of(item),
        "login": login_of(item, "login"),
        "title": clean(item.get("full_name")),
        "email": email if told else "",
        "picture": clean(item.get("avatar_url"), 1000),
    }


def _team(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id_of(item),
        "path": login_of(item, "name"),
        "title": clean(item.get("name")),
        "description": clean(item.get("description"), 2000),
    }
