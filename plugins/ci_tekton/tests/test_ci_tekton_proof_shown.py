"""Pages say what clusters say: warnings word for word, secrets not at all, and how old it is."""

import copy
import html
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from made_runs import a_run, a_service, add, identified, settle
from sandbox_api import TOKENS, Api, serving
from sqlalchemy import select, text

from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.acts.preparing import PIPELINES
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_web.testing import PortalUnderTest

NAMESPACE = "shop-ci"
TAB = "/catalog/default/component/cart/ci_tekton.runs"
FORM = "/ci_tekton/start?entity=cart&pipeline=build/shop-ci/build"
SECRET = "hunter2-hunter2"
PIPELINE: dict[str, Any] = {
    "apiVersion": "tekton.dev/v1", "kind": "Pipeline",
    "metadata": {"name": "build", "namespace": NAMESPACE, "labels": identified("cart")},
    "spec": {"tasks": [{"name": "make", "taskSpec": {"steps": [
        {"name": "make", "image": "busybox", "script": "true"}]}}]},
}  # fmt: skip


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("cluster")) as made:
        made.store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        made.store.create("pipelines.tekton.dev", PIPELINE)
        yield made


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings(api: Api, tmp_path: Path) -> Mapping[str, Any]:
    cluster = {"name": "build", "server": api.server.address, "token": TOKENS["portal"]}
    return {"kubernetes": {"clusters": [cluster]}}


def words_of(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


def number_of(portal: PortalUnderTest, name: str) -> int:
    with portal.host("ci_tekton").read() as connection:
        query = select(models.run.c.id).where(models.run.c.name == name)
        return int(connection.execute(query).scalar_one())


def nested(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a run whose task `deploy` is a pipeline, and the run that this task is."""
    outer, inner = a_run(name, state="Unknown"), a_run(f"{name}-deploy", pipeline="deploy")
    outer["status"]["pipelineSpec"] = {"tasks": [
        {"name": "make", "taskSpec": {"steps": []}},
        {"name": "deploy", "runAfter": ["make"], "pipelineRef": {"name": "deploy"}},
    ]}  # fmt: skip
    outer["status"]["childReferences"] = [
        {"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": f"{name}-deploy",
         "pipelineTaskName": "deploy"},
    ]  # fmt: skip
    inner["metadata"]["ownerReferences"] = [
        {"apiVersion": "tekton.dev/v1", "kind": "PipelineRun", "name": name, "uid": f"uid-{name}"},
    ]  # fmt: skip
    return outer, inner


def test_a_pipeline_within_a_pipeline_leads_to_its_run(portal: PortalUnderTest) -> None:
    outer, inner = nested("ship")
    for clusters in (("build", outer), ("build", inner), ("elsewhere", nested("ship")[1])):
        portal.observe(clusters[0], PIPELINE_RUNS, clusters[1])
    rows = models.run.c
    with portal.host("ci_tekton").read() as connection:
        query = select(rows.id).where(rows.name == "ship-deploy", rows.cluster == "build")
        number = connection.execute(query).scalar_one()
    page = portal.client.get(f"/ci_tekton/runs/{number_of(portal, 'ship')}").text
    assert f'href="/ci_tekton/runs/{number}"' in page
    assert page.count("<title>deploy:") == 1
    assert portal.client.get(f"/ci_tekton/runs/{number}").status_code == 200


def test_what_the_server_warns_of_reaches_the_person(
    portal: PortalUnderTest, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Admission webhooks warn of what they let pass (`Warning` header, RFC 9111 section 5.5)."""
    add(portal, a_service("cart", identified("cart")))
    portal.observe("build", PIPELINES, api.store.get("pipelines.tekton.dev", NAMESPACE, "build"))
    warned = 'image "busybox" has no digest <it may change>'
    let_in = api.access.require

    def require(asked: Any, target: Any) -> None:
        let_in(asked, target)
        if asked.method == "POST":
            asked.warnings.append(warned)

    monkeypatch.setattr(api.access, "require", require)
    page = portal.client.get(FORM).text
    fields = {
        name: html.unescape(re.findall(rf'name="{name}" value="([^"]*)"', page)[0])
        for name in ("csrf_token", "key", "entity", "pipeline")
    }
    answer = portal.client.post("/ci_tekton/start", data={**fields, "do": "start"})
    assert warned in words_of(answer.text)
    assert "<it may" not in answer.text


def test_how_old_it_is_stands_where_a_cluster_is_away(
    portal: PortalUnderTest, api: Api, clock: Clock
) -> None:
    add(portal, a_service("cart", identified("cart")))
    portal.observe("build", PIPELINE_RUNS, a_run("one", state="Unknown", labels=identified("cart")))
    portal.runtime.jobs.submit(None, "core", "clusters.look")
    settle(portal)
    address = f"/ci_tekton/runs/{number_of(portal, 'one')}"
    assert "does not answer" not in words_of(portal.client.get(address).text)
    api.server.stop()
    clock.advance(7200)
    portal.runtime.jobs.submit(None, "core", "clusters.look")
    settle(portal)
    page = words_of(portal.client.get(address).text)
    assert "The cluster does not answer. What is shown is as it was 2" in page
    assert portal.client.get(TAB).status_code == 200
    assert "shop-ci/one" in words_of(portal.client.get(TAB).text)


def test_neither_secrets_nor_managed_fields_are_in_tables_of_runs(portal: PortalUnderTest) -> None:
    run = copy.deepcopy(a_run("told", state="False", parameters={"api-password": SECRET}))
    run["metadata"]["managedFields"] = [{"manager": "kubectl-managed", "operation": "Update"}]
    run["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    run["status"]["conditions"][0]["message"] = f"login with {SECRET} was refused"
    run["spec"]["params"].append({"name": "url", "value": f"https://x:{SECRET}@git.example.test/a"})
    portal.observe("build", PIPELINE_RUNS, run)
    database = portal.runtime.database
    with database.read() as connection:
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%_fts%'")
        ).scalars()
        kept = {name: connection.execute(text(f'SELECT * FROM "{name}"')).all() for name in names}
    assert kept["ci_tekton_run"]
    for name, rows in kept.items():
        for row in rows:
            told = "\n".join(map(opened, row))
            assert "kubectl-managed" not in told, name
            assert "last-applied" not in told, name
            assert SECRET not in told, name


def opened(value: Any) -> str:
    """Give a value as text, also one that is kept compressed."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return zlib.decompress(value).decode(errors="replace")
    except zlib.error:
        return value.decode(errors="replace")
