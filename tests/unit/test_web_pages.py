"""The pages answer in both languages and show what there is."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from callboard_web.runtime import Runtime

TokenOf = Callable[[TestClient], str]

ENTITY = "/catalog/default/component/order-service"
PAGES = (
    "/", "/catalog", "/catalog?kind=all&sort=updated&order=desc", "/catalog?q=zzz", ENTITY,
    f"{ENTITY}/relations", f"{ENTITY}/history", f"{ENTITY}/badge", f"{ENTITY}/raw",
    f"{ENTITY}/raw?format=json", f"{ENTITY}/sample.extra",
    "/catalog/default/api/order-api", "/search", "/search?q=order",
    "/search/palette?q=order",
    "/sources", "/sources/shop", "/sources/gone", "/problems", "/problems?kind=rejected", "/jobs",
    "/jobs/1", "/plugins", "/plugins/sample", "/navigation", "/sample/things/a",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("path", PAGES)
def test_page(client: TestClient, path: str, language: str) -> None:
    response = client.get(path, headers={"accept-language": language})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    if not path.startswith("/search/palette"):
        assert f'<html lang="{language}"' in response.text
        assert response.text.count("<h1") == 1
    ids = re.findall(r'\sid="([^"]+)"', response.text)
    assert len(ids) == len(set(ids)), "an id is there twice"


def test_catalog_lists_components_by_default(client: TestClient) -> None:
    page = client.get("/catalog").text
    assert "订单服务 Order Service" in page
    assert "Orders database" not in page
    assert "1–50 of 61" in page


def test_catalog_turns_pages_both_ways(client: TestClient) -> None:
    first = client.get("/catalog?tag=generated").text
    following = re.search(r'id="next-page" rel="next" href="([^"]+)"', first)
    assert following
    second = client.get(following[1].replace("&amp;", "&")).text
    assert "51–60 of 60" in second
    back = re.search(r'id="previous-page" rel="prev" href="([^"]+)"', second)
    assert back
    assert "1–50 of 60" in client.get(back[1].replace("&amp;", "&")).text


def test_catalog_survives_a_cursor_that_was_never_given(client: TestClient) -> None:
    assert "1–50 of 61" in client.get("/catalog?cursor=nonsense").text


def test_catalog_says_which_filter_to_take_out(client: TestClient) -> None:
    page = client.get("/catalog?tag=generated&type=service").text
    assert "Nothing matches all of these filters" in page
    assert "Remove Tag generated (1)" in page
    assert "Remove Type service (60)" in page


def test_catalog_update_for_htmx_is_a_piece_with_its_address(client: TestClient) -> None:
    headers = {"hx-request": "true"}
    response = client.get("/catalog?kind=component&q=&type=service", headers=headers)
    assert "<html" not in response.text
    assert 'id="facets" hx-swap-oob="innerHTML"' in response.text
    assert response.headers["hx-push-url"] == "/catalog?type=service"
    assert "HX-Request" in response.headers["vary"]
    typed = client.get("/catalog?q=or", headers={**headers, "hx-trigger-name": "q"})
    assert typed.headers["hx-replace-url"] == "/catalog?q=or"
    back = client.get("/catalog", headers={**headers, "hx-history-restore-request": "true"})
    assert "<html" in back.text


def test_entity_escapes_what_its_file_says(client: TestClient) -> None:
    page = client.get(ENTITY).text
    assert "Takes orders &amp; &lt;b&gt;reserves&lt;/b&gt; stock." in page
    assert "javascript:" not in page
    assert 'href="https://wiki.example.com/orders"' in page


def test_entity_shows_its_problem_and_where_it_was_read(client: TestClient) -> None:
    page = client.get(ENTITY).text
    assert "depends on resource:default/not-there, which is in no source" in page
    assert "catalog-info.yaml:1" in page


def test_entity_that_is_not_there_suggests_those_like_it(client: TestClient) -> None:
    response = client.get("/catalog/default/component/order-servcie")
    assert response.status_code == 404
    assert "There is no entity named order-servcie" in response.text
    assert f'href="{ENTITY}"' in response.text


def test_raw_document_is_the_entity_with_its_relations(client: TestClient) -> None:
    document = client.get(f"{ENTITY}/raw/download?format=json").json()
    assert document["metadata"]["name"] == "order-service"
    assert {"type": "partOf", "targetRef": "system:default/shop"} in document["relations"]
    assert "kind: Component" in client.get(f"{ENTITY}/raw/download").text


def test_search_marks_what_it_found(client: TestClient) -> None:
    page = client.get("/search", params={"q": "订单"}).text
    assert "<mark>订单</mark>服务 Order Service" in page
    assert (
        "<script" not in client.get("/search", params={"q": "<script>x"}).text.partition("<main")[2]
    )


def test_source_that_fails_says_so(client: TestClient) -> None:
    page = client.get("/sources/gone").text
    assert "The last read failed" in page
    assert "gone" in client.get("/").text


def test_problems_are_counted_and_narrowed(client: TestClient) -> None:
    page = client.get("/problems?kind=rejected").text
    assert "spec.owner" in page
    assert "catalog-info.yaml:" in page
    assert "not-there" not in page
    assert "not-there" in client.get("/problems?owner=group:default/trade-core").text


def test_preferences_are_kept_and_lead_back(client: TestClient, token_of: TokenOf) -> None:
    form = {"csrf_token": token_of(client), "theme": "dark", "next": "/catalog?q=x"}
    response = client.post("/preferences", data=form, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/catalog?q=x")
    assert 'data-theme="dark"' in client.get("/catalog").text
    form = {"csrf_token": token_of(client), "language": "zh-CN", "next": "//evil.example"}
    response = client.post("/preferences", data=form, follow_redirects=False)
    assert response.headers["location"] == "/"
    assert "服务目录" in client.get("/catalog").text


def test_times_are_in_the_readers_zone(client: TestClient) -> None:
    client.cookies.set("callboard_zone", "Asia/Shanghai")
    assert "Asia/Shanghai" in client.get("/sources").text
    client.cookies.set("callboard_zone", "../../etc/passwd")
    assert client.get("/sources").status_code == 200


def test_a_browser_is_asked_for_its_zone_where_its_hours_differ(client: TestClient) -> None:
    assert 'data-offsets="0,0"' in client.get("/").text
    client.cookies.set("callboard_zone", "Europe/Berlin")
    assert 'data-offsets="60,120"' in client.get("/").text
    client.cookies.set("callboard_time_zone", "Asia/Tokyo")
    assert 'data-offsets=""' in client.get("/").text


def test_refresh_asks_for_a_run_and_is_audited(
    client: TestClient,
    portal_runtime: Runtime,
    token_of: TokenOf,
) -> None:
    from callboard.audit import entries

    form = {"csrf_token": token_of(client)}
    response = client.post("/sources/shop/refresh", data=form, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/sources/shop")
    assert "Reading…" in client.get("/sources/shop").text
    with portal_runtime.database.read() as connection:
        entry = entries(connection)[0]
    assert (entry.action, entry.subject) == ("catalog.source.refresh", "shop")
    portal_runtime.jobs.run_once()
    assert "Reading…" not in client.get("/sources/shop").text


def test_api_has_one_shape_for_errors(client: TestClient) -> None:
    assert client.get("/api/catalog/sources").json()["items"][0]["name"] == "gone"
    problems = client.get("/api/catalog/problems?kind=dangling").json()
    assert problems["items"][0]["other"] == "resource:default/not-there"
    assert problems["counts"]["rejected"] == 1
    for path, status, name in [
        ("/api/catalog/problems?kind=nope", 400, "InputError"),
        ("/api/catalog/problems?limit=-1", 400, "InputError"),
        ("/api/nope", 404, "NotFoundError"),
        ("/api/plugins/sample/count?step=x", 400, "InputError"),
    ]:
        response = client.get(path)
        body = response.json()
        assert response.status_code == status
        assert body["error"]["name"] == name
        assert body["response"] == {"statusCode": status}
        assert body["request"]["method"] == "GET"


def test_health_and_metrics(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok"
    assert client.get("/readyz").json() == {"ready": True}
    client.get(ENTITY)
    text = client.get("/metrics").text
    assert 'view="entity.entity"' in text
    assert 'callboard_catalog_entities{kind="component"} 61.0' in text
    assert "callboard_sample_visits 7.0" in text
    assert "callboard_sample_broken" not in text


def test_an_unexpected_fault_is_a_page_with_an_id(
    client: TestClient, portal_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("/secret/path is gone")

    monkeypatch.setattr(portal_runtime.catalog, "counts", fail)
    response = client.get("/catalog")
    assert response.status_code == 500
    assert re.search(r"<code>e-[0-9a-f]{8}</code>", response.text)
    assert "secret" not in response.text
    assert "content-security-policy" in response.headers
    piece = client.get("/catalog", headers={"hx-request": "true"})
    assert piece.status_code == 500
    assert piece.text.startswith('<div class="note bad fault" role="alert">')
