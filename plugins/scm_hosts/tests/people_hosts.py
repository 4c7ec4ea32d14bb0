"""The small servers, with people and groups: shapes and paging as the products document them."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from fake_hosts import Answer, FakeGitea, FakeGitHub, FakeGitLab, FakeHost


@dataclass
class Person:
    id: int
    login: str
    name: str = ""
    email: str = ""
    state: str = "active"
    bot: bool = False


@dataclass
class Team:
    """A group or team. `members` are those it lists itself, by login."""

    id: int
    path: str
    parent: int = 0
    members: list[str] = field(default_factory=list)
    name: str = ""


class WithPeople(FakeHost):
    """What all of them have: who is in it is kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.people: list[Person] = []
        self.teams: list[Team] = []

    def person(self, login: str, **more: Any) -> Person:
        made = Person(100 + len(self.people), login, **more)
        self.people.append(made)
        return made

    def team(self, path: str, *members: str, parent: int = 0, **more: Any) -> Team:
        made = Team(10 + len(self.teams), path, parent, list(members), **more)
        self.teams.append(made)
        return made

    def team_of(self, number: int) -> Team | None:
        return next((item for item in self.teams if item.id == number), None)

    def inside(self, logins: list[str]) -> list[Any]:
        return [self.member(item) for item in self.people if item.login in logins]

    def member(self, item: Person) -> dict[str, Any]:
        raise NotImplementedError


class PeopleGitLab(WithPeople, FakeGitLab):
    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if match := re.fullmatch(r"/groups/(\d+)/members(/all)?", path):
            team = self.team_of(int(match[1]))
            logins = [] if team is None else list(team.members)
            while match[2] and team is not None and team.parent:
                team = self.team_of(team.parent)
                logins += team.members if team else []
            return self.page(self.inside(logins), path, query, "per_page")
        if match := re.fullmatch(r"/users/(\d+)", path):
            return Answer(next(self.profile(p) for p in self.people if p.id == int(match[1])))
        if path == "/groups":
            return self.page([self.group(item) for item in self.teams], path, query, "per_page")
        if match := re.fullmatch(r"/groups/([^/]+)(/descendant_groups)?", path):
            scope = unquote(match[1])
            if match[2]:
                inner = [self.group(item) for item in self.teams
                         if item.path.startswith(f"{scope}/")]  # fmt: skip
                return self.page(inner, path, query, "per_page")
            found = next((item for item in self.teams if item.path == scope), None)
            return Answer(self.group(found)) if found else Answer({"message": "404"}, 404)
        return super().answer(path, query)

    def group(self, item: Team) -> dict[str, Any]:
        return {
            "id": item.id, "full_path": item.path, "path": item.path.rpartition("/")[2],
            "name": item.name or item.path, "parent_id": item.parent or None, "description": None,
            "avatar_url": None, "web_url": f"http://169.254.169.254/{item.path}",
        }  # fmt: skip

    def member(self, item: Person) -> dict[str, Any]:
        return {
            "id": item.id, "username": item.login, "name": item.name, "state": item.state,
            "avatar_url": f"https://avatars.example.com/{item.login}", "access_level": 30,
            "membership_state": "active", "expires_at": None,
        }  # fmt: skip

    def profile(self, item: Person) -> dict[str, Any]:
        return {
            "id": item.id, "username": item.login, "name": item.name, "state": item.state,
            "public_email": item.email or None, "bot": item.bot,
        }  # fmt: skip


class PeopleGitHub(WithPeople, FakeGitHub):
    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/orgs/shop/members":
            everybody = [self.member(item) for item in self.people]
            return self.page(everybody, path, query, self.page_key)
        if path == "/orgs/shop/teams":
            teams = [self.shape_of(item) for item in self.teams]
            return self.page(teams, path, query, self.page_key)
        if match := re.fullmatch(r"/orgs/shop/teams/([^/]+)/members", path):
            team = next(item for item in self.teams if item.path == unquote(match[1]))
            return self.page(self.inside(self.all_of(team)), path, query, self.page_key)
        if match := re.fullmatch(r"/users/([^/]+)", path):
            found = next((item for item in self.people if item.login == unquote(match[1])), None)
            return Answer(self.profile(found)) if found else Answer({"message": "404"}, 404)
        return super().answer(path, query)

    def all_of(self, team: Team) -> list[str]:
        """Give the members of a team and of those below it."""
        inner = [item for item in self.teams if item.parent == team.id]
        return team.members + [login for item in inner for login in self.all_of(item)]

    def member(self, item: Person) -> dict[str, Any]:
        return {
            "id": item.id, "login": item.login, "type": "Bot" if item.bot else "User",
            "avatar_url": f"https://avatars.example.com/{item.login}", "site_admin": False,
        }  # fmt: skip

    def shape_of(self, item: Team) -> dict[str, Any]:
        above = self.team_of(item.parent)
        return {
            "id": item.id, "slug": item.path, "name": item.name or item.path,
            "description": "A team", "privacy": "closed",
            "parent": {"id": above.id, "slug": above.path} if above else None,
        }  # fmt: skip

    def profile(self, item: Person) -> dict[str, Any]:
        suspended = None if item.state == "active" else "2026-01-01T00:00:00Z"
        return {
            "id": item.id, "login": item.login, "name": item.name or None,
            "email": item.email or None, "suspended_at": suspended,
        }  # fmt: skip


class PeopleGitea(WithPeople, FakeGitea):
    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/orgs/shop/members":
            everybody = [self.member(item) for item in self.people]
            return self.page(everybody, path, query, "limit")
        if path == "/orgs/shop/teams":
            teams = [{"id": item.id, "name": item.path, "description": ""} for item in self.teams]
            return self.page(teams, path, query, "limit")
        if match := re.fullmatch(r"/teams/(\d+)/members", path):
            team = self.team_of(int(match[1]))
            return self.page(self.inside(team.members if team else []), path, query, "limit")
        return super().answer(path, query)

    def member(self, item: Person) -> dict[str, Any]:
        return {
            "id": item.id, "login": item.login, "full_name": item.name,
            "email": item.email or f"{item.login}@noreply.example.com",
            "avatar_url": f"https://avatars.example.com/{item.login}",
            "prohibit_login": item.state != "active",
        }  # fmt: skip


PEOPLE: dict[str, type[WithPeople]] = {
    "gitlab": PeopleGitLab,
    "github": PeopleGitHub,
    "gitea": PeopleGitea,
}
