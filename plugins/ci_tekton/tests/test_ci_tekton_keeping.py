"""How long runs are kept, what is told of builds, and how pages find runs among very many."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from made_runs import DIGEST, a_run, a_service, add, identified
from sqlalchemy import event, insert, select, text

from callboard.audit.models import audit_entry
from callboard.builds import KIND, SIGNED, BuildFinished
from callboard.contributions import ObservedContext, ObservedObject
from callboard.events import log
from callboard.testing import Clock
from callboard_ci_tekton import models, retention
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS, keep_runs
from callboard_ci_tekton.retention import prune
from callboard_web.testing import PortalUnderTest, portal_under_test

TAB = "/catalog/default/component/cart/ci_tekton.runs"


@pytest.fixture(scope="module", params=["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def portal(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    portal_templates: dict[str, Path],
) -> Iterator[PortalUnderTest]:
    """Give a portal that keeps the two newest runs of a pipeline, with one service."""
    settings: dict[str, Any] = {"plugins": {"settings": {"ci_tekton": {"keep_runs": 2}}}}
    if request.param == "pg":
        server = request.getfixturevalue("postgres_server")
        settings["database"] = {"url": server.url(server.create_empty())}
    with portal_under_test(
        tmp_path_factory.mktemp("keeping") / "portal",
        plugins=["ci_tekton"],
        settings=settings,
        clock=Clock(datetime(2026, 3, 2, 8, tzinfo=UTC)),
        templates=portal_templates,
    ) as made:
        add(made, a_service("cart", identified("cart")))
        yield made


def told(portal: PortalUnderTest, *kinds: str) -> Sequence[Any]:
    with portal.host("ci_tekton").read() as connection:
        return log.read(connection, 0, list(kinds))


def names(portal: PortalUnderTest, cluster: str) -> list[str]:
    query = select(models.run.c.name).where(models.run.c.cluster == cluster)
    with portal.host("ci_tekton").read() as connection:
        return sorted(connection.execute(query).scalars())


def latest(portal: PortalUnderTest, cluster: str) -> list[str]:
    query = (
        select(models.run.c.name)
        .join(models.latest, models.latest.c.run_id == models.run.c.id)
        .where(models.run.c.cluster == cluster)
    )
    with portal.host("ci_tekton").read() as connection:
        return sorted(connection.execute(query).scalars())


def at(minute: int) -> str:
    return f"2026-01-02T07:{minute:02}:00Z"


def test_more_runs_than_are_kept_go(
    portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TOGETHER", 2)
    runs = [
        a_run(f"run-{number}", created=at(number), labels=identified("cart")) for number in range(7)
    ]
    open_one = a_run("open", created=at(0), state="Unknown", labels=identified("cart"))
    other = a_run("other", created=at(0), pipeline="lint", labels=identified("cart"))
    portal.observe("many", PIPELINE_RUNS, *runs, open_one, other)
    assert latest(portal, "many") == ["other", "run-6"]
    engine, deletions = portal.runtime.database.engine, 0

    def killed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        nonlocal deletions
        if statement.startswith("DELETE FROM ci_tekton_run "):
            deletions += 1
            if deletions == 2:
                raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", killed)
    with pytest.raises(KeyboardInterrupt):
        prune(portal.host("ci_tekton"))
    event.remove(engine, "before_cursor_execute", killed)
    assert len(names(portal, "many")) == 7
    assert prune(portal.host("ci_tekton")) == 3
    assert names(portal, "many") == ["open", "other", "run-5", "run-6"]
    assert latest(portal, "many") == ["other", "run-6"]
    assert sum(item.data["runs"] for item in told(portal, "ci_tekton.run.pruned")) == 5
    entries = select(audit_entry.c.id).where(audit_entry.c.action == "ci_tekton.run.prune")
    with portal.host("ci_tekton").read() as connection:
        assert len(connection.execute(entries).all()) == 3


def test_runs_go_by_age_with_all_that_is_theirs(portal: PortalUnderTest) -> None:
    days = [a_run("old", created="2025-01-01T07:00:00Z", labels=identified("cart")),
            a_run("young", created="2026-01-01T07:00:00Z", labels=identified("cart"))]  # fmt: skip
    portal.observe("aged", PIPELINE_RUNS, *days)
    with portal.host("ci_tekton").read() as connection:
        query = select(models.run.c.id).where(models.run.c.name == "old")
        old = connection.execute(query).scalar_one()
    assert prune(portal.host("ci_tekton")) == 1
    assert names(portal, "aged") == latest(portal, "aged") == ["young"]
    with portal.host("ci_tekton").read() as connection:
        for table in (models.detail, models.key, models.match, models.build, models.latest):
            assert not connection.execute(select(table).where(table.c.run_id == old)).all()


def test_the_newest_run_is_looked_for_when_it_is_deleted(portal: PortalUnderTest) -> None:
    """A run that began last may have ended long ago by its own word, as clocks of clusters go."""
    late = a_run("late", created=at(30), labels=identified("cart"))
    late["status"]["completionTime"] = "2024-01-02T07:30:00Z"
    portal.observe(
        "odd", PIPELINE_RUNS, a_run("early", created=at(10), labels=identified("cart")), late
    )
    assert latest(portal, "odd") == ["late"]
    assert prune(portal.host("ci_tekton")) == 1
    assert latest(portal, "odd") == ["early"]


def test_what_chains_says_later_is_told_once(portal: PortalUnderTest) -> None:
    def seen(version: int, notes: dict[str, str]) -> None:
        run = a_run("signed", version=version, notes=notes, labels=identified("cart"))
        portal.observe("chains", PIPELINE_RUNS, run)

    before = len(told(portal, KIND))
    seen(5, {})
    seen(6, {"chains.tekton.dev/signed": "true", "chains.tekton.dev/payload-x": "long"})
    seen(7, {"chains.tekton.dev/signed": "true", "another.example.test/note": "x"})
    assert len(told(portal, KIND)) == before + 1
    (event_of,) = told(portal, SIGNED)
    signed = BuildFinished.from_data(event_of.data)
    assert signed.provenance == {"signed": "true"}
    assert [image.digest for image in signed.images] == [DIGEST]
    assert signed.entities == ("component:default/cart",)
    with portal.host("ci_tekton").read() as connection:
        query = select(models.build.c.provenance).join(
            models.run, models.run.c.id == models.build.c.run_id
        )
        kept = connection.execute(query.where(models.run.c.cluster == "chains"))
        assert kept.scalar_one() == {"signed": "true"}
    seen(8, {"chains.tekton.dev/signed": "failed"})
    assert len(told(portal, SIGNED)) == 2


def test_a_run_and_its_task_that_are_seen_at_once_find_each_other(
    portal: PortalUnderTest,
) -> None:
    host, run = portal.host("ci_tekton"), a_run("twin", state="Unknown")
    task = {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": "twin-build", "namespace": "shop-ci", "uid": "uid-twin-build",
                     "resourceVersion": "5", "creationTimestamp": at(1),
                     "labels": {"tekton.dev/pipelineRunUID": "uid-twin"}},
        "spec": {}, "status": {},
    }  # fmt: skip
    beside = threading.Thread(target=portal.observe, args=("twins", TASK_RUNS, task))
    seen = ObservedObject(
        uid="uid-twin", namespace="shop-ci", name="twin", gone=False, body=run, cluster="twins"
    )
    with host.write() as connection:
        keep_runs(
            ObservedContext(host=host, connection=connection, cluster="twins", objects=[seen])
        )
        beside.start()
        wait_until(lambda: not beside.is_alive() or _waits(portal))
    beside.join()
    with host.read() as connection:
        lone = select(models.task.c.run_id).where(models.task.c.cluster == "twins")
        assert connection.execute(lone).scalar_one() is not None


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
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


MANY = 3_000


def many_runs(portal: PortalUnderTest) -> None:
    """Write runs of fifty services, of which the tab's has one in fifty."""
    now = portal.runtime.clock()
    runs, matches = [], []
    for number in range(MANY):
        created = now - timedelta(minutes=number)
        state = "failed" if number % 500 == 0 else "succeeded"
        run: dict[str, Any] = {
            column.name: "" for column in models.run.c if column.type.python_type is str
        }
        run |= {
            "id": 10_000 + number, "source": "tekton", "cluster": "full", "namespace": "ci",
            "name": f"r{number}", "uid": f"full-{number}", "pipeline": f"p{number % 50}",
            "state": state, "created_at": created, "finished_at": created, "duration": 60,
            "retries": 0, "tasks": 1, "tasks_done": 1, "gone": False, "matched": True,
            "changed_at": now, "trigger": "push", "aside": False,
        }  # fmt: skip
        runs.append(run)
        ref = "cart" if number % 50 == 0 else f"s{number % 50}"
        matches.append({"run_id": 10_000 + number, "entity": f"component:default/{ref}",
                        "how": "", "created_at": created})  # fmt: skip
    with portal.host("ci_tekton").write() as connection:
        connection.execute(insert(models.run), runs)
        connection.execute(insert(models.match), matches)
    with portal.host("ci_tekton").write() as connection:
        connection.execute(text("ANALYZE"))


def test_pages_read_runs_by_their_indexes(portal: PortalUnderTest) -> None:
    many_runs(portal)
    engine, sqlite = portal.runtime.database.engine, portal.runtime.database.dialect == "sqlite"
    plans: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if "ci_tekton_run" not in statement or not statement.startswith("SELECT"):
            return
        beside = cursor.connection.cursor()
        if not sqlite:
            beside.execute("SET LOCAL enable_seqscan = off")
            beside.execute("SET LOCAL enable_bitmapscan = off")
        explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        beside.execute(explain + statement, parameters)
        plans.append("\n".join(str(row[-1]) for row in beside.fetchall()))

    def planned(path: str) -> str:
        portal.client.get(path)
        plans.clear()
        event.listen(engine, "before_cursor_execute", note)
        assert "r0" in portal.client.get(path).text
        event.remove(engine, "before_cursor_execute", note)
        found = "\n".join(plans)
        assert "SCAN ci_tekton_run\n" not in f"{found}\n"
        assert "Seq Scan" not in found
        return found

    assert planned(TAB).count("ix_ci_tekton_match_entity") == 1
    failed = planned(f"{TAB}?state=failed")
    assert "ix_ci_tekton_match_entity" in failed or "ix_ci_tekton_run_state" in failed
    assert "ix_ci_tekton_run_created" in planned("/ci_tekton/")
    assert "ix_ci_tekton_run_state" in planned("/ci_tekton/?state=failed")
