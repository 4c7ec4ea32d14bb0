"""The problems of what one owns: what is new since one looked, and what was mended."""

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from callboard.testing import Clock
from callboard_catalog.testing import descriptor
from callboard_web.testing import PortalUnderTest, sign_in_as

PAGE, API = "/me/problems", "/api/me/problems"


def component(name: str, owner: str = "payments", **spec: object) -> str:
    return descriptor(name, spec={"owner": owner, **spec})


TEAMS = [
    descriptor("payments", "Group"),
    descriptor("others", "Group"),
    descriptor("ada", "User", spec={"memberOf": ["payments"], "profile": {}}),
    descriptor("ben", "User", spec={"memberOf": ["others"], "profile": {}}),
]


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return []


def write(portal: PortalUnderTest, **files: Sequence[str]) -> None:
    for name, documents in files.items():
        (portal._catalog / f"{name}.yaml").write_text("---\n".join(documents), encoding="utf-8")
    portal.runtime.engine.read("test")


@pytest.fixture
def filled(portal: PortalUnderTest) -> PortalUnderTest:
    write(
        portal,
        teams=TEAMS,
        orders=[component("orders", dependsOn=["component:missing"])],
        foreign=[component("foreign", "others", dependsOn=["component:nowhere"])],
    )
    return portal


def browser(portal: PortalUnderTest, who: str) -> TestClient:
    client = TestClient(portal.client.app, base_url="https://testserver")
    sign_in_as(client, f"user:default/{who}")
    return client


def test_the_first_look_knows_nothing_new(filled: PortalUnderTest) -> None:
    ada = browser(filled, "ada")
    found = ada.get(API).json()
    assert [(item["ref"], item["kind"], item["other"]) for item in found["items"]] == [
        ("component:default/orders", "dangling", "component:default/missing")
    ]
    assert (found["lastLook"], found["new"], found["totalItems"]) == (None, 0, 1)
    page = ada.get(PAGE).text
    assert "component:default/missing" in page
    assert "nowhere" not in page


def test_new_and_mended_since_the_last_look(filled: PortalUnderTest, clock: Clock) -> None:
    ada = browser(filled, "ada")
    ada.get(PAGE)
    clock.advance(timedelta(hours=1))
    torn = component("torn").replace('"owner"', '"owners"')
    write(filled, store=[component("store")], torn=[torn])
    write(
        filled,
        orders=[component("orders", dependsOn=["component:store", "component:gone"])],
        claim=[component("store")],
        foreign=[component("foreign", "others", dependsOn=["component:other"])],
    )
    found = ada.get(API).json()
    kinds = {(item["kind"], item["new"]) for item in found["items"]}
    assert {("conflict", True), ("dangling", True)} <= kinds
    assert [(item["ref"], item["target"]) for item in found["mended"]] == [
        ("component:default/orders", "component:default/missing")
    ]
    assert "Mended since you looked" in ada.get(PAGE).text
    # The same look: what was new stays new, however often the page is opened.
    clock.advance(timedelta(minutes=10))
    again = ada.get(API).json()
    assert (again["new"], again["mended"]) == (found["new"], found["mended"])
    assert found["new"] > 0
    clock.advance(timedelta(hours=1))
    assert ada.get(API).json()["new"] == 0
    ada.get(PAGE)
    later = ada.get(API).json()
    assert (later["new"], later["mended"]) == (0, [])


def test_a_mended_document_and_a_conflict_that_ended(filled: PortalUnderTest, clock: Clock) -> None:
    good = component("orders", dependsOn=["component:missing"])
    bad = good.replace('"type":"service"', '"type":""')
    assert bad != good
    write(filled, orders=[bad], store=[component("store")])
    write(filled, claim=[component("store")])
    ada = browser(filled, "ada")
    first = {item["kind"] for item in ada.get(API).json()["items"]}
    assert {"rejected", "conflict"} <= first
    ada.get(PAGE)
    clock.advance(timedelta(hours=1))
    write(filled, orders=[good], claim=[component("other")])
    found = ada.get(API).json()
    assert {item["kind"] for item in found["mended"]} == {"rejected", "conflict"}
    assert {item["path"] for item in found["mended"]} == {"orders.yaml", "claim.yaml"}
    # What is wrong again is not mended.
    clock.advance(timedelta(minutes=1))
    write(filled, orders=[bad], claim=[component("store")])
    assert ada.get(API).json()["mended"] == []


def test_each_sees_their_own(filled: PortalUnderTest) -> None:
    ben = browser(filled, "ben").get(API).json()
    assert {item["ref"] for item in ben["items"]} == {"component:default/foreign"}
    assert filled.client.get(API).json()["totalItems"] == 0
    assert "does not know what is yours" in filled.client.get(PAGE).text
    assert browser(filled, "ada").get(f"{API}?limit=0").status_code == 400
    assert browser(filled, "ada").get(f"{API}?what=0").status_code == 400


def test_many_are_paged_by_entity(filled: PortalUnderTest) -> None:
    write(filled, many=[component(f"c{n:03}", dependsOn=["component:no"]) for n in range(40)])
    ada = browser(filled, "ada")
    headings = [len(re.findall(r'id="group-', ada.get(f"{PAGE}?from={n}").text)) for n in (0, 30)]
    assert headings == [30, 11]
    found = ada.get(f"{API}?limit=5&offset=39").json()
    assert (found["totalItems"], len(found["items"])) == (41, 2)
