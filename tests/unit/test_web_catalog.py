"""The catalog's list: its address, columns, export, acts on rows, indexes of tags and types."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard_catalog.query import SORTS
from callboard_web.catalog_query import COLUMNS, DENSITIES, FACETS, LIMITS, CatalogQuery
from callboard_web.runtime import Runtime
from callboard_web.views.catalog_export import FORMULA, safe

TokenOf = Callable[[TestClient], str]
ORDER = "component:default/order-service"

# The address

TEXT = st.text(max_size=20).map(lambda text: text.replace("\0", "").strip()).filter(bool)
QUERIES = st.builds(
    CatalogQuery,
    kinds=st.lists(st.sampled_from(["api", "component", "group", "x"]), unique=True).map(tuple),
    text=st.one_of(st.just(""), TEXT),
    chosen=st.dictionaries(
        st.sampled_from(list(FACETS)),
        st.lists(TEXT, min_size=1, max_size=4, unique=True).map(tuple),
    ),
    mine=st.booleans(),
    starred=st.booleans(),
    sort=st.sampled_from(SORTS),
    descending=st.booleans(),
    limit=st.sampled_from(LIMITS),
    columns=st.lists(st.sampled_from([*COLUMNS, "sample.visits"]), unique=True).map(tuple),
    density=st.sampled_from(["", *DENSITIES]),
    view=st.integers(0, 10**9),
    cursor=st.sampled_from(["", "abc"]),
)


def surrogates(query: CatalogQuery) -> bool:
    return not re.search("[\ud800-\udfff]", repr(query))


@given(QUERIES.filter(surrogates))
def test_an_address_reads_back_as_it_was(query: CatalogQuery) -> None:
    again = CatalogQuery.read(query.string)
    assert again == query
    for name, value in query.filters():
        assert (name, value) not in list(query.without(name, value).filters())
    saved = CatalogQuery.read(query.saved())
    assert (saved.view, saved.cursor, saved.saved()) == (0, "", query.saved())


NAMES = (
    "kind",
    "q",
    "columns",
    "limit",
    "view",
    "more",
    "find",
    "density",
    "sort",
    "owner",
    "mine",
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text())))
def test_no_address_is_refused(items: list[tuple[str, str]]) -> None:
    query = CatalogQuery.of(items)
    assert query.limit in LIMITS
    assert query.sort in SORTS
    query.request().check()


# The page


def test_facets_count_and_missing_values_can_be_chosen(client: TestClient) -> None:
    page = client.get("/catalog?kind=all").text
    assert 'id="owner-group:default/trade-core"' in page
    assert ">Trade Core<" in page
    assert "No owner" in page
    assert "No owner" in client.get("/catalog?kind=all&owner=-").text
    found = client.get("/catalog?kind=all&owner=-&columns=owner").text
    assert "Trade Core" in found
    assert "1–1 of 1" in found


def test_all_values_of_a_facet_and_those_one_looks_for(client: TestClient) -> None:
    page = client.get("/catalog?more=type").text
    assert 'name="find"' in page
    assert 'id="type-library"' in page
    found = client.get("/catalog?more=type&find=LIB").text
    assert 'id="type-library"' in found
    assert 'id="type-service"' not in found
    headers = {"hx-request": "true", "hx-target": "values-type"}
    piece = client.get("/catalog?more=type&find=zzz", headers=headers).text
    assert piece.strip().startswith('<div class="values" id="values-type">')
    assert "Nothing of that name" in piece


def test_several_kinds(client: TestClient) -> None:
    page = client.get("/catalog?kind=api&kind=system").text
    assert "1–2 of 2" in page
    assert 'type="checkbox" name="kind" id="kind-api" value="api" checked' in page
    assert "Remove Kind API" in page
    assert 'type="checkbox" name="kind"' in client.get("/catalog?more=kind").text


def heads_of(page: str) -> list[str]:
    return re.findall(r"<th scope=\"col\"[^>]*>(?:<a[^>]*>)?([^<]*)", page)[1:]


def test_columns_are_chosen_in_the_address_and_remembered(
    client: TestClient, token_of: TokenOf
) -> None:
    page = client.get("/catalog?columns=tags,source,sample.visits,nope,a.b&type=service").text
    assert heads_of(page) == ["Name", "Tags", "Source", "Visits"]
    assert 'href="/sources/shop"' in page
    assert "tag=tier-1" in page
    form = {"csrf_token": token_of(client), "query": "type=service", "columns_shown": "yes",
            "columns": ["system", "changed"], "density": "compact"}  # fmt: skip
    kept = client.post("/catalog/display", data=form, follow_redirects=False)
    assert kept.headers["location"] == "/catalog?type=service&columns=system%2Cchanged"
    page = client.get("/catalog").text
    assert heads_of(page) == ["Name", "System", "Changed"]
    assert 'data-density="compact"' in page
    assert 'data-density="roomy"' in client.get("/catalog?density=roomy").text
    form = {"csrf_token": token_of(client), "columns_shown": "yes", "usual": "yes", "density": "x"}
    client.post("/catalog/display", data=form)
    page = client.get("/catalog?type=service").text
    assert heads_of(page)[:4] == ["Name", "Type", "Owner", "Lifecycle"]
    assert "data-density=" not in page.partition('id="list"')[2].partition(">")[0]


def test_a_list_is_sorted_by_every_column_it_offers(client: TestClient) -> None:
    for sort in SORTS:
        page = client.get(f"/catalog?kind=all&sort={sort}&order=desc&limit=25").text
        assert "1–25 of 65" in page, sort


def test_rows_in_groups(client: TestClient) -> None:
    page = client.get("/catalog?kind=all&sort=kind&group=1&limit=25&order=desc").text
    assert '<tr class="g">' in page
    heads = re.findall(r'<tr class="g">.*?colspan="\d+">(.*?) <small>(\d+)', page)
    assert heads[:2] == [("System", "1"), ("Resource", "1")]
    assert ("Component", "61") in heads
    owners = client.get("/catalog?kind=all&sort=owner&group=1&order=desc&limit=25").text
    assert ">No owner <small>1<" in owners
    assert ">Trade Core <small>64<" in owners
    assert '<tr class="g">' not in client.get("/catalog?sort=name&group=1").text


def test_mine_and_starred(client: TestClient, token_of: TokenOf, portal_runtime: Runtime) -> None:
    assert "Nobody knows yet who you are" in client.get("/catalog?mine=1").text
    assert "You have starred nothing yet" in client.get("/catalog?starred=1&kind=all").text
    form = {"csrf_token": token_of(client), "act": "star", "ref": [ORDER], "query": "type=service"}
    done = client.post("/catalog/select", data=form, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, "/catalog?type=service")
    page = client.get("/catalog?starred=1&kind=all").text
    assert "1 entity is starred" in page
    assert "1–1 of 1" in page
    form = {"csrf_token": token_of(client), "act": "unstar", "all": "1", "query": "starred=1"}
    client.post("/catalog/select", data=form)
    assert "You have starred nothing yet" in client.get("/catalog?starred=1&kind=all").text


# Acts on rows


def test_a_refresh_says_first_what_will_be_done(
    client: TestClient, token_of: TokenOf, portal_runtime: Runtime
) -> None:
    form: dict[str, Any] = {"csrf_token": token_of(client), "act": "refresh", "ref": [ORDER]}
    asked = client.post("/catalog/select", data=form)
    assert "Read 1 source again?" in asked.text
    assert "comes from shop" in asked.text
    with portal_runtime.database.read() as connection:
        before = entries(connection, action="catalog.entity.refresh", subject="shop")
    done = client.post("/catalog/select", data={**form, "confirmed": "yes"})
    assert "1 source is read again" in done.text
    with portal_runtime.database.read() as connection:
        after = entries(connection, action="catalog.entity.refresh", subject="shop")
    assert len(after) == len(before) + 1
    portal_runtime.jobs.run_once()


def test_acts_that_cannot_be(client: TestClient, token_of: TokenOf) -> None:
    token = token_of(client)
    for form in ({"act": "star"}, {"act": "x", "ref": ORDER}, {"act": "star", "ref": "nonsense"},
                 {"act": "star", "ref": f"{ORDER}\0"},
                 {"act": "refresh", "ref": "component:default/not-there"}):  # fmt: skip
        refused = client.post("/catalog/select", data={**form, "csrf_token": token})
        assert refused.status_code in (400, 422), form
    assert client.post("/catalog/select", data={"act": "star", "ref": ORDER}).status_code == 403


# Export


def test_csv_is_all_that_matches_in_its_order(client: TestClient) -> None:
    answer = client.get("/catalog/export/csv?columns=owner,tags,changed,sample.visits&sort=name"
                        "&order=desc&limit=25&q=&cursor=x")  # fmt: skip
    assert re.search(
        r'filename="catalog-\d{4}-\d\d-\d\d\.csv"', answer.headers["content-disposition"]
    )
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["ref", "name", "title", "Owner", "Tags", "Visits", "Changed"]
    assert len(rows) == 62
    names = [row[1] for row in rows[1:]]
    assert names == sorted(names, reverse=True)
    order = next(row for row in rows if row[0] == ORDER)
    assert order[2:5] == ["订单服务 Order Service", "Trade Core", "java, tier-1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", order[6])
    chinese = client.get("/catalog/export/csv", headers={"accept-language": "zh-CN"})
    assert "负责人" in chinese.content.decode("utf-8-sig").splitlines()[0]


def test_json_has_references_and_cells(client: TestClient) -> None:
    answer = client.get("/catalog/export/json?columns=owner,tags,system,domain&type=service")
    assert answer.headers["content-type"] == "application/json"
    [item] = answer.json()["items"]
    assert item == {
        "ref": ORDER, "name": "order-service", "title": "订单服务 Order Service",
        "owner": "group:default/trade-core", "system": "system:default/shop", "domain": None,
        "tags": ["java", "tier-1"],
    }  # fmt: skip
    assert client.get("/catalog/export/json?q=zzzz").json() == {"items": []}
    assert client.get("/catalog/export/xml").status_code == 404


@given(st.text(max_size=30))
def test_no_cell_is_a_formula(text: str) -> None:
    cell = safe(text)
    assert not cell.lstrip(" \n").startswith(FORMULA)
    assert cell in (text, f"'{text}")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "\n=1"])
def test_what_spreadsheets_would_run(cell: str) -> None:
    assert safe(cell) == f"'{cell}"


# Indexes


def test_tags_and_types(client: TestClient) -> None:
    page = client.get("/tags").text
    assert 'href="/catalog?kind=all&amp;tag=generated"' in page
    assert "generated" not in client.get("/tags?q=JAVA").text
    assert "Nothing of that name" in client.get("/tags?q=<zzz>&kind=api").text
    types = client.get("/types?kind=component&sort=count&page=99").text
    assert types.index(">library<") < types.index(">service<")
    assert ">openapi<" in client.get("/types?kind=api").text
    assert client.get("/types?kind=%00&page=-1").status_code == 200


def test_queries_do_not_grow_with_rows_filters_or_views(
    client: TestClient, portal_runtime: Runtime
) -> None:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    def count(path: str) -> int:
        client.get(path)  # what is kept for as long as the catalog does not change
        counted = []
        for _ in range(5):
            statements.clear()
            assert client.get(path).status_code == 200
            counted.append(len(statements))
        # Beside it others ask as well: whether policies changed, what is to be sealed.
        return min(counted)

    engine = portal_runtime.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        few = count("/catalog?limit=25&owner=group:default/trade-core")
        many = count("/catalog?limit=200&kind=all&tag=-&tag=generated&type=library&type=-")
        assert many <= few <= 20
    finally:
        event.remove(engine, "before_cursor_execute", note)
