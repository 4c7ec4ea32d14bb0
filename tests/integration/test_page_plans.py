"""What the pages of usage, deliveries and the audit log read of tables with very many rows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, delete, event, insert, text

from callboard.audit.models import audit_entry
from callboard.audit.reading import Question as AuditQuestion
from callboard.audit.reading import page as audit_page
from callboard.audit.seal import backlog
from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog.service import CatalogService
from callboard_web.usage.models import usage
from callboard_web.usage.service import Usage, UsageRequest
from callboard_web.usage.settings import UsageSettings
from callboard_web.usage.sums import PERIODS, advance
from callboard_web.webhooks import reading
from callboard_web.webhooks.models import delivery
from callboard_web.webhooks.reading import Question

ROWS = 3_000


@contextmanager
def planned(database: Database, plans: list[str]) -> Iterator[None]:
    """Note how each statement is carried out; PostgreSQL reads whole tables only where it must."""
    sqlite = database.dialect == "sqlite"

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            cursor = cursor.connection.cursor()
            if not sqlite:
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            cursor.execute(explain + statement, parameters)
            plans.append("\n".join([statement, *(str(row[-1]) for row in cursor.fetchall())]))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def wrote(database: Database, table: Table, rows: list[dict[str, Any]]) -> None:
    with database.write() as connection:
        connection.execute(delete(table))
        connection.execute(insert(table), rows)
    with database.write() as connection:
        connection.execute(text("ANALYZE"))


@pytest.fixture
def looked(database: Database, clock: Clock) -> Usage:
    today = clock().date()
    rows = [
        {"ref": f"component:default/n{number}", "day": today - timedelta(days=day),
         "looks": number % 50, "people": 1, "machines": number % 7}
        for number in range(ROWS // 20) for day in range(20)
    ]  # fmt: skip
    wrote(database, usage, rows)
    with database.write() as connection:
        advance(connection, today)
    return Usage(database, CatalogService(database), UsageSettings(enabled=True), clock)


@pytest.mark.parametrize("days", PERIODS)
@pytest.mark.parametrize("more", [{}, {"kind": "component"}, {"owner": "group:default/x"}])
@pytest.mark.parametrize("show", ["most", "never"])
def test_usage_adds_nothing_up(looked: Usage, days: int, more: Any, show: Any) -> None:
    plans: list[str] = []
    with planned(looked.database, plans):
        looked.page(UsageRequest(show=show, days=days, count_to=10, **more))
    asked = [plan for plan in plans if "portal_usage" in plan]
    assert any("portal_usage_sum." in plan for plan in asked)
    assert [plan for plan in asked if "GROUP BY" in plan] == []
    of_days = [plan for plan in asked if re.search(r"portal_usage\.(?!day)", plan)]
    assert of_days == [], "of the counts of days the first day is asked for and no more"


@pytest.fixture
def delivered(database: Database, clock: Clock) -> Database:
    def row(number: int) -> dict[str, Any]:
        state = {0: "failed", 1: "refused"}.get(number % 20, "done")
        moment = clock() + timedelta(minutes=number)
        return {
            "plugin": f"p{number % 2}", "hook": f"h{number % 3}", "webhook": "w",
            "key": str(number), "received_at": moment, "last_at": moment, "times": 1,
            "address": "", "request_id": "", "event": f"e{number % 4}", "headers": {},
            "query": {}, "size": 0, "verdict": "refused" if state == "refused" else "verified",
            "reason": "", "state": state, "outcome": "", "repository": "", "links": [],
            "attempts": 1,
        }  # fmt: skip

    wrote(database, delivery, [row(number) for number in range(ROWS)])
    return database


def test_what_the_page_of_deliveries_tells_is_looked_up(delivered: Database) -> None:
    plans: list[str] = []
    with delivered.read() as connection, planned(delivered, plans):
        fares = reading.fares(connection)
        events = reading.events_of(connection)
        for state in ("failed", "refused", "waiting"):
            reading.page(connection, Question(state=state))
        for question in (Question(verdict="refused"), Question(event="none")):
            reading.page(connection, question)
    assert sorted(fares) == [(f"p{plugin}", f"h{hook}") for plugin in (0, 1) for hook in (0, 1, 2)]
    assert events == ["e0", "e1", "e2", "e3"]
    assert len(plans) == 8
    whole = (
        r"^SCAN portal_delivery\b|Seq Scan on portal_delivery\b|TEMP B-TREE|(?<!Incremental )Sort"
    )
    assert [plan for plan in plans if re.search(whole, plan, re.MULTILINE)] == []
    costs = [float(cost) for cost in re.findall(r"cost=\S+\.\.(\S+)", "".join(plans))]
    assert max(costs, default=0) < 100_000, "PostgreSQL compiles what it takes for dearer"
    # Each time an index is read it is from some place on; PostgreSQL tells from where.
    if delivered.dialect == "postgresql":
        lines = [line for plan in plans for line in re.split(r"\n(?=.*(?:Scan|->))", plan)]
        scans = [line for line in lines if re.search("Index.* Scan .* portal_delivery", line)]
        assert scans
        assert [line for line in scans if "Index Cond" not in line] == []


def test_entries_that_are_sealed_are_not_asked_what_waits(database: Database, clock: Clock) -> None:
    entry = {"on_behalf_of": "", "address": "", "subject": "s", "result": "ok"}
    rows = [
        {**entry, "at": clock(), "actor": f"a{number % 50}", "action": f"c{number % 3}",
         "request_id": str(number)}
        for number in range(ROWS)
    ]  # fmt: skip
    wrote(database, audit_entry, rows)
    plans: list[str] = []
    with database.read() as connection, planned(database, plans):
        assert backlog(connection, clock()).number == 0
        assert len(audit_page(connection, AuditQuestion()).entries) == 50
    assert len(plans) == 2
    whole = r"SCAN audit_entry USING COVERING|SCAN audit_entry$|TEMP B-TREE|Seq Scan on audit_entry"
    assert [plan for plan in plans if re.search(whole, plan, re.MULTILINE)] == []
