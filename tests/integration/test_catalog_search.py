"""Search: the same answers on both databases, in both languages, whatever is typed."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard import events
from callboard.contributions import SearchDocument, SearchSource
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.plugins import Contributed, Contributions
from callboard.testing import Clock
from callboard_catalog.query import ListRequest
from callboard_catalog.testing import CatalogSite, descriptor

ENTITIES = [
    descriptor("payment-gateway", title="支付网关", description="收单与退款", tags=["java"]),
    descriptor("order-service", title="Order Service", description="Takes orders of the shop"),
    descriptor("order", "System", spec={"owner": "team"}, description="All about sales"),
    descriptor(
        "orderReturns", title="orderReturns", spec={"owner": "returns-team", "type": "library"}
    ),
    descriptor("cafe", title="Café Ｐａｙ", description="naïve façade"),
    descriptor("inventory", title="库存服务", annotations={"example.com/team-chat": "room-4711"}),
    descriptor("user", title="用户中心", links=[{"url": "https://x.example", "title": "Handbook"}]),
    descriptor("x86", title="ﬁle Straße ΣΊΣΥΦΟΣ 𞤀𞤣 کتاب हिन्दी 결제서비스 がぎぐ"),
]


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    (tmp_path / "main/all.yaml").write_text("---\n".join(ENTITIES))
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    site.read()
    return site


FOUND: list[tuple[str, set[str]]] = [
    ("支付", {"payment-gateway"}),
    ("支付网关", {"payment-gateway"}),
    ("网关支付", set()),  # one word that is not there
    ("网关 支付", {"payment-gateway"}),
    ("退款 网关", {"payment-gateway"}),
    ("付", {"payment-gateway"}),
    ("关", {"payment-gateway"}),
    ("心", {"user"}),
    ("服务", {"inventory"}),
    ("服务 库", {"inventory"}),
    ("service order", {"order-service"}),
    ("ord", {"order-service", "order", "orderreturns"}),
    ("ord service", set()),  # only the last word may be half typed
    ("order ser", {"order-service"}),
    ("order-service", {"order-service"}),
    ("ORDER-SERVICE", {"order-service"}),
    ("returns", {"orderreturns"}),
    ("orderreturns", {"orderreturns"}),
    ("orderReturns", {"orderreturns"}),
    ("cafe", {"cafe"}),
    ("Café", {"cafe"}),
    ("CAFÉ", {"cafe"}),
    ("cafe\u0301", {"cafe"}),
    ("pay", {"payment-gateway", "cafe"}),
    ("ｐａｙ", {"payment-gateway", "cafe"}),
    ("naive facade", {"cafe"}),
    ("java", {"payment-gateway"}),
    ("system", {"order"}),
    ("4711", {"inventory"}),
    ("handbook", {"user"}),
    ("sales", {"order"}),
    ("file", {"x86"}),
    ("straße", {"x86"}),
    ("σίσυφος", {"x86"}),
    ("𞤀𞤣", {"x86"}),
    ("𞤢", {"x86"}),
    ("کتا", {"x86"}),
    ("हिन", {"x86"}),
    ("서비스", {"x86"}),
    ("がぎ", {"x86"}),
    ("か", set()),
    ("x86", {"x86"}),
    ("nothing", set()),
]


def test_what_is_found(site: CatalogSite) -> None:
    wrong = []
    for text, names in FOUND:
        hits = {hit.ref.name for hit in site.service.search(text) if hit.ref}
        listed = site.service.list(ListRequest(text=text)).entities
        if not hits == {item.ref.name for item in listed} == names:
            wrong.append(f"{text!r}: {hits}, expected {names}")
    assert not wrong, "\n".join(wrong)
    assert site.service.search("") == site.service.search(" ! ") == []


def test_the_exact_name_comes_first_among_many_alike(site: CatalogSite) -> None:
    texts = [descriptor(f"pay-{at}", title="pay pay pay", tags=["pay"]) for at in range(150)]
    texts.insert(100, descriptor("pay", title="Something else", description="long " * 200))
    texts.insert(50, descriptor("zz-pay", title="with pay"))
    (site.base / "main/many.yaml").write_text("---\n".join(texts))
    site.read()
    hits = site.service.search("pay", limit=5)
    assert len(hits) == 5
    assert hits[0].ref == EntityRef.parse("component:pay")
    assert hits[0].title == "Something else"
    assert site.service.search("Something ELSE")[0].ref == hits[0].ref
    assert all(hit.ref is not None and hit.ref.name.startswith("pay") for hit in hits)


def test_a_title_counts_more_than_a_description(site: CatalogSite) -> None:
    (site.base / "main/two.yaml").write_text(
        descriptor("aa", title="Other", description="about ledgers and ledgers")
        + "---\n"
        + descriptor("zz", title="The ledgers")
    )
    site.read()
    assert [hit.title for hit in site.service.search("ledgers")] == ["The ledgers", "Other"]


def test_kinds_and_what_a_hit_tells(site: CatalogSite) -> None:
    assert [hit.kind for hit in site.service.search("order", kinds=["system"])] == ["system"]
    assert site.service.search("order", kinds=["api"]) == []
    [hit] = site.service.search("service order")
    assert hit.path == "/catalog/default/component/order-service"
    assert hit.marked == "\ue000Order\ue001 \ue000Service\ue001"
    assert hit.subtitle == "service · team · order-service"
    [hit] = site.service.search("支付网")
    assert hit.marked == "\ue000支付网\ue001关"


HOSTILE = [
    '"', "'", "\\", '" OR 1=1', "a* OR b", "NEAR(a b)", "title: x", "-a", "a AND", "^a", "(", ")",
    "{a b}", "a:*", "!a", "a & | b", "%", "_", "\0", "a\0b", "\ud800", "🙂", "\u202e",
    "👩‍👩‍👧", "a\n" * 50, "".join(map(chr, range(0x4E00, 0x6000))),
    " ".join(map(str, range(5000))),
    "支" * 5000, "a" * 10_000, "a " * 5000, "ǅ İ ŉ ẞ", "\U0002a6d6\U0002b820\U00030000", "ﷺ",
    "٣ Ⅷ ² ½", "\U0001e900\u1c90\uab70",
]  # fmt: skip


def test_hostile_texts(site: CatalogSite) -> None:
    for text in HOSTILE:
        hits = site.service.search(text)
        assert len(hits) <= len(ENTITIES)
        assert site.service.search(text, kinds=["none"]) == []


def test_any_text_may_be_searched_for_and_is_found_where_it_stands(site: CatalogSite) -> None:
    number = 0

    @given(st.text(min_size=1, max_size=30))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def never_raises(text: str) -> None:
        assert isinstance(site.service.search(text), list)

    @given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12))
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def is_found(word: str) -> None:
        nonlocal number
        number += 1
        (site.base / "main/any.yaml").write_text(descriptor(f"any{number}", title=f"{word} z"))
        site.read()
        assert site.get(f"component:any{number}")
        found = [hit.ref.name for hit in site.service.search(word, limit=100) if hit.ref]
        assert f"any{number}" in found

    never_raises()
    is_found()


class Pages:
    """A search source whose documents a test sets."""

    def __init__(self) -> None:
        self.documents: list[Any] = []
        self.failure: Exception | None = None

    def read(self, host: Any) -> Iterable[SearchDocument]:
        if self.failure:
            raise self.failure
        return self.documents

    def contributions(self) -> Contributions:
        source = SearchSource(
            name="pages", title="Pages", read=self.read, every=timedelta(minutes=1),
            changed_by=("docs.",),
        )  # fmt: skip
        return Contributions(search_sources=(Contributed("docs", source),))


def page(key: str, title: str, **more: Any) -> SearchDocument:
    return SearchDocument(key=key, title=title, path=f"/docs/{key}", **more)


def test_documents_of_plugins(site: CatalogSite, clock: Clock) -> None:
    pages = Pages()
    site.configure(contributions=pages.contributions())
    pages.documents = [
        page("a", "退款手册", text="How refunds work", tags=("howto",)),
        page("b", "Order guide", entity=EntityRef.parse("system:order")),
    ]
    assert site.engine.index_search() == ["docs.pages"]
    [hit] = site.service.search("手册")
    assert (hit.title, hit.path, hit.kind, hit.ref) == ("退款手册", "/docs/a", "docs.pages", None)
    assert [hit.title for hit in site.service.search("refunds")] == ["退款手册"]
    assert [hit.title for hit in site.service.search("howto")] == ["退款手册"]
    [hit] = site.service.search("order guide", kinds=["docs.pages"])
    assert hit.ref == EntityRef.parse("system:order")
    assert len(site.service.search("order")) == 4

    pages.documents = [page("a", "Returns manual"), page("c", "New page")]
    assert site.engine.index_search() == []  # not yet
    clock.advance(60)
    assert site.engine.index_search() == ["docs.pages"]
    assert site.service.search("退款手册") == []
    assert [hit.title for hit in site.service.search("manual")] == ["Returns manual"]
    assert [hit.path for hit in site.service.search("new page")] == ["/docs/c"]
    assert site.service.search("guide") == []

    clock.advance(60)
    pages.failure = RuntimeError("no")
    assert site.engine.index_search() == []
    assert site.service.search("manual")
    site.configure(contributions=Contributions(kinds=()))
    site.engine.index_search()
    assert site.service.search("manual") == []


def test_documents_are_read_again_after_the_events_they_name(site: CatalogSite) -> None:
    pages = Pages()
    site.configure(contributions=pages.contributions())
    assert site.engine.index_search() == ["docs.pages"]
    for kind in ("other.thing", "docs.page.written"):
        with site.database.write() as connection:
            events.publish(connection, kind, "system:order", at=site.engine.now())
    assert site.engine.index_search() == ["docs.pages"]
    assert site.engine.index_search() == []
    with site.database.write() as connection:
        events.publish(connection, "other.thing", "system:order", at=site.engine.now())
    assert site.engine.index_search() == []


def test_hostile_documents_of_plugins(site: CatalogSite) -> None:
    pages = Pages()
    site.configure(contributions=pages.contributions())
    long = "".join(chr(0x4E00 + at * 7919 % 20000) for at in range(5000))
    pages.documents = [
        page("zero", "zero\0title", text="\0", tags=("\0",)),
        page("half", "half\ud800title", text="\ud800"),
        page(long, "long key"),
        page("same", "first"),
        page("same", "second"),
        page("good", "good", entity=EntityRef("component", "default", "x" * 300)),
        page("fine", "fine title"),
    ]
    assert site.engine.index_search() == ["docs.pages"]
    found = site.service.search("title", kinds=["docs.pages"])
    assert {hit.path for hit in found} == {"/docs/half", "/docs/fine"}
    assert [hit.title for hit in site.service.search("zerotitle")] == ["zerotitle"]
    assert [hit.title for hit in site.service.search("second")] == ["second"]
    pages.documents = [1, None]
    assert site.engine.index_search() == []
    assert site.service.search("fine")
