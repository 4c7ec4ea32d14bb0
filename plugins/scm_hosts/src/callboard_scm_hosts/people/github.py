"""People of GitHub (REST API, version 2022-11-28: members, teams, users)."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.people import FoundPeople, clean
from callboard_scm_hosts.hosts.base import id_of, quoted
from callboard_scm_hosts.people.asking import Asker
from callboard_scm_hosts.people.base import children_of, group_of, login_of, user_of
from callboard_scm_hosts.settings_people import PeopleSettings

SITE: Final = "github.com"


class GitHubPeople:
    """Members of an organisation and its teams.

    The list of a team's members has those of the teams below it as well. Without `inherited` they
    are taken off again: they belong to the outer team by being in the inner one.
    """

    def read(self, asker: Asker, settings: PeopleSettings) -> FoundPeople:
        organisation = f"/orgs/{quoted(settings.scope)}"
        query = {"per_page": 100}
        members = asker.pages(f"{organisation}/members", query, _member)
        teams = asker.pages(f"{organisation}/teams", query, _team)
        inside = {
            team["id"]: {
                item["id"]
                for item in asker.pages(
                    f"{organisation}/teams/{quoted(team['path'])}/members", query, _member
                )
            }
            for team in teams
        }
        below = children_of(teams)
        groups = []
        for team in teams:
            ids, inner = inside[team["id"]], below.get(team["id"], set())
            if not settings.inherited:
                ids = ids.difference(*(inside[child] for child in inner))
            annotations = {f"{SITE}/team-slug": f"{settings.scope}/{team['path']}"}
            groups.append(group_of(settings, team, annotations, ids, inner))
        users = []
        for member in members:
            if member["bot"] and not settings.bots:
                continue
            address = f"/users/{quoted(member['login'])}"
            profile = asker.one(address, _profile, daily=True) if settings.profiles else None
            if profile and profile["id"] != member["id"]:
                profile = None  # somebody else has the login since
            if not (profile and profile["suspended"]):
                users.append(user_of(settings, SITE, member, profile))
        return FoundPeople(users, groups)


def _member(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id_of(item),
        "login": login_of(item, "login"),
        "picture": clean(item.get("avatar_url"), 1000),
        "bot": item.get("type") == "Bot",
    }


def _team(item: Mapping[str, Any]) -> dict[str, Any]:
    parent = item.get("parent")
    return {
        "id": id_of(item),
        "path": login_of(item, "slug"),
        "parent": id_of(parent) if isinstance(parent, dict) else "",
        "title": clean(item.get("name")),
        "description": clean(item.get("description"), 2000),
    }


def _profile(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": id_of(item),
        "title": clean(item.get("name")),
        "email": clean(item.get("email"), 320),
        "suspended": bool(item.get("suspended_at")),
    }
