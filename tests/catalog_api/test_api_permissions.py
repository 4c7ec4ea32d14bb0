"""Who asks the API: nobody, somebody who may see nothing, and those who may see a part."""

from collections.abc import Iterator
from typing import Any

import pytest
from api_portal import DATABASES, PEOPLE, ApiPortal, Described, api_portal_at, csrf

from callboard.audit import entries

SETTINGS = {
    "access": {
        "anonymous": "",
        "defaults": False,
        "administrators": ["user:default/root"],
        "bindings": [
            {"role": "viewer", "to": ["user:default/vera"]},
            {"role": "viewer", "effect": "deny", "on": {"kind": ["component"]},
             "to": ["user:default/vera"]},
        ],
    },
}  # fmt: skip
LISTS: tuple[tuple[str, Any], ...] = (
    ("/entities", []),
    ("/entities?limit=5", []),
    ("/entities/by-query", {"items": [], "totalItems": 0, "pageInfo": {}}),
    ("/entity-facets?facet=kind", {"facets": {"kind": []}}),
)
BODIES: tuple[tuple[str, Any, Any], ...] = (
    ("/entities/by-query", {}, {"items": [], "totalItems": 0, "pageInfo": {}}),
    ("/entities/by-refs", {"entityRefs": ["component:default/svc-one"]}, {"items": [None]}),
    ("/entity-facets", {"facets": ["kind"]}, {"facets": {"kind": []}}),
)
ONE = "/entities/by-name/component/default/svc-one"


@pytest.fixture(scope="module", params=DATABASES)
def given(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiPortal]:
    with api_portal_at(request, tmp_path_factory.mktemp("api"), SETTINGS) as made:
        made.portal.catalog_add(PEOPLE)
        yield made


def named(answer: Any, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["name"] == name
    assert answer.headers["content-type"].startswith("application/json")


def test_nobody_is_told_to_say_who_they_are(given: ApiPortal) -> None:
    api = Described(given.client())
    for path, _content in LISTS:
        named(api.get(path), 401, "AuthenticationError")
    for path, body, _content in BODIES:
        named(api.post(path, body), 401, "AuthenticationError")
    named(api.get(ONE), 401, "AuthenticationError")
    named(api.post("/refresh", {"entityRef": "component:default/svc-one"}), 401,
          "AuthenticationError")  # fmt: skip
    assert api.get("/openapi.json").status_code == 200


def test_who_may_see_nothing_is_given_empty_lists(given: ApiPortal) -> None:
    api = Described(given.client("ada"))
    for path, content in LISTS:
        assert api.all(path) == content
    for path, body, content in BODIES:
        assert api.post(path, body, headers=csrf(api)).json() == content
    named(api.get(ONE), 403, "NotAllowedError")


def test_a_part_of_the_catalog_is_all_there_is(given: ApiPortal) -> None:
    api, root = Described(given.client("vera")), Described(given.client("root"))
    assert api.all("/entities/by-query?limit=0")["totalItems"] == 7
    assert api.all("/entities/by-query?limit=0&filter=kind=component")["totalItems"] == 0
    assert not any(item["kind"] == "Component" for item in api.all("/entities"))
    kinds = {item["value"] for item in api.all("/entity-facets?facet=kind")["facets"]["kind"]}
    assert "Component" not in kinds
    named(api.get(ONE), 404, "NotFoundError")
    named(api.get(f"{ONE}/ancestry"), 404, "NotFoundError")
    uid = root.all(ONE)["metadata"]["uid"]
    named(api.get(f"/entities/by-uid/{uid}"), 404, "NotFoundError")
    assert root.all(f"/entities/by-uid/{uid}")["metadata"]["name"] == "Svc-One"
    refs = {"entityRefs": ["component:default/svc-one", "group:default/team-a"]}
    items = api.post("/entities/by-refs", refs, headers=csrf(api)).json()["items"]
    assert [item and item["metadata"]["name"] for item in items] == [None, "team-a"]
    assert all(
        item["type"] != "ownerOf" or not item["targetRef"].startswith("component:")
        for item in items[1]["relations"]
    )


def test_a_refresh_needs_its_permission_and_is_recorded(given: ApiPortal) -> None:
    body = {"entityRef": "group:default/team-a"}
    vera, root = Described(given.client("vera")), Described(given.client("root"))
    named(vera.post("/refresh", body, headers=csrf(vera)), 403, "NotAllowedError")
    assert root.post("/refresh", body, headers=csrf(root)).status_code == 200
    with given.portal.runtime.database.read() as connection:
        entry = entries(connection, action="catalog.entity.refresh")[0]
    assert entry.subject == "group:default/team-a"


def test_a_page_of_another_site_cannot_ask_in_somebodys_name(given: ApiPortal) -> None:
    root = Described(given.client("root"))
    body = {"entityRef": "group:default/team-a"}
    named(root.post("/refresh", body), 403, "NotAllowedError")
    nobody = Described(given.client())
    for header in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"},
                   {"referer": "https://evil.example/"}, {"origin": "null"}):  # fmt: skip
        named(nobody.post("/entities/by-query", {}, headers=header), 403, "NotAllowedError")
