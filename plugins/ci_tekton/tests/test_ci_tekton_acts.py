"""Acts on runs, at a sandbox that answers over HTTP: start, repeat, end, approve, be refused."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.testclient import TestClient

from callboard.audit.models import audit_entry
from callboard.kubernetes import Resource
from callboard.redaction import MASK
from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.acts.approvals import APPROVAL_TASKS
from callboard_ci_tekton.acts.creating import KEY, STARTED_BY
from callboard_ci_tekton.acts.declarations import UnfitError, check_values, declaration_of
from callboard_ci_tekton.acts.forms import first_values, read_parameters
from callboard_ci_tekton.acts.preparing import PIPELINES, run_of_pipeline
from callboard_ci_tekton.following import CUSTOM_RUNS, PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.matching.entities import match_catalog
from callboard_sandbox.api import admission
from callboard_sandbox.api.access import ROLES, Access, Rule
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.faults import Faults, Plan
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import Controllers
from callboard_web.app import create_app
from callboard_web.testing import PortalUnderTest, sign_in_as

Json = dict[str, Any]

NAMESPACE = "shop-ci"
SEEN = (PIPELINES, PIPELINE_RUNS, TASK_RUNS, CUSTOM_RUNS, APPROVAL_TASKS)
CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: cart, annotations: {backstage.io/kubernetes-id: cart}}
spec: {type: service, lifecycle: production, owner: shop}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: till}
spec: {type: service, lifecycle: production, owner: shop}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: shop}
spec: {type: team, children: []}
"""
PEOPLE = """\
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: %s}
spec: {memberOf: [%s]}
"""
STEP = {"name": "make", "image": "registry.example.test/tools/make:1", "script": "make"}
PIPELINE: Json = {
    "apiVersion": "tekton.dev/v1", "kind": "Pipeline",
    "metadata": {"name": "build", "labels": {"backstage.io/kubernetes-id": "cart"}},
    "spec": {
        "displayName": "Build it",
        "params": [
            {"name": "repo-url", "type": "string", "description": "where the sources are"},
            {"name": "api-token", "type": "string"},
            {"name": "stage", "type": "string", "default": "dev", "enum": ["dev", "prod"]},
            {"name": "packages", "type": "array", "default": ["./..."]},
            {"name": "image", "type": "object", "default": {"name": "cart", "tag": "1"},
             "properties": {"name": {"type": "string"}, "tag": {"type": "string"}}},
            {"name": "script", "type": "string", "default": "make\nmake test"},
        ],
        "workspaces": [{"name": "shared"}, {"name": "cache", "optional": True}],
        "tasks": [{"name": "make", "taskSpec": {"steps": [STEP]}}],
    },
}  # fmt: skip
GATE: Json = {
    "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
    "metadata": {"name": "gate", "namespace": NAMESPACE,
                 "labels": {"backstage.io/kubernetes-id": "cart"},
                 "annotations": {"callboard.io/tekton-actor": "user:default/ada"}},
    "spec": {"pipelineSpec": {"tasks": [{
        "name": "ask",
        "taskRef": {"apiVersion": "openshift-pipelines.org/v1alpha1", "kind": "ApprovalTask"},
        "params": [{"name": "approvers", "value": ["ada", "bea", "group:shop"]},
                   {"name": "numberOfApprovalsRequired", "value": "2"},
                   {"name": "description", "value": "Ship it?"}],
    }]}},
}  # fmt: skip


class Site:
    """A sandbox with controllers, and the portal that looks at it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.store = Store(folder, clock=clock)
        self.access = Access({role: f"token-of-{role}" for role in ROLES})
        self.faults = Faults()
        self.server = Server(Application(self.store, self.access, self.faults), port=0)
        self.controllers = Controllers(self.store, clock=clock)
        self.store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.server.start()

    def apply(self, body: Json) -> None:
        """Create an object as a client does."""
        body = {**body, "metadata": {"namespace": NAMESPACE, **body["metadata"]}}
        resource = f"{body['kind'].lower()}s.tekton.dev"
        admission.fill_in(self.store.kinds.get(resource), body)
        self.store.create(resource, body)

    def runs(self) -> list[Json]:
        return list(self.store.list(PIPELINE_RUNS.key, NAMESPACE))

    def show(self, portal: PortalUnderTest) -> None:
        """Let the controllers do what is due, and the portal see all there is."""
        self.controllers.step()
        for resource in SEEN:
            if found := list(self.store.list(resource.key, NAMESPACE)):
                portal.observe("build", resource, *found)


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    found = Site(tmp_path / "cluster", clock)
    yield found
    found.server.stop()
    found.store.close()


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings(
    site: Site, tmp_path: Path, request: pytest.FixtureRequest
) -> Mapping[str, Any]:
    token = tmp_path / "token"
    token.write_text("token-of-portal")
    cluster = {"name": "build", "server": site.server.address, "token_file": str(token)}
    own = {"acts": {"approvals": {"impersonate": True, "people": ["ada", "bea"]}}}
    return {
        "kubernetes": {"clusters": [cluster]},
        "plugins": {"settings": {"ci_tekton": own}},
        "access": {"anonymous": "viewer"},
        **_database(request),
    }


def _database(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    if getattr(request, "param", "sqlite") == "sqlite":
        return {}
    server = request.getfixturevalue("postgres_server")
    return {"database": {"url": server.url(server.create_empty())}}


both = pytest.mark.parametrize(
    "portal_settings",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)


@pytest.fixture
def shop(portal: PortalUnderTest, site: Site) -> PortalUnderTest:
    """A portal that knows the component `cart`, its pipeline and its people."""
    portal.catalog_add(CATALOG)
    for name, groups in (("ada", ""), ("bea", ""), ("cleo", "shop"), ("dan", "")):
        portal.catalog_add(PEOPLE % (name, groups))
    match_catalog(portal.host("ci_tekton"))
    site.apply(PIPELINE)
    site.show(portal)
    return portal


def visitor(portal: PortalUnderTest, user: str, role: str = "developer") -> TestClient:
    client = TestClient(create_app(portal.runtime), base_url="http://127.0.0.1:8000")
    sign_in_as(client, f"user:default/{user}", roles=[role])
    return client


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, (name, text_of(page))
    return html.unescape(found[1])


FORM = "/ci_tekton/start?entity=cart&pipeline=build/shop-ci/build"
GOOD = {"p:repo-url": "https://git.example.test/cart.git", "p:api-token": "very-secret-1",
        "p:stage": "prod", "p:packages": "./a\r\n./b\r\n", "p:image:name": "cart",
        "p:image:tag": "2", "p:script": "make\r\nmake test",
        "w:shared:source": "volumeClaimTemplate", "w:shared:size": "2Gi",
        "do": "start"}  # fmt: skip


def start(client: TestClient, **changed: str) -> tuple[str, dict[str, str]]:
    """Send the form of the pipeline; give the answer and what was sent."""
    page = client.get(FORM).text
    fields = {name: hidden(page, name) for name in ("csrf_token", "key", "entity", "pipeline")}
    sent = {**fields, **GOOD, **changed}
    answer = client.post("/ci_tekton/start", data=sent)
    assert answer.status_code == (200 if answer.history or sent["do"] == "check" else 422)
    return answer.text, sent


def act(client: TestClient, number: int, **fields: str) -> str:
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    page = client.get(f"/ci_tekton/runs/{number}/acts?{query}").text
    sent = {"csrf_token": hidden(page, "csrf_token"), **fields}
    if 'name="key"' in page:
        sent.setdefault("key", hidden(page, "key"))
    answer = client.post(f"/ci_tekton/runs/{number}/acts", data=sent)
    # What was done leads on to the run, where loading anew does nothing; the rest is no success.
    assert answer.status_code == (200 if answer.history else 422)
    return answer.text


def row_of(portal: PortalUnderTest, name: str = "") -> Any:
    query = select(models.run).order_by(models.run.c.id.desc())
    if name:
        query = query.where(models.run.c.name == name)
    with portal.host("ci_tekton").read() as connection:
        return connection.execute(query.limit(1)).one()


def audited(portal: PortalUnderTest, action: str) -> list[Any]:
    with portal.host("ci_tekton").read() as connection:
        rows = connection.execute(select(audit_entry).where(audit_entry.c.action == action))
        return list(rows.all())


@both
def test_a_form_starts_a_run_once_however_often_it_is_sent(
    shop: PortalUnderTest, site: Site
) -> None:
    client = visitor(shop, "ada")
    page, sent = start(client)
    again = client.post("/ci_tekton/start", data=sent).text
    (run,) = site.runs()
    assert run["metadata"]["name"] in page
    assert run["metadata"]["name"] in again
    given = {item["name"]: item["value"] for item in run["spec"]["params"]}
    # What is as the pipeline has it by default is left to the pipeline.
    assert given == {
        "repo-url": GOOD["p:repo-url"], "api-token": "very-secret-1", "stage": "prod",
        "packages": ["./a", "./b"], "image": {"name": "cart", "tag": "2"},
    }  # fmt: skip
    (workspace,) = run["spec"]["workspaces"]
    claim = workspace["volumeClaimTemplate"]["spec"]
    assert claim["resources"]["requests"]["storage"] == "2Gi"
    assert run["metadata"]["annotations"][STARTED_BY].endswith("user:default/ada")
    row = row_of(shop)
    assert (row.actor, row.trigger, row.matched) == ("user:default/ada", "person", True)
    assert f"/ci_tekton/runs/{row.id}" in page
    assert len(audited(shop, "ci_tekton.run.start")) == 1
    # The same form with other values is another run.
    client.post("/ci_tekton/start", data={**sent, "p:stage": "dev"})
    assert len(site.runs()) == 2


def test_a_form_keeps_what_was_typed_and_says_what_is_wrong(
    shop: PortalUnderTest, site: Site
) -> None:
    client = visitor(shop, "ada")
    wrong = {"p:repo-url": " ", "p:stage": "moon", "w:shared:source": "secret", "t:tasks": "soon",
             "w:shared:name": "", "p:image:tag": "kept-tag"}  # fmt: skip
    page, _sent = start(client, **wrong)
    shown = text_of(page)
    assert "5 things to correct" in shown or "4 things to correct" in shown
    for told in ("It needs a value", "one of these: dev, prod", "Say which one", "1h30m"):
        assert told in shown, told
    assert "kept-tag" in page
    assert site.runs() == []
    page, _sent = start(client, do="check")
    assert "would take this run" in text_of(page)
    assert site.runs() == []


def test_only_pipelines_of_the_entity_are_offered(shop: PortalUnderTest, site: Site) -> None:
    client = visitor(shop, "ada")
    assert "No pipeline is known" in client.get("/ci_tekton/start?entity=till").text
    foreign = client.get("/ci_tekton/start?entity=till&pipeline=build/shop-ci/build").text
    assert "has no pipeline" in text_of(foreign)
    assert "There is no entity" in text_of(client.get("/ci_tekton/start?entity=none").text)
    sent = {"entity": "till", "pipeline": "build/shop-ci/build", "key": "k",
            "parameters": {"repo-url": "x", "api-token": "y"}}  # fmt: skip
    assert post(client, "/runs", sent).status_code == 404
    assert site.runs() == []


def post(client: TestClient, path: str, sent: Json) -> Any:
    token = hidden(client.get(FORM).text or "", "csrf_token") if not path.startswith("!") else ""
    headers = {"x-csrf-token": token}
    return client.post(f"/api/plugins/ci_tekton{path}", json=sent, headers=headers)


def test_the_api_has_the_same_checks(shop: PortalUnderTest, site: Site) -> None:
    client = visitor(shop, "ada")
    items = client.get("/api/plugins/ci_tekton/pipelines?entity=cart").json()["items"]
    assert [item["pipeline"] for item in items] == ["build/shop-ci/build"]
    bindings = [{"name": "shared", "emptyDir": {}}]
    sent: Json = {"entity": "cart", "pipeline": "build/shop-ci/build", "key": "one",
                  "parameters": {"repo-url": "x"}, "workspaces": bindings}  # fmt: skip
    answer = post(client, "/runs", sent)
    assert answer.status_code == 400
    assert "params.api-token" in answer.text
    sent["parameters"]["api-token"] = "y"
    dry = post(client, "/runs", {**sent, "dry": True})
    assert (dry.status_code, site.runs()) == (200, [])
    projected = {**sent, "workspaces": [{"name": "shared", "projected": {"sources": []}}]}
    assert post(client, "/runs", projected).status_code == 400
    assert post(client, "/runs", {**sent, "service_account": "root"}).status_code == 400
    first, second = (post(client, "/runs", sent).json() for _ in range(2))
    assert first["run"] == second["run"]
    assert len(site.runs()) == 1
    number = first["run"]
    assert post(client, f"/runs/{number}/cancel", {"way": "Cancelled"}).status_code == 200
    assert site.runs()[0]["spec"]["status"] == "Cancelled"
    viewer = visitor(shop, "dan", "viewer")
    page = viewer.get(f"/ci_tekton/runs/{number}/acts?act=cancel").text
    headers = {"x-csrf-token": hidden(page, "csrf_token")}
    for path, body in ((f"/runs/{number}/cancel", {}), ("/runs", sent),
                       (f"/runs/{number}/rerun", {"key": "k"})):  # fmt: skip
        path = f"/api/plugins/ci_tekton{path}"
        assert viewer.post(path, json=body, headers=headers).status_code == 403
    assert "You lack" in text_of(page)


def finish(site: Site, portal: PortalUnderTest, clock: Clock) -> None:
    """Let time pass until nothing is due within the next hour."""
    for _ in range(500):
        due = site.controllers.step()
        if due is None or (due - clock()).total_seconds() > 1800:
            break
        clock.set(max(due, clock()))
    site.show(portal)


@both
def test_a_run_is_repeated_with_todays_pipeline_or_the_recorded_one(
    shop: PortalUnderTest, site: Site, clock: Clock
) -> None:
    client = visitor(shop, "ada")
    start(client)
    finish(site, shop, clock)
    first = row_of(shop)
    assert first.state == "succeeded"
    assert "Only a run that failed" in text_of(act(client, first.id, act="retry"))
    act(client, first.id, act="rerun", pipeline="today", key="a")
    act(client, first.id, act="rerun", pipeline="today", key="a")
    act(client, first.id, act="rerun", pipeline="recorded", key="b")
    runs = site.runs()
    assert len(runs) == 3
    new = [run for run in runs if run["metadata"]["name"] != first.name]
    today = next(run for run in new if "pipelineRef" in run["spec"])
    recorded = next(run for run in new if "pipelineSpec" in run["spec"])
    assert (
        today["spec"]["params"]
        == recorded["spec"]["params"]
        == (next(run for run in runs if run["metadata"]["name"] == first.name)["spec"]["params"])
    )
    for run in new:
        notes = run["metadata"]["annotations"]
        assert notes["callboard.io/tekton-rerun-of"] == first.uid
        assert not any(name.startswith("tekton.dev/") for name in run["metadata"]["labels"])
    row = row_of(shop, recorded["metadata"]["name"])
    assert (row.pipeline, row.rerun_of, row.matched) == ("build", first.uid, True)


def test_what_was_hidden_is_asked_for_again_and_never_sent_as_stars(
    shop: PortalUnderTest, site: Site, clock: Clock
) -> None:
    client = visitor(shop, "ada")
    start(client)
    finish(site, shop, clock)
    row = row_of(shop)
    (body,) = site.runs()
    site.store.delete(PIPELINE_RUNS.key, NAMESPACE, row.name)
    # The portal has not heard of it yet: the cluster says so when it is asked.
    answer = act(client, row.id, act="rerun", pipeline="today")
    assert "given again: api-token" in text_of(answer)
    assert 'name="p:api-token"' in answer
    shop.observe("build", PIPELINE_RUNS, body, gone=True)
    page = client.get(f"/ci_tekton/runs/{row.id}/acts?act=rerun").text
    assert "very-secret-1" not in page
    assert 'name="p:api-token"' in page
    other = {"act": "rerun", "pipeline": "today", "p:api-token": "s-2", "p:repo-url": "changed"}
    assert "known, and stay: repo-url" in text_of(act(client, row.id, **other))
    assert site.runs() == []
    fields = {"act": "rerun", "pipeline": "today", "p:api-token": "other-secret"}
    assert "Started again" in text_of(act(client, row.id, **fields))
    (run,) = site.runs()
    given = {item["name"]: item["value"] for item in run["spec"]["params"]}
    assert given["api-token"] == "other-secret"
    assert MASK not in str(run["spec"])
    assert (
        "other-secret" not in client.get(f"/ci_tekton/runs/{row_of(shop).id}/acts?act=cancel").text
    )


@both
def test_a_run_is_ended_in_three_ways_and_not_after_its_end(
    shop: PortalUnderTest, site: Site, clock: Clock
) -> None:
    client = visitor(shop, "ada")
    for way in ("Cancelled", "CancelledRunFinally", "StoppedRunFinally"):
        start(client)
        site.show(shop)
        row = row_of(shop)
        assert "Asked to end" in text_of(act(client, row.id, act="cancel", way=way))
        act(client, row.id, act="cancel", way=way)
        assert site.store.get(PIPELINE_RUNS.key, NAMESPACE, row.name)["spec"]["status"] == way
        assert row_of(shop, row.name).state == "stopping"
    assert len(audited(shop, "ci_tekton.run.cancel")) == 3
    assert "ended in one of these ways" in text_of(act(client, row.id, act="cancel", way="Kill"))
    finish_without_telling(site, clock)
    answer = text_of(act(client, row.id, act="cancel", way="Cancelled"))
    assert "It has ended meanwhile: Cancelled" in answer
    site.show(shop)
    assert row_of(shop, row.name).state == "cancelled"
    retried = text_of(act(client, row.id, act="retry", pipeline="recorded"))
    assert "Started again" in retried
    assert len(audited(shop, "ci_tekton.run.retry")) == 1


LOGS = "/api/plugins/ci_tekton/logs"


def running_task(portal: PortalUnderTest, site: Site, clock: Clock) -> tuple[int, str]:
    """Let time pass until a step has written something; give its attempt, and its pod's name."""
    query = (
        select(models.task.c.id, models.task.c.pod)
        .join(models.step)
        .where(models.step.c.state == "running", models.task.c.state == "running")
    )
    for _ in range(200):
        site.show(portal)
        with portal.host("ci_tekton").read() as connection:
            row = connection.execute(query).first()
        if row is not None:
            return row.id, row.pod
        due = site.controllers.step()
        assert due is not None
        clock.set(max(due, clock()))
    raise AssertionError("No step runs.")


@both
def test_logs_of_a_run_that_is_ended_are_there_though_its_pods_go(
    shop: PortalUnderTest, site: Site, clock: Clock
) -> None:
    client = visitor(shop, "ada")
    start(client)
    number, pod = running_task(shop, site, clock)
    site.store.append_log(NAMESPACE, pod, "step-make", ["login very-secret-1", "before the end"])
    act(client, row_of(shop).id, act="cancel", way="Cancelled")
    finish(site, shop, clock)
    assert site.store.find("pods", NAMESPACE, pod) is None
    shop.run_jobs()
    page = client.get(f"{LOGS}/{number}/step-make").json()
    texts = [line["text"] for line in page["lines"]]
    # The value of the parameter api-token is a secret by its name.
    assert "before the end" in texts
    assert "login ***" in texts
    assert page["state"] == "cut"
    assert "what the portal had seen" in page["message"]


def test_a_run_is_ended_though_its_logs_cannot_be_saved(
    shop: PortalUnderTest, site: Site, clock: Clock
) -> None:
    client = visitor(shop, "ada")
    start(client)
    running_task(shop, site, clock)
    site.faults.plan(Plan("failed", path="/log"))
    assert "Asked to end" in text_of(act(client, row_of(shop).id, act="cancel", way="Cancelled"))


def finish_without_telling(site: Site, clock: Clock) -> None:
    for _ in range(500):
        due = site.controllers.step()
        if due is None or (due - clock()).total_seconds() > 1800:
            return
        clock.set(max(due, clock()))


def test_a_held_run_waits_until_it_is_let_go(shop: PortalUnderTest, site: Site) -> None:
    client = visitor(shop, "ada")
    start(client, held="on")
    site.show(shop)
    row = row_of(shop)
    assert row.state == "held"
    assert "It may begin" in text_of(act(client, row.id, act="release"))
    site.show(shop)
    assert row_of(shop).state in ("running", "waiting")
    act(client, row.id, act="release")
    assert len(audited(shop, "ci_tekton.run.release")) == 1
    start(client, held="on", **{"p:stage": "dev"})
    site.show(shop)
    held = row_of(shop)
    act(client, held.id, act="cancel", way="Cancelled")
    site.show(shop)
    assert row_of(shop, held.name).state == "cancelled"


def approval(portal: PortalUnderTest) -> Any:
    with portal.host("ci_tekton").read() as connection:
        return connection.execute(select(models.approval)).one()


@both
def test_people_and_teams_approve_each_once_and_not_what_they_started(
    shop: PortalUnderTest, site: Site
) -> None:
    site.apply(GATE)
    site.show(shop)
    row, asked = row_of(shop, "gate"), approval(shop)
    fields = {"act": "approve", "approval": str(asked.id), "answer": "approve"}
    ada, bea, cleo, dan = (visitor(shop, name) for name in ("ada", "bea", "cleo", "dan"))
    assert "You started this run" in text_of(act(ada, row.id, **fields))
    assert "not among its approvers" in text_of(act(dan, row.id, **fields))
    assert "Approve gate: ask" in text_of(bea.get("/").text)
    assert "Approve gate: ask" not in text_of(dan.get("/").text)
    for _ in range(2):
        assert "Answered" in text_of(act(bea, row.id, **fields, comment="fine by me"))
        site.show(shop)
    assert (approval(shop).state, len(audited(shop, "ci_tekton.run.approve"))) == ("pending", 1)
    query = f"act=approve&approval={asked.id}"
    page = cleo.get(f"/ci_tekton/runs/{row.id}/acts?{query}").text
    assert "1 of 2 approvals" in text_of(page)
    act(cleo, row.id, **fields)
    site.show(shop)
    assert approval(shop).state == "approved"
    assert row_of(shop, "gate").state == "succeeded"
    found = site.store.get(APPROVAL_TASKS.key, NAMESPACE, "gate-ask")
    answers = {item["name"]: item["message"] for item in found["status"]["approversResponse"]}
    assert answers == {"bea": "fine by me", "cleo": ""}
    assert "decided meanwhile" in text_of(act(cleo, row.id, **{**fields, "answer": "reject"}))


@both
def test_lists_say_that_a_run_waits_for_an_approval(shop: PortalUnderTest, site: Site) -> None:
    stray = {"name": "stray", "namespace": NAMESPACE}
    site.apply(GATE)
    site.apply({**GATE, "metadata": stray})
    site.show(shop)
    lists = {
        "/catalog/default/component/cart/ci_tekton.runs": "gate",
        "/ci_tekton/?state=running": "gate",
        "/ci_tekton/unmatched": "stray",
        f"/ci_tekton/runs/{row_of(shop, 'gate').id}": "gate",
        "/catalog/export/csv?kind=component&columns=name,ci_tekton.last_run": "cart",
    }
    cleo = visitor(shop, "cleo", "administrator")
    chinese = {"Accept-Language": "zh-CN"}
    for path, name in lists.items():
        page = text_of(cleo.get(path).text)
        assert "Waiting for approval" in page, path
        assert name in page
        assert "等待审批" in text_of(cleo.get(path, headers=chinese).text)
    for name in ("gate", "stray"):
        with shop.host("ci_tekton").read() as connection:
            query = select(models.approval.c.id).where(models.approval.c.name == f"{name}-ask")
            asked = connection.execute(query).scalar_one()
        fields = {"act": "approve", "approval": str(asked), "answer": "reject"}
        act(cleo, row_of(shop, name).id, **fields)
    site.show(shop)
    for path, name in lists.items():
        page = text_of(cleo.get(path.replace("running", "failed")).text)
        assert "Failed" in page, path
        assert name in page
        assert "Waiting for approval" not in page


def test_the_right_to_be_somebody_is_asked_for_by_name(shop: PortalUnderTest) -> None:
    rules = {item.key: item.value for item in shop.runtime.services.cluster_rules()}
    assert rules["ci_tekton.approve_as_person"].names == ("ada", "bea")
    assert "ci_tekton.approve_as_team" not in rules


def test_one_rejection_fails_the_task(shop: PortalUnderTest, site: Site) -> None:
    site.apply(GATE)
    site.show(shop)
    row, asked = row_of(shop, "gate"), approval(shop)
    client = visitor(shop, "cleo")
    act(client, row.id, act="approve", approval=str(asked.id), answer="reject", comment="no")
    site.show(shop)
    assert approval(shop).state == "rejected"
    assert row_of(shop, "gate").state == "failed"


def test_what_the_cluster_refuses_is_told_in_its_words(shop: PortalUnderTest, site: Site) -> None:
    client = visitor(shop, "ada")
    portal_user = ROLES["portal"][0].name
    rules = site.access.rules[portal_user]
    site.access.rules[portal_user] = (Rule(("get", "list", "watch"), ("*",), ("*",)),)
    page, sent = start(client)
    assert 'cannot create resource "pipelineruns"' in html.unescape(page)
    assert sent["p:repo-url"] in page
    shop.runtime.jobs.submit(None, "core", "clusters.look")
    shop.run_jobs()
    barred = text_of(client.get(FORM).text)
    assert "it lacks the rule ci_tekton.start" in barred
    site.access.rules[portal_user] = rules
    page, _sent = start(client, **{"t:pipeline": "1m", "t:tasks": "2h", "w:shared:size": "two"})
    assert "runs/" in page or "It says" in text_of(page)
    site.server.stop()
    page, sent = start(client)
    assert "does not answer" in text_of(page)
    assert sent["p:repo-url"] in page


def test_a_pipeline_is_asked_of_the_cluster_where_a_rule_names_it(
    shop: PortalUnderTest, site: Site
) -> None:
    cluster = shop.host("ci_tekton").clusters.get("build")
    with pytest.raises(UnfitError) as caught:
        run_of_pipeline(cluster, NAMESPACE, "build", {"stage": "moon", "new": "x"})
    assert set(caught.value.faults) == {
        "params.repo-url", "params.api-token", "params.stage", "params.new", "workspaces.shared",
    }  # fmt: skip
    bindings = [{"name": "shared", "emptyDir": {}}]
    body = run_of_pipeline(
        cluster, NAMESPACE, "build", {"repo-url": "x", "api-token": "y"}, bindings
    )
    assert KEY not in body["metadata"]["annotations"]
    assert body["spec"]["pipelineRef"] == {"name": "build"}


def test_resources_are_those_of_the_sandbox(site: Site) -> None:
    for resource in SEEN:
        assert isinstance(resource, Resource)
        assert site.store.kinds.get(resource.key).kind == resource.kind


words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
lines = st.lists(words, max_size=4)


@given(
    text=st.text(st.characters(exclude_categories=["C"]), max_size=20), items=lines,
    keys=st.dictionaries(words, words, min_size=1, max_size=3),
)  # fmt: skip
def test_what_a_form_shows_is_what_it_sends(
    text: str, items: list[str], keys: dict[str, str]
) -> None:
    declaration = declaration_of({"params": [
        {"name": "text", "type": "string", "default": text},
        {"name": "items", "type": "array", "default": items},
        {"name": "keys", "type": "object", "default": keys,
         "properties": {key: {} for key in keys}},
    ]})  # fmt: skip
    shown = first_values(declaration, {})
    assert read_parameters(declaration, shown) == {}
    assert check_values(declaration, {"text": text, "items": items, "keys": keys}) == {}
    assert set(check_values(declaration, {"text": items, "items": text, "keys": text})) == {
        "params.text", "params.items", "params.keys",
    }  # fmt: skip
