"""Over https every cookie has the prefix `__Host-`, and one without it is not believed."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from callboard_web.app import create_app
from callboard_web.testing import PortalUnderTest

TokenOf = Callable[[TestClient], str]


@pytest.fixture
def secure(portal: PortalUnderTest) -> TestClient:
    return TestClient(create_app(portal.runtime), base_url="https://portal.example")


def test_every_cookie_of_ours_is_bound_to_the_host(secure: TestClient, token_of: TokenOf) -> None:
    form = {"theme": "dark", "csrf_token": token_of(secure)}
    answer = secure.post("/preferences", data=form, follow_redirects=False)
    assert answer.status_code == 303
    set_by_us = [
        *answer.headers.get_list("set-cookie"),
        *secure.get("/me").headers.get_list("set-cookie"),
    ]
    assert set_by_us
    for cookie in set_by_us:
        assert cookie.startswith("__Host-callboard")
        assert "; Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
        assert "HttpOnly" in cookie
    assert all(name.startswith("__Host-") for name in secure.cookies)


def test_a_planted_cookie_is_none(secure: TestClient, portal: PortalUnderTest) -> None:
    planted = {"cookie": "callboard_theme=dark; __Host-callboard_language=zh-CN"}
    page = secure.get("/me", headers=planted).text
    assert 'data-theme="dark"' not in page
    assert 'lang="zh-CN"' in page


def test_cookies_of_others_and_of_the_script_pass(secure: TestClient) -> None:
    page = secure.get("/me", headers={"cookie": "other=1; callboard_zone=Asia/Tokyo; broken; =;"})
    assert page.status_code == 200
    assert "Asia/Tokyo" in page.text


def test_https_is_for_a_year(secure: TestClient, portal: PortalUnderTest) -> None:
    header = secure.get("/me").headers["strict-transport-security"]
    assert header == "max-age=31536000; includeSubDomains"
    assert "strict-transport-security" not in portal.client.get("/me").headers
