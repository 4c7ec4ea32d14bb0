"""Clusters, portals and workers are killed while runs go on: nothing is lost, nothing doubled.

All of them are processes of their own: a sandbox, and two portals that share one PostgreSQL.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from portal_processes import API, NAMESPACE, Follower, Json, PortalProcess, Processes, until
from sqlalchemy import select, update

from callboard.audit.models import audit_entry
from callboard.builds import KIND
from callboard.database import Database
from callboard.events import log
from callboard.kubernetes.models import cluster_watch
from callboard.testing import PostgresServer
from callboard_ci_tekton import models

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

RUNS = 4
LINES = 400
LOGS = "/api/plugins/ci_tekton/logs"
DIGEST = f"sha256:{'c' * 64}"
CART = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: cart, annotations: {backstage.io/kubernetes-id: cart}}
spec: {type: service, lifecycle: production, owner: shop}
"""
STEPS = [{"name": name, "image": "busybox", "script": f"make {name}"} for name in ("fetch", "make")]
PIPELINE: Json = {
    "apiVersion": "tekton.dev/v1", "kind": "Pipeline",
    "metadata": {"name": "build", "namespace": NAMESPACE,
                 "labels": {"backstage.io/kubernetes-id": "cart"}},
    "spec": {
        "params": [{"name": "number", "type": "string"}],
        "tasks": [
            {"name": "compile", "taskSpec": {
                "results": [{"name": "IMAGE_URL"}, {"name": "IMAGE_DIGEST"}], "steps": STEPS}},
            {"name": "check", "runAfter": ["compile"], "taskSpec": {"steps": STEPS[:1]}},
        ],
        "results": [
            {"name": "IMAGE_URL", "value": "$(tasks.compile.results.IMAGE_URL)"},
            {"name": "IMAGE_DIGEST", "value": "$(tasks.compile.results.IMAGE_DIGEST)"},
        ],
    },
}  # fmt: skip
TEXT = [f"line {number} of {LINES}" for number in range(1, LINES + 1)]
PLAN: list[Json] = [
    {"match": {"step": "fetch"}, "seconds": 1, "log": ["fetched"]},
    {"match": {"step": "make"}, "seconds": 6, "log": TEXT, "results": {
        "IMAGE_URL": "registry.example.test/cart:1", "IMAGE_DIGEST": DIGEST}},
]  # fmt: skip
EARLY: list[Json] = [
    {"fault": "busy", "next": 1, "verb": "list", "path": "taskruns"},
    {"fault": "gone", "next": 1, "verb": "watch", "path": "taskruns"},
    {"fault": "disconnect", "next": 3, "verb": "watch", "after": 2000},
]
"""What befalls the first requests: 429, versions that expired, streams that break in the middle."""
LATE: list[Json] = [{"fault": "slow", "next": 12, "path": "/log", "seconds": 2}]
WRITTEN = {"step-fetch": ["fetched"], "step-make": TEXT}


class Site(Processes):
    """The processes, and the tables they share."""

    def __init__(self, folder: Path, url: str) -> None:
        catalog = folder / "catalog"
        catalog.mkdir()
        (catalog / "cart.yaml").write_text(CART)
        source = {"name": "own", "type": "folder", "path": "catalog", "paths": ["*.yaml"]}
        settings = {
            "access": {"anonymous": "administrator"},
            "database": {"url": url},
            "jobs": {"lease": "3s", "poll_interval": "0.2s"},
            "catalog": {"sources": [source]},
        }
        super().__init__(folder, settings, PLAN)
        self.database = Database(url)
        self.stack.callback(self.database.close)

    def rows(self, statement: Any) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(statement).all())

    def told(self, kind: str) -> list[Any]:
        with self.database.read() as connection:
            return list(log.read(connection, 0, [kind], limit=1000))

    def pass_on(self) -> None:
        """Let logs that belong to somebody who was killed be free, as two minutes later."""
        reading = update(models.log).where(models.log.c.state == "reading")
        with self.database.write() as connection:
            connection.execute(reading.values(held_until=datetime.now(UTC)))

    def states(self) -> Counter[str]:
        return Counter(row.state for row in self.rows(select(models.run.c.state)))

    def kept(self) -> int:
        return len(self.rows(select(models.log.c.task_id).where(models.log.c.state == "kept")))


@pytest.fixture
def site(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Site]:
    made = Site(tmp_path, postgres_server.url(postgres_server.create_empty()))
    with made.stack:
        made.start_sandbox(*EARLY)
        made.ask("POST", "/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
        made.ask("POST", f"{API}/pipelines", json=PIPELINE).raise_for_status()
        made.upgrade()
        yield made


def start(portals: list[PortalProcess], number: int) -> None:
    """Start a run at two portals at once, as a double click does."""
    sent = {"entity": "cart", "pipeline": f"build/{NAMESPACE}/build", "key": f"key-{number}",
            "parameters": {"number": str(number)}}  # fmt: skip

    def post(portal: PortalProcess) -> None:
        answer = portal.post("/api/plugins/ci_tekton/runs", sent)
        assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(post, portals))


def check_tables(site: Site) -> None:
    """Compare what is kept with what the cluster has, and count what was told of it."""
    runs = site.ask("GET", f"{API}/pipelineruns").json()["items"]
    tasks = site.ask("GET", f"{API}/taskruns").json()["items"]
    assert len(runs) == RUNS
    row = models.run.c
    kept = {each.uid: each for each in site.rows(select(models.run))}
    assert kept.keys() == {each["metadata"]["uid"] for each in runs}
    assert {each.state for each in kept.values()} == {"succeeded"}
    task = models.task.c
    found = site.rows(select(task.uid, task.attempt, task.state, task.run_id))
    assert sorted(each.uid for each in found) == sorted(each["metadata"]["uid"] for each in tasks)
    assert {each.run_id for each in found} == {each.id for each in kept.values()}
    numbers = sorted(str(each[0]) for each in site.rows(select(row.id)))
    assert sorted(each.subject for each in site.told("ci_tekton.run.finished")) == numbers
    built = [each.data["run"] for each in site.told(KIND)]
    assert sorted(built) == sorted(f"/ci_tekton/runs/{number}" for number in numbers)
    started = select(audit_entry.c.id).where(audit_entry.c.action == "ci_tekton.run.start")
    assert len(site.rows(started)) == RUNS


def check_logs(site: Site, portal: PortalProcess) -> None:
    """Read each log as people do; its text is what the step wrote, once."""
    logs = site.rows(select(models.log))
    assert Counter(each.container for each in logs) == {"step-fetch": 2 * RUNS, "step-make": RUNS}
    for each in logs:
        path = f"{LOGS}/{each.task_id}/{each.container}?count=5000"
        page = portal.client.get(path).json()
        assert page["state"] == "kept", page
        assert [line["text"] for line in page["lines"]] == WRITTEN[each.container]
    files = [file for file in site.folder.rglob("ci_tekton/logs/**/*") if file.is_file()]
    assert len(files) == 3 * RUNS


def watch_of(site: Site, resource: str) -> Any:
    found = cluster_watch.c
    [row] = site.rows(select(cluster_watch).where(found.resource == resource))
    return row


def test_whatever_is_killed_nothing_is_lost_and_nothing_doubled(site: Site) -> None:
    first, second = site.portal(), site.portal()
    watches = cluster_watch.c
    until(lambda: {row.state for row in site.rows(select(watches.state))} == {"watching"})
    until(lambda: "build" in first.client.get("/api/plugins/ci_tekton/pipelines?entity=cart").text)
    # Of two portals one watches each kind; that of tasks was told once that its version expired.
    asked = Counter(path.rpartition("/")[2] for path in site.asked("watch"))
    assert asked.pop("taskruns") == 2
    assert set(asked.values()) == {1}
    for number in range(RUNS):
        start([first, second], number)

    # The API server is killed while logs are followed, and comes back with other tokens.
    running = select(models.step.c.task_id).where(
        models.step.c.container == "step-make", models.step.c.state == "running"
    )
    until(lambda: site.rows(running))
    number = site.rows(running)[0].task_id
    follower = Follower(first, f"{LOGS}/{number}/step-make/stream")
    follower.start()
    until(lambda: len(follower.lines) > 20)
    site.kill_sandbox()
    (site.cluster / "tokens.json").unlink()
    until(lambda: watch_of(site, "pipelineruns.tekton.dev").state == "down")
    assert first.client.get("/ci_tekton/").status_code == 200
    site.start_sandbox(*LATE)

    # A portal is killed while it keeps logs.
    reading = select(models.log.c.task_id).where(models.log.c.state == "reading")
    until(lambda: site.rows(reading))
    second.kill()
    third = site.portal()
    until(lambda: site.states() == {"succeeded": RUNS})
    site.pass_on()
    until(lambda: site.kept() == 3 * RUNS)

    site.end_faults()
    follower.join(30)
    assert sorted(set(TEXT) - set(follower.lines)) == []
    assert follower.lines == TEXT
    assert follower.is_whole
    check_tables(site)
    check_logs(site, third)

    # The cluster prunes its runs, and the portal that followed them is killed as well.
    for run in site.ask("GET", f"{API}/pipelineruns").json()["items"]:
        site.ask("DELETE", f"{API}/pipelineruns/{run['metadata']['name']}").raise_for_status()
    gone = select(models.run.c.id).where(models.run.c.gone)
    until(lambda: len(site.rows(gone)) == RUNS)
    first.kill()
    assert site.states() == {"succeeded": RUNS}
    check_logs(site, third)
    page = third.client.get("/catalog/default/component/cart/ci_tekton.runs").text
    assert page.count("/ci_tekton/runs/") >= RUNS
