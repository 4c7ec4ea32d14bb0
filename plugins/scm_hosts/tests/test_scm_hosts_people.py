"""People and groups of GitLab, GitHub and Gitea."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import TOKEN, Answer, serving
from people_hosts import PEOPLE, WithPeople
from pydantic import ValidationError
from scm_site import Site, database_of, opened
from sqlalchemy import select, update

from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog import models as catalog
from callboard_scm_hosts.people.models import answer, identity, reading
from callboard_scm_hosts.settings import ScmHostsSettings

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


class People(Site):
    """A portal that reads the people of one of the servers."""

    def read(self) -> None:
        self.runtime.engine.read("scm_hosts.people")

    @property
    def people(self) -> WithPeople:
        assert isinstance(self.server, WithPeople)
        return self.server

    def all_names(self, kind: str) -> list[str]:
        refs = select(catalog.entity.c.ref).where(catalog.entity.c.kind == kind)
        with self.runtime.database.read() as connection:
            return sorted(EntityRef.parse(ref).name for ref in connection.scalars(refs))

    def member_of(self, name: str) -> list[str]:
        found = self.entity(name, "user").spec["memberOf"]
        return [EntityRef.parse(ref).name for ref in found]

    def failure(self) -> str:
        named = catalog.source.c.name == "scm_hosts.people"
        with self.runtime.database.read() as connection:
            return str(connection.execute(select(catalog.source).where(named)).one().error or "")


@contextmanager
def people_of(
    folder: Path, kind: str, database: str, clock: Clock, host: dict[str, Any] | None = None,
    **more: Any,
) -> Iterator[People]:  # fmt: skip
    clock.set(NOW)
    scope = {"group" if kind == "gitlab" else "organisation": "shop", **more}
    with ExitStack() as ended:
        server = ended.enter_context(serving(PEOPLE[kind]()))
        settings = {
            "hosts": [{"name": "code", "type": kind, "url": server.base,
                       "token": "${env:SCM_TOKEN}", **(host or {})}],
            "people": [{"name": "people", "host": "code", **scope}],
        }  # fmt: skip
        runtime = ended.enter_context(opened(folder, settings, database, clock))
        made = People(runtime, server, clock)
        people = made.people
        people.person("ada", name="Ada Lovelace", email="ada@example.com")
        people.person("Grace.Hopper", name="Grace Hopper")
        people.person("joan", name="Joan Clarke", email="joan@example.com")
        people.person("gone", state="blocked")
        prefix = "shop/" if kind == "gitlab" else ""
        top = people.team("shop", "Grace.Hopper", "gone") if kind == "gitlab" else None
        above = people.team(f"{prefix}services", "joan", parent=top.id if top else 0)
        people.team(f"{prefix}services/pay" if top else "pay", "ada", parent=above.id)
        yield made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with database_of(request, request.param) as url:
        yield url


@pytest.fixture(params=sorted(PEOPLE))
def site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, database_url: str
) -> Iterator[People]:
    with people_of(tmp_path, request.param, database_url, clock) as made:
        yield made


@pytest.fixture(params=["gitlab", "github"])
def one(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[People]:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, request.param, url, clock) as made:
        yield made


def test_people_and_teams_are_entities(site: People) -> None:
    site.read()
    assert site.failure() == ""
    assert site.all_names("user") == ["ada", "grace.hopper", "joan"]
    ada = site.entity("ada", "user")
    assert ada.spec["profile"] == {
        "displayName": "Ada Lovelace",
        "email": "ada@example.com",
        "picture": "https://avatars.example.com/ada",
    }
    kind = site.people.prefix.rpartition("/")[2]
    name = {"v4": "gitlab.com", "v3": "github.com", "v1": "gitea.com"}[kind]
    assert ada.metadata["annotations"][f"{name}/user-login"] == "ada"
    assert ada.metadata["annotations"][f"{name}/user-id"] == "100"
    gitlab = kind == "v4"
    inner = "shop-services-pay" if gitlab else "pay"
    outer = "shop-services" if gitlab else "services"
    assert site.member_of("ada") == [inner]
    assert site.member_of("joan") == [outer]
    assert "email" not in site.entity("grace.hopper", "user").spec["profile"]
    below = site.entity(outer, "group").spec["children"]
    assert below == ([] if kind == "v1" else [f"group:default/{inner}"])
    assert site.people.tokens == {f"{'token' if kind == 'v1' else 'Bearer'} {TOKEN}"}
    assert TOKEN not in repr(site.people.requests)


def test_members_may_be_passed_on(tmp_path: Path, clock: Clock) -> None:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, "gitlab", url, clock, inherited=True) as site:
        site.read()
        assert site.member_of("joan") == ["shop-services", "shop-services-pay"]
    (tmp_path / "other").mkdir()
    with people_of(tmp_path / "other", "github", url, clock, inherited=True) as site:
        site.read()
        assert site.member_of("ada") == ["pay", "services"]


def test_members_from_above_the_scope_are_in_its_outermost_group(
    tmp_path: Path, clock: Clock
) -> None:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, "gitlab", url, clock, group="shop/services") as site:
        site.read()
        assert site.all_names("group") == ["shop-services", "shop-services-pay"]
        assert site.member_of("grace.hopper") == ["shop-services"]
        assert site.member_of("ada") == ["shop-services-pay"]


def test_every_group_of_a_host_may_be_read(tmp_path: Path, clock: Clock) -> None:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, "gitlab", url, clock, group="") as site:
        site.people.team("other", "ada")
        site.read()
        assert len(site.all_names("group")) == 4
        assert site.member_of("ada") == ["other", "shop-services-pay"]


def test_entries_that_are_gone_from_the_settings_are_forgotten(one: People) -> None:
    one.read()
    with one.host.write() as connection:
        for table in (answer, reading):
            connection.execute(update(table).values(people="former"))
    one.read()
    with one.host.read() as connection:
        assert set(connection.scalars(select(answer.c.people))) == {"people"}


def test_nothing_changed_is_asked_by_etag_and_writes_nothing(one: People) -> None:
    one.read()
    one.clock.advance(timedelta(hours=2))
    one.people.clear()
    one.writes.clear()
    one.read()
    assert set(one.people.statuses) == {304}
    assert not any("/users/" in path for path in one.people.requests)
    ours = ("scm_hosts_answer", "scm_hosts_identity", "entity ")
    assert not [text for text in one.writes if any(name in text for name in ours)]
    one.clock.advance(timedelta(days=1))
    one.people.clear()
    one.read()
    assert any("/users/" in path for path in one.people.requests)


def test_renames_and_departures(site: People) -> None:
    site.read()
    site.people.people[0].login = "ada.king"
    for team in site.people.teams:
        team.members = [login.replace("ada", "ada.king") for login in team.members]
    site.people.people[1].state = "blocked"
    site.clock.advance(timedelta(days=2))
    site.read()
    assert site.all_names("user") == ["ada.king", "joan"]
    assert len(site.member_of("ada.king")) == 1
    with site.host.read() as connection:
        names = set(connection.scalars(select(identity.c.name).where(identity.c.kind == "user")))
    assert names == {"ada.king", "joan"}


def test_many_people_come_in_pages(tmp_path: Path, clock: Clock) -> None:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, "gitlab", url, clock, profiles=False) as site:
        for number in range(450):
            site.people.person(f"person-{number}")
            site.people.teams[-1].members.append(f"person-{number}")
        site.read()
        assert len(site.all_names("user")) == 453
        # Another page after one that was full, which itself did not change.
        for number in range(450, 560):
            site.people.person(f"person-{number}")
            site.people.teams[-1].members.append(f"person-{number}")
        site.read()
        assert len(site.all_names("user")) == 563


def test_a_reading_goes_on_where_the_budget_ended_it(tmp_path: Path, clock: Clock) -> None:
    url, limit = "sqlite:///callboard.sqlite3", {"requests_per_hour": 10}
    with people_of(tmp_path, "github", url, clock, limit) as site:
        for number in range(12):
            site.people.person(f"person-{number}")
        site.read()
        assert "are used up" in site.failure()
        assert site.all_names("user") == []
        asked = list(site.people.requests)
        site.clock.advance(timedelta(hours=1, minutes=1))
        site.read()
        assert "are used up" not in site.failure()
        assert len(site.all_names("user")) == 15
        assert not set(asked) & set(site.people.requests[len(asked) :])


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_fault_in_the_middle_loses_nobody(one: People, status: int) -> None:
    one.read()
    before = one.all_names("user")
    one.clock.advance(timedelta(hours=2))

    def fault(path: str) -> Answer | None:
        return Answer({"message": "no"}, status) if "/members" in path else None

    one.people.faults.append(fault)
    one.read()
    assert one.failure()
    assert one.all_names("user") == before


@pytest.mark.parametrize("body", [{}, b"<html>", [], [{"id": "x"}, 7, None]])
def test_a_broken_answer_loses_nobody(one: People, body: Any) -> None:
    one.read()
    before = one.all_names("user")
    one.clock.advance(timedelta(hours=2))
    one.people.faults.append(lambda path: Answer(body) if "/members" in path else None)
    one.read()
    assert one.failure()
    assert one.all_names("user") == before


def test_pages_in_a_circle_end(one: People) -> None:
    def fault(path: str) -> Answer | None:
        if "/members" not in path:
            return None
        url = f"{one.people.base}{path}"
        return Answer([], headers={"Link": f'<{url}>; rel="next"'})

    one.people.faults.append(fault)
    one.read()
    assert "circle" in one.failure()


def test_many_who_are_missing_at_once_are_kept(tmp_path: Path, clock: Clock) -> None:
    url = "sqlite:///callboard.sqlite3"
    with people_of(tmp_path, "github", url, clock, profiles=False) as site:
        for number in range(40):
            site.people.person(f"person-{number}")
        site.read()
        before = site.all_names("user")
        del site.people.people[10:]
        site.read()
        assert site.all_names("user") == before
        assert "are missing at once" in site.failure()


def test_templates_groups_alone_and_bots(tmp_path: Path, clock: Clock) -> None:
    url = "sqlite:///callboard.sqlite3"
    more: dict[str, Any] = {
        "group_name": "{organisation}-{slug}",
        "email": "{login}@corp.example",
        "bots": True,
    }
    with people_of(tmp_path, "github", url, clock, **more) as site:
        site.people.person("robot[bot]", bot=True)
        site.read()
        assert site.all_names("group") == ["shop-pay", "shop-services"]
        grace = site.entity("grace.hopper", "user")
        assert grace.spec["profile"]["email"] == "Grace.Hopper@corp.example"
        assert "robot-bot" in site.all_names("user")
    (tmp_path / "other").mkdir()
    with people_of(tmp_path / "other", "github", url, clock, users=False) as site:
        site.people.person("robot[bot]", bot=True)
        site.read()
        assert site.all_names("user") == []
        assert site.entity("pay", "group").spec["members"] == ["user:default/ada"]


def test_answers_that_are_not_needed_are_forgotten(one: People) -> None:
    one.read()
    with one.host.read() as connection:
        before = len(connection.execute(select(answer.c.key)).all())
    one.people.teams.pop()
    one.read()
    with one.host.read() as connection:
        assert len(connection.execute(select(answer.c.key)).all()) < before


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "other"},
        {"organisation": ""},
        {"organisation": "shop/inner"},
        {"group": "shop"},
        {"user_name": "{login.__class__}"},
        {"user_name": "{password}"},
        {"user_name": "same"},
        {"name": "found"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    people = {"name": "people", "host": "code", "organisation": "shop"}
    hosts = [{"name": "code", "type": "github"}]
    discover = [{"name": "found", "host": "code", "organisation": "shop"}]
    given = {"hosts": hosts, "discover": discover}
    assert ScmHostsSettings.model_validate({**given, "people": [people]})
    with pytest.raises(ValidationError):
        ScmHostsSettings.model_validate({**given, "people": [{**people, **wrong}]})


def test_the_page_of_hosts_lists_whose_people_are_read(one: People) -> None:
    page = one.client.get("/scm_hosts/").text
    assert "not read yet" in page
    assert "no entry of discover names this host" not in page
    one.read()
    page = one.client.get("/scm_hosts/").text
    found = re.search(r'<th scope="row">people<.*?</tr>', page, re.DOTALL)
    assert found
    numbers = re.findall(r'<td class="r">(\d+)', found[0])
    kinds = [len(one.all_names(kind)) for kind in ("user", "group")]
    assert numbers == [str(number) for number in kinds]
    assert kinds[0] > 0
    assert 'href="/sources/scm_hosts.people"' in found[0]
