"""Logs of tasks that have little time: the sandbox deletes their pods when it is up."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callboard.jobs.models import job_run
from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.logs import saving
from callboard_ci_tekton.logs.sources import Part, Source, source_of
from callboard_sandbox.api import admission
from callboard_sandbox.api.access import ROLES, Access
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.faults import Faults
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import Controllers, Plan
from callboard_web.testing import PortalUnderTest

Json = dict[str, Any]

NAMESPACE = "shop-ci"
STEP = {"name": "wait", "image": "busybox", "script": "wait"}
PLAN = Plan([{"seconds": 200, "log": [f"line {number}" for number in range(100)]}])


class Cluster:
    """A sandbox whose time goes on when it is told to."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.store = Store(folder, clock=clock)
        access = Access({role: f"token-of-{role}" for role in ROLES})
        self.server = Server(Application(self.store, access, Faults()), port=0)
        self.controllers = Controllers(self.store, clock=clock, plan=PLAN)
        self.store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.server.start()

    def run(self, name: str, task: str = "", **timeouts: str) -> None:
        """Create a run with one task, and let it come to the first line of its log."""
        limit = {"timeout": task} if task else {}
        spec = {"tasks": [{"name": "test", **limit, "taskSpec": {"steps": [STEP]}}]}
        body: Json = {
            "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"pipelineSpec": spec, **({"timeouts": timeouts} if timeouts else {})},
        }  # fmt: skip
        admission.fill_in(self.store.kinds.get("pipelineruns.tekton.dev"), body)
        self.store.create("pipelineruns.tekton.dev", body)
        for _ in range(200):
            due = self.controllers.step()
            pod = self.store.find("pods", NAMESPACE, f"{name}-test-pod")
            if pod and self.store.log_lines(pod["metadata"]["uid"], "step-wait", limit=1):
                return
            assert due is not None
            self.clock.set(max(due, self.clock()))
        raise AssertionError("its step never began")

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        for _ in range(5):
            self.controllers.step()

    def show(self, portal: PortalUnderTest) -> None:
        """Let the portal see all there is."""
        for resource in (PIPELINE_RUNS, TASK_RUNS):
            portal.observe("build", resource, *self.store.list(resource.key, NAMESPACE))


@pytest.fixture
def cluster(tmp_path: Path, clock: Clock) -> Iterator[Cluster]:
    made = Cluster(tmp_path / "cluster", clock)
    yield made
    made.server.stop()
    made.store.close()


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    build = {"name": "build", "server": cluster.server.address, "token": "token-of-portal"}
    return {"kubernetes": {"clusters": [build]}}


class Noted:
    """A source that says when its first line has come."""

    def __init__(self, source: Source, come: threading.Event) -> None:
        self._source = source
        self._come = come

    def __iter__(self) -> Iterator[Part]:
        for part in self._source:
            self._come.set()
            yield part

    def close(self) -> None:
        self._source.close()


class Reads(dict[str, threading.Event]):
    """By the name of a task, whether something of its log was read to be saved."""

    def __missing__(self, name: str) -> threading.Event:
        return self.setdefault(name, threading.Event())


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    found = Reads()

    def noted(host: Any, row: Any, container: str, *, follow: bool) -> Noted:
        return Noted(source_of(host, row, container, follow=follow), found[row.name])

    monkeypatch.setattr(saving, "source_of", noted)
    return found


def kept(portal: PortalUnderTest) -> dict[str, tuple[str, bool]]:
    """Give state and whether there are lines, by the names of tasks."""
    query = select(models.task.c.name, models.log.c.state, models.log.c.lines)
    query = query.join(models.log, models.log.c.task_id == models.task.c.id)
    with portal.host("ci_tekton").read() as connection:
        return {row.name: (row.state, row.lines > 0) for row in connection.execute(query)}


def asked(portal: PortalUnderTest) -> int:
    """Give how many runs of the job that saves logs wait."""
    query = select(job_run.c.id).where(job_run.c.name == "save_logs", job_run.c.state == "waiting")
    with portal.host("ci_tekton").read() as connection:
        return len(connection.execute(query).all())


def begin(portal: PortalUnderTest, cluster: Cluster, task: str = "", **timeouts: str) -> None:
    """Run a task to its first line, with nothing left of what the portal does now and then."""
    cluster.run("one", task, **timeouts)
    portal.run_jobs()
    assert asked(portal) == 0
    cluster.show(portal)


@pytest.mark.parametrize(
    "limits", [{"task": "12s"}, {"pipeline": "12s"}, {"pipeline": "14s", "tasks": "12s"}]
)
def test_the_log_of_a_task_with_little_time_is_read_while_it_runs(
    portal: PortalUnderTest, cluster: Cluster, reads: Reads, limits: dict[str, str]
) -> None:
    begin(portal, cluster, **limits)
    assert asked(portal) == 1
    worker = threading.Thread(target=portal.run_jobs)
    worker.start()
    was_read = reads["one-test"].wait(60)
    cluster.pass_time(14)
    assert cluster.store.find("pods", NAMESPACE, "one-test-pod") is None
    worker.join(60)
    assert not worker.is_alive()
    assert was_read
    cluster.show(portal)
    portal.run_jobs()
    assert kept(portal) == {"one-test": ("cut", True)}


def test_a_task_with_time_is_left_to_the_schedule(
    portal: PortalUnderTest, cluster: Cluster
) -> None:
    begin(portal, cluster, "10m")
    assert asked(portal) == 0


def test_one_that_begins_while_others_are_saved_is_read_too(
    portal: PortalUnderTest, cluster: Cluster, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(portal, cluster, "28s")
    monkeypatch.setattr(saving, "EVERY", timedelta(hours=1))
    worker = threading.Thread(target=portal.run_jobs)
    worker.start()
    were_read = reads["one-test"].wait(60)
    cluster.run("two", "12s")
    assert cluster.store.find("pods", NAMESPACE, "one-test-pod") is not None
    cluster.show(portal)
    were_read &= reads["two-test"].wait(60)
    cluster.pass_time(30)
    worker.join(60)
    assert not worker.is_alive()
    assert were_read
    cluster.show(portal)
    portal.run_jobs()
    assert kept(portal) == {"one-test": ("cut", True), "two-test": ("cut", True)}
