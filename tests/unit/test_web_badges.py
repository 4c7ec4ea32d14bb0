"""Badges: what they say, how they are kept, and that nothing in them runs."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from callboard_web.badges.picture import GROUNDS, draw, width
from callboard_web.testing import PortalUnderTest

ORDER = "/badges/default/component/order-service.svg"
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    root = ElementTree.fromstring(picture)
    return [str(element.text) for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["订单服务 Order Service", "production, Trade Core"]),
        ("?show=owner", ["owner", "Trade Core"]),
        ("?show=lifecycle", ["lifecycle", "production"]),
        ("?show=problems", ["catalog file", "1 problem"]),
        ("?show=name", ["service", "订单服务 Order Service"]),
        ("?show=owner&language=zh-CN", ["负责人", "Trade Core"]),
        ("?show=owner&language=xx", ["owner", "Trade Core"]),
    ],
)
def test_badge_says(client: TestClient, query: str, expected: list[str]) -> None:
    response = client.get(f"{ORDER}{query}", headers={"accept-language": "zh-CN"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("image/svg+xml")
    assert texts(response.text) == expected


def test_badge_of_what_is_not_there_says_so(client: TestClient) -> None:
    response = client.get("/badges/default/component/nope.svg")
    assert response.status_code == 404
    assert texts(response.text) == ["catalog", "not found"]
    assert client.get(f"{ORDER}?show=secrets").status_code == 400


def test_badge_may_be_shown_elsewhere_and_is_sent_once(client: TestClient) -> None:
    first = client.get(ORDER)
    assert first.headers["cross-origin-resource-policy"] == "cross-origin"
    assert first.headers["cache-control"].startswith("public, max-age=")
    assert "set-cookie" not in first.headers
    again = client.get(ORDER, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content


def test_the_page_gives_lines_that_lead_to_the_pictures(client: TestClient) -> None:
    page = client.get("/catalog/default/component/order-service/badge").text
    assert (
        "[![order-service](http://testserver/badges/default/component/order-service.svg)]" in page
    )
    pictures = re.findall(r'<img src="([^"]+)"', page)
    assert len(pictures) == 5
    for path in pictures:
        assert client.get(path.replace("&amp;", "&")).status_code == 200
    assert client.get("/catalog/default/component/nope/badge").status_code == 404


class TestNotPublic:
    @pytest.fixture
    def portal_plugins(self) -> list[str]:
        return []

    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {"access": {"anonymous": "viewer"}}

    def test_badges_are_for_those_who_may_see_the_entity(self, portal: PortalUnderTest) -> None:
        portal.catalog_add(
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: a}\n"
            "spec: {type: service, lifecycle: production, owner: team}\n"
        )
        badge = portal.client.get("/badges/default/component/a.svg")
        assert badge.status_code == 200
        assert badge.headers["cache-control"] == "private, no-cache"
        assert badge.headers["cross-origin-resource-policy"] == "same-origin"
        assert portal.client.get("/badges/default/component/nope.svg").status_code == 404
        page = portal.client.get("/catalog/default/component/a/badge").text
        assert "portal.public_badges" in page
        assert "<img" not in page


@given(label=st.text(max_size=200), value=st.text(max_size=200))
def test_any_text_gives_a_picture_that_holds_it_and_nothing_else(label: str, value: str) -> None:
    picture = draw(label, value, "ok")
    root = ElementTree.fromstring(picture)
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds == {"svg", "title", "clipPath", "rect", "g", "text"}
    assert all(len(text) <= 40 for text in texts(picture))
    shown = [int(element.attrib["textLength"]) for element in root.iter(f"{SVG}text")]
    assert int(root.attrib["width"]) == sum(shown) + 24


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_longer_text_is_no_narrower(left: str, right: str) -> None:
    assert width(left + right) >= width(left)


def test_widths_are_those_of_the_characters() -> None:
    assert width("iiii") < width("mmmm")
    assert width("支付") == 22
    assert width("") == 1


def test_white_text_is_read_on_every_ground() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
                  for part in parts]  # fmt: skip
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in GROUNDS.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5
