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
from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.testing import Clock
from callboard_catalog import models, paging
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
    """Give what a list in this order is sorted by: a value that is missing comes last."""
    if sort in ("name", "title", "updated"):
        return {
            "name": entity.ref.name,
            "title": entity.title.lower(),
            "updated": service.provenance(entity.ref).updated_at,  # type: ignore[union-attr]
        }[sort]
    related = next((str(ref) for ref in entity.related("partOf") if ref.kind == sort), "")
    found = {
        "kind": entity.ref.kind,
        "type": entity.type,
        "lifecycle": entity.lifecycle,
        "source": "main",
        "owner": str(entity.owner),
    }.get(sort, related)
    ref = EntityRef.parse(found) if found and sort in ("owner", "system", "domain") else None
    label = ref.relative(kind=ref.kind) if ref else found
    return (not found, label.casefold(), found)


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
            values = facets[name].values
            found = {item.value: item.count for item in values if item.value}
            # What a filter has ruled out stays, at zero.
            assert {text: count for text, count in found.items() if count} == +counted
            assert facets[name].number == len(+counted)
            assert set(counted) <= set(found)
            assert {item.value for item in values if item.selected} == set(getattr(request, field))

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
    [owner] = [item for item in facet["owner"].values if item.selected]
    assert (owner.value, owner.label, owner.count) == ("user:other/blue", "other/blue", 1)
    assert [(item.value, item.count) for item in facet["source"].values] == [("main", 1)]


def test_facets_give_the_commonest_and_whatever_is_selected(site: CatalogSite) -> None:
    for at in range(20):
        text = descriptor(f"c{at}", spec={"type": f"t{at:02}"}, tags=[f"g{at:02}"])
        (site.base / f"main/{at}.yaml").write_text(text)
    site.read()
    request = ListRequest(types=("t19", "none"), tags=("g19",))
    facets = site.service.facets(request, most=12)
    for name in ("type", "tag"):
        assert len([item for item in facets[name].values if not item.selected]) <= 12
    selected = {item.value: item.count for item in facets["type"].values if item.selected}
    assert selected == {"t19": 1, "none": 0}
    tags = [(item.value, item.count) for item in facets["tag"].values if item.selected]
    assert tags == [("g19", 1)]
    # All values, or those one looks for, on demand.
    more = site.service.facets(ListRequest(), most=3, more="type")
    assert (len(more["type"].values), more["type"].number) == (20, 20)
    assert (len(more["tag"].values), more["tag"].number) == (3, 20)
    found = site.service.facets(ListRequest(types=("t01",)), more="type", find="T1")["type"]
    assert {item.value for item in found.values} == {f"t{at}" for at in range(10, 20)} | {"t01"}


def test_text_narrows_lists_and_facets(filled: CatalogSite) -> None:
    request = ListRequest(text="支付", limit=100)
    result = filled.service.list(request)
    assert result.total == len(result.entities) > 5
    assert {item.title for item in result.entities} == {"支付"}
    counted = filled.service.facets(request)["kind"].values
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
        "kind", "type", "owner", "lifecycle", "system", "domain", "tag", "source",
    }  # fmt: skip


def refs_of(service: CatalogService, **filters: Any) -> list[str]:
    return [
        str(item.ref) for page in service.walk(ListRequest(**filters)) for item in page.entities
    ]


def test_values_that_are_missing_are_a_choice(site: CatalogSite) -> None:
    (site.base / "main/a.yaml").write_text(
        descriptor("a", tags=["go"])
        + "---\n"
        + descriptor("b", "Resource", spec={"type": "-", "owner": "team"})
        + "---\n"
        + descriptor("c", "Group", spec={"type": "team"})
    )
    site.read()
    service = site.service
    assert refs_of(service, tags=("",)) == ["resource:default/b", "group:default/c"]
    assert refs_of(service, owners=("",)) == ["group:default/c"]
    assert refs_of(service, types=("", "team")) == ["resource:default/b", "group:default/c"]
    assert refs_of(service, domains=("",), sort="owner", descending=True)[0] == "group:default/c"
    last = service.facets(ListRequest(), most=1)["tag"].values[-1]
    assert (last.value, last.count, last.selected) == ("", 2, False)


def test_mine_and_named_ones(filled: CatalogSite) -> None:
    service = filled.service
    everything = service.find(limit=100)
    red = {str(item.ref) for item in everything if str(item.owner) == "group:s1/red"}
    assert set(refs_of(service, owned_by=("group:s1/red", "group:x/none"))) == red
    assert refs_of(service, owned_by=()) == []
    some = tuple(str(item.ref) for item in everything[:3])
    assert set(refs_of(service, refs=(*some, "component:default/none"))) == set(some)
    assert service.total(ListRequest(refs=some, owned_by=())) == 0
    assert refs_of(service, refs=()) == []


def test_the_index_follows_every_change(site: CatalogSite, clock: Clock) -> None:
    """What is counted is the same as what a service that reads anew counts."""
    dice = random.Random(11)
    names = [f"c{at:02}" for at in range(40)]
    present: dict[str, str] = {name: descriptor(name, spec={"type": "t0"}) for name in names}
    for step in range(12):
        for name in dice.sample(names, 3):
            if name in present and dice.random() < 0.4:
                del present[name]
                continue
            spec = {"type": f"t{step}", "owner": dice.choice(["red", "blue"]), "system": "shop"}
            present[name] = descriptor(name, spec=spec, tags=dice.sample(TAGS, 2))
        if step == 5:
            present["red"] = descriptor("red", "Group", title="Red team")
        if step == 7:
            present["red"] = descriptor("red", "Group", title="The reds")
        if step == 9:
            del present["red"]
        (site.base / "main/a.yaml").write_text("---\n".join(present.values()))
        site.read()
        clock.advance(dice.choice([0, 60]))
        fresh = CatalogService(site.database)
        for request in (ListRequest(), ListRequest(tags=("go",)), ListRequest(text="c1")):
            assert site.service.facets(request) == fresh.facets(request)
            assert site.service.list(request) == fresh.list(request)
        labels = {item.label for item in site.service.facets(ListRequest())["owner"].values}
        assert ("Red team" in labels) == (step in (5, 6))
        assert ("The reds" in labels) == (step in (7, 8))


def test_long_lists_are_read_along_the_index(
    filled: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "FEW", 2)
    monkeypatch.setattr(paging, "FIRST_STEP", 3)
    for sort, descending in product(("name", "title", "updated"), (False, True)):
        request = ListRequest(sort=sort, descending=descending, limit=2, tags=("go",))
        pages = walk(filled.service, request)
        total = filled.service.total(request)
        assert sum(map(len, pages)) == total > 10
        kind = replace(request, kinds=("component",))
        assert sum(map(len, walk(filled.service, kind))) == filled.service.total(kind)
