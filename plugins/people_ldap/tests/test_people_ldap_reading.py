"""People and groups of a real directory: pages, nesting, renames, and those who leave."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ldap_site import (
    BASE,
    READER,
    Site,
    Slapd,
    dn_of,
    group,
    opened,
    person,
    running,
    server_settings,
    team_of,
)
from sqlalchemy import select

from callboard.events.models import event
from callboard.testing import Clock, new_database
from callboard_people_ldap.models import identity, metadata

PEOPLE = [
    person("ada", "Ada Lovelace", displayName="Ada, Countess of Lovelace"),
    person("grace", "Grace Hopper"),
    person("Lin.Xiu", "林秀"),
    person("joan", "Joan Clarke"),
]
GROUPS = [
    group("platform", ["grace", team_of("runtime"), team_of("tools")], description="All of it"),
    group("runtime", ["ada", "Lin.Xiu"]),
    group("tools", ["joan", f"UID=Ada, OU=people,{BASE.upper()}"]),
]


class Sites:
    """Opens portals on servers of a test."""

    def __init__(self, folder: Path, database: str, clock: Clock, ended: ExitStack) -> None:
        self.folder, self.database, self.clock, self.ended = folder, database, clock, ended

    def slapd(self, *entries: str) -> Slapd:
        return self.ended.enter_context(running(entries or (*PEOPLE, *GROUPS)))

    def site(self, slapd: Slapd, *servers: Mapping[str, Any], **more: Any) -> Site:
        chosen = list(servers) or [server_settings(slapd, **more)]
        runtime = self.ended.enter_context(opened(self.folder, self.database, self.clock, chosen))
        return Site(runtime, slapd)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def sites(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Sites]:
    with new_database(request, request.param) as database, ExitStack() as ended:
        yield Sites(tmp_path, database, clock, ended)


def test_people_and_groups_are_entities(sites: Sites) -> None:
    site = sites.site(sites.slapd())
    site.read()
    assert site.names() == ["ada", "grace", "joan", "lin.xiu"]
    assert site.names("group") == ["platform", "runtime", "tools"]
    ada = site.entity("user", "ada")
    assert ada.spec["profile"] == {
        "displayName": "Ada, Countess of Lovelace",
        "email": "ada@example.com",
    }
    assert ada.spec["memberOf"] == ["group:default/runtime", "group:default/tools"]
    assert site.entity("user", "lin.xiu").spec["profile"]["displayName"] == "林秀"
    platform = site.entity("group", "platform")
    assert platform.spec["children"] == ["group:default/runtime", "group:default/tools"]
    assert platform.metadata["description"] == "All of it"
    assert site.entity("group", "tools").spec["parent"] == "group:default/platform"
    annotations = ada.metadata["annotations"]
    assert annotations["backstage.io/ldap-dn"] == dn_of("ada")
    assert annotations["backstage.io/ldap-rdn"] == "uid=ada"
    assert len(annotations["backstage.io/ldap-uuid"]) == 36
    assert any(item.type == "hasMember" for item in site.entity("group", "platform").relations)


def test_nothing_changed_writes_nothing(sites: Sites) -> None:
    site = sites.site(sites.slapd())
    with site.writes() as first:
        site.read()
    assert first
    with site.writes() as second:
        site.read()
    assert second == []


def test_many_people_come_in_pages(sites: Sites) -> None:
    people = [person(f"person-{number}") for number in range(1200)]
    everybody = group("everybody", [f"person-{number}" for number in range(1200)])
    site = sites.site(sites.slapd(*people, everybody))
    site.read()
    assert len(site.names()) == 1200
    found = site.entity("user", "person-1199")
    assert found.spec["memberOf"] == ["group:default/everybody"]


def test_who_is_renamed_has_the_new_name_alone(sites: Sites) -> None:
    slapd = sites.slapd()
    site = sites.site(slapd)
    site.read()
    with slapd.changing() as connection:
        connection.modify_dn(dn_of("joan"), "uid=joan.murray")
        connection.modify(
            dn_of("joan.murray"), {"displayName": [("MODIFY_REPLACE", ["Joan Murray"])]}
        )
        connection.modify(
            team_of("tools"), {"member": [("MODIFY_REPLACE", [dn_of("joan.murray")])]}
        )
    site.read()
    assert site.names() == ["ada", "grace", "joan.murray", "lin.xiu"]
    found = site.entity("user", "joan.murray")
    assert found.spec["memberOf"] == ["group:default/tools"]
    assert told(site, "people_ldap.user.renamed") == [
        ("user:default/joan.murray", {"source": "company", "name": "joan.murray", "before": "joan"})
    ]


def test_a_renamed_person_may_keep_their_entity(sites: Sites) -> None:
    slapd = sites.slapd()
    site = sites.site(slapd, keep_names=True)
    site.read()
    before = site.entity("user", "joan").uid
    with slapd.changing() as connection:
        connection.modify_dn(dn_of("joan"), "uid=joan.murray")
    site.read()
    assert site.names() == ["ada", "grace", "joan", "lin.xiu"]
    found = site.entity("user", "joan")
    assert found.uid == before
    assert found.metadata["annotations"]["backstage.io/ldap-rdn"] == "uid=joan.murray"


def test_two_may_swap_their_names(sites: Sites) -> None:
    slapd = sites.slapd()
    site = sites.site(slapd)
    site.read()
    ids = {name: uuid_of(site, name) for name in ("ada", "grace")}
    with slapd.changing() as connection:
        for old, new in (("ada", "third"), ("grace", "ada"), ("third", "grace")):
            connection.modify_dn(dn_of(old), f"uid={new}")
    site.read()
    assert uuid_of(site, "ada") == ids["grace"]
    assert uuid_of(site, "grace") == ids["ada"]


def test_who_left_leaves(sites: Sites) -> None:
    slapd = sites.slapd()
    site = sites.site(slapd)
    site.read()
    with slapd.changing() as connection:
        connection.delete(dn_of("grace"))
        connection.delete(team_of("tools"))
    site.read()
    assert site.names() == ["ada", "joan", "lin.xiu"]
    assert site.names("group") == ["platform", "runtime"]
    assert rows(site) == {"ada", "joan", "lin.xiu", "platform", "runtime"}


def test_names_that_become_the_same_differ_and_stay(sites: Sites) -> None:
    slapd = sites.slapd(person("ada"), person("a d a"), person("a-d-a"), person("雅"))
    site = sites.site(slapd)
    site.read()
    first = site.names()
    assert len(first) == 4
    marked = [name for name in first if name.startswith("a-d-a-")]
    assert len(marked) == 1
    assert [name for name in first if name.startswith("user-")]
    (event,) = told(site, "people_ldap.user.marked")
    assert event[1]["wanted"] == "a-d-a"
    holder = site.entity("user", "a-d-a").metadata["annotations"]["backstage.io/ldap-dn"]
    with slapd.changing() as connection:
        connection.delete(holder)
    site.read()
    assert site.names() == sorted(set(first) - {"a-d-a"})


def test_a_circle_of_groups_is_cut(sites: Sites) -> None:
    slapd = sites.slapd(
        person("ada"),
        group("one", ["ada", team_of("two")]),
        group("two", [team_of("three")]),
        group("three", [team_of("one"), team_of("three")]),
    )
    site = sites.site(slapd)
    site.read()
    edges = {
        (name, child)
        for name in site.names("group")
        for child in site.entity("group", name).spec["children"]
    }
    assert len(edges) == 2
    assert all(name not in child for name, child in edges)


def test_several_servers_have_namespaces_of_their_own(sites: Sites) -> None:
    slapd = sites.slapd()
    other = sites.slapd(person("ada", "Another Ada"))
    site = sites.site(
        slapd,
        server_settings(slapd),
        server_settings(other, name="partner", namespace="partner", groups=None),
    )
    site.read()
    site.read("partner")
    assert site.names(namespace="partner") == ["ada"]
    assert len(site.names()) == 4


def test_groups_of_names_and_groups_that_people_name(sites: Sites) -> None:
    posix = (
        f"dn: {team_of('unix')}\nobjectClass: posixGroup\ncn: unix\ngidNumber: 7\n"
        "memberUid: ada\nmemberUid: LIN.XIU\nmemberUid: nobody\n"
    )
    slapd = sites.slapd(*PEOPLE, posix, group("(eu) *ops", ["joan"]), group("tools", ["grace"]))
    groups = {"base": f"ou=groups,{BASE}", "members": "memberUid", "members_are": "name"}
    # The overlay writes memberOf of what is added while the server runs.
    with slapd.changing() as connection:
        connection.modify(
            team_of("\\28eu\\29 \\2aops"), {"member": [("MODIFY_ADD", [dn_of("ada")])]}
        )
    users = {"base": f"ou=people,{BASE}", "member_of": "memberOf"}
    site = sites.site(slapd, users=users, groups=groups)
    site.read()
    assert site.entity("user", "lin.xiu").spec["memberOf"] == ["group:default/unix"]
    assert site.entity("user", "ada").spec["memberOf"] == [
        "group:default/eu-ops", "group:default/unix",
    ]  # fmt: skip


def test_only_people_of_a_group_whose_name_has_signs_of_filters(sites: Sites) -> None:
    slapd = sites.slapd(*PEOPLE, group("(eu) *ops", ["joan"]))
    with slapd.changing() as connection:
        connection.modify(team_of("(eu) *ops"), {"member": [("MODIFY_ADD", [dn_of("ada")])]})
    users = {"base": f"ou=people,{BASE}", "of_groups": [team_of("(eu) *ops")]}
    site = sites.site(slapd, users=users, groups=None)
    site.read()
    assert site.names() == ["ada"]
    assert READER not in site.names()


def uuid_of(site: Site, name: str) -> str:
    found: str = site.entity("user", name).metadata["annotations"]["backstage.io/ldap-uuid"]
    return found


def rows(site: Site) -> set[str]:
    with site.runtime.host("people_ldap").read() as connection:
        return set(connection.scalars(select(identity.c.name)))


def told(site: Site, kind: str) -> list[tuple[str, dict[str, Any]]]:
    with site.runtime.host("people_ldap").read() as connection:
        found = connection.execute(select(event).where(event.c.kind == kind)).all()
    return [(row.subject, row.data) for row in found]


def test_the_tables_are_those_of_the_migrations(sites: Sites) -> None:
    site = sites.site(sites.slapd())
    with site.runtime.database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table"
                  or str(name).startswith("people_ldap_")},
        )  # fmt: skip
        assert compare_metadata(context, metadata) == []
