"""The pages of the audit log: what they show, what they find, what they send."""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from callboard.audit import entries, record
from callboard.audit.seal import seal_all
from callboard.audit.verification import verify_and_record
from callboard.identity import Principal
from callboard.testing import Clock
from callboard_web.preferences import CHOSEN_ZONE_COOKIE
from callboard_web.testing import PortalUnderTest

LI = Principal(kind="person", name="user:default/li")
WANG = Principal(kind="person", name="user:default/wang")
ROBOT = Principal(kind="token", name="7")

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: li}
spec: {profile: {displayName: Li Wei}, memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders, title: Order service}
spec: {type: service, lifecycle: production, owner: user:li}
"""
HOSTILE = '=cmd|"/c calc"!A1<script>alert(1)</script>'


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def shop(portal: PortalUnderTest, clock: Clock) -> PortalUnderTest:
    """Give a portal in which some things happened."""
    portal.catalog_add(CATALOG)
    given: list[dict[str, Any]] = [
        {"action": "portal.announcement.write", "subject": "1", "actor": LI,
         "before": {"text": "old", "level": "info"}, "after": {"text": "new", "level": "info"}},
        {"action": "catalog.entity.refresh", "subject": "component:default/orders", "actor": WANG,
         "result": "denied", "address": "192.0.2.77"},
        {"action": "portal.session.start", "subject": "user:default/li", "actor": ROBOT,
         "on_behalf_of": LI, "request_id": "0123456789abcdef"},
        {"action": "portal.session.failed", "subject": HOSTILE, "actor": WANG, "result": "failed",
         "after": {"-1+1": HOSTILE}},
    ]  # fmt: skip
    for values in given:
        clock.advance(3600)
        with portal.runtime.database.write() as connection:
            record(connection, values.pop("action"), values.pop("subject"), at=clock(), **values)
    seal_all(portal.runtime.database)
    return portal


def rows(portal: PortalUnderTest, **query: str) -> list[str]:
    """Give the actions that the page lists."""
    answer = portal.client.get("/audit", params=query)
    assert answer.status_code == 200, answer.text
    body = answer.text.partition("<tbody>")[2]
    return re.findall(r'<small class="two mono">([a-z_]+\.[a-z_.]+)</small></th>', body)


def test_an_entry_is_told_in_words(shop: PortalUnderTest) -> None:
    page = shop.client.get("/audit").text
    assert "Announce something to everyone" in page  # the title of the permission
    assert 'href="/catalog/default/user/li">Li Wei</a>' in page
    assert 'href="/catalog/default/component/orders">Order service</a>' in page
    assert "<del>old</del> → <ins>new</ins>" in page
    assert "level" not in page.partition("<tbody>")[2].partition("portal.announcement")[2][:600]
    assert "Refused" in page
    assert "token" in page
    assert "for Li Wei" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": "person:user:default/li"}, ["portal.announcement.write"]),
        ({"actor": "person:*"}, ["portal.session.failed", "catalog.entity.refresh",
                                 "portal.announcement.write"]),
        ({"action": "portal.session.*"}, ["portal.session.failed", "portal.session.start"]),
        ({"action": "portal.session.start"}, ["portal.session.start"]),
        ({"subject": "component:default/orders"}, ["catalog.entity.refresh"]),
        ({"result": "denied"}, ["catalog.entity.refresh"]),
        ({"result": "nonsense", "action": "portal.session.start"}, ["portal.session.start"]),
        ({"address": "192.0.2.*"}, ["catalog.entity.refresh"]),
        ({"address": "192.0.2.77"}, ["catalog.entity.refresh"]),
        ({"address": "192.0.2.7"}, []),
        ({"request_id": "0123456789abcdef"}, ["portal.session.start"]),
        ({"text": "ORDERS"}, ["catalog.entity.refresh"]),
        ({"text": "new"}, ["portal.announcement.write"]),
        ({"text": "%"}, []),
        ({"text": "_" * 9}, []),
        ({"since": "2026-03-02T10:30", "action": "portal.*"},
         ["portal.session.failed", "portal.session.start"]),
        ({"until": "2026-03-02 09:30", "action": "portal.*"}, ["portal.announcement.write"]),
        ({"until": "2026-03-02"}, []),
        ({"since": "2026-03-03"}, []),
    ],
)  # fmt: skip
def test_filters(shop: PortalUnderTest, query: Mapping[str, str], found: list[str]) -> None:
    assert rows(shop, **query) == found


def test_a_time_that_is_none_is_told_and_kept(shop: PortalUnderTest) -> None:
    page = shop.client.get("/audit", params={"since": "yesterday", "actor": "person:*"}).text
    assert "Expected a day" in page
    assert 'value="yesterday"' in page


def test_times_are_those_of_the_reader(shop: PortalUnderTest) -> None:
    shop.client.cookies.set(CHOSEN_ZONE_COOKIE, "Asia/Shanghai")
    found = rows(shop, since="2026-03-02T18:30", until="2026-03-02T19:30")
    assert found == ["portal.session.start"]


def test_pages_go_on_where_the_last_one_ended(shop: PortalUnderTest, clock: Clock) -> None:
    with shop.runtime.database.write() as connection:
        for number in range(120):
            # All of one moment: the number decides.
            record(connection, "a.b.c", f"s{number}", actor=LI, at=clock())
    seen: list[str] = []
    path = "/audit?action=a.b.c"
    for _ in range(3):
        page = shop.client.get(path).text
        seen += re.findall(r">s(\d+)<", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert seen == [str(number) for number in range(119, -1, -1)]
    assert path == ""
    assert rows(shop, before="999999999") == []
    assert len(rows(shop, before="nonsense")) == 50


def test_a_search_through_very_many_says_that_there_may_be_more(
    shop: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.audit.reading.SCANNED", 2)
    page = shop.client.get("/audit", params={"text": "announcement"}).text
    assert "There may be more further back" in page
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    page = shop.client.get(following[1].replace("&amp;", "&")).text
    assert "portal.announcement.write" in page


def test_one_entry_has_all_that_is_known(shop: PortalUnderTest) -> None:
    with shop.runtime.database.read() as connection:
        by_action = {entry.action: entry.id for entry in entries(connection)}
    page = shop.client.get(f"/audit/{by_action['portal.announcement.write']}").text
    assert "text: old" in page
    assert "text: new" in page
    assert re.search(r"[0-9a-f]{64}", page)
    page = shop.client.get(f"/audit/{by_action['portal.session.start']}").text
    assert "/audit?request_id=0123456789abcdef" in page
    assert "On behalf of" in page
    assert shop.client.get("/audit/99999").status_code == 404


def test_the_export_as_json_lines(shop: PortalUnderTest) -> None:
    answer = shop.client.get("/audit/export/jsonl", params={"action": "portal.*"})
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-2026')
    given = [orjson.loads(line) for line in answer.text.splitlines()]
    assert [entry["action"] for entry in given] == [
        "portal.session.failed", "portal.session.start", "portal.announcement.write",
    ]  # fmt: skip
    assert given[2]["before"] == {"level": "info", "text": "old"}
    assert given[2]["position"] < given[0]["position"]
    assert given[0]["at"] == "2026-03-02T12:00:00.000000Z"
    with shop.runtime.database.read() as connection:
        [told] = entries(connection, action="audit.entry.export")
    assert told.after == {"format": "jsonl", "action": "portal.*"}
    assert shop.client.get("/audit/export/xlsx").status_code == 404


def test_the_export_as_csv_runs_nothing(shop: PortalUnderTest) -> None:
    answer = shop.client.get("/audit/export/csv")
    assert answer.content.startswith("\ufeff".encode())
    lines = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    hostile = next(line for line in lines if line["action"] == "portal.session.failed")
    assert hostile["subject"] == f"'{HOSTILE}"
    assert not any(
        cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values()
    )


def test_an_export_has_all_however_many(shop: PortalUnderTest, clock: Clock) -> None:
    with shop.runtime.database.write() as connection:
        for number in range(1200):
            record(connection, "a.b.c", f"s{number}", actor=LI, at=clock())
    answer = shop.client.get("/audit/export/jsonl", params={"action": "a.b.c"})
    found = [orjson.loads(line)["subject"] for line in answer.text.splitlines()]
    assert found == [f"s{number}" for number in range(1199, -1, -1)]


def test_the_page_says_what_verification_found(shop: PortalUnderTest, clock: Clock) -> None:
    assert "It has not been verified yet" in shop.client.get("/audit").text
    verify_and_record(shop.runtime.database, clock, lambda fault: None)
    assert "nothing was changed" in shop.client.get("/audit").text
    assert "The audit log is sealed" in shop.client.get("/health").text
    with shop.runtime.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_update")
        connection.exec_driver_sql("UPDATE audit_entry SET actor = 'x' WHERE id = 2")
    verify_and_record(shop.runtime.database, clock, lambda fault: None)
    assert "The audit log was changed by hand" in shop.client.get("/audit").text
    assert "The audit log was changed by hand" in shop.client.get("/health").text


def test_what_waits_too_long_for_its_seal_is_told(shop: PortalUnderTest, clock: Clock) -> None:
    with shop.runtime.database.write() as connection:
        record(connection, "a.b.c", "x", actor=LI, at=clock())
    clock.advance(400)
    assert "waits for its place in the chain" in shop.client.get("/audit").text
    assert "The audit log is not sealed in time" in shop.client.get("/health").text


def test_in_chinese(shop: PortalUnderTest) -> None:
    shop.client.cookies.set("callboard_language", "zh-CN")
    page = shop.client.get("/audit").text
    assert "审计日志" in page
    assert "Audit log" not in page
