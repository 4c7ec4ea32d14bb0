"""The results page and the palette: what they show, and hostile questions."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from callboard_web.palette.address import Address
from callboard_web.portal import Portal

CHINESE = {"callboard_language": "zh-CN"}


def main_of(client: TestClient, path: str, **parameters: str | Sequence[str]) -> str:
    response = client.get(path, params=parameters)
    assert response.status_code == 200
    return response.text.partition("<main")[2]


def palette_of(client: TestClient, text: str) -> str:
    response = client.get("/search/palette", params={"q": text})
    assert response.status_code == 200
    return response.text


def test_facets_narrow_and_are_taken_out(client: TestClient) -> None:
    page = main_of(client, "/search", q="order")
    assert re.search(r'name="kind" id="kind-api" value="api">', page)
    page = main_of(client, "/search", q="order", kind=["api", "resource"], owner="none")
    assert page.count('class="chip"') == 3
    assert "Nothing matches all of these filters" in page
    page = main_of(client, "/search", q="order", kind="api")
    assert 'value="api" checked' in page
    assert 'href="/search?q=order"' in page  # the chip's way out
    assert page.count('<li><svg class="i i-t"') == 1


def test_pages_and_orders(client: TestClient) -> None:
    first = main_of(client, "/search", q="part", sort="name")
    assert "1–25 of 60" in first
    assert 'href="/search?q=part&amp;sort=name&amp;page=2"' in first
    last = main_of(client, "/search", q="part", sort="name", page="3")
    assert "51–60 of 60" in last
    assert "part-059" in last
    assert "There are not so many pages" in main_of(client, "/search", q="part", page="9")
    assert main_of(client, "/search", q="part", page="x") == main_of(client, "/search", q="part")


def test_the_empty_page_tells_the_operators(client: TestClient) -> None:
    page = main_of(client, "/search")
    assert "kind:" in page
    assert 'href="/search?q=-owner%3Atrade-core"' in page
    page = main_of(client, "/search", q="ordre")
    assert 'Did you mean <a class="lnk-b" href="/search?q=order">order</a>' in page
    page = main_of(client, "/search", q="foo:order component:none owner:nowhere")
    assert "foo: is no operator" in page
    assert "component: is" not in page
    assert "owner:nowhere" in page


def test_the_palette_groups_what_it_offers(client: TestClient) -> None:
    start = palette_of(client, "")
    assert ">Pages<" in start
    assert ">Do<" in start
    assert 'href="/catalog"' in start
    found = palette_of(client, "order")
    assert found.index(">Catalog<") < found.index('href="/search?q=order"')
    assert len(re.findall(r'aria-selected="true"', found)) == 1
    assert re.search(r'<a role="option" id="palette-1"[^>]*aria-selected="true"', found)
    assert palette_of(client, "jobs").index('href="/jobs"') > 0
    assert 'href="/navigation#display-page"' in palette_of(client, "dark")
    assert "Nothing has all of" in palette_of(client, "zzzzzz")


def test_the_palette_completes(client: TestClient) -> None:
    assert 'data-completes="owner:"' in palette_of(client, "own")
    assert 'data-completes="owner:trade-core "' in palette_of(client, "owner:trad")
    assert 'data-completes="x kind:resource "' in palette_of(client, "x kind:res")
    assert "data-completes" not in palette_of(client, "owner:trade-core order")


def test_pages_and_acts_are_found_in_the_readers_language_and_in_english(
    client: TestClient,
) -> None:
    client.cookies.update(CHINESE)
    for typed in ("作业", "zuoye", "zy", "jobs"):
        assert 'href="/jobs"' in palette_of(client, typed), typed
    assert 'href="/navigation#display-page"' in palette_of(client, "yuyan")
    page = main_of(client, "/search", q="kind:组件 order")
    assert "/catalog/default/component/order-service" in page
    assert "/catalog/default/api/order-api" not in page


def test_what_was_seen_last_comes_first(client: TestClient) -> None:
    portal: Portal = client.app.state.portal  # type: ignore[attr-defined]
    response = Response()
    key = portal.visitors.welcome(response, secure=False)
    name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
    client.cookies.set(name, value)
    portal.personal.visited(key, "/jobs", "Jobs I watch", None)
    start = palette_of(client, "")
    assert ">Seen last<" in start
    assert start.index("Jobs I watch") < start.index(">Pages<")


HOSTILE = [
    "<script>x</script>", '"><img src=x>', "\0", "a\0b", "owner:\0", "\u202e", "%", "owner:%", "'",
    "kind:" + "x," * 500, "支" * 500, "(" * 300, "is:", "-", '"', "{{ 7*7 }}", "tag:'\"",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_questions(client: TestClient, text: str) -> None:
    page = main_of(client, "/search", q=text, kind=text, owner=text, tag=text, page=text, sort=text)
    for answer in (page, main_of(client, "/search", q=text), palette_of(client, text)):
        assert "<script>x" not in answer
        assert "<img src=x>" not in answer
        assert ">49<" not in answer


@pytest.mark.parametrize(
    "query",
    ["", "q=a", "q=a&kind=api&kind=user&tag=x", "q=a+b%22c&sort=name&page=3", "owner=group%3Ax"],
)
def test_an_address_is_read_as_it_is_written(query: str) -> None:
    address = Address.of(parse_qsl(query))
    written = address.url()
    assert written == (f"/search?{query}" if query else "/search")
    assert Address.of(parse_qsl(written.partition("?")[2])) == address
