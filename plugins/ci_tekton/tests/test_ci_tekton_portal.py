"""Runs in a portal: followed, matched, shown, told of."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made_runs import DIGEST, a_run, a_service, add, identified
from sqlalchemy import event, select

from callboard.builds import KIND, BuildFinished
from callboard.events import log
from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_web.testing import PortalUnderTest

TAB = "/catalog/default/component/cart-service/ci_tekton.runs"
CART = a_service("cart-service", identified("cart-service"))


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    if getattr(request, "param", "sqlite") == "sqlite":
        return {}
    server = request.getfixturevalue("postgres_server")
    return {"database": {"url": server.url(server.create_empty())}}


BOTH = pytest.mark.parametrize(
    "portal_settings",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)


@BOTH
def test_the_tables_are_those_of_the_migration(portal: PortalUnderTest) -> None:
    with portal.host("ci_tekton").read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table"
                  or str(name).startswith("ci_tekton_")},
        )  # fmt: skip
        assert compare_metadata(context, models.metadata) == []


def test_runs_are_shown_where_they_belong(portal: PortalUnderTest) -> None:
    add(portal, CART)
    portal.observe(
        "build", PIPELINE_RUNS, a_run("one", labels=identified("cart-service")), a_run("stray")
    )
    page = portal.client.get(TAB).text
    assert "shop-ci/one" in page
    assert "stray" not in page
    assert "shop-ci/stray" in portal.client.get("/ci_tekton/unmatched").text
    listed = portal.client.get("/ci_tekton/").text
    assert "shop-ci/one" in listed
    assert ">cart-service</a>" in listed
    assert "No run fits" in portal.client.get(f"{TAB}?state=failed").text
    portal.client.cookies.set("callboard_language", "zh-CN")
    page = re.sub(r"<[^>]+>", " ", portal.client.get(TAB).text)
    assert "通过" in page
    assert "No run" not in page
    found = portal.client.get("/api/plugins/ci_tekton/statistics").json()["items"]
    assert [(item["name"], item["runs"], item["duration_median"]) for item in found] == [
        ("build/shop-ci/build", 1, 120)
    ]


def test_a_build_is_told_once(portal: PortalUnderTest) -> None:
    portal.observe("build", PIPELINE_RUNS, a_run("one", state="Unknown", version=4))
    portal.observe("build", PIPELINE_RUNS, a_run("one"))
    portal.observe("build", PIPELINE_RUNS, a_run("one", version=6))
    portal.observe("build", PIPELINE_RUNS, a_run("one", version=6), gone=True)
    with portal.host("ci_tekton").read() as connection:
        told = log.read(connection, 0, [KIND])
    (build,) = [BuildFinished.from_data(item.data) for item in told]
    assert build.pipeline == "build"
    assert build.images[0].digest == DIGEST
    with portal.host("ci_tekton").read() as connection:
        (row,) = connection.execute(select(models.run)).all()
    assert (row.state, row.gone) == ("succeeded", True)


def test_what_had_ended_long_before_is_told_as_history(
    portal: PortalUnderTest, clock: Clock
) -> None:
    clock.set(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    portal.observe(
        "build", PIPELINE_RUNS,
        a_run("old", created="2026-03-02T06:57:00Z"), a_run("new", created="2026-03-02T06:58:00Z"),
    )  # fmt: skip
    with portal.host("ci_tekton").read() as connection:
        finished = log.read(connection, 0, ["ci_tekton.run.finished"])
        builds = log.read(connection, 0, [KIND])
    assert sorted(item.data["imported"] for item in finished) == [False, True]
    told = {item.data["finished_at"]: item.data["imported"] for item in builds}
    assert [told[at] for at in sorted(told)] == [True, False]
    assert all(BuildFinished.from_data(item.data).to_data() == item.data for item in builds)
    of_old = {name: value for name, value in builds[0].data.items() if name != "imported"}
    assert not BuildFinished.from_data(of_old).imported  # told before the field was there


def test_lists_ask_no_query_for_each_run(portal: PortalUnderTest) -> None:
    add(portal, CART)
    asked: list[str] = []
    engine = portal.runtime.database.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
    counts = []
    for size in (1, 30):
        found = [
            a_run(f"run-{number}", labels=identified("cart-service")) for number in range(size)
        ]
        portal.observe("build", PIPELINE_RUNS, *found)
        portal.client.get(TAB)
        asked.clear()
        portal.client.get(TAB)
        counts.append(sum("ci_tekton_" in said for said in asked))
    assert counts[0] == counts[1]


def test_metrics_read_the_runs_of_the_day_once(portal: PortalUnderTest) -> None:
    now = portal.host("ci_tekton").now().replace(minute=0)
    bodies = [
        a_run(name, created=now.strftime("%Y-%m-%dT%H:%M:00Z"), state=state)
        for name, state in (("one", "True"), ("two", "True"), ("three", "False"))
    ]
    portal.observe("build", PIPELINE_RUNS, *bodies)
    asked: list[str] = []
    event.listen(
        portal.runtime.database.engine, "before_cursor_execute",
        lambda _c, _k, said, *_: asked.append(said),
    )  # fmt: skip
    figures = portal.client.get("/metrics").text.splitlines()
    assert sum("ci_tekton_run.finished_at >=" in said for said in asked) == 1
    labels = '{pipeline="build/shop-ci/build"}'
    for name, value in (
        ("finished_runs", "3.0"), ("success_ratio", "0.6666666666666666"),
        ("duration_seconds", "120.0"), ("queue_seconds", "10.0"),
    ):  # fmt: skip
        assert f"callboard_ci_tekton_{name}{labels} {value}" in figures
