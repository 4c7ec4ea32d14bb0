"""History and the past, by API and on pages."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from callboard.testing import Clock
from callboard_catalog.testing import descriptor
from callboard_web.testing import PortalUnderTest

HISTORY = "/api/catalog/entities/by-name/component/default/it/history"


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return []


@pytest.fixture
def told(portal: PortalUnderTest, clock: Clock) -> tuple[PortalUnderTest, list[str]]:
    """Give a portal with a history, and the times of its states."""
    times = []
    states = [
        [descriptor("it", title="First"), descriptor("stays"), descriptor("team", "Group")],
        [descriptor("it", title="Second", tags=["a"]), descriptor("stays"), descriptor("new")],
        [descriptor("stays"), descriptor("new")],
    ]
    file = portal._catalog / "a.yaml"
    for state in states:
        file.write_text("---\n".join(state), encoding="utf-8")
        _read(portal)
        times.append(clock().isoformat().replace("+00:00", "Z"))
        clock.advance(timedelta(hours=1))
    return portal, times


def _read(portal: PortalUnderTest) -> None:
    for name in portal.runtime.engine.sources:
        portal.runtime.engine.read(name)


def items(portal: PortalUnderTest, address: str) -> list[Any]:
    """Read all pages of a list, one by one."""
    found: list[Any] = []
    cursor = ""
    while True:
        more = f"&cursor={quote(cursor)}" if cursor else ""
        answer = portal.client.get(f"{address}{'&' if '?' in address else '?'}limit=1{more}")
        assert answer.status_code == 200, answer.text
        content = answer.json()
        found += content["items"]
        cursor = content["pageInfo"].get("nextCursor", "")
        if not cursor:
            return found


def test_the_history_of_an_entity(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told
    removed, updated = items(portal, HISTORY)
    assert (removed["action"], updated["action"]) == ("removed", "updated")
    assert (updated["at"], removed["at"]) == (times[1], times[2])
    assert updated["changed"] == ["metadata.tags", "metadata.title"]
    patch = items(portal, f"{HISTORY}?form=patch")[1]["patch"]
    assert {"op": "replace", "path": "/metadata/title", "value": "Second"} in patch
    documents = items(portal, f"{HISTORY}?form=documents")[1]
    assert documents["before"]["metadata"]["title"] == "First"
    assert documents["after"]["metadata"]["title"] == "Second"
    gone = portal.client.get(HISTORY.replace("/it/", "/nothing/"))
    assert gone.status_code == 404
    assert gone.json()["error"]["name"] == "NotFoundError"


def test_all_changes(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told
    whole = items(portal, "/api/catalog/history")
    assert [(item["entityRef"], item["action"]) for item in whole] == [
        ("component:default/it", "removed"),
        *sorted([("component:default/it", "updated"), ("group:default/team", "removed")],
                key=lambda pair: pair[1], reverse=whole[1]["action"] == "updated"),
    ]  # fmt: skip
    assert items(portal, "/api/catalog/history?kind=Group")[0]["entityRef"] == "group:default/team"
    assert len(items(portal, f"/api/catalog/history?since={times[2]}")) == 1
    assert len(items(portal, f"/api/catalog/history?until={times[2]}&action=updated")) == 1


def test_a_past_state(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told

    def names(at: str, more: str = "") -> list[str]:
        found = items(portal, f"/api/catalog/at/{at}/entities?{more}")
        return [item["metadata"]["name"] for item in found]

    assert names(times[0]) == ["it", "stays", "team"]
    assert names(times[1]) == ["it", "new", "stays"]
    assert names(times[2]) == ["new", "stays"]
    assert names(times[0], "kind=group") == ["team"]
    assert names(times[0], "owner=team") == ["it", "stays"]
    assert names("2020-01-01") == []
    page = portal.client.get(f"/api/catalog/at/{times[0]}/entities").json()
    assert (page["totalItems"], page["exact"], page["exactFrom"]) == (3, True, None)
    address = f"/api/catalog/at/{times[0]}/entities/by-name/Component/Default/IT"
    one = portal.client.get(address).json()
    assert one["since"] == "gone"
    assert one["entity"]["metadata"]["title"] == "First"
    assert one["entity"]["relations"] == [{"type": "ownedBy", "targetRef": "group:default/team"}]
    assert portal.client.get(address.replace(times[0], times[2])).status_code == 404


def test_what_is_different_now(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told
    address = f"/api/catalog/at/{times[0]}/differences"
    counts = portal.client.get(address).json()["counts"]
    assert counts == {"came": 1, "changed": 0, "left": 2}
    assert [item["entityRef"] for item in items(portal, f"{address}?difference=left")] == [
        "component:default/it", "group:default/team",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "address",
    [
        "/api/catalog/at/yesterday/entities",
        "/api/catalog/at/2999-01-01/entities",
        f"/api/catalog/at/{'9' * 200}/entities",
        "/api/catalog/at/2020-01-01/entities?owner=a/b/c",
        "/api/catalog/at/2020-01-01/entities?cursor=bad",
        "/api/catalog/at/2020-01-01/entities?colour=red",
        "/api/catalog/at/2020-01-01/differences?difference=none",
        "/api/catalog/history?since=soon",
        "/api/catalog/history?limit=0",
        f"{HISTORY}?form=none",
    ],
)
def test_bad_questions_are_refused(portal: PortalUnderTest, address: str) -> None:
    answer = portal.client.get(address)
    assert answer.status_code == 400
    assert answer.json()["error"]["name"] == "InputError"


def test_a_cursor_belongs_to_its_question(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told
    address = f"/api/catalog/at/{times[0]}/entities?limit=1"
    cursor = portal.client.get(address).json()["pageInfo"]["nextCursor"]
    other = portal.client.get(f"{address}&kind=group&cursor={quote(cursor)}")
    assert other.status_code == 400


def test_the_pages(told: tuple[PortalUnderTest, list[str]]) -> None:
    portal, times = told
    client = portal.client
    assert client.get("/catalog/past").status_code == 200
    listed = client.get(f"/catalog/past?at={times[0]}").text
    assert "First" in listed
    assert "Gone since" in listed
    left = client.get(f"/catalog/past?at={times[0]}&show=left").text
    assert "/catalog/past/entity?at=" in left
    assert client.get(f"/catalog/past?at={times[0]}&show=came").status_code == 200
    entity = client.get(f"/catalog/past/entity?at={times[0]}&ref=component:default/it").text
    assert "title: First" in entity
    assert "Relations that others declared" in entity
    changed = client.get(f"/catalog/past/entity?at={times[0]}&ref=component:default/stays")
    assert "Nothing differs." in changed.text
    bad = client.get("/catalog/past?at=soon")
    assert bad.status_code == 400
    assert "Expected a day" in bad.text
    assert 'value="soon"' in bad.text
    assert client.get("/catalog/past?at=2999-01-01").status_code == 400
    assert client.get("/catalog/past/entity?at=soon&ref=a:b").status_code == 400
    assert client.get(f"/catalog/past/entity?at={times[0]}&ref=a:b").status_code == 404


def test_a_change_of_what_is_gone_has_a_page_of_its_own(
    told: tuple[PortalUnderTest, list[str]],
) -> None:
    portal, _ = told
    updated = items(portal, HISTORY)[1]["id"]
    address = f"/catalog/default/component/it/history/{updated}"
    unified = portal.client.get(address)
    assert unified.status_code == 410
    assert "Side by side" in unified.text
    split = portal.client.get(f"{address}?view=split").text
    assert 'class="diff sides' in split
