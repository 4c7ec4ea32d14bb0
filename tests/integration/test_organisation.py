"""Teams, people, gaps of ownership, systems and their maps, on both databases."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog.testing import CatalogSite, descriptor
from callboard_web.organisation import maps
from callboard_web.organisation.models import read_organisation
from callboard_web.organisation.names import letter, sort_key
from callboard_web.organisation.service import Ownership
from callboard_web.organisation.systems import read_areas

HOSTILE = "<script>alert(1)</script>\u202e\u200b"


def user(name: str, *groups: str, **metadata: str) -> str:
    return descriptor(name, "User", spec={"memberOf": list(groups)}, **metadata)


def owned(name: str, owner: str | None, kind: str = "Component", **metadata: object) -> str:
    spec = {"owner": owner} if owner else {}
    if kind == "Resource":
        spec["type"] = "database"
    return descriptor(name, kind, spec=spec, **metadata)


DOCUMENTS = [
    descriptor("company", "Group", spec={"type": "organisation", "children": ["centre"]}),
    descriptor("centre", "Group", spec={"type": "centre", "children": []}),
    descriptor("team", "Group", spec={"parent": "centre", "children": []}, title=HOSTILE),
    descriptor("deserted", "Group", spec={"parent": "centre", "children": []}),
    descriptor("circle-a", "Group", spec={"parent": "circle-b", "children": []}),
    descriptor("circle-b", "Group", spec={"parent": "circle-a", "children": []}),
    user("anna", "team"),
    user("ben", "team", "company", title="周昊"),
    user("nobodys-member"),
    owned("good", "team", description="Described."),
    owned("from-above", "centre"),
    owned("by-person", "user:anna"),
    owned("left-behind", "user:carla"),
    owned("unknown-owner", "no-such-team", "Resource"),
    owned("empty-owner", "deserted"),
    owned("in-circle", "circle-a"),
    descriptor("ownerless", "Template", spec={"type": "service", "steps": []}).replace(
        "backstage.io/v1alpha1", "scaffolder.backstage.io/v1beta3"
    ),
    descriptor("sinking", spec={"owner": "team", "lifecycle": "deprecated",
                                "dependsOn": ["component:not-there"]}),
]  # fmt: skip


def make(database: Database, tmp_path: Path, documents: list[str]) -> CatalogSite:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "catalog-info.yaml").write_text("---\n".join(documents), encoding="utf-8")
    source = {"name": "files", "type": "folder", "path": str(folder)}
    site = CatalogSite(database, tmp_path, sources=[source])
    site.read()
    return site


@pytest.fixture
def ownership(database: Database, tmp_path: Path) -> Ownership:
    return Ownership(make(database, tmp_path, DOCUMENTS).service)


def test_gaps_are_exact(ownership: Ownership) -> None:
    found = {
        gap: [
            entity.ref.name
            for entity in ownership.gap_list(
                owners, ownership.owned_kinds(), cursor="", limit=50
            ).entities
        ]
        if owners
        else []
        for gap, owners in ownership.gaps().items()
    }
    assert found == {
        "none": ["ownerless"],
        "unknown": ["unknown-owner"],
        "empty": ["in-circle", "empty-owner"],
        "left": ["left-behind"],
    }
    counts = ownership.gap_counts()
    assert counts["empty"] == {"component": 2}
    assert counts["unknown"] == {"resource": 1}
    assert {gap: sum(kinds.values()) for gap, kinds in counts.items()} == {
        gap: len(names) for gap, names in found.items()
    }


def test_gaps_are_paged_by_kind(ownership: Ownership) -> None:
    owners = ownership.gaps()["empty"]
    first = ownership.gap_list(owners, ["component"], cursor="", limit=1)
    second = ownership.gap_list(owners, ["component"], cursor=first.next_cursor, limit=1)
    assert [e.ref.name for e in (*first.entities, *second.entities)] == ["in-circle", "empty-owner"]
    assert not second.next_cursor
    assert ownership.gap_list(owners, ["api"], cursor="", limit=1).total == 0


def test_the_tree_has_every_group_once_and_ends_in_circles(ownership: Ownership) -> None:
    seen: list[str] = []

    def walk(branches: object) -> None:
        for branch in branches:  # type: ignore[attr-defined]
            seen.append(branch.row.party.ref)
            walk(branch.branches)

    walk(ownership.tree(ownership.organisation.roots, 50))
    assert sorted(seen) == sorted(ownership.organisation.groups)
    small = ownership.tree(["group:default/company"], 2)
    assert [branch.hidden for branch in small[0].branches] == [2]


def test_counts_of_a_group_with_those_below(ownership: Ownership) -> None:
    centre = ownership.row("group:default/centre")
    assert (centre.members, centre.everybody, centre.children) == (0, 2, 2)
    assert (centre.owned, centre.all_owned) == (1, 4)
    assert ownership.row("group:default/company").everybody == 2
    assert ownership.row("group:default/team").problems == 1


def test_health_counts_what_is_to_mend(ownership: Ownership) -> None:
    (row,) = ownership.health(["group:default/team"])
    assert (row.kind, row.total, row.problems) == ("component", 2, 1)
    assert (row.undescribed, row.deprecated) == (1, 1)
    below = ownership.owners("group:default/centre", with_others=True)
    assert sum(item.total for item in ownership.health(below)) == 4
    assert ownership.owners("user:default/ben", with_others=True) == [
        "user:default/ben", "group:default/company", "group:default/team",
    ]  # fmt: skip


def test_names_are_sorted_as_they_are_read() -> None:
    names = ["周昊", "Anna", "陈静", "bob", "Émile", "9 lives", ""]
    assert sorted(names, key=sort_key)[:4] == ["", "9 lives", "Anna", "bob"]
    assert [letter(name) for name in names] == ["Z", "A", "C", "B", "#", "#", "#"]


SYSTEMS = [
    descriptor("team", "Group"),
    descriptor("bank", "Domain", spec={"owner": "team"}),
    descriptor("cards", "Domain", spec={"owner": "team", "subdomainOf": "bank"}),
    descriptor("desert", "Domain", spec={"owner": "team"}),
    descriptor("issuing", "System", spec={"owner": "team", "domain": "cards"}),
    descriptor("ledger", "System", spec={"owner": "team", "domain": "bank"}),
    descriptor("stray", "System", spec={"owner": "team"}),
    descriptor("issuer", spec={"system": "issuing", "consumesApis": ["booking"],
                               "dependsOn": ["resource:keys", "component:helper"]}),
    descriptor("helper", spec={"system": "issuing"}),
    descriptor("book", spec={"system": "ledger", "providesApis": ["booking"]}),
    descriptor("booking", "API", spec={"type": "openapi", "lifecycle": "production",
                                       "owner": "team", "system": "ledger", "definition": "x"}),
    descriptor("keys", "Resource", spec={"type": "hsm", "owner": "team", "system": "stray",
                                         "dependencyOf": ["component:book"]}),
]  # fmt: skip


def test_maps_add_up_what_crosses_borders(database: Database, tmp_path: Path) -> None:
    catalog = make(database, tmp_path, SYSTEMS).service
    areas = maps.areas(catalog)
    assert areas.inside("domain:default/bank") == [
        "system:default/issuing", "system:default/ledger",
    ]  # fmt: skip
    assert [area.ref for area in areas.empty] == ["domain:default/desert"]
    assert areas.by_domain[-1][0] == ""
    drawn = maps.map_of_systems(catalog, areas.inside("domain:default/bank"))
    assert {(j.left.name, j.type, j.right.name, j.count) for j in drawn.joints} == {
        ("issuing", "consumesApi", "ledger", 1),
        ("issuing", "dependsOn", "stray", 1),
        ("ledger", "dependsOn", "stray", 1),
    }
    assert drawn.picture is not None
    assert {node.thing.ref.name for node in drawn.picture.nodes if node.thing.ref} == {
        "issuing", "ledger", "stray",
    }  # fmt: skip
    inside, crossing = maps.map_of_parts(catalog, "system:default/issuing")
    assert inside.inside == 2
    assert {(item.left, item.type, item.right) for item in crossing} == {
        ("component:default/issuer", "consumesApi", "api:default/booking"),
        ("component:default/issuer", "dependsOn", "resource:default/keys"),
    }
    assert inside.picture is not None
    assert {node.thing.key for node in inside.picture.nodes} == {
        "component:default/issuer", "component:default/helper", "system:default/ledger",
        "system:default/stray",
    }  # fmt: skip


LATER = (
    descriptor("team", "Group", spec={"type": "team", "children": []}),
    descriptor("team", "Group", spec={"type": "team", "children": []}, title="The team"),
    descriptor("other", "Group", spec={"type": "team", "parent": "team", "children": []}),
    user("anna", "team"),
    user("ben", "other"),
    descriptor("ledger", "System", spec={"owner": "team", "domain": "bank"}),
    descriptor("bank", "Domain", spec={"owner": "team"}),
    descriptor("part"),
    descriptor("part", title="A part"),
)
steps = st.lists(st.sets(st.sampled_from(LATER), max_size=5), min_size=2, max_size=6)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, minutes=st.integers(0, 2))
def test_what_is_kept_of_kinds_is_what_the_tables_say(
    database: Database, tmp_path: Path, clock: Clock, steps: list[set[str]], minutes: int
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir(exist_ok=True)
    source = {"name": "kept", "type": "folder", "path": str(folder)}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    for number, documents in enumerate(steps):
        (folder / "catalog-info.yaml").write_text("---\n".join(sorted(documents)) or "# none")
        (folder / "filling.yaml").write_text(
            "---\n".join(
                descriptor(f"filling-{item}", title=f"{number * (item == 0)}") for item in range(30)
            )
        )
        site.read()
        clock.advance(timedelta(minutes=minutes))
        kept = Ownership(site.service).organisation
        areas = maps.areas(site.service)
        with database.read() as connection:
            assert kept == read_organisation(connection)
            assert areas == read_areas(connection)


def test_the_organisation_is_read_again_only_when_it_changes(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    source = {"name": "kept", "type": "folder", "path": str(folder)}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    filling = [descriptor(f"filling-{item}") for item in range(30)]

    def after(*documents: str) -> tuple[object, object]:
        clock.advance(timedelta(minutes=1))
        (folder / "catalog-info.yaml").write_text("---\n".join([*documents, *filling]))
        site.read()
        return Ownership(site.service).organisation, maps.areas(site.service)

    team = descriptor("team", "Group", spec={"type": "team", "children": []})
    renamed_team = descriptor("team", "Group", spec={"type": "team", "children": []}, title="New")
    system = descriptor("ledger", "System", spec={"owner": "team"})
    # What came last is looked at once more, as clocks of processes may differ.
    after(team, system, descriptor("part", title="Old"))
    first = after(team, system, descriptor("part"))
    other = after(team, system, descriptor("part", title="New"))
    assert [now is before for now, before in zip(other, first, strict=True)] == [True, True]
    renamed = after(renamed_team, system)
    assert [now is before for now, before in zip(renamed, other, strict=True)] == [False, True]
    settled = after(renamed_team, system, descriptor("part"))
    gone = after(renamed_team, descriptor("part"))
    assert [now is before for now, before in zip(gone, settled, strict=True)] == [True, False]
