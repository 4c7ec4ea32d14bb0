"""The page about oneself: who one is, stars, what was opened, preferences."""

import re

import pytest
from starlette.testclient import TestClient

from callboard_web.formats import initials
from callboard_web.testing import PortalUnderTest

ORDER = "/catalog/default/component/order-service"


CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: li.wei}
spec: {profile: {displayName: 李伟 Li Wei}, memberOf: [trade-core]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: trade-core, title: Trade Core}
spec: {type: team, parent: centre, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: centre, title: Centre}
spec: {type: department, parent: trade-core, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: order-service}
spec: {type: service, lifecycle: production, owner: trade-core}
"""


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def client(portal: PortalUnderTest) -> TestClient:
    """Give a visitor of a portal with one person, whose groups are in a circle."""
    portal.catalog_add(CATALOG)
    return portal.client


def token_of(client: TestClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert found
    return found[1]


def send(client: TestClient, address: str, /, **fields: str) -> int:
    data = {"csrf_token": token_of(client), **fields}
    return client.post(address, data=data, follow_redirects=False).status_code


def test_one_says_who_one_is_and_takes_it_back(client: TestClient) -> None:
    assert "This is me" in client.get("/me").text
    assert send(client, "/me/who", ref="user:default/li.wei") == 303
    page = client.get("/me").text
    assert "This is not me" in page
    assert "Trade Core" in page
    assert "Centre" in page
    assert "You are in 2 teams" in page
    assert 'aria-label="You: ' in client.get("/catalog").text
    assert send(client, "/me/who") == 303
    assert "This is me" in client.get("/me").text


def test_one_can_only_be_a_person_of_the_catalog(client: TestClient) -> None:
    assert send(client, "/me/who", ref="user:default/nobody") == 400
    assert send(client, "/me/who", ref="group:default/trade-core") == 400
    assert send(client, "/me/who", ref=":::") == 400
    assert client.post("/me/who", data={"ref": "user:default/li.wei"}).status_code == 403


def test_people_are_found_by_name(client: TestClient) -> None:
    assert "li.wei" in client.get("/me?who=li").text
    assert "Nobody is called that." in client.get("/me?who=zzzz").text


def test_what_was_opened_is_listed_until_it_is_cleared(client: TestClient) -> None:
    fields = {"path": ORDER, "title": "<b>Order</b>", "ref": "component:default/order-service"}
    assert send(client, "/me/visits", **fields) == 204
    assert send(client, "/me/visits", path="/docs/", title="Docs", ref="not a ref: ::") == 204
    assert send(client, "/me/visits", path="https://elsewhere.example/", title="Foreign") == 204
    assert send(client, "/me/visits", path="//elsewhere.example/", title="Foreign") == 204
    page = client.get("/me").text
    assert "&lt;b&gt;Order&lt;/b&gt;" in page
    assert 'href="/docs/"' in page
    assert "Foreign" not in page
    assert send(client, "/me/visits/clear") == 303
    assert "Order&lt;" not in client.get("/me").text


def test_stars_are_listed_and_taken_away(client: TestClient) -> None:
    assert send(client, "/me/stars", ref="component:default/order-service", on="1") == 303
    assert "Take away the star of" in client.get("/me").text
    assert send(client, "/me/stars", ref="component:default/order-service", on="0") == 303
    assert "Take away the star of" not in client.get("/me").text


def test_a_time_zone_outranks_the_browsers(client: TestClient) -> None:
    client.cookies.set("callboard_zone", "Europe/Berlin")
    assert send(client, "/me/zone", zone="Asia/Shanghai") == 303
    assert "Times are shown in Asia/Shanghai" in client.get("/me").text
    assert send(client, "/me/zone", zone="") == 303
    assert "Times are shown in Europe/Berlin" in client.get("/me").text


def test_what_is_no_time_zone_stays_in_the_field(client: TestClient) -> None:
    data = {"csrf_token": token_of(client), "zone": "Mars/<Phobos>"}
    answer = client.post("/me/zone", data=data)
    assert answer.status_code == 422
    assert 'value="Mars/&lt;Phobos&gt;"' in answer.text
    assert "Asia/Shanghai" in answer.text


def test_what_stands_in_the_disc_of_a_person() -> None:
    assert initials("周浩 Zhou Hao") == "浩"
    assert initials("欧阳娜娜") == "娜娜"
    assert initials("Li Wei") == "LW"
    assert initials("") == "?"
