"""Every read of the catalog as one who may see a part of it, and as one who sees all of it."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callboard.access import ALL, NONE, EntityFilter
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.identity import Principal, Selector, Subject, acting_for
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.query import ListRequest
from callboard_catalog.search import Completer, SearchRequest, find, parse
from callboard_catalog.service import CatalogService
from callboard_catalog.testing import CatalogSite, descriptor

SECRET = "Arcanum"
"""In the title, the description and the tags of everything hidden, and in no name."""

GUEST = Subject(principal=Principal(kind="person", name="guest"))
CHIEF = Subject(principal=Principal(kind="person", name="chief"))
SHOWN = EntityFilter(
    allow=frozenset({Selector()}), deny=frozenset({Selector(tags=frozenset({"arcanum"}))})
)

Reads = Callable[[CatalogService], Any]


def ref(text: str) -> EntityRef:
    return EntityRef.parse(text, default_kind="component")


def hidden(name: str, kind: str = "Component", **spec: Any) -> str:
    return descriptor(
        name, kind, spec=spec, title=f"{SECRET} {name}", description=f"{SECRET} wording",
        tags=["arcanum"],
    )  # fmt: skip


def shown(name: str, kind: str = "Component", **spec: Any) -> str:
    return descriptor(name, kind, spec=spec, title=f"Plain {name}", tags=["plain"])


FILES = {
    "shown": [
        shown("team", "Group"),
        shown(
            "orders",
            dependsOn=["resource:vault", "resource:missing", "component:store"],
            system="shop",
        ),
        shown("store", owner="guards", system="cellar"),
        shown("shop", "System", owner="team", domain="trade"),
        shown("trade", "Domain", owner="team"),
    ],
    "mixed": [
        shown("together"),
        hidden("apart", dependsOn=["component:orders"], owner="guards"),
    ],
    "hidden": [
        hidden("guards", "Group"),
        hidden("keeper", "User", memberOf=["guards"]),
        hidden("vault", "Resource", type="database", owner="guards"),
        hidden("cellar", "System", owner="guards"),
        hidden("engine", owner="guards", dependsOn=["component:orders", "component:nothing-there"]),
        hidden("gone", owner="guards"),
        shown("left", owner="team"),
    ],
    "broken": [hidden("engine-two").replace('"owner"', '"owners"')],
}


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    """Give a catalog of which the guest sees a part: with removed entities, faults and history."""
    sources = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        sources.append({"name": name, "type": "folder", "path": name, "paths": ["*.yaml"]})
    made = CatalogSite(database, tmp_path, sources=sources, now=clock)
    for name, documents in FILES.items():
        (tmp_path / "one" / f"{name}.yaml").write_text("---\n".join(documents))
    made.read("one")
    clock.advance(60)
    kept = [text.replace("wording", "wordings") for text in FILES["hidden"][:-2]]
    (tmp_path / "one" / "hidden.yaml").write_text("---\n".join(kept))
    (tmp_path / "two" / "claims.yaml").write_text(
        "---\n".join([hidden("engine"), shown("orders"), hidden("only-here")])
    )
    made.read("one")
    made.read("two")
    made.service.readable = lambda subject: SHOWN if subject == GUEST else ALL
    made.service.reads_sources = lambda subject: subject == CHIEF
    return made


def _documents(site: CatalogSite) -> None:
    from callboard.contributions import SearchDocument
    from callboard_catalog.indexing import index_search_source

    made = [
        SearchDocument(
            key=name, title=f"Page of {title}", path=f"/{name}", text=title, entity=about
        )
        for name, title, about in (
            ("a", f"{SECRET} vault", ref("resource:vault")),
            ("b", "Plain orders", ref("orders")),
            ("c", "Plain of nothing", None),
            ("d", f"{SECRET} of what is gone", ref("gone")),
        )
    ]
    index_search_source(site.database, "docs.pages", made)


EVERYTHING = ListRequest(limit=100)
HIDDEN = [ref(text) for text in (
    "apart", "engine", "resource:vault", "group:guards", "user:keeper", "system:cellar",
    "only-here",
)]  # fmt: skip

READS: dict[str, Reads] = {
    "get": lambda service: [service.get(one) for one in HIDDEN],
    "get_many": lambda service: service.get_many([*HIDDEN, ref("orders")]),
    "titles": lambda service: service.titles([*HIDDEN, ref("orders")]),
    "find": lambda service: [service.find(), service.find(kind="group")],
    "visible": lambda service: service.titles(service.visible([*HIDDEN, ref("orders")])),
    "seen": lambda service: _seen(service),
    "list": lambda service: [
        service.list(EVERYTHING),
        service.list(ListRequest(sort="owner", limit=100)),
        service.list(ListRequest(text=SECRET)),
    ],
    "facets": lambda service: service.facets(EVERYTHING, more="owner", find=SECRET),
    "values": lambda service: [
        service.values(EVERYTHING, facet) for facet in ("owner", "system", "tag")
    ],
    "walk": lambda service: list(service.walk(EVERYTHING, step=2)),
    "facet_index": lambda service: service.facet_index().titles,
    "recent": lambda service: service.recent(50),
    "search": lambda service: [service.search(text) for text in (SECRET, "vault", "k")],
    "related": lambda service: [service.related(ref("orders")), service.related(ref("vault"))],
    "related_to_any": lambda service: service.related_to_any([ref("orders"), ref("store")]),
    "history": lambda service: [service.history(one) for one in [*HIDDEN, ref("gone")]],
    "referrers": lambda service: [
        service.referrers(ref("orders")), service.referrers(ref("nothing-there")),
    ],
    "problems": lambda service: [
        service.problems(), service.problems(ref("engine")), service.problems(source="two"),
        service.problems(owner=ref("group:guards")),
    ],
    "cached": lambda service: service.cached("list", lambda connection: service.list(EVERYTHING)),
}  # fmt: skip
"""Reads in whose answers titles are: what is hidden must not be in them."""

COUNTS: dict[str, Reads] = {
    "total": lambda service: service.total(EVERYTHING),
    "source_counts": lambda service: service.source_counts(EVERYTHING),
    "counts": lambda service: service.counts(),
    "provenance": lambda service: [
        service.provenance(one) is None for one in [*HIDDEN, ref("orders")]
    ],
    "last_change": lambda service: [
        service.last_change(one) is None for one in (ref("engine"), ref("gone"), ref("left"))
    ],
    "change_count": lambda service: [
        service.change_count(one) for one in (ref("engine"), ref("gone"), ref("left"))
    ],
    "problem_counts": lambda service: dict(service.problem_counts()),
    "problem_tally": lambda service: dict(service.problem_tally().owners),
    "sources": lambda service: {item.name: item.entities for item in service.sources()},
    "source": lambda service: service.source("two") is None,
    "blob": lambda service: [
        bool(service.blob("one", f"{name}.yaml")) for name in ("shown", "mixed", "hidden")
    ],
    "sight": lambda service: (found := service.sight()) and len(found.rows),
}
"""Reads that count, or say whether there is something: what the guest is told differs."""

ALIKE = {
    "generation": "a number that grows with every change of whatever it is",
    "snapshot": "no answer of its own",
    "facts": "for decisions, which ask it of what is hidden",
    "facts_of": "for decisions, which ask it of what is hidden",
    "cached_for_all": "whoever calls it narrows what it gives",
}
"""What answers everyone alike, and why it may."""


def _seen(service: CatalogService) -> Any:
    statement = select(models.entity.c.title).where(service.seen(models.entity.c.ref))
    with service.database.read() as connection:
        return connection.scalars(statement).all()


def asked(service: CatalogService, subject: Subject | None, read: Reads) -> str:
    with acting_for(subject):
        return repr(read(service))


def test_every_read_is_among_those_that_are_checked() -> None:
    public = {name for name, _ in inspect.getmembers(CatalogService, inspect.isfunction)
              if not name.startswith("_")}  # fmt: skip
    assert public == {*READS, *COUNTS, *ALIKE}


@pytest.mark.parametrize("name", READS)
def test_what_is_hidden_is_in_no_answer(site: CatalogSite, name: str) -> None:
    _documents(site)
    read = READS[name]
    assert SECRET in asked(site.service, None, read)
    assert SECRET in asked(site.service, CHIEF, read)
    told = asked(site.service, GUEST, read)
    assert SECRET not in told
    # What is kept of an answer is kept for those who see the same.
    assert SECRET in asked(site.service, CHIEF, read)
    assert asked(site.service, GUEST, read) == told


@pytest.mark.parametrize("name", COUNTS)
def test_numbers_are_of_what_is_seen(site: CatalogSite, name: str) -> None:
    read = COUNTS[name]
    everything = asked(site.service, CHIEF, read)
    assert asked(site.service, None, read) == everything
    assert asked(site.service, GUEST, read) != everything
    site.service.readable = lambda subject: NONE if subject == GUEST else SHOWN
    assert asked(site.service, GUEST, read) != asked(site.service, CHIEF, read)


def test_lists_are_narrowed_by_a_permission_as_well(site: CatalogSite) -> None:
    def titles(subject: Subject, *names: str) -> list[str]:
        some = Selector(refs=frozenset(str(ref(name)) for name in names))
        chosen = EntityFilter(allow=frozenset({some}))
        site.service.permitted = lambda asker, permission: chosen if asker == subject else ALL
        column = models.entity.c.ref
        with acting_for(subject), site.database.read() as connection:
            condition = site.service.seen(column, "runs.read")
            return sorted(connection.scalars(select(models.entity.c.title).where(condition)))

    (orders,) = titles(CHIEF, "orders")
    assert titles(GUEST, "orders", "resource:vault") == [orders]
    assert len(titles(CHIEF, "orders", "resource:vault")) == 2


@pytest.fixture
def guest(site: CatalogSite) -> Iterator[CatalogService]:
    with acting_for(GUEST):
        yield site.service


def test_the_numbers_of_the_guest(guest: CatalogService) -> None:
    assert guest.counts() == {"group": 1, "component": 3, "system": 1, "domain": 1}
    assert guest.total(EVERYTHING) == 6
    assert guest.source_counts(EVERYTHING) == {"one": 6}
    assert [(item.name, item.entities, item.rejected) for item in guest.sources()] == [
        ("one", 6, 0)
    ]
    facets = guest.facets(EVERYTHING)
    assert [(item.value, item.count) for item in facets["tag"].values] == [("plain", 6)]
    labels = {item.value: item.label for item in facets["owner"].values}
    assert labels["group:default/guards"] == "guards"
    assert labels["group:default/team"] == "Plain team"


def test_pages_of_what_is_seen_turn(guest: CatalogService) -> None:
    for sort in ("name", "title", "updated", "owner", "system"):
        seen, cursor = [], ""
        while True:
            result = guest.list(ListRequest(sort=sort, limit=2, cursor=cursor))
            assert result.total == 6
            seen += [item.ref.name for item in result.entities]
            cursor = result.next_cursor
            if not cursor:
                break
        assert sorted(seen) == ["orders", "shop", "store", "team", "together", "trade"], sort


def test_the_cursor_of_another_reveals_nothing(site: CatalogSite) -> None:
    with acting_for(CHIEF):
        result = site.service.list(ListRequest(sort="title", limit=4))
        assert any(SECRET in item.title for item in result.entities)
    with acting_for(GUEST):
        given = site.service.list(ListRequest(sort="title", limit=100, cursor=result.next_cursor))
        assert given.total == 6
        assert all("Plain" in item.title for item in given.entities)


def test_hidden_ends_are_left_out_and_missing_ones_are_not(guest: CatalogService) -> None:
    found = {str(item.ref): item.exists for item in guest.related(ref("orders"))}
    assert found == {
        "group:default/team": True,
        "system:default/shop": True,
        "component:default/store": True,
        "resource:default/missing": False,
    }
    orders = guest.get(ref("orders"))
    assert orders is not None
    named = {str(item.target) for item in orders.relations}
    assert "resource:default/vault" in named  # its own file says so
    assert not any("apart" in item or "engine" in item for item in named)
    dangling = guest.problems(kind="dangling")
    assert [item.other for item in dangling] == ["resource:default/missing"]


def test_what_left_is_seen_by_those_who_could_see_it(guest: CatalogService) -> None:
    assert guest.history(ref("left"))
    assert guest.last_change(ref("left")) is not None
    assert guest.visible([ref("left"), ref("gone"), ref("never")]) == {ref("left")}
    with acting_for(CHIEF):
        assert guest.history(ref("gone"))


def test_faults_of_no_entity_need_the_right_to_see_sources(site: CatalogSite) -> None:
    service = site.service
    broken = ref("engine-two")
    with acting_for(GUEST):
        assert not service.problems(broken)
        service.reads_sources = lambda subject: True
        assert [item.kind for item in service.problems(broken)] == ["rejected"]
        assert "conflict" not in {item.kind for item in service.problems(ref("engine"))}
        assert [item.kind for item in service.problems(ref("orders"))][:1] == ["conflict"]
    # Who sees every entity may still not see what is wrong with documents that are none.
    service.readable, service.reads_sources = (lambda subject: ALL), (lambda subject: False)
    with acting_for(GUEST):
        assert not service.problems(broken)
        assert service.problems(ref("engine"))


def test_searching_tells_nothing_of_what_is_hidden(site: CatalogSite) -> None:
    _documents(site)

    def hits(text: str, subject: Subject) -> tuple[int, str, Any]:
        request = SearchRequest(query=parse(text), details=True)
        service = site.service
        with acting_for(subject), service.database.read() as connection:
            found = find(connection, request, service.facet_index(), sight=service.sight())
        return found.total, found.meant, found.facets

    for text in (
        SECRET, "vault", "engine", '"wordings"', "component:engine", "tag:arcanum", "kind:user",
        "owner:guards kind:resource", f'owner:"{SECRET} guards"',
    ):  # fmt: skip
        assert hits(text, CHIEF)[0], text
        assert not hits(text, GUEST)[0], text
    assert hits("orders", GUEST)[0] == 2  # the entity and the page about it
    assert hits("nothing", GUEST)[0] == 1  # a page about no entity
    assert hits("vaalt", CHIEF)[1] == "vault"
    assert hits("vaalt", GUEST)[1] == ""
    assert hits("ordrs", GUEST)[1] == "orders"
    _, _, facets = hits("plain", GUEST)
    assert {item.value: item.label for item in facets["owner"]}["group:default/guards"] == "guards"


def test_completing_tells_nothing_of_what_is_hidden(site: CatalogSite) -> None:
    service = site.service
    completer = Completer(service.facet_index)

    def given(text: str, subject: Subject) -> list[tuple[str, str, int]]:
        with acting_for(subject), service.database.read() as connection:
            found = completer.complete(connection, text, sight=service.sight())
        return [(item.value, item.label, item.number) for item in found]

    assert ("arcanum", "", 7) in given("tag:", CHIEF)
    assert given("tag:", GUEST) == [("plain", "", 6)]
    assert given("owner:gua", CHIEF)[0][:2] == ("guards", f"{SECRET} guards")
    assert given("owner:gua", GUEST) == []
    assert sorted(given("owner:", GUEST)) == [("guards", "", 1), ("team", "Plain team", 4)]
    with acting_for(GUEST):
        examples = completer.examples(service.sight())
    assert examples["tag"] == "plain"


def test_who_sees_nothing_is_told_nothing(site: CatalogSite) -> None:
    service = site.service
    service.readable = lambda subject: NONE
    with acting_for(GUEST):
        assert service.counts() == {}
        assert service.list(EVERYTHING).entities == []
        assert service.find() == []
        assert list(service.recent()) == []
        assert service.search("orders") == []
        assert service.sources() == []
        assert service.problems() == []
        assert service.facets(EVERYTHING)["kind"].values == []
