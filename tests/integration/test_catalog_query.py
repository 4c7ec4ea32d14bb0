"""Lists, pages and facets, against a plain model of them."""

import base64
import random
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from callboard.database import Database
from callboard.entities import Entity
from callboard.errors import InputError
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.query import SORTS, ListRequest
from callboard_catalog.service import CatalogService
from callboard_catalog.testing import CatalogSite, descriptor

TYPES = ("service", "website", "library", "")
TAGS = ("java", "go", "python")


def entities() -> list[dict[str, Any]]:
    """Give 60 entities with many ties, in five files of different times."""
    dice = random.Random(7)
    made = []
    for at in range(60):
        kind = dice.choice(["Component", "Component", "Resource"])
        spec = {"type": dice.choice(TYPES[:3]), "owner": dice.choice(["red", "user:blue"])}
        if kind == "Component":
            spec["lifecycle"] = dice.choice(["production", "experimental"])
        if dice.random() < 0.5:
            spec["system"] = dice.choice(["shop", "bank"])
        made.append(
            {
                "name": f"n{at % 20}",
                "namespace": f"s{at}",
                "kind": kind,
                "title": dice.choice(["Alpha", "beta", "Gamma", "支付"]),
                "tags": dice.sample(TAGS, dice.randrange(3)),
                "spec": spec,
            }
        )
    return made


def fill(site: CatalogSite, clock: Clock, folder: str = "main") -> None:
    for at in range(5):
        text = "---\n".join(
            descriptor(item["name"], item["kind"], spec=item["spec"], title=item["title"],
                       tags=item["tags"], namespace=item["namespace"])
            for item in entities()[at::5]
        )  # fmt: skip
        (site.base / folder / f"{at}.yaml").write_text(text)
        site.read()
        clock.advance(60)


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    return CatalogSite(database, tmp_path, sources=[source], now=clock)


@pytest.fixture
def filled(site: CatalogSite, clock: Clock) -> CatalogSite:
    fill(site, clock)
    return site


def value(service: CatalogService, entity: Entity, sort: str) -> Any:
    return {
        "name": entity.ref.name,
        "title": entity.title.lower(),
        "kind": entity.ref.kind,
        "type": entity.type,
        "owner": str(entity.owner),
        "lifecycle": entity.lifecycle,
        "updated": service.provenance(entity.ref).updated_at,  # type: ignore[union-attr]
    }[sort]


def walk(service: CatalogService, request: ListRequest) -> list[list[str]]:
    """Give all pages from the first on, and see that they are the same on the way back."""
    pages, results = [], [service.list(request)]
    while results[-1].next_cursor:
        results.append(service.list(replace(request, cursor=results[-1].next_cursor)))
    first = 1
    for result in results:
        assert result.first == (first if result.entities else 0)
        assert result.total == results[0].total
        first += len(result.entities)
        pages.append([str(item.ref) for item in result.entities])
    back = results[-1]
    for at in range(len(results) - 2, -1, -1):
        back = service.list(replace(request, cursor=back.previous_cursor))
        assert [str(item.ref) for item in back.entities] == pages[at]
        assert back.first == results[at].first
        assert back.next_cursor
    assert back.previous_cursor == ""
    return pages


def test_pages_in_every_order(filled: CatalogSite) -> None:
    by_ref = {str(item.ref): item for item in filled.service.find(limit=100)}
    for sort, descending in product(SORTS, (False, True)):
        request = ListRequest(sort=sort, descending=descending, limit=7)
        pages = walk(filled.service, request)
        assert [len(page) for page in pages] == [7] * 8 + [4]
        listed = [ref for page in pages for ref in page]
        assert len(set(listed)) == 60
        values = [value(filled.service, by_ref[ref], sort) for ref in listed]
        assert values == sorted(values, reverse=descending), (sort, descending)


def matches(entity: Entity, request: ListRequest) -> bool:
    columns = {
        "kinds": entity.ref.kind,
        "types": entity.type,
        "owners": str(entity.owner),
        "lifecycles": entity.lifecycle,
        "systems": next((str(item) for item in entity.related("partOf")), ""),
    }
    chosen = all(
        not getattr(request, name) or found in getattr(request, name)
        for name, found in columns.items()
    )
    return chosen and (not request.tags or bool(set(request.tags) & set(entity.tags)))


REQUESTS = st.builds(
    ListRequest,
    kinds=st.lists(st.sampled_from(["component", "resource", "api"]), max_size=2).map(tuple),
    types=st.lists(st.sampled_from([*TYPES[:3], "none"]), max_size=2).map(tuple),
    owners=st.lists(st.sampled_from(["group:s1/red", "user:s2/blue", "x"]), max_size=1).map(tuple),
    lifecycles=st.lists(st.sampled_from(["production", "x"]), max_size=1).map(tuple),
    systems=st.lists(st.sampled_from(["system:s1/shop"]), max_size=1).map(tuple),
    tags=st.lists(st.sampled_from(TAGS), max_size=2).map(tuple),
    sort=st.sampled_from(list(SORTS)),
    descending=st.booleans(),
    limit=st.integers(1, 80),
)


def test_lists_and_facets_against_a_model(filled: CatalogSite) -> None:
    everything = filled.service.find(limit=100)
    service = filled.service

    @given(REQUESTS)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def check(request: ListRequest) -> None:
        wanted = {str(item.ref) for item in everything if matches(item, request)}
        pages = walk(service, request)
        assert {ref for page in pages for ref in page} == wanted
        assert sum(map(len, pages)) == len(wanted) == service.list(request).total
        facets = service.facets(request)
        for name, field in (("kind", "kinds"), ("type", "types"), ("tag", "tags")):
            without: dict[str, Any] = {field: ()}
            others = partial(matches, request=replace(request, **without))
            counted = Counter(
                text
                for item in everything
                if others(item)
                for text in (item.tags if name == "tag" else [getattr(item, name).lower()])
            )
            counted.update(dict.fromkeys(getattr(request, field), 0))
            assert {item.value: item.count for item in facets[name]} == dict(counted)
            assert {item.value for item in facets[name] if item.selected} == set(
                getattr(request, field)
            )

    check()


def test_owners_systems_domains_and_sources(filled: CatalogSite) -> None:
    (filled.base / "main/more.yaml").write_text(
        "---\n".join(
            [
                descriptor("sys", "System", spec={"owner": "red", "domain": "money"}),
                descriptor("x", spec={"owner": "user:other/blue", "system": "other/sys"}),
            ]
        )
    )
    filled.read()

    def refs(**filters: Any) -> list[str]:
        return [str(item.ref) for item in filled.service.list(ListRequest(**filters)).entities]

    assert refs(owners=("user:other/blue",)) == ["component:default/x"]
    assert refs(systems=("system:other/sys",)) == ["component:default/x"]
    assert refs(domains=("domain:default/money",)) == ["system:default/sys"]
    assert len(refs(sources=("main",), limit=500)) == 62
    assert refs(sources=("other",)) == []
    facet = filled.service.facets(ListRequest(owners=("user:other/blue",)))
    [owner] = [item for item in facet["owner"] if item.selected]
    assert (owner.value, owner.label, owner.count) == ("user:other/blue", "blue", 1)
    assert [(item.value, item.count) for item in facet["source"]] == [("main", 1)]


def test_facets_give_the_commonest_and_whatever_is_selected(site: CatalogSite) -> None:
    for at in range(20):
        text = descriptor(f"c{at}", spec={"type": f"t{at:02}"}, tags=[f"g{at:02}"])
        (site.base / f"main/{at}.yaml").write_text(text)
    site.read()
    request = ListRequest(types=("t19", "none"), tags=("g19",))
    facets = site.service.facets(request)
    for name in ("type", "tag"):
        assert len([item for item in facets[name] if not item.selected]) <= 12
    selected = {item.value: item.count for item in facets["type"] if item.selected}
    assert selected == {"t19": 1, "none": 0}
    assert [(item.value, item.count) for item in facets["tag"] if item.selected] == [("g19", 1)]


def test_text_narrows_lists_and_facets(filled: CatalogSite) -> None:
    request = ListRequest(text="支付", limit=100)
    result = filled.service.list(request)
    assert result.total == len(result.entities) > 5
    assert {item.title for item in result.entities} == {"支付"}
    counted = filled.service.facets(request)["kind"]
    assert sum(item.count for item in counted) == result.total
    assert filled.service.list(ListRequest(text="!!!")).total == 0
    assert filled.service.list(ListRequest(text="   ")).total == 60


def test_pages_while_entities_come_and_go(site: CatalogSite) -> None:
    def write(*names: str) -> None:
        (site.base / "main/a.yaml").write_text("---\n".join(map(descriptor, names)))
        site.read()

    def refs(cursor: str) -> list[str]:
        return [
            item.ref.name for item in site.service.list(replace(request, cursor=cursor)).entities
        ]

    request = ListRequest(limit=2)
    write("b", "d", "f", "h", "k")
    first = site.service.list(request)
    second = site.service.list(replace(request, cursor=first.next_cursor))
    assert [item.ref.name for item in second.entities] == ["f", "h"]
    write("a", "b", "d", "e", "f", "g", "h", "k")
    assert refs(first.next_cursor) == ["e", "f"]
    assert refs(second.previous_cursor) == ["d", "e"]
    write("a", "b", "k")  # also what the cursor stood at
    assert refs(first.next_cursor) == ["k"]
    assert refs(second.previous_cursor) == ["a", "b"]
    write("a")
    gone = site.service.list(replace(request, cursor=first.next_cursor))
    assert (gone.entities, gone.total) == ([], 1)
    # There is a way back from a page that has become empty.
    assert gone.previous_cursor
    assert refs(gone.previous_cursor) == ["a"]
    write("k")
    gone = site.service.list(replace(request, cursor=second.previous_cursor))
    assert gone.entities == []
    assert gone.next_cursor
    assert refs(gone.next_cursor) == ["k"]
    write("f")
    again = site.service.list(
        replace(request, cursor=packed("f", entity_id(site), False, 1, "name"))
    )
    assert again.entities == []
    assert refs(again.previous_cursor) == ["f"]


def entity_id(site: CatalogSite) -> int:
    with site.database.read() as connection:
        return int(connection.scalar(select(models.entity.c.id)) or 0)


def packed(*parts: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


HOSTILE = [
    "x", "====", "\0", "é", "🙂" * 10, "a" * 10_000, base64.b64encode(b"[" * 5000).decode(),
    packed(), packed("a", 1, False, 1), packed(1, 1, False, 1, "name"),
    packed(None, 1, False, 1, "name"), packed("a\0", 1, False, 1, "name"),
    packed("a", "x", False, 1, "name"), packed("a", [1], False, 1, "name"),
    packed("a", 2**63, False, 1, "name"), packed("a", -1, False, 1, "name"),
    packed("a", 1e300, False, 1, "name"), packed("a", 1, False, "x", "name"),
    packed("a", 1, False, 1, "title"), packed("a", 1, False, 1, "-name"),
    packed("a", 1, False, 1, 7), packed("a", 1, False, 1, "; drop table entity"),
    base64.b64encode(b'["a", 1e999, false, 1, "name"]').decode(),
    base64.b64encode(b'["a", 1, false, 1e999, "name"]').decode(),
    base64.b64encode(b'["\\ud800", 1, false, 1, "name"]').decode(),
]  # fmt: skip


def test_hostile_cursors(site: CatalogSite) -> None:
    for cursor in HOSTILE:
        with pytest.raises(InputError):
            site.service.list(ListRequest(cursor=cursor))


@pytest.mark.parametrize("at", ["x", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_hostile_times_in_cursors(site: CatalogSite, at: str) -> None:
    request = ListRequest(sort="updated", cursor=packed(at, 1, False, 1, "updated"))
    try:
        assert site.service.list(request).entities == []
    except InputError:
        assert True
    naive = packed("2026-01-01T00:00:00", 1, False, 10**15, "updated")
    assert site.service.list(replace(request, cursor=naive)).entities == []


@pytest.mark.parametrize(
    "request_",
    [
        ListRequest(sort="id"),
        ListRequest(limit=0),
        ListRequest(limit=501),
        ListRequest(types=("a\0",)),
        ListRequest(tags=("\0",)),
        ListRequest(sources=("\0",)),
    ],
)
def test_requests_that_cannot_be(site: CatalogSite, request_: ListRequest) -> None:
    with pytest.raises(InputError):
        site.service.list(request_)


@pytest.mark.parametrize("text", ["'", '"', "\\", "%", "_", "x" * 100_000, "'; --", "\ud800"])
def test_filters_are_values_and_nothing_else(site: CatalogSite, text: str) -> None:
    request = ListRequest(text=text)
    if text != "\ud800":
        request = replace(request, types=(text,), tags=(text,), owners=(text,), kinds=(text,))
    assert site.service.list(request).total == 0
    assert set(site.service.facets(request)) == {
        "kind", "type", "owner", "lifecycle", "system", "tag", "source",
    }  # fmt: skip
