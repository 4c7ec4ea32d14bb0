"""Who looks at what: counted beside requests, told without names, deleted when it is old."""

import csv
import io
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog.service import CatalogService
from callboard_catalog.testing import descriptor
from callboard_web.testing import PortalUnderTest, sign_in_as
from callboard_web.usage import models
from callboard_web.usage.recorder import MACHINE, UNKNOWN, UsageRecorder
from callboard_web.usage.service import Usage, tidy, totals
from callboard_web.usage.settings import UsageSettings
from callboard_web.usage.sums import PERIODS

ORDERS = EntityRef.parse("component:default/orders")
STORE = EntityRef.parse("component:default/store")
ADA, BEN = "person:user:default/ada", "person:user:default/ben"
ON = UsageSettings(enabled=True)


def recorder(database: Database, clock: Clock) -> UsageRecorder:
    return UsageRecorder(database, ON, clock)


def usage(database: Database, clock: Clock) -> Usage:
    return Usage(database, CatalogService(database), ON, clock)


def hashes(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.scalars(select(models.looker.c.hash)))


def test_looks_of_several_processes_add_up(database: Database, clock: Clock) -> None:
    one, other = recorder(database, clock), recorder(database, clock)
    for _ in range(3):
        one.note(ORDERS, ADA)
    one.note(ORDERS, BEN)
    one.note(ORDERS, UNKNOWN)
    one.note(ORDERS, MACHINE)
    other.note(ORDERS, ADA)
    other.asked("/api/catalog/entities/by-name/Component/Default/Orders")
    other.asked("/api/catalog/entities/by-name/component/default/orders/history")
    one.flush()
    other.flush()
    one.flush()
    found = totals(usage(database, clock).of_entity(ORDERS))
    assert found == {"looks": 6, "people": 2, "machines": 2}


def test_nothing_is_kept_where_it_is_off(database: Database, clock: Clock) -> None:
    off = UsageRecorder(database, UsageSettings(), clock)
    off.note(ORDERS, ADA)
    off.asked("/api/catalog/entities/by-name/component/default/orders")
    off.start()
    off.flush()
    with database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(models.usage)) == 0
    assert off.counts == {"people": 0, "machines": 0, "left out": 0}


def test_nobody_can_be_followed_over_days_or_entities(database: Database, clock: Clock) -> None:
    made = recorder(database, clock)
    made.note(ORDERS, ADA)
    made.note(STORE, ADA)
    clock.advance(timedelta(days=1))
    made.note(ORDERS, ADA)
    made.flush()
    assert len(set(hashes(database))) == 3
    with database.read() as connection:
        every = repr(connection.execute(select(models.usage)).all())
        every += repr(connection.execute(select(models.looker)).all())
    for digest in hashes(database):
        every = every.replace(digest, "")
    assert "ada" not in every


def test_what_tells_people_apart_goes_with_the_day(database: Database, clock: Clock) -> None:
    made = recorder(database, clock)
    made.note(ORDERS, ADA)
    made.note(ORDERS, BEN)
    made.flush()
    with database.write() as connection:
        tidy(connection, ON, clock())
    assert len(hashes(database)) == 2
    clock.advance(timedelta(days=1, hours=2))
    with database.write() as connection:
        tidy(connection, ON, clock())
        keys = connection.scalar(
            text("SELECT count(*) FROM portal_secret WHERE name LIKE 'usage %'")
        )
    assert (hashes(database), keys) == ([], 0)
    assert totals(usage(database, clock).of_entity(ORDERS))["people"] == 2
    clock.advance(ON.keep)
    with database.write() as connection:
        tidy(connection, ON, clock())
        assert connection.scalar(select(func.count()).select_from(models.usage)) == 0


def test_late_looks_of_a_day_that_was_tidied_do_not_lower_it(
    database: Database, clock: Clock
) -> None:
    made, late = recorder(database, clock), recorder(database, clock)
    made.note(ORDERS, ADA)
    made.note(ORDERS, BEN)
    made.flush()
    late.note(ORDERS, ADA)
    clock.advance(timedelta(days=1, hours=2))
    with database.write() as connection:
        tidy(connection, ON, clock())
    late.flush()
    found = totals(usage(database, clock).of_entity(ORDERS))
    assert (found["looks"], found["people"]) == (3, 2)


def test_names_only_of_those_who_chose_it(database: Database, clock: Clock) -> None:
    made, kept = recorder(database, clock), usage(database, clock)
    made.note(ORDERS, ADA)
    made.flush()
    assert not kept.names(ORDERS)
    kept.show(ADA)
    kept.show(ADA)
    for who in (ADA, ADA, BEN):
        made.note(ORDERS, who)
    made.flush()
    assert [(item.key, item.looks) for item in kept.names(ORDERS)] == [(ADA, 2)]
    assert kept.of_person(ADA).looks == 2
    assert kept.forget(ADA) == 2
    assert kept.of_person(ADA).since is not None
    made.note(ORDERS, ADA)  # is on its way while she takes it back
    kept.hide(ADA)
    made.flush()
    assert not kept.names(ORDERS)
    assert kept.of_person(ADA).since is None
    with database.read() as connection:
        told = [item.action for item in entries(connection) if item.action.startswith("portal.us")]
    assert sorted(told) == ["portal.usage.forget", "portal.usage.hide", "portal.usage.show"]


# Sums


def sums(database: Database) -> list[tuple[Any, ...]]:
    with database.read() as connection:
        return sorted(tuple(row) for row in connection.execute(select(models.usage_sum)))


def added_up(database: Database, clock: Clock) -> list[tuple[Any, ...]]:
    """Give what the sums have to be, of what is kept of each day."""
    found = []
    with database.read() as connection:
        rows = connection.execute(select(models.usage)).all()
    for days in PERIODS:
        first = clock().date() - timedelta(days=days - 1)
        for ref in {row.ref for row in rows}:
            of_it = [row for row in rows if row.ref == ref and row.day >= first]
            if of_it:
                numbers = ([row[column] for row in of_it] for column in (2, 3, 4, 1))
                looks, people, machines, last = numbers
                found.append((days, ref, sum(looks), max(people), sum(machines), max(last)))
    return sorted(found)


@pytest.mark.parametrize("keep", [20, 90])
def test_sums_are_what_the_days_add_up_to(database: Database, clock: Clock, keep: int) -> None:
    made, other = recorder(database, clock), recorder(database, clock)
    settings = UsageSettings(enabled=True, keep=timedelta(days=keep))
    for step in range(60):
        for ref in (ORDERS, STORE) if step < 5 else (ORDERS,):
            for who in (ADA, BEN, MACHINE)[: 1 + step % 3]:
                (made if step % 2 else other).note(ref, who)
        if step % 7 < 5:
            made.flush()
            other.flush()  # looks of other days than the last one are among them
            assert sums(database) == added_up(database, clock), step
        if step % 11 == 0:
            with database.write() as connection:
                tidy(connection, settings, clock())
            assert sums(database) == added_up(database, clock), step
        clock.advance(timedelta(days=1 + (step % 13 == 0) * 20))
    clock.advance(timedelta(days=100))
    made.flush()
    other.flush()
    with database.write() as connection:
        tidy(connection, settings, clock())
    assert sums(database) == added_up(database, clock)


def test_counts_from_before_there_were_sums_are_in_them(database: Database, clock: Clock) -> None:
    row = {"ref": "component:default/orders", "day": clock().date() - timedelta(days=8)}
    with database.write() as connection:
        connection.execute(insert(models.usage), {**row, "looks": 3, "people": 2, "machines": 1})
    made = recorder(database, clock)
    made.flush()
    assert sums(database) == added_up(database, clock)
    made.note(ORDERS, ADA)
    made.flush()
    found = sums(database)
    assert found == added_up(database, clock)
    assert [row[:3] for row in found] == [
        (7, "component:default/orders", 1),
        (30, "component:default/orders", 4),
        (90, "component:default/orders", 4),
    ]


def test_processes_that_write_at_once_lose_nothing(database: Database, clock: Clock) -> None:
    made = [recorder(database, clock) for _ in range(4)]
    for _day in range(3):
        for one in made:
            for number in range(20):
                one.note(EntityRef.parse(f"component:default/n{number}"), ADA)
        with ThreadPoolExecutor(len(made)) as pool:
            list(pool.map(UsageRecorder.flush, made))
        clock.advance(timedelta(days=1))
    clock.advance(timedelta(days=-1))
    found = sums(database)
    assert found == added_up(database, clock)
    assert [row[2] for row in found] == [12] * 20 * len(PERIODS)


# Pages


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return []


@pytest.fixture
def portal_settings() -> dict[str, Any]:
    return {
        "usage": {"enabled": True},
        "access": {
            "anonymous": "",
            "bindings": [
                {"role": "maintainer", "to": ["user:default/mia"]},
                {
                    "role": "administrator", "effect": "deny", "on": {"tag": ["hidden"]},
                    "to": ["user:default/mia"],
                },
            ],
        },
    }  # fmt: skip


@pytest.fixture
def filled(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(
        "---\n".join(
            [
                descriptor("payments", "Group", spec={"type": "team", "children": []}),
                *(
                    descriptor(name, "User", spec={"memberOf": groups, "profile": {}})
                    for name, groups in (("ada", ["payments"]), ("ben", []), ("mia", []))
                ),
                descriptor("orders", spec={"owner": "payments"}),
                descriptor("store", spec={"owner": "payments"}),
                descriptor("vault", spec={"owner": "payments"}, tags=["hidden"]),
            ]
        )
    )
    return portal


def browser(portal: PortalUnderTest, who: str) -> TestClient:
    client = TestClient(portal.client.app, base_url="https://testserver")
    sign_in_as(client, f"user:default/{who}")
    return client


def send(client: TestClient, address: str, **fields: str) -> int:
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert token
    data = {"csrf_token": token[1], **fields}
    return client.post(address, data=data, follow_redirects=False).status_code


def test_the_card_is_for_owners(filled: PortalUnderTest) -> None:
    ada, ben = browser(filled, "ada"), browser(filled, "ben")
    assert ben.get("/catalog/default/component/orders").status_code == 200
    assert ben.get("/catalog/default/component/orders/relations").status_code == 200
    ahead = {"sec-purpose": "prefetch;prerender"}
    ben.get("/catalog/default/component/orders", headers=ahead)
    ben.get("/catalog/default/component/orders", headers={"hx-request": "true"})
    ben.get("/api/catalog/entities/by-name/component/default/orders")
    filled.runtime.usage.flush()
    assert "portal-usage" not in ben.get("/catalog/default/component/orders").text
    page = ada.get("/catalog/default/component/orders").text
    card = page.partition('id="card-portal-usage"')[2].partition("</section>")[0]
    assert '<dd class="num">2</dd>' in card
    assert '<dd class="num">1</dd>' in card
    assert "ben" not in card


def test_a_person_chooses_to_be_shown(filled: PortalUnderTest) -> None:
    ada, ben = browser(filled, "ada"), browser(filled, "ben")
    assert send(ben, "/me/usage", show="yes") == 303
    ben.get("/catalog/default/component/orders")
    filled.runtime.usage.flush()
    assert 'href="/catalog/default/user/ben"' in ada.get("/catalog/default/component/orders").text
    assert "1 look of yours is kept" in ben.get("/me").text
    assert send(ben, "/me/usage/forget") == 303
    assert "0 looks of yours are kept" in ben.get("/me").text
    assert send(ben, "/me/usage", show="no") == 303
    assert "user/ben" not in ada.get("/catalog/default/component/orders").text


def test_the_index_counts_what_its_reader_sees(filled: PortalUnderTest) -> None:
    ada, mia = browser(filled, "ada"), browser(filled, "mia")
    for name in ("orders", "orders", "vault"):
        ada.get(f"/catalog/default/component/{name}")
    filled.runtime.usage.flush()
    assert ada.get("/usage").status_code == 403
    page = mia.get("/usage").text
    assert "component/orders" in page
    assert "vault" not in page
    found = mia.get("/api/usage?kind=component").json()
    assert (found["totalItems"], found["items"][0]["looks"]) == (1, 2)
    never = mia.get("/api/usage?show=never&kind=component").json()
    assert (never["totalItems"], never["items"][0]["ref"]) == (1, "component:default/store")
    owned = mia.get("/api/usage?show=never&owner=payments&limit=1").json()
    assert [item["ref"] for item in owned["items"]] == ["component:default/store"]
    rows = list(csv.reader(io.StringIO(mia.get("/usage/export.csv").text)))
    assert [row[0] for row in rows[1:]] == ["component:default/orders"]
    for bad in ("days=0", "days=x", "limit=501", "show=some", "what=1"):
        assert mia.get(f"/api/usage?{bad}").status_code == 400, bad


def test_sums_and_days_tell_the_same(filled: PortalUnderTest, clock: Clock) -> None:
    ada, mia = browser(filled, "ada"), browser(filled, "mia")
    for name in ("orders", "orders", "store"):
        ada.get(f"/catalog/default/component/{name}")
    filled.runtime.usage.flush()
    for query in ("", "&show=never", "&kind=component", "&owner=payments", "&limit=1&offset=1"):
        usual, other = (mia.get(f"/api/usage?days={days}{query}").json() for days in (30, 31))
        assert {**usual, "days": 31} == other, query
        assert usual["items"]
    # Entities here: a group, three people and two components, for one who does not see the third.
    for show, total in (("most", 2), ("never", 4)):
        assert mia.get(f"/api/usage?show={show}&limit=1").json()["totalItems"] == total


def test_a_page_says_that_there_are_more(
    filled: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    mia = browser(filled, "mia")
    for _ in range(2):
        page = mia.get("/usage?show=never").text
        assert "of more than" not in page
    monkeypatch.setattr("callboard_web.usage.views.LIMIT", 2)
    monkeypatch.setattr("callboard_web.usage.views.COUNTED", 3)
    pager = mia.get("/usage?show=never").text.partition('class="pager"')[2][:300]
    assert "1–2 of more than 3" in pager
    assert "3–4 of more than 4" in mia.get("/usage?show=never&from=2").text
    last = mia.get("/usage?show=never&from=4").text
    assert "5–6 of 6" in last
    assert 'rel="next"' not in last
    chinese = mia.get("/usage?show=never", headers={"accept-language": "zh-CN"}).text
    assert "第 1–2 条，共超过 3 条" in chinese


def test_metrics_tell_of_looks(filled: PortalUnderTest) -> None:
    browser(filled, "ada").get("/catalog/default/component/orders")
    answer = browser(filled, "mia").get("/metrics").text
    assert 'callboard_usage_looks_total{by="people"} 1.0' in answer


def test_times_are_days_of_utc(database: Database) -> None:
    clock = Clock(datetime(2026, 3, 1, 23, 59, tzinfo=UTC))
    made = recorder(database, clock)
    made.note(ORDERS, ADA)
    clock.advance(timedelta(minutes=2))
    made.note(ORDERS, ADA)
    made.flush()
    days = usage(database, clock).of_entity(ORDERS, days=2)
    assert [(day.day.isoformat(), day.looks) for day in days] == [
        ("2026-03-01", 1), ("2026-03-02", 1),
    ]  # fmt: skip
