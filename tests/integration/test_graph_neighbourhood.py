"""What is around an entity, read from the tables of both databases."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from callboard.database import Database
from callboard.entities import EntityRef
from callboard_catalog.testing import CatalogSite, descriptor
from callboard_web.graph.neighbourhood import Bundle, Neighbourhood, neighbourhood
from callboard_web.graph.page import list_url, picture_of, table_of
from callboard_web.graph.query import ALL, GraphQuery

HUB = 340


@pytest.fixture
def site(database: Database, tmp_path: Path) -> CatalogSite:
    """Give a hub with many, a chain a-b-c-d-e that ends in a circle, and what is missing."""
    folder = tmp_path / "files"
    folder.mkdir()
    chain = {"a": "b", "b": "c", "c": "d", "d": "e", "e": "c"}
    documents = [
        descriptor(name, spec={"owner": "chain", "dependsOn": [f"component:{needed}"]})
        for name, needed in chain.items()
    ]
    documents += [
        descriptor("hub", "Group"),
        descriptor("chain", "Group", spec={"children": ["hub"]}),
        descriptor("lost", spec={"owner": "nobody-knows", "dependsOn": ["component:lost"]}),
    ]
    documents += [descriptor(f"spoke-{n:03}", spec={"owner": "hub"}) for n in range(HUB)]
    (folder / "catalog-info.yaml").write_text("---\n".join(documents), encoding="utf-8")
    made = CatalogSite(
        database, tmp_path, sources=[{"name": "files", "type": "folder", "path": str(folder)}]
    )
    made.read()
    return made


def around(site: CatalogSite, ref: str, **query: Any) -> Neighbourhood:
    with site.database.read() as connection:
        return neighbourhood(connection, EntityRef.parse(ref), GraphQuery(**query))


def names(area: Neighbourhood) -> dict[str, int]:
    return {found.ref.name: found.distance for found in area.found}


def ties(area: Neighbourhood) -> set[tuple[str, str, str]]:
    return {(tie.left.name, tie.type, tie.right.name) for tie in area.ties}


def test_depth_goes_step_by_step_and_through_circles(site: CatalogSite) -> None:
    needs = {"direction": "out", "relations": ("dependsOn",)}
    assert names(around(site, "component:a", depth=1, **needs)) == {"a": 0, "b": 1}
    assert names(around(site, "component:a", depth=3, **needs)) == {"a": 0, "b": 1, "c": 2, "d": 3}
    whole = around(site, "component:a", depth=ALL, **needs)
    assert names(whole) == {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}
    assert ("e", "dependsOn", "c") in ties(whole)
    assert whole.more == 0
    above = around(site, "component:c", direction="in", relations=("dependsOn",))
    assert names(above) == {"c": 0, "b": 1, "e": 1}


def test_filters_narrow_what_is_followed(site: CatalogSite) -> None:
    owned = around(site, "component:a", relations=("ownerOf",))
    assert ties(owned) == {("chain", "ownerOf", "a")}
    assert names(around(site, "component:a", depth=4, kinds=("group",))) == {
        "a": 0, "chain": 1, "hub": 2,
    }  # fmt: skip
    assert names(around(site, "group:chain", direction="in")) == {"chain": 0}
    assert names(around(site, "group:hub", direction="in")) == {"hub": 0, "chain": 1}


def test_a_hub_is_cut_at_what_can_be_drawn_and_says_what_is_left(site: CatalogSite) -> None:
    area = around(site, "group:hub")
    assert len(area.found) == 300
    bundle = Bundle("group:default/hub", "ownerOf", "component")
    assert sum(area.left_out.values()) == HUB + 1 - 299
    assert bundle in area.left_out
    assert list_url(bundle) == "/catalog?kind=component&owner=group%3Adefault%2Fhub"
    picture = picture_of(area)
    more = [node for node in picture.nodes if node.thing.more]
    assert sum(node.thing.more for node in more) == area.more
    assert len(picture.nodes) == 300 + len(more)
    rows = table_of(area)
    assert sum(len(group.rows) for group in rows) == 299
    assert sum(group.more for group in rows) == area.more
    # From outside, a hub is not unrolled; what led to it is drawn all the same.
    far = around(site, "component:spoke-339", depth=2)
    assert len(far.found) < 60
    assert ("hub", "ownerOf", "spoke-339") in ties(far)
    assert far.left_out[bundle] == HUB - sum(f.ref.name.startswith("spoke") for f in far.found)


def test_what_is_missing_is_drawn_as_such_and_nothing_points_at_itself(site: CatalogSite) -> None:
    area = around(site, "component:lost")
    assert names(area) == {"lost": 0, "nobody-knows": 1}
    assert [found.exists for found in area.found] == [True, False]
    assert ties(area) == {("nobody-knows", "ownerOf", "lost")}
    assert names(around(site, "component:not-there", depth=2)) == {"not-there": 0}


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_one_query_for_each_step(site: CatalogSite, depth: int) -> None:
    asked: list[str] = []

    def ask(*arguments: Any) -> None:
        if str(arguments[2]).lstrip().upper().startswith(("SELECT", "WITH")):
            asked.append(str(arguments[2]))

    with site.database.read() as connection:
        event.listen(connection, "before_cursor_execute", ask)
        neighbourhood(
            connection, EntityRef.parse("component:a"),
            GraphQuery(depth=depth, relations=("dependsOn",)),
        )  # fmt: skip
    assert len(asked) == depth + 2


@pytest.mark.parametrize(
    ("given", "depth", "relations", "kinds", "direction"),
    [
        ({}, 1, (), (), "both"),
        ({"depth": "3", "relation": "ownedBy,dependsOn,dependsOn"}, 3, ("ownerOf", "dependsOn"), (),
         "both"),
        ({"depth": "all", "kind": "API,component", "direction": "in"}, ALL, (),
         ("api", "component"), "in"),
        ({"depth": "99", "direction": "x", "relation": ", \0,"}, 1, (), (), "both"),
    ],
)  # fmt: skip
def test_addresses_read_back(
    given: dict[str, str],
    depth: int,
    relations: Sequence[str],
    kinds: Sequence[str],
    direction: str,
) -> None:
    query = GraphQuery.of(given)
    assert (query.depth, query.relations, query.kinds, query.direction) == (
        depth, tuple(relations), tuple(kinds), direction,
    )  # fmt: skip
    assert GraphQuery.of(query.parameters()) == query
    assert query.with_kind("x").with_kind("x") == query
