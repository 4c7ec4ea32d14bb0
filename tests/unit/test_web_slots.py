"""A contribution that fails costs its own place, is named there, and is listed."""

import re
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from callboard_web.runtime import Runtime

ENTITY = "/catalog/default/component/order-service"


def _card(page: str, name: str) -> str:
    found = re.search(rf'<section [^>]*id="card-sample-{name}".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def test_good_card_is_drawn_and_escaped(client: TestClient) -> None:
    card = _card(client.get(ENTITY).text, "good")
    assert "<p id='good'>Owner &lt;i&gt; <time datetime=\"" in card


def test_card_without_content_takes_no_place(client: TestClient) -> None:
    assert _card(client.get(ENTITY).text, "nothing") == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raising", "It stopped with an error."),
        ("slow", "It did not answer in time."),
        ("wrong", "It gave something that cannot be shown."),
        ("template", "It stopped with an error."),
    ],
)
def test_failing_card_is_named(client: TestClient, name: str, words: str) -> None:
    response = client.get(ENTITY)
    assert response.status_code == 200
    card = _card(response.text, name)
    assert "The plugin sample failed." in card
    assert words in card
    assert re.search(r"e-[0-9a-f]{8}", card)
    assert f'hx-get="{ENTITY}/cards/sample.{name}?place=' in card
    assert "the card is broken" not in card
    assert 'id="card-portal-about"' in response.text


def test_card_can_be_tried_again(client: TestClient) -> None:
    again = client.get(f"{ENTITY}/cards/sample.raising", headers={"hx-request": "true"})
    assert again.text.lstrip().startswith("<section")
    assert "<html" not in again.text
    assert client.get(f"{ENTITY}/cards/sample.nope").status_code == 404
    assert "Hello." in client.get("/cards/sample.hello").text


def test_error_is_listed_with_its_id(client: TestClient) -> None:
    card = _card(client.get(ENTITY).text, "raising")
    found = re.search(r"e-[0-9a-f]{8}", card)
    assert found
    page = client.get("/plugins/sample").text
    assert found[0] in page
    assert "RuntimeError: the card is broken" in page
    assert "sample" in client.get("/plugins").text


def test_badges_and_tabs(client: TestClient) -> None:
    page = client.get(ENTITY).text
    assert '<span class="pill warn" title="">' in page
    assert "sample failed" in page
    assert f'href="{ENTITY}/sample.extra"' in page
    assert f'href="{ENTITY}/sample.relations"' in page, "a taken name gets the plugin's before it"
    assert "Unsure" not in page
    assert "The plugin sample failed." in client.get(f"{ENTITY}/sample.relations").text
    assert client.get(f"{ENTITY}/nope").status_code == 404


def test_columns(client: TestClient) -> None:
    page = client.get("/catalog").text
    assert page.count("7 visits") == 50
    assert "The column Raising of the plugin sample failed." in page
    assert "The column Wrong cells of the plugin sample failed." in page


def test_plugin_page(client: TestClient) -> None:
    assert "<h1>Page of tea &amp; more</h1>" in client.get("/sample/things/tea%20&%20more").text
    assert client.get("/sample/things/none").status_code == 404
    refused = client.get("/sample/things/secret")
    assert refused.status_code == 403
    assert "This is not for you." in refused.text
    crumbs = client.get("/sample/things/tea").text.partition('<nav class="crumb"')[2]
    assert '<a href="/sample/">All &lt;things&gt;</a>' in crumbs
    assert "<b>tea</b>" in crumbs
    astray = client.get("/sample/things/astray")
    assert astray.status_code == 500
    assert "The plugin sample failed." in astray.text
    broken = client.get("/sample/")
    assert broken.status_code == 500
    assert "The plugin sample failed." in broken.text


def test_a_page_answers_the_forms_it_takes(client: TestClient) -> None:
    page = client.get("/sample/form/tea").text
    field = re.search(
        r'<form method="post"><input type="hidden" name="(\w+)" value="([^"]+)">', page
    )
    assert field is not None
    assert page.count(field[2]) > 1, "the token is that of the whole page"
    sent = client.post("/sample/form/tea", data={field[1]: field[2], "a": ["1", "<b>"], "c": ""})
    assert sent.status_code == 200
    assert "<title>Sent" in sent.text
    assert (
        "Sent: [(&#39;a&#39;, (&#39;1&#39;, &#39;&lt;b&gt;&#39;)), (&#39;c&#39;, (&#39;&#39;,))]"
        in sent.text
    )
    assert client.post("/sample/form/tea", data={"a": "1"}).status_code == 403
    token = {field[1]: field[2]}
    assert client.post("/sample/form/tea", data={**token, "nothing": "1"}).status_code == 404
    late = client.post("/sample/form/tea", data={**token, "taken": "1"})
    assert late.status_code == 409
    assert "Somebody was faster." in late.text
    wrong = client.post("/sample/form/tea", data={**token, "wrong": "1"})
    assert (wrong.status_code, "That is wrong." in wrong.text) == (422, True)
    assert client.post("/sample/things/tea", data=token).status_code == 405


def test_a_form_that_was_taken_leads_on(client: TestClient) -> None:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sample/form/tea").text)
    assert found is not None

    def send(to: str) -> Any:
        data = {"csrf_token": found[1], "to": to}
        return client.post("/sample/form/tea", data=data, follow_redirects=False)

    answer = send("/sample/things/tea?of=mine")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sample/things/tea?of=mine")
    assert "It is done." in client.get(answer.headers["location"]).text
    assert "It is done." not in client.get(answer.headers["location"]).text
    for outside in ("https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"):
        assert send(outside).status_code == 500
    assert send("/%2felsewhere.example").headers["location"] == "/"


def test_home_card(client: TestClient) -> None:
    page = client.get("/").text
    assert "Hello." in page
    assert "The plugin sample failed." in _card(page, "raising")


def _received(runtime: Runtime) -> list[bytes]:
    module: Any = runtime.plugins.records["sample"].module
    assert isinstance(module, ModuleType)
    received: list[bytes] = module.received
    return received


def test_webhook_is_verified_stored_and_handled(
    client: TestClient, portal_runtime: Runtime
) -> None:
    refused = client.post("/hooks/sample/push", content=b"x", headers={"x-signature": "wrong"})
    assert refused.status_code == 401
    portal_runtime.jobs.run_once()  # what other tests of the same portal have left
    before = list(_received(portal_runtime))
    headers = {"x-signature": "right", "authorization": "Bearer secret-token"}
    taken = client.post("/hooks/sample/push?a=1", content=b"\x00\xff body", headers=headers)
    assert taken.status_code == 202
    assert _received(portal_runtime) == before, "handled by the job, not while the sender waits"
    kept = client.get(f"/api/deliveries/{taken.json()['delivery']}").json()
    assert kept["query"] == {"a": "1"}
    assert kept["headers"]["authorization"] == "***"
    assert "secret-token" not in str(kept)
    portal_runtime.jobs.run_once()
    assert _received(portal_runtime) == [*before, b"\x00\xff body"]


def test_webhook_has_its_limits(client: TestClient) -> None:
    assert client.post("/hooks/sample/nope").status_code == 404
    large = b"x" * (5 * 1024 * 1024 + 1)
    assert client.post("/hooks/sample/push", content=large).status_code == 413


def test_a_tab_says_what_is_in_it_and_one_that_cannot_says_nothing(client: TestClient) -> None:
    page = client.get(ENTITY).text
    tab = re.search(r'<a href="[^"]*/sample.extra">.*?</a>', page)
    assert tab
    assert '<span class="cnt">7</span>' in tab[0]
    assert "&lt;7 findings&gt;" in tab[0]
    other = re.search(r'<a href="[^"]*/sample.relations">(.*?)</a>', page)
    assert other
    assert other[1] == "My relations"
