"""Cursors: opaque, signed, good for their own list, and asked anew for who asks."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from api_portal import DATABASES, PEOPLE, ApiPortal, Described, api_portal_at, csrf

BY_QUERY = "/entities/by-query"
SETTINGS = {
    "access": {
        "anonymous": "",
        "administrators": ["user:default/root"],
        "bindings": [
            {"role": "viewer", "to": ["user:default/vera"]},
            {
                "role": "administrator", "effect": "deny", "on": {"tag": ["java"]},
                "to": ["user:default/vera"],
            },
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=DATABASES)
def given(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiPortal]:
    with api_portal_at(request, tmp_path_factory.mktemp("api"), SETTINGS) as made:
        made.portal.catalog_add(PEOPLE)
        yield made


@pytest.fixture(scope="module")
def root(given: ApiPortal) -> Described:
    return Described(given.client("root"))


@pytest.fixture(scope="module")
def vera(given: ApiPortal) -> Described:
    return Described(given.client("vera"))


def page(api: Described, **asked: Any) -> Any:
    return api.all(BY_QUERY, params=asked)


def walked(api: Described, **asked: Any) -> list[str]:
    """Walk forward through every page, then back, and give the names in the order of the list."""
    found = page(api, **asked)
    names, pages = [], [found]
    while True:
        names += [item["metadata"]["name"] for item in found["items"]]
        cursor = found["pageInfo"].get("nextCursor")
        if not cursor:
            break
        found = page(api, cursor=cursor, limit=asked["limit"])
        pages.append(found)
    assert {item["totalItems"] for item in pages} == {len(names)}
    for before in reversed(pages[:-1]):
        cursor = found["pageInfo"]["prevCursor"]
        found = page(api, cursor=cursor, limit=asked["limit"])
        assert found["items"] == before["items"]
    assert "prevCursor" not in found["pageInfo"]
    return names


@pytest.mark.parametrize("order", ["", "metadata.name", "metadata.name,desc", "metadata.title,asc",
                                   "spec.type,desc", "kind"])  # fmt: skip
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_follow_each_other_both_ways(root: Described, order: str, limit: int) -> None:
    asked = {"orderField": order} if order else {}
    names = walked(root, limit=limit, **asked)
    assert names == walked(root, limit=100, **asked)
    if order.startswith("metadata.name"):
        ordered = sorted(names, key=str.lower, reverse=order.endswith("desc"))
        assert names == ordered


def test_a_cursor_says_nothing_and_is_bound_to_its_key_and_list(root: Described) -> None:
    cursor = page(root, limit=2, filter="kind=component")["pageInfo"]["nextCursor"]
    with pytest.raises(ValueError):  # noqa: PT011 - however it is no JSON
        json.loads(base64.b64decode(cursor + "=="))
    link = root.get("/entities?limit=2").headers["link"]
    after = link.partition("after=")[2].partition(">")[0]
    middle = len(cursor) // 2
    swapped = "A" if cursor[middle] != "A" else "B"
    forged = base64.b64encode(b'{"orderFields":[],"isPrevious":false}').decode()
    for bad in (
        cursor[:-1], cursor[1:], cursor + "x", cursor[:middle] + swapped + cursor[middle + 1 :],
        after, forged, "x", ".", "x" * 100_000, "💥",
    ):  # fmt: skip
        for answer in (
            root.get(BY_QUERY, params={"cursor": bad}) if len(bad) < 9999 else None,
            root.post(BY_QUERY, {"cursor": bad}, headers=csrf(root)),
            root.get("/entities", params={"after": bad})
            if bad != after and len(bad) < 9999
            else None,
        ):
            if answer is not None:
                assert answer.status_code == 400
                assert answer.json()["error"]["message"].startswith("Malformed cursor")


def test_what_else_is_asked_beside_a_cursor_is_not_looked_at(root: Described) -> None:
    cursor = page(root, limit=1, filter="kind=component")["pageInfo"]["nextCursor"]
    plain = page(root, limit=5, cursor=cursor)
    other = {"filter": "kind=user", "orderField": "kind", "fullTextFilterTerm": "x", "offset": 3}
    assert page(root, limit=5, cursor=cursor, **other) == plain


def test_a_link_goes_on_with_its_own_query_only(root: Described) -> None:
    first = root.get("/entities?limit=2&filter=kind=component")
    after = first.headers["link"].partition("after=")[2].partition(">")[0]
    good = root.names(f"/entities?after={after}&filter=kind=component&limit=1000&offset=7")
    assert len(good) == 1  # the limit is that of the first page
    bad = root.get(f"/entities?after={after}&filter=kind=user")
    assert bad.status_code == 400
    assert "another filter or order" in bad.json()["error"]["message"]


def test_totals_are_counted_where_they_are_asked_for(root: Described) -> None:
    first = page(root, limit=2, totalItems="exclude")
    assert first["totalItems"] == 0
    assert page(root, limit=2, cursor=first["pageInfo"]["nextCursor"])["totalItems"] == 0
    empty = page(root, fullTextFilterTerm="svc")
    assert empty["totalItems"] == 0
    assert empty["items"] == []


def test_a_cursor_of_somebody_else_shows_no_more_than_one_may_see(
    root: Described, vera: Described
) -> None:
    first = page(root, limit=1, filter="kind=component", orderField="metadata.title")
    assert first["totalItems"] == 2
    mine = page(vera, cursor=first["pageInfo"]["nextCursor"], limit=5)
    assert [item["metadata"]["name"] for item in mine["items"]] == ["web-app"]
    assert mine["totalItems"] == 1
    back = page(vera, cursor=mine["pageInfo"]["prevCursor"], limit=5)
    assert back["items"] == []


def test_a_query_too_long_to_go_on_from_is_refused_in_words(root: Described) -> None:
    import random

    random.seed(7)
    values = [random.randbytes(24).hex() for _ in range(5_000)]
    query = {"$not": {"metadata.name": {"$in": values}}}
    whole = root.post(BY_QUERY, {"query": query, "limit": 100}, headers=csrf(root))
    assert len(whole.json()["items"]) == 10
    part = root.post(BY_QUERY, {"query": query, "limit": 1}, headers=csrf(root))
    assert part.status_code == 400
    assert "would not fit into an address" in part.json()["error"]["message"]
