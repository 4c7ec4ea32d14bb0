"""The pages of registered locations, on both databases."""

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from api_portal import DATABASES, ApiPortal, open_portal
from location_servers import WebServer, web_server
from starlette.testclient import TestClient

from callboard_catalog.testing import descriptor

given = pytest.fixture(open_portal, scope="module", params=DATABASES, name="given")


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def browser(given: ApiPortal) -> TestClient:
    return given.client()


Send = Callable[..., str]


@pytest.fixture
def send(browser: TestClient, token_of: Callable[[TestClient], str]) -> Send:
    """Give what sends a form of a page and reads the page that follows."""

    def sent(path: str, **fields: str) -> str:
        answer = browser.post(path, data={"csrf_token": token_of(browser), **fields})
        return answer.text

    return sent


def page(browser: TestClient, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200
    return answer.text


def test_from_a_look_to_the_list_and_out_again(
    given: ApiPortal, browser: TestClient, send: Send, web: WebServer
) -> None:
    bad = descriptor("bad", spec={"owner": 7})
    url = web.put("/all.yaml", descriptor("parcels", title="Parcels <b>") + "---\n" + bad)
    shown = send("/register", url=url)
    assert "Parcels &lt;b&gt;" in shown
    assert "Parcels <b>" not in shown
    assert re.search(rf"{re.escape(url)}:[0-9]+", shown)
    assert "spec.owner" in shown
    assert given.api.all("/locations") == []
    listed = send("/register", url=url, register="1")
    assert url in listed
    assert "Not read yet" in listed
    given.portal.run_jobs()
    assert "Has faults" in page(browser, "/locations")
    again = send("/register", url=url)
    assert "registered already" in again
    assert 'name="register"' not in again
    taken = send("/register", url=url, register="1")
    assert 'id="form-errors"' in taken
    web.pages.pop("/all.yaml")
    given.portal.runtime.engine.read("registered")
    assert "Cannot be read" in page(browser, "/locations")
    (action,) = re.findall(r'action="(/locations/[^"]+/remove)"', page(browser, "/locations"))
    asked = send(action)
    assert "leave the catalog" in asked
    done = send(action, confirmed="1")
    assert "Nothing is registered" in done
    given.portal.run_jobs()
    assert browser.get("/catalog/default/component/parcels").status_code == 410


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "ftp://x/y", "http://169.254.169.254/x", "https://a:b@c/d"]
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(send: Send, url: str) -> None:
    shown = send("/register", url=url)
    (field,) = re.findall(r'<input[^>]*id="f-url"[^>]*>', shown)
    assert f'value="{url}"' in unescape(field)
    assert 'aria-invalid="true"' in field


def test_a_file_that_cannot_be_read_is_shown_with_its_reason(send: Send, web: WebServer) -> None:
    shown = send("/register", url=f"{web.url}/none.yaml")
    assert "404" in shown
    assert 'name="register"' in shown


def test_the_pages_lead_to_each_other(browser: TestClient) -> None:
    for path, wanted in {
        "/sources": {"/locations", "/register"},
        "/catalog": {"/register"},
        "/locations": {"/register", "/sources"},
        "/register": {"/locations"},
    }.items():
        links = set(re.findall(r'<a [^>]*href="([^"]+)"', page(browser, path)))
        assert wanted <= links, path
