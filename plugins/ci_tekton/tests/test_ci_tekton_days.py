"""What charts count of each day is what the runs of the day say, whatever came in which order."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_runs import a_run, a_service, add, identified
from sqlalchemy import Connection, insert, select, text

import callboard_ci_tekton
from callboard.contributions import ObservedContext, ObservedObject
from callboard.database import Branch, Database, upgrade
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.days import first_shown
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS, keep_runs
from callboard_ci_tekton.gitlab.keeping import keep_pipeline
from callboard_ci_tekton.gitlab.parsing import parse_pipeline
from callboard_ci_tekton.matching.service import match_runs, note_start
from callboard_ci_tekton.retention import prune
from callboard_ci_tekton.service import claim_runs
from callboard_web.testing import PortalUnderTest, portal_under_test

TAB = "/catalog/default/component/cart/ci_tekton.runs"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
BOTH = ("sqlite", pytest.param("pg", marks=pytest.mark.postgres))


@pytest.fixture(scope="module", params=BOTH)
def portal(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    portal_templates: dict[str, Path],
) -> Iterator[PortalUnderTest]:
    """Give a portal that keeps few runs, with three services, one of which asks for none."""
    settings: dict[str, Any] = {"plugins": {"settings": {"ci_tekton": {"keep_runs": 2}}}}
    if request.param == "pg":
        server = request.getfixturevalue("postgres_server")
        settings["database"] = {"url": server.url(server.create_empty())}
    with portal_under_test(
        tmp_path_factory.mktemp("days") / "portal",
        plugins=["ci_tekton"],
        settings=settings,
        clock=Clock(NOW),
        templates=portal_templates,
    ) as made:
        names = ("cart", "orders")
        add(made, *(a_service(name, identified(name)) for name in names), a_service("claims"))
        yield made


Told = dict[tuple[str, date], tuple[int, int, list[int], list[int]]]


def kept(connection: Connection) -> Told:
    return {
        (row.entity, row.day): (row.runs, row.succeeded, row.durations, row.queues)
        for row in connection.execute(select(models.day))
    }


def said(connection: Connection) -> Told:
    """Work all days out from the runs, one by one."""
    found: Told = {}
    query = select(models.run, models.match.c.entity).join(
        models.match, models.match.c.run_id == models.run.c.id
    )
    for row in connection.execute(query):
        if row.state in ("succeeded", "failed", "timed_out"):
            place = (row.entity, row.created_at.date())
            runs, good, durations, queues = found.get(place, (0, 0, [], []))
            durations = sorted([*durations, *({row.duration} - {None})])
            queues = sorted([*queues, *({row.queued} - {None})])
            found[place] = (runs + 1, good + (row.state == "succeeded"), durations, queues)
    return found


def check(portal: PortalUnderTest) -> Told:
    with portal.host("ci_tekton").read() as connection:
        told, runs = kept(connection), said(connection)
    first = first_shown(NOW)
    # Older days may be there, while nobody has deleted them.
    wanted = {place: day for place, day in runs.items() if place in told or place[1] >= first}
    assert told == wanted
    return told


def run_of(number: int, created: str, state: str, length: int, service: str) -> dict[str, Any]:
    labels = identified(service) if service else {}
    made = a_run(f"run-{number}", created=created, state=state, labels=labels)
    if state != "Unknown":
        ended = datetime.fromisoformat(made["status"]["startTime"]) + timedelta(seconds=length)
        made["status"]["completionTime"] = ended.isoformat()
    return made


def task_of(number: int, created: str, waited: int) -> dict[str, Any]:
    """Give a task whose first step began so many seconds after the run was created."""
    began = (datetime.fromisoformat(created) + timedelta(seconds=waited)).isoformat()
    return {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": f"run-{number}-build", "namespace": "shop-ci",
                     "uid": f"uid-run-{number}-build", "creationTimestamp": created,
                     "resourceVersion": "5",
                     "labels": {"tekton.dev/pipelineRunUID": f"uid-run-{number}"}},
        "spec": {},
        "status": {"steps": [{"name": "work", "running": {"startedAt": began}}]},
    }  # fmt: skip


# All of one run are of one day, whichever it is: its uid gives when it was created.
NUMBERS = st.integers(0, 5)
CREATED = ("2026-02-28T23:59:00Z", "2026-03-01T00:00:00Z", "2025-06-01T10:00:00Z")
SERVICES = st.sampled_from(["cart", "orders", ""])
STEPS = st.one_of(
    st.tuples(
        st.just("run"), NUMBERS, st.sampled_from(["True", "False", "Unknown"]),
        st.integers(0, 3), SERVICES,
    ),
    st.tuples(st.just("gone"), NUMBERS, st.just("Unknown"), st.just(0), SERVICES),
    st.tuples(st.just("task"), NUMBERS, st.integers(0, 3)),
    st.tuples(st.just("start"), NUMBERS, st.sampled_from(["cart", "orders", "nobody"])),
    st.tuples(st.just("claim"), st.sampled_from(["claims", "orders"])),
    st.tuples(st.just("prune")),
)  # fmt: skip


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=3, max_size=10))
def test_days_are_what_the_runs_say(
    portal: PortalUnderTest, steps: Sequence[tuple[Any, ...]]
) -> None:
    for step in steps:
        act(portal, step)
        check(portal)


def act(portal: PortalUnderTest, step: tuple[Any, ...]) -> None:
    host, (kind, *more) = portal.host("ci_tekton"), step
    match kind:
        case "run" | "gone":
            number, state, length, service = more
            body = run_of(number, CREATED[number % 3], state, length, service)
            portal.observe("build", PIPELINE_RUNS, body, gone=kind == "gone")
        case "task":
            number, waited = more
            body = task_of(number, CREATED[number % 3], waited)
            portal.observe("build", TASK_RUNS, body)
        case "start":
            name, ref = f"run-{more[0]}", f"component:default/{more[1]}"
            with host.write() as connection:
                for row in connection.execute(
                    select(models.run.c.id).where(models.run.c.name == name)
                ):
                    note_start(connection, row.id, ref)
        case "claim":
            strays = select(models.run.c.id).where(models.run.c.matched.is_(False))
            with host.read() as connection:
                may = any(connection.execute(query).first()
                          for query in (strays, select(models.claim.c.id)))  # fmt: skip
            if may:
                entity = EntityRef.parse(f"component:default/{more[0]}")
                claim_runs(host, "pipeline:build/shop-ci/build", entity)
        case "prune":
            prune(host)


def test_a_pipeline_of_gitlab_that_is_tried_again_counts_once(portal: PortalUnderTest) -> None:
    host = portal.host("ci_tekton")
    ref = "component:default/cart"

    def seen(status: str, version: int) -> tuple[int, int, list[int], list[int]] | None:
        found = {
            "id": 7, "iid": 7, "status": status, "source": "push", "ref": "main", "sha": "a" * 40,
            "created_at": "2026-02-20T10:00:00Z", "started_at": "2026-02-20T10:00:05Z",
            "updated_at": f"2026-02-20T10:0{version}:00Z",
            "duration": 60 * version, "finished_at": f"2026-02-20T10:0{version}:05Z",
        }  # fmt: skip
        parsed = parse_pipeline(
            found, [], [], path="shop/cart", repository="https://gitlab.example.test/shop/cart",
            main="main", branch="", needs={},
        )  # fmt: skip
        with host.write() as connection:
            keep_pipeline(host, connection, "code", parsed)
            number = connection.execute(
                select(models.run.c.id).where(models.run.c.cluster == "code")
            ).scalar_one()
            note_start(connection, number, ref)
        return check(portal).get((ref, date(2026, 2, 20)))

    assert seen("failed", 1) == (1, 0, [60], [5])
    assert seen("running", 2) is None
    assert seen("success", 3) == (1, 1, [180], [5])
    assert seen("success", 3) == (1, 1, [180], [5])


def test_two_who_end_runs_of_one_day_at_once_count_both(portal: PortalUnderTest) -> None:
    host = portal.host("ci_tekton")
    at = "2026-02-25T10:00:00Z"

    def body(name: str) -> dict[str, Any]:
        return a_run(name, created=at, labels=identified("orders"))

    seen = ObservedObject(
        uid="uid-one", namespace="shop-ci", name="one", gone=False, body=body("one"), cluster="one"
    )
    beside = threading.Thread(target=portal.observe, args=("two", PIPELINE_RUNS, body("two")))
    with host.write() as connection:
        keep_runs(ObservedContext(host=host, connection=connection, cluster="one", objects=[seen]))
        beside.start()
        _until(lambda: not beside.is_alive() or _waits(portal))
    beside.join()
    told = check(portal)
    assert told["component:default/orders", date(2026, 2, 25)][:2] == (2, 2)


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.01)


def _waits(portal: PortalUnderTest) -> bool:
    """Whether a transaction waits for another one; those of SQLite do, without saying so."""
    if portal.runtime.database.dialect == "sqlite":
        return True
    with portal.runtime.database.glance() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(connection.execute(waiting).scalar())


def test_what_charts_show_is_not_pruned(portal: PortalUnderTest) -> None:
    """Two runs of a pipeline are kept, and those that began in the last 31 days."""
    days = {"old": 33, "also-old": 32, "first": 30, "second": 29, "third": 2, "fourth": 1}
    for name, ago in days.items():
        created = (NOW - timedelta(days=ago)).strftime("%Y-%m-%dT%H:%M:00Z")
        run = a_run(name, created=created, pipeline="charted", labels=identified("cart"))
        portal.observe("charts", PIPELINE_RUNS, run)
    prune(portal.host("ci_tekton"))
    with portal.host("ci_tekton").read() as connection:
        query = select(models.run.c.name).where(models.run.c.cluster == "charts")
        names = set(connection.execute(query).scalars())
        shown = [on for _entity, on in kept(connection)]
    assert names == {"first", "second", "third", "fourth"}
    assert min(shown) >= date(2026, 2, 1)


def test_a_chart_counts_all_runs_of_its_days(portal: PortalUnderTest) -> None:
    """More than once were read at most, of which some took longer than others."""
    host, number = portal.host("ci_tekton"), 2_100
    add(portal, a_service("busy", {"tekton.dev/pipeline": "busy"}))
    with host.write() as connection:
        made = [
            plain_run(20_000 + place, "busy", NOW - timedelta(minutes=place),
                      "succeeded" if place % 4 else "failed", place)
            for place in range(number)
        ]  # fmt: skip
        connection.execute(insert(models.run), made)
        keys = [{"run_id": row["id"], "key": "pipeline-name:busy"} for row in made]
        connection.execute(insert(models.key), keys)
        match_runs(connection, [row["id"] for row in made])
    page = portal.client.get(TAB.replace("/cart/", "/busy/")).text
    facts = page.partition("Thirty days")[2].partition("</dl>")[0]
    assert "<dd>75 %</dd>" in facts
    assert "<dd>2,100</dd>" in facts
    assert "<dd>17 min</dd>" in facts, "half of 2,099 seconds"


def plain_run(
    number: int, pipeline: str, created: datetime, state: str, duration: int
) -> dict[str, Any]:
    row: dict[str, Any] = {
        column.name: "" for column in models.run.c if column.type.python_type is str
    }
    return row | {
        "id": number, "source": "tekton", "cluster": "full", "namespace": "ci",
        "name": f"r{number}", "uid": f"full-{number}", "pipeline": pipeline, "state": state,
        "created_at": created, "finished_at": created, "duration": duration, "queued": 3,
        "retries": 0, "tasks": 1, "tasks_done": 1, "gone": False, "matched": False,
        "changed_at": created, "trigger": "push", "aside": False, "started_for": None,
    }  # fmt: skip


@pytest.fixture(params=BOTH)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database without any table."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    else:
        server = request.getfixturevalue("postgres_server")
        made = Database(server.url(server.create_empty()))
    yield made
    made.close()


def test_an_upgrade_counts_the_runs_that_are_there(empty: Database, tmp_path: Path) -> None:
    """There are more of them than are read at once, and one day goes from page to page."""
    migrations = Path(callboard_ci_tekton.__file__).parent / "migrations"
    shutil.copytree(
        migrations, tmp_path / "before", ignore=shutil.ignore_patterns("0002*", "__pycache__")
    )
    upgrade(empty, [Branch("ci_tekton", tmp_path / "before")])
    states = ("succeeded", "failed", "timed_out", "cancelled", "running")
    made = [
        plain_run(place, "busy", NOW - timedelta(minutes=place), states[place % 5], place % 90)
        for place in range(1, 4_001)
    ]
    for row in made[::7]:
        row |= {"duration": None, "queued": None}
    with empty.write() as connection:
        connection.execute(insert(models.run), made)
        connection.execute(insert(models.match), [
            {"run_id": row["id"], "entity": f"component:default/{name}", "how": "",
             "created_at": row["created_at"]}
            for row in made
            for name in ("a", *(("b",) if row["id"] % 2 else ()))
        ])  # fmt: skip
        assert connection.execute(text("SELECT count(*) FROM ci_tekton_match")).scalar() == 6000
    upgrade(empty, [Branch("ci_tekton", migrations)])
    with empty.read() as connection:
        told = kept(connection)
        assert told == said(connection)
    assert sum(runs for runs, *_ in told.values()) == 3_600
