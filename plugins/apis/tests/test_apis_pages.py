"""A definition in the catalog becomes pages, and stays what it is when the catalog changes."""

import html
import json
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from httpx2 import Response
from sqlalchemy import func, select, update

from callboard.audit.models import audit_entry
from callboard.testing import Clock
from callboard_apis import preparing
from callboard_apis.finding import read_operations
from callboard_apis.models import api, definition, item, version

if TYPE_CHECKING:
    from callboard_web.testing import PortalUnderTest

BASE = "/catalog/default/api/orders/apis"


@pytest.fixture
def portal_plugins() -> list[str]:
    return ["apis"]


def document(version_: str = "1.0.0", **more: Any) -> dict[str, Any]:
    return {
        "openapi": "3.0.3", "info": {"title": "Orders", "version": version_},
        "paths": {"/orders/{id}": {"get": {
            "operationId": "getOrder", "summary": "Read an order", "tags": ["Orders"],
            "parameters": [{"name": "id", "in": "path", "required": True,
                            "schema": {"type": "string"}}],
            "responses": {"200": {"description": "Found", "content": {"application/json": {
                "schema": {"$ref": "#/components/schemas/Order"}}}}}}}},
        "components": {"schemas": {"Order": {"type": "object", "properties": {
            "total_amount": {"type": "integer", "description": "In **fen**"}}}}},
        **more,
    }  # fmt: skip


def entity(text: str, name: str = "orders", type_: str = "openapi") -> str:
    return json.dumps({
        "apiVersion": "backstage.io/v1alpha1", "kind": "API", "metadata": {"name": name},
        "spec": {"type": type_, "lifecycle": "production", "owner": "team", "definition": text},
    })  # fmt: skip


def put(portal: "PortalUnderTest", text: str, name: str = "orders", type_: str = "openapi") -> None:
    """Write an entity in place of what a test wrote before."""
    folder = portal._catalog
    (folder / f"{name}.yaml").write_text(entity(text, name, type_), encoding="utf-8")
    portal.runtime.engine.read("test")
    while portal.run_jobs():
        pass


def page(portal: "PortalUnderTest", path: str, status: int = 200) -> str:
    response = portal.client.get(path)
    assert response.status_code == status, path
    return response.text


def test_reference_operation_schema_and_source(portal: "PortalUnderTest") -> None:
    put(portal, json.dumps(document(), indent=1))
    whole = page(portal, BASE)
    assert 'id="operation-getOrder"' in whole
    assert "<strong>fen</strong>" in whole
    operation = page(portal, f"{BASE}/operation/getOrder")
    assert "curl -X GET https://example.com/orders/string" in operation
    assert f'href="{BASE}/schema/Order"' in operation
    assert "Send a request" not in operation
    schema = page(portal, f"{BASE}/schema/Order")
    assert "total_amount" in schema
    assert f'href="{BASE}/operation/getOrder"' in schema, "it says what uses it"
    source = page(portal, f"{BASE}/source?line=8")
    assert re.search(
        r'<li id="L8" value="8" class="on"><code> +&#34;getOrder&#34;|<li id="L8"', source
    )
    for wrong in (
        "operation/nope",
        "schema/getOrder",
        "what",
        "source/x",
        "changes/99",
        "operation",
    ):
        page(portal, f"{BASE}/{wrong}", 404)


def test_search_within_marks_what_fits(portal: "PortalUnderTest") -> None:
    put(portal, json.dumps(document()))
    found = page(portal, f"{BASE}?q=total_am+read")
    assert "<mark>Read</mark> an order" in found
    assert "<mark>total_am</mark>ount" in found
    assert "1 place with" in found
    assert "Nothing in this definition fits." in page(portal, f"{BASE}?q=100%25")
    assert "&lt;b&gt;" in page(portal, f"{BASE}?q=<b>")


def test_it_is_shown_as_text_until_it_is_prepared(portal: "PortalUnderTest") -> None:
    portal.catalog_add(entity("openapi: 3.0.0\n<b>"))
    waiting = page(portal, BASE)
    assert "is being prepared" in waiting
    assert "&lt;b&gt;" in waiting


def test_faults_and_texts_are_shown(portal: "PortalUnderTest") -> None:
    put(portal, "openapi: 3.0.0\n x: [")
    shown = page(portal, BASE)
    assert "1 thing wrong in this definition" in shown
    assert f'href="{BASE}/source?line=2#L2"' in shown
    put(portal, "<wsdl/>\n<script>alert(1)</script>", "soap", "wsdl")
    shown = page(portal, "/catalog/default/api/soap/apis")
    assert "&lt;script&gt;" in shown
    assert '<li id="L2"' in shown


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_versions_are_kept_and_compared(
    portal: "PortalUnderTest", clock: Clock, language: str
) -> None:
    put(portal, json.dumps(document()))
    clock.advance(3600)
    put(portal, json.dumps(document("2.0.0", paths={})))
    portal.client.headers["accept-language"] = language
    changes = page(portal, f"{BASE}/changes")
    (link,) = re.findall(rf'href="({BASE}/changes/\d+)"', changes)
    shown = page(portal, link)
    words = {"en": "The operation was removed.", "zh-CN": "操作已删除。"}
    assert words[language] in shown
    assert "GET /orders/{id}" in shown
    put(portal, json.dumps(document("2.0.0", paths={})) + "\n")
    assert len(re.findall(rf'href="{BASE}/changes/\d+"', page(portal, f"{BASE}/changes"))) == 2


class TestKeeping:
    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {"plugins": {"settings": {"apis": {"keep_versions": 3}}}}

    def test_only_the_last_versions_are_kept(self, portal: "PortalUnderTest") -> None:
        for number in range(6):
            put(portal, json.dumps(document(f"1.{number}")))
        with portal.host("apis").read() as connection:
            kept = connection.scalars(select(version.c.version).order_by(version.c.id)).all()
            assert kept == ["1.3", "1.4", "1.5"]
            assert connection.scalar(select(func.count()).select_from(definition)) == 3


def test_nothing_is_left_of_what_is_gone(portal: "PortalUnderTest") -> None:
    portal.catalog_add(entity("text", "other", "wsdl").replace('"API"', '"Resource"'))
    put(portal, json.dumps(document()))
    (portal._catalog / "orders.yaml").unlink()
    portal.runtime.engine.read("test")
    while portal.run_jobs():
        pass
    host = portal.host("apis")
    host.submit("refresh")
    portal.run_jobs()
    with host.read() as connection:
        for table in (api, version, definition, item):
            assert connection.scalar(select(func.count()).select_from(table)) == 0, table.name


def test_another_version_of_the_code_makes_it_anew(
    portal: "PortalUnderTest", monkeypatch: pytest.MonkeyPatch
) -> None:
    put(portal, json.dumps(document()))
    host = portal.host("apis")
    with host.write() as connection:
        connection.execute(update(definition).values(made_by=preparing.VERSION - 1, title="old"))
    host.submit("refresh")
    while portal.run_jobs():
        pass
    with host.read() as connection:
        assert connection.scalars(select(definition.c.title)).all() == ["Orders"]
        assert connection.scalar(select(func.count()).select_from(version)) == 1


def test_two_apis_share_what_was_made_of_one_text(portal: "PortalUnderTest") -> None:
    text = json.dumps(document())
    put(portal, text)
    put(portal, text, "copy")
    with portal.host("apis").read() as connection:
        assert connection.scalar(select(func.count()).select_from(definition)) == 1
    found = list(read_operations(portal.host("apis")))
    assert [(one.title, one.path) for one in found] == [
        ("GET /orders/{id}", "/catalog/default/api/copy/apis/operation/getOrder"),
        ("GET /orders/{id}", f"{BASE}/operation/getOrder"),
    ]
    assert all("total_amount" in one.text for one in found)


def test_a_large_definition_lists_its_headings(portal: "PortalUnderTest") -> None:
    paths = {
        f"/{name}/{number}": {"get": {"tags": [f"Tag {name} & <x>"], "responses": {}}}
        for name in "ab"
        for number in range(150)
    }
    put(portal, json.dumps(document(paths=paths)))
    whole = page(portal, BASE)
    assert "/a/7" not in whole
    link = f"{BASE}?kind=operation&amp;tag=Tag%20a%20%26%20%3Cx%3E"
    assert f'href="{link}"' in whole
    group = page(portal, link.replace("&amp;", "&"))
    assert group.count('class="verb verb-get"') == 150
    assert "/b/7" not in group
    assert f'href="{BASE}/operation/get-b-7"' in page(portal, f"{BASE}?q=/b/7")


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u200b" + "long" * 500


def test_hostile_words_run_nothing(portal: "PortalUnderTest") -> None:
    given = document(
        info={"title": HOSTILE, "version": HOSTILE, "description": HOSTILE,
              "termsOfService": "javascript:alert(1)"},
        tags=[{"name": HOSTILE, "description": f"[x](javascript:alert(1)) {HOSTILE}"}],
        servers=[{"url": "javascript:alert(1)", "description": HOSTILE}],
        components={"schemas": {HOSTILE: {"type": HOSTILE, "format": HOSTILE, "enum": [HOSTILE],
                                          "default": HOSTILE, "pattern": HOSTILE}},
                    "securitySchemes": {HOSTILE: {"type": HOSTILE, "openIdConnectUrl": HOSTILE}}},
        paths={f"/{HOSTILE}": {"get": {
            "operationId": HOSTILE, "summary": HOSTILE, "description": HOSTILE, "tags": [HOSTILE],
            "parameters": [{"name": HOSTILE, "in": HOSTILE, "schema": {"type": HOSTILE}}],
            "responses": {HOSTILE: {"description": HOSTILE, "content": {HOSTILE: {
                "example": HOSTILE, "schema": {"$ref": HOSTILE}}}}}}}},
    )  # fmt: skip
    put(portal, json.dumps(given))
    paths = [BASE, f"{BASE}/source", f"{BASE}?q=script", "/apis/"]
    links = re.findall(rf'href="({BASE}/(?:operation|schema)/[^"]+)"', page(portal, BASE))
    assert len(set(links)) == 2
    for path in [*paths, *links]:
        shown = page(portal, path)
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert 'href="javascript:' not in shown
        if "source" not in path:
            assert "\u202e" not in shown, path


def test_the_index_filters_and_pages(portal: "PortalUnderTest") -> None:
    for number in range(55):
        put_many = entity(json.dumps(document()), f"api-{number:02}")
        (portal._catalog / f"{number}.yaml").write_text(put_many, encoding="utf-8")
    put(portal, "type Query { a: Int }", "graph", "graphql")
    whole = page(portal, "/apis/")
    assert "56 APIs with 56 operations" in whole
    assert whole.count('scope="row"') == 50
    following = re.search(r'rel="next" href="([^"]+)"', whole)
    assert following is not None
    assert page(portal, following[1].replace("&amp;", "&")).count('scope="row"') == 6
    assert page(portal, "/apis/?type=graphql").count('scope="row"') == 1
    assert page(portal, "/apis/?q=api-0").count('scope="row"') == 10
    assert "No API fits." in page(portal, "/apis/?faulty=1")


def form(portal: "PortalUnderTest", path: str) -> dict[str, str]:
    found = re.search(
        r'<input type="hidden" name="(csrf_token)" value="([^"]+)">', page(portal, path)
    )
    assert found is not None
    return {found[1]: found[2]}


def test_a_pasted_text_is_compared_and_not_kept(portal: "PortalUnderTest") -> None:
    put(portal, json.dumps(document()))
    token = form(portal, "/apis/compare?api=api:default/orders")
    draft = json.dumps(document("2", paths={}))
    given = {**token, "api": "api:default/orders", "text": draft}
    answer = portal.client.post("/apis/compare", data=given)
    assert answer.status_code == 200
    assert "The operation was removed." in answer.text
    backwards = portal.client.post("/apis/compare", data={**given, "order": "older"}).text
    assert "The operation was added." in backwards
    with portal.host("apis").read() as connection:
        assert connection.scalar(select(func.count()).select_from(version)) == 1
    for wrong, words in (
        ({"api": "nope"}, "There is no such API"), ({"api": "a b"}, "Name an API"),
        ({"text": ""}, "Paste a text"), ({"text": "asyncapi: 3.0.0"}, "One is OpenAPI"),
        ({"text": "openapi: 3.0.0\n x: ["}, "line 2"),
        ({"text": "", "version": "77"}, "no such version"),
        ({"text": "asyncapi: 3.0.0", "order": "older"}, "One is AsyncAPI"),
    ):  # fmt: skip
        sent = {**given, **wrong}
        for headers in ({}, {"HX-Request": "true"}):
            rejected = portal.client.post("/apis/compare", data=sent, headers=headers)
            assert rejected.status_code == 422, wrong
            assert words in rejected.text
            assert "They were not compared." in rejected.text
            assert f"{sent['text']}</textarea>" in html.unescape(rejected.text)
            assert f'name="api" list="known-apis" value="{sent["api"]}"' in rejected.text
            assert ('value="older" checked' in rejected.text) is ("order" in wrong)
    put(portal, draft, "other")
    other = {**given, "text": "", "other": "other"}
    assert "The operation was removed." in portal.client.post("/apis/compare", data=other).text
    assert portal.client.post("/apis/compare", data={"api": "x"}).status_code == 403


class Target(BaseHTTPRequestHandler):
    """Answers with what it was asked, or leads away."""

    seen: list[tuple[str, str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(302 if "away" in self.path else 200)
        self.send_header("location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(b"<b>answer</b>")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def target() -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Target)
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class TestTryingOut:
    @pytest.fixture
    def portal_settings(self, target: Any) -> Mapping[str, Any]:
        host = f"127.0.0.1:{target.server_port}"
        return {
            "http": {"allow_hosts": ["127.0.0.1"]},
            "plugins": {"settings": {"apis": {"try_out": [host]}}},
        }

    def send(self, portal: "PortalUnderTest", target: Any, **changed: str) -> Response:
        server = f"http://127.0.0.1:{target.server_port}"
        given = document(servers=[{"url": server}, {"url": "http://127.0.0.1:1"}])
        put(portal, json.dumps(given))
        path = "/apis/try?api=api:default/orders&operation=getOrder"
        shown = page(portal, path)
        assert "127.0.0.1:1<" not in shown, "only hosts that are listed are offered"
        assert "/apis/try?api=" in page(portal, f"{BASE}/operation/getOrder")
        data = {
            **form(portal, path), "api": "api:default/orders", "operation": "getOrder",
            "server": server, "p-0": "7/../<x>", "headers": "X-Mine: yes", **changed,
        }  # fmt: skip
        return portal.client.post("/apis/try", data=data)

    def test_it_is_sent_as_typed_and_nothing_else(
        self, portal: "PortalUnderTest", target: Any
    ) -> None:
        shown = self.send(portal, target)
        assert shown.status_code == 200
        assert "&lt;b&gt;answer&lt;/b&gt;" in shown.text
        ((method, path, headers, body),) = target.seen
        assert (method, path, body) == ("GET", "/orders/7%2F..%2F%3Cx%3E", b"")
        named = {name.lower(): value for name, value in headers.items()}
        assert named["x-mine"] == "yes"
        assert not {"cookie", "referer", "x-csrf-token"} & set(named)
        with portal.host("apis").read() as connection:
            kept = connection.execute(
                select(audit_entry).where(audit_entry.c.action == "apis.request.send")
            ).one()
        assert "/orders/{id}" in str(kept)
        assert "X-Mine" not in str(kept)

    def test_redirects_are_shown_not_followed(self, portal: "PortalUnderTest", target: Any) -> None:
        assert ">302</code>" in self.send(portal, target, **{"p-0": "away"}).text
        assert len(target.seen) == 1

    @pytest.mark.parametrize("changed", [
        {"server": "http://127.0.0.1:1"}, {"server": "http://evil.example"}, {"p-0": ""},
        {"p-0": ".."},
        {"headers": "Host: evil"}, {"headers": "bad name: x"}, {"headers": "A: b\x00"},
    ])  # fmt: skip
    def test_what_is_not_allowed_is_not_sent(
        self, portal: "PortalUnderTest", target: Any, changed: dict[str, str]
    ) -> None:
        rejected = self.send(portal, target, **changed)
        assert rejected.status_code == 422
        assert "Nothing was sent." in rejected.text
        typed = {"p-0": "7/../<x>", "headers": "X-Mine: yes", **changed}
        assert f'name="p-0" value="{html.escape(typed["p-0"])}"' in rejected.text
        assert html.escape(typed["headers"]) in rejected.text
        assert target.seen == []


def test_there_is_no_form_where_nothing_is_allowed(portal: "PortalUnderTest") -> None:
    put(portal, json.dumps(document(servers=[{"url": "https://api.example.com"}])))
    page(portal, "/apis/try?api=api:default/orders&operation=getOrder", 404)


class TestPrivateHosts:
    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {"plugins": {"settings": {"apis": {"try_out": ["127.0.0.1:9"]}}}}

    def test_a_private_host_needs_to_be_listed_twice(self, portal: "PortalUnderTest") -> None:
        assert socket.inet_aton("127.0.0.1")
        put(portal, json.dumps(document(servers=[{"url": "http://127.0.0.1:9"}])))
        token = form(portal, "/apis/try?api=api:default/orders&operation=getOrder")
        data = {**token, "api": "api:default/orders", "operation": "getOrder",
                "server": "http://127.0.0.1:9", "p-0": "1"}  # fmt: skip
        rejected = portal.client.post("/apis/try", data=data)
        assert rejected.status_code == 422
        assert "There is no answer." in rejected.text
        assert "private or loopback" in rejected.text
