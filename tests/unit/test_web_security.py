"""Headers on every response, protection of unsafe requests, static files."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from callboard_web.assets import Assets
from callboard_web.middleware import POLICY

TokenOf = Callable[[TestClient], str]


@pytest.mark.parametrize(
    "path",
    ["/", "/nope", "/api/catalog/sources", "/api/nope", "/healthz", "/metrics", "/static/nope.css",
     "/sample/", "/favicon.ico"],
)  # fmt: skip
def test_headers_are_on_every_response(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert re.fullmatch(r"[0-9a-f]{16}", headers["x-request-id"])
    assert "cache-control" in headers


def test_policy_allows_this_origin_only() -> None:
    assert POLICY.startswith("default-src 'none'")
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "*" not in POLICY


def test_headers_are_on_refused_requests(client: TestClient) -> None:
    response = client.post("/preferences", data={"theme": "dark"})
    assert response.status_code == 403
    assert response.headers["content-security-policy"] == POLICY


def test_unsafe_request_needs_a_token(client: TestClient, token_of: TokenOf) -> None:
    token = token_of(client)
    assert client.post("/preferences", data={"theme": "dark"}).status_code == 403
    form = {"theme": "dark", "csrf_token": token}
    assert client.post("/preferences", data=form, follow_redirects=False).status_code == 303
    forged = {"theme": "dark", "csrf_token": token[:-1] + "!"}
    assert client.post("/preferences", data=forged).status_code == 403


def test_token_of_another_browser_is_refused(client: TestClient, token_of: TokenOf) -> None:
    other = TestClient(client.app)
    form = {"theme": "dark", "csrf_token": token_of(other)}
    token_of(client)
    assert client.post("/preferences", data=form).status_code == 403
    client.cookies.clear()
    assert client.post("/preferences", data=form).status_code == 403


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://testserver.evil.example", 403),
        ("referer", "http://evil.example/testserver", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("origin", "http://testserver", 303),
        ("referer", "http://testserver/catalog", 303),
    ],
)
def test_unsafe_request_must_come_from_this_origin(
    client: TestClient, token_of: TokenOf, name: str, value: str, status: int
) -> None:
    form = {"theme": "dark", "csrf_token": token_of(client)}
    response = client.post("/preferences", data=form, headers={name: value}, follow_redirects=False)
    assert response.status_code == status


def test_plugin_routes_are_protected_and_take_the_header(
    client: TestClient, token_of: TokenOf
) -> None:
    assert client.get("/api/plugins/sample/count?step=3").json() == {"count": 3}
    refused = client.post("/api/plugins/sample/change")
    assert refused.status_code == 403
    assert refused.json()["error"]["name"] == "NotAllowedError"
    headers = {"x-csrf-token": token_of(client)}
    assert client.post("/api/plugins/sample/change", headers=headers).json() == {"changed": True}


def test_a_form_has_its_limit(client: TestClient) -> None:
    form = {"theme": "x" * (1024 * 1024)}
    assert client.post("/preferences", data=form).status_code == 413


def test_tokens_differ_from_page_to_page(client: TestClient, token_of: TokenOf) -> None:
    assert token_of(client) != token_of(client)


def test_cookie_cannot_be_read_by_scripts(client: TestClient) -> None:
    cookie = client.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_static_files_are_kept_for_ever(client: TestClient) -> None:
    page = client.get("/").text
    paths = re.findall(r'(?:href|src)="(/static/[^"#]+)"', page)
    assert len(set(paths)) >= 4  # style, script, icons, favicon
    for path in set(paths):
        response = client.get(path)
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]
        again = client.get(path, headers={"if-none-match": response.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_static_files_do_not_lead_out(client: TestClient) -> None:
    for path in ("../settings.py", "..%2fsettings.py", "vendor/README.md", "callboard.css"):
        assert client.get(f"/static/{path}").status_code == 404


def test_nothing_comes_from_another_host() -> None:
    for asset in (Assets().named(name) for name in ("callboard.css", "portal.css", "icons.svg")):
        assert asset is not None
        text = asset.content.decode()
        assert re.findall(r"(?:url\(|@import|href=)\s*[\"']?(?:https?:)?//", text) == []
