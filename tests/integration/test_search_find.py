"""Operators, order, facets, completion and what was meant, on both databases."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from callboard.contributions import SearchDocument
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog import indexing
from callboard_catalog.indexing import index_entities_again, index_search_source
from callboard_catalog.search import (
    ENTITY_TEXT,
    Completer,
    Filter,
    Searcher,
    SearchRequest,
    SearchResult,
    find,
    parse,
)
from callboard_catalog.store.fields import write_fields
from callboard_catalog.testing import CatalogSite, descriptor


def thing(name: str, kind: str = "Component", owner: str = "trade", **more: Any) -> str:
    spec = {"owner": owner, **more.pop("spec", {})}
    return descriptor(name, kind, spec=spec, **more)


OLD = {"lifecycle": "deprecated"}
CATALOG = [
    descriptor("trade", "Group", title="交易核心组 Trade Core"),
    descriptor("payments-team", "Group", title="支付组"),
    descriptor("zhang", "User", spec={"profile": {"displayName": "张重阳"}, "memberOf": ["trade"]}),
    thing("shop", "System", spec={"domain": "retail"}),
    thing("retail", "Domain"),
    thing("payment-gateway", owner="payments-team", title="支付网关", tags=["java", "pci"]),
    thing("payment", description="Takes money", spec={"system": "shop"}),
    thing("payment-api", "API", spec={"type": "openapi", "lifecycle": "x", "definition": "{}"}),
    thing("payment-db", "Resource", spec={"type": "database"}),
    thing("payment-old", spec=OLD, tags=["java"]),
    thing("refund", description="Gives back each payment", tags=["go"]),
    thing("ledger", title="Payment ledger", spec={"type": "library"}),
    thing("billing", tags=["payment"], description="Invoices"),
    thing("basket", owner="nobody", annotations={"callboard.io/aliases": "cart, 购物车"}),
    thing("order-service", description="The order service of the shop", tags=["java"]),
    thing("service-order", title="Order of a service"),
]
PAGES = [
    SearchDocument(key="a", title="Payment runbook", path="/docs/a", text="Roll back a payment.",
                   entity=EntityRef.parse("component:payment")),
    SearchDocument(key="b", title="支付手册", path="/docs/b",
                   text="退款与回滚的步骤 for the ledger"),
]  # fmt: skip
SEARCHER = Searcher(
    mine=frozenset({"group:default/trade"}),
    starred=frozenset({"component:default/refund"}),
    visits={},
    kinds={"组件": "component"},
    sources={"docs.pages": ("Docs", "文档")},
)


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    (tmp_path / "main/all.yaml").write_text("---\n".join(CATALOG), encoding="utf-8")
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    site.read()
    index_search_source(database, "docs.pages", PAGES)
    return site


def ask(site: CatalogSite, query: str, **more: Any) -> SearchResult:
    request = SearchRequest(query=parse(query), searcher=more.pop("searcher", SEARCHER), **more)
    with site.database.read() as connection:
        return find(connection, request, site.service.facet_index())


def names(result: SearchResult) -> list[str]:
    return [hit.ref.name if hit.ref and hit.kind != "docs.pages" else hit.path
            for hit in result.hits]  # fmt: skip


FIRST: list[tuple[str, list[str]]] = [
    # A name that is the query, then those it begins: services before what belongs to them, and
    # what is given up last; then words in a title, in facts, in texts.
    ("payment", ["payment", "payment-gateway", "ledger", "payment-api", "payment-db"]),
    ("order service", ["order-service", "service-order"]),
    ("支付", ["payment-gateway", "payments-team", "/docs/b"]),
    ("zfwg", ["payment-gateway"]),
    ("zhifu", ["payment-gateway"]),
    ("zhi fu", ["payment-gateway"]),
    ("zf网关", ["payment-gateway"]),
    ("zhifushouce", ["/docs/b"]),
    ("zcy", ["zhang"]),
    ("zhangzhongyang", ["zhang"]),
    ("张重阳", ["zhang"]),
    ("cart", ["basket"]),
    ("购物车", ["basket"]),
    ("gouwuche", ["basket"]),
    ("component:default/refund", ["refund"]),
    ("component:refund", ["refund"]),
    ("回滚", ["/docs/b"]),
    ("kind:group trade", ["trade"]),
]


def test_what_comes_first(site: CatalogSite) -> None:
    wrong = []
    for query, expected in FIRST:
        found = names(ask(site, query, searcher=Searcher()))
        if found[: len(expected)] != expected:
            wrong.append(f"{query}: {found[:6]}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_steps_of_the_order(site: CatalogSite) -> None:
    found = names(ask(site, "payment", searcher=Searcher()))
    for earlier, later in [
        ("payment", "payment-gateway"),  # exact before begun
        ("payment-gateway", "payment-api"),  # a service before its API
        ("payment-api", "payment-db"),
        ("payment-gateway", "payment-old"),  # what is given up after what is not
        ("payment-old", "billing"),  # a name before a tag
        ("billing", "refund"),  # a tag before a description
    ]:
        assert found.index(earlier) < found.index(later), (earlier, later, found)


def test_what_is_ones_own_comes_slightly_first(site: CatalogSite) -> None:
    def order(searcher: Searcher) -> list[str]:
        return names(ask(site, "java kind:component", searcher=searcher))

    payments = frozenset({"group:default/payments-team"})
    starred = frozenset({"component:default/order-service"})
    assert order(Searcher(mine=payments))[0] == "payment-gateway"
    assert order(Searcher(starred=starred))[0] == "order-service"
    assert order(Searcher(visits={"component:default/payment-old": 9}))[0] == "payment-old"
    # But never before what is called so.
    often = Searcher(visits={"component:default/payment-gateway": 99}, mine=payments)
    assert names(ask(site, "payment", searcher=often))[:2] == ["payment", "payment-gateway"]


NARROWED: list[tuple[str, set[str]]] = [
    ("owner:payments-team", {"payment-gateway"}),
    ("owner:支付组", {"payment-gateway"}),
    ("owner:group:default/payments-team", {"payment-gateway"}),
    ("owner:paym java", {"payment-gateway"}),
    ("owner:nobody", {"basket"}),
    ("is:orphan", {"basket"}),
    ("is:starred", {"refund"}),
    ("is:mine tag:go", {"refund"}),
    ("is:deprecated", {"payment-old"}),
    ("lifecycle:Deprecated", {"payment-old"}),
    ("tag:java tag:pci", {"payment-gateway"}),
    ("tag:go,pci", {"payment-gateway", "refund"}),
    ("tag:JAVA -owner:payments-team -is:deprecated", {"order-service"}),
    ("kind:system", {"shop"}),
    ("kind:组件 system:shop", {"payment"}),
    ("domain:retail", {"shop", "payment"}),
    ("type:database,openapi payment", {"payment-db", "payment-api"}),
    ("source:main type:library", {"ledger"}),
    ("source:other", set()),
    ("in:docs payment", {"/docs/a"}),
    ("in:文档 ledger", {"/docs/b"}),
    ("kind:docs.pages", {"/docs/a", "/docs/b"}),
    ("in:catalog ledger", {"ledger"}),
    ("-in:catalog ledger", {"/docs/b"}),
    ("-in:docs ledger", {"ledger"}),
    ("owner:trade in:docs", {"/docs/a"}),
    ("kind:component,docs.pages ledger", {"ledger", "/docs/b"}),
    ('"order service"', {"order-service"}),
    ('"roll back"', {"/docs/a"}),
    ('"back roll"', set()),
    ("is:nothing", set()),
    ("in:nowhere", set()),
    ("tag:'; payment", set()),
    ('owner:"%" payment', set()),
]


def test_operators(site: CatalogSite) -> None:
    wrong = []
    for query, expected in NARROWED:
        found = set(names(ask(site, query, limit=50)))
        if found != expected:
            wrong.append(f"{query}: {found}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_values_that_name_nothing_are_told(site: CatalogSite) -> None:
    query = "owner:gone,trade is:odd in:nowhere system:shop payment"
    assert set(map(str, ask(site, query).unmatched)) == {"owner:gone", "is:odd", "in:nowhere"}


def test_facets_count_under_all_but_their_own(site: CatalogSite) -> None:
    chosen = (Filter("kind", ("component",)), Filter("tag", ("java",)))
    result = ask(site, "payment", chosen=chosen, details=True)
    assert set(names(result)) == {"payment-gateway", "payment-old"}
    facets = {name: {item.value: item.number for item in counts}
              for name, counts in result.facets.items()}  # fmt: skip
    assert facets["kind"] == {"component": 2}
    assert facets["tag"]["payment"] == 1  # without the tag, other components count
    assert facets["owner"] == {"group:default/trade": 1, "group:default/payments-team": 1}
    [label] = [item.label for item in result.facets["owner"] if item.value.endswith("trade")]
    assert label == "交易核心组 Trade Core"
    assert [item.value for item in result.facets["kind"] if item.selected] == ["component"]
    everything = ask(site, "payment", details=True).facets["kind"]
    assert {item.value for item in everything} >= {"component", "api", "docs.pages"}


def test_pages_orders_and_passages(site: CatalogSite) -> None:
    everything = names(ask(site, "payment", limit=50))
    parts = [names(ask(site, "payment", limit=3, offset=at)) for at in range(0, 12, 3)]
    assert [name for part in parts for name in part] == everything
    by_name = [hit.title.lower() for hit in ask(site, "payment", limit=50, sort="name").hits]
    assert by_name == sorted(by_name)
    assert set(names(ask(site, "payment", limit=50, sort="changed"))) == set(everything)
    [hit] = ask(site, "in:docs roll", details=True).hits
    assert hit.passage == "\ue000Roll\ue001 back a payment."
    [hit] = [hit for hit in ask(site, "payment", details=True).hits if hit.title == "refund"]
    assert hit.passage == "Gives back each \ue000payment\ue001"
    few = ask(site, "kind:component", most=3)
    assert (few.total, few.more) == (3, True)


def test_each_place_is_seen(site: CatalogSite) -> None:
    places = [hit.kind for hit in ask(site, "payment", of_each=2, limit=50).hits]
    assert sorted(places) == ["component", "component", "docs.pages", "group"]


def test_what_was_meant(site: CatalogSite) -> None:
    def meant(query: str) -> str:
        return ask(site, query, details=True).meant

    assert meant("paymnet") == "payment"
    assert meant("tag:java paymentt gatewway") == "tag:java payment gateway"
    assert meant("orderservice") == "order service"
    assert meant("zzzzzzzz") == ""
    assert meant("payment") == ""


def test_completion(site: CatalogSite) -> None:
    completer = Completer(site.service.facet_index)

    def texts(typed: str) -> Sequence[str]:
        with site.database.read() as connection:
            return [item.text for item in completer.complete(connection, typed, ["docs.pages"])
                    if not item.whole]  # fmt: skip

    assert texts("x owner:") == ["x owner:trade ", "x owner:nobody ", "x owner:payments-team "]
    assert texts("owner:tra") == ["owner:trade "]
    assert texts("-owner:支付") == ["-owner:payments-team "]
    assert texts("owner:zfz") == ["owner:payments-team "]
    assert texts("owner:trade,pay") == ["owner:trade,payments-team "]
    assert texts('owner:"tra') == ["owner:trade "]
    assert texts("tag:ja") == ["tag:java "]
    assert texts("is:s") == ["is:starred "]
    assert texts("in:d") == ["in:docs.pages "]
    assert texts("system:sh") == ["system:shop "]
    assert texts("kind:api") == []
    assert texts("ow") == ["owner:"]
    assert texts("pay li") == ["pay lifecycle:"]
    assert texts("o") == texts("owner:trade ") == texts("payment") == texts("owner:\0%") == []


def test_questions_do_not_grow_with_what_is_found(site: CatalogSite) -> None:
    asked: list[str] = []
    site.service.facet_index()
    event.listen(site.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    counts = []
    for limit in (1, 50):
        asked.clear()
        ask(site, "payment owner:trade", details=True, limit=limit)
        counts.append(len(asked))
    assert counts[0] == counts[1] < 20


def _failing_after(times: int) -> Callable[..., None]:
    """Give what writes the fields of so many batches."""
    left = iter(range(times))

    def write(connection: Connection, documents: list[Any]) -> None:
        if next(left, None) is None:
            raise ZeroDivisionError
        write_fields(connection, documents)

    return write


def test_an_index_of_another_version_is_made_anew(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = site.database
    assert index_entities_again(database) == 0  # the database is new
    monkeypatch.setattr(indexing, "BATCH", 3)
    monkeypatch.setattr(indexing, "INDEX_VERSION", indexing.INDEX_VERSION + 1)
    with database.write() as connection:
        connection.execute(text(f"DELETE FROM {ENTITY_TEXT.name}"))
    assert names(ask(site, "zfwg")) == []
    with monkeypatch.context() as killed:
        killed.setattr(indexing, "write_fields", _failing_after(2))
        with pytest.raises(ZeroDivisionError):
            index_entities_again(database)
    assert index_entities_again(database) == len(CATALOG) - 2 * 3  # it goes on where it was
    assert index_entities_again(database) == 0
    assert "payment-gateway" in names(ask(site, "zfwg"))
    site.engine.register()  # notes nothing for a catalog that is there
    monkeypatch.setattr(indexing, "INDEX_VERSION", indexing.INDEX_VERSION + 1)
    site.engine.register()
    assert site.engine.index_search() == []
    assert index_entities_again(database) == 0


def test_documents_are_written_in_batches(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH", 2)
    many = [SearchDocument(key=str(at), title=f"Page {at}", path=f"/p/{at}") for at in range(7)]
    index_search_source(site.database, "docs.pages", many)
    assert len(ask(site, "in:docs", limit=50).hits) == 7

    def broken() -> Any:
        yield many[0]
        yield SearchDocument(key="1", title="Other", path="/p/1")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        index_search_source(site.database, "docs.pages", broken())
    assert len(ask(site, "in:docs", limit=50).hits) == 7  # what was not given again stays
    assert names(ask(site, "other")) == ["/p/1"]
    index_search_source(site.database, "docs.pages", many[:3])
    assert len(ask(site, "in:docs", limit=50).hits) == 3
