"""A portal with clusters: their states, what is granted, doctor, manifests; and one without any."""

import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from recorded_cluster import ClusterServer, Reply, Request, status
from sqlalchemy import insert, select
from typer.testing import CliRunner

from callboard import hookimpl
from callboard.contributions import ClusterRule
from callboard.database import Database
from callboard.doctor import Finding, contributed_checks, examine
from callboard.errors import NotFoundError
from callboard.events.models import event
from callboard.kubernetes import ClusterError, ClusterState, Resource
from callboard.kubernetes.looking import questions
from callboard.kubernetes.manifests import Manifests
from callboard.kubernetes.models import cluster, cluster_object, cluster_watch
from callboard.kubernetes.rules import asked_rules
from callboard.kubernetes.settings import ClusterSettings
from callboard.kubernetes.states import (
    ANSWERING,
    Noted,
    States,
    read_states,
    write_facts,
    write_states,
)
from callboard.plugins import Contributed, PluginRecord
from callboard.testing import Clock
from callboard_web.cli import app
from callboard_web.testing import PortalUnderTest

READ = ClusterRule(
    name="read",
    group="tekton.dev",
    resources=("pipelineruns", "taskruns"),
    verbs=("get", "list"),
    why="Shows runs.",
)
LOGS = ClusterRule(
    name="logs", group="", resources=("pods/log",), verbs=("get",), why="Shows logs."
)
START = ClusterRule(
    name="start",
    group="tekton.dev",
    resources=("pipelineruns",),
    verbs=("create",),
    why='Starts "runs".',
    optional=True,
)
NODES = ClusterRule(
    name="nodes",
    group="",
    resources=("nodes",),
    verbs=("list",),
    why="Tells where pods run.",
    namespaced=False,
)


class Runs:
    """A plugin that asks for something in clusters."""

    @hookimpl
    def callboard_cluster_rules(self) -> list[ClusterRule]:
        return [READ, LOGS, START, NODES]


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    made = ClusterServer()
    for root in ("/api", "/apis"):
        made.on("GET", root, Reply({"kind": "APIGroupDiscoveryList", "items": []}))
    pods = {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced"}
    core = {"metadata": {}, "versions": [{"version": "v1", "resources": [pods]}]}
    made.on("GET", "/api", Reply({"kind": "APIGroupDiscoveryList", "items": [core]}))
    made.on("GET", "/version", Reply({"gitVersion": "v1.36.2"}))
    reviews = "/apis/authorization.k8s.io/v1/selfsubject"
    made.on("POST", f"{reviews}accessreviews", review)
    made.on("POST", f"{reviews}rulesreviews", status(403, "Forbidden"))
    user = {"status": {"userInfo": {"username": "system:serviceaccount:ops:callboard"}}}
    made.on("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", Reply(user, 201))
    yield made
    made.close()


def review(request: Request) -> Reply:
    asked = request.json["spec"]["resourceAttributes"]
    refused = asked["verb"] == "create" or asked.get("namespace") == "pay"
    return Reply({"status": {"allowed": not refused}}, 201)


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: ClusterServer) -> Mapping[str, Any]:
    return {
        "kubernetes": {
            "clusters": [
                {"name": "build", "title": "Build", "server": server.address, "token": "t-oken",
                 "namespaces": ["shop", "pay"]},
                {"name": "away", "server": "https://127.0.0.1:1"},
            ]
        }
    }  # fmt: skip


@pytest.fixture
def runs(portal: PortalUnderTest) -> PortalUnderTest:
    """Give a portal with clusters, and with a plugin that asks for something there."""
    plugins = portal.runtime.plugins
    plugins.load(PluginRecord(name="runs", version="1"), Runs)
    plugins.finish()
    return portal


def states(portal: PortalUnderTest) -> dict[str, ClusterState]:
    host = portal.host("core")
    with host.read() as connection:
        return {state.name: state for state in host.clusters.states(connection)}


def events(portal: PortalUnderTest) -> list[tuple[str, str]]:
    with portal.host("core").read() as connection:
        rows = connection.execute(
            select(event.c.subject, event.c.data).where(event.c.kind == "portal.cluster.changed")
        )
        return [(row.subject, row.data["state"]) for row in rows]


def look(portal: PortalUnderTest) -> None:
    portal.runtime.jobs.submit(None, "core", "clusters.look")
    portal.run_jobs()


# States


def test_clusters_are_named_in_the_order_of_the_settings(portal: PortalUnderTest) -> None:
    clusters = portal.host("core").clusters
    assert list(clusters.names()) == ["build", "away"]
    assert clusters.get("build").name == "build"
    with pytest.raises(NotFoundError, match="no cluster named nope"):
        clusters.get("nope")
    assert {state.state for state in states(portal).values()} == {"unknown"}


def test_the_job_keeps_how_clusters_fare_and_what_they_grant(
    runs: PortalUnderTest, clock: Clock
) -> None:
    look(runs)
    found = states(runs)
    build, away = found["build"], found["away"]
    assert (build.title, build.state, build.version) == ("Build", ANSWERING, "v1.36.2")
    assert build.as_of == clock.now
    assert build.lacks == {
        "runs.logs": ["pay"], "runs.read": ["pay"], "runs.start": ["shop", "pay"],
    }  # fmt: skip
    assert (away.state, away.said, away.as_of) == ("down", "Connection refused", None)
    assert "away does not answer" in str(away.message)
    assert sorted(events(runs)) == [("cluster:away", "down"), ("cluster:build", "answering")]
    with runs.host("core").read() as connection:
        assert connection.execute(
            select(cluster.c.resources).where(cluster.c.name == "build")
        ).scalar_one() == {"pods": ["v1"]}


def test_the_page_says_what_does_not_work_for_want_of_rights_and_what_of_it_is_optional(
    runs: PortalUnderTest,
) -> None:
    look(runs)
    page = runs.client.get("/clusters").text
    needed, _more, optional = page.partition("1 optional right is not granted")
    assert "The portal lacks rights in it" in needed
    assert "Shows logs." in needed
    assert "Shows runs." in needed
    assert "runs.read (pay)" in " ".join(needed.split())
    assert "Starts &#34;runs&#34;." not in needed
    assert "Starts &#34;runs&#34;." in optional
    assert "Tells where pods run." not in page
    chinese = runs.client.get("/clusters", headers={"accept-language": "zh-CN"}).text
    assert "1 项可选权限未授予" in chinese


def test_a_cluster_without_optional_rights_alone_needs_no_look(runs: PortalUnderTest) -> None:
    with runs.host("core").write() as connection:
        write_facts(connection, "build", {"lacks": {"runs.start": [""]}})
        noted = Noted(ANSWERING, runs.runtime.now())
        write_states(connection, {"build": noted, "away": noted})
    page = runs.client.get("/clusters").text
    assert "All are followed as it happens." in page
    assert "The portal lacks rights" not in page
    assert "1 optional right is not granted" in page
    with runs.host("core").write() as connection:
        write_facts(connection, "build", {"lacks": {"runs.read": [""]}})
    assert "1 cluster needs a look." in runs.client.get("/clusters").text


def test_the_time_of_the_last_answer_stays_with_one_that_fails(
    runs: PortalUnderTest, server: ClusterServer, clock: Clock
) -> None:
    look(runs)
    answered = clock.now
    clock.advance(timedelta(minutes=5))
    server.on("GET", "/version", status(401, "Unauthorized", "Unauthorized"))
    look(runs)
    look(runs)
    build = states(runs)["build"]
    assert (build.state, build.as_of) == ("unauthenticated", answered)
    assert build.version == "v1.36.2"
    assert [state for name, state in events(runs) if name == "cluster:build"] == [
        "answering", "unauthenticated",
    ]  # fmt: skip


def test_every_use_tells_how_a_cluster_fares(portal: PortalUnderTest, clock: Clock) -> None:
    host, services = portal.host("core"), portal.runtime.services
    with pytest.raises(ClusterError):
        services.clusters.get("away").version()
    # Whoever asks may be amid a transaction: it is written a little later.
    assert states(portal)["away"].state == "unknown"
    services.settle_clusters()
    assert states(portal)["away"].state == "down"
    with host.write():
        assert services.clusters.get("build").version()
    services.settle_clusters()
    assert states(portal)["build"].as_of == clock.now


def test_a_cluster_in_use_is_written_down_now_and_then(database: Database, clock: Clock) -> None:
    settings = [ClusterSettings(name="build", in_cluster=True)]
    seen = States(database, clock)

    def as_of() -> Any:
        with database.read() as connection:
            return read_states(connection, settings)[0].as_of

    begun = clock.now
    for seconds, written in ((0, begun), (5, begun), (20, begun + timedelta(seconds=20))):
        clock.set(begun + timedelta(seconds=seconds))
        seen.note("build", None)
        seen.settle()
        assert as_of() == written


def test_what_is_written_late_leaves_what_is_known_since(database: Database, clock: Clock) -> None:
    settings = [ClusterSettings(name="build", in_cluster=True)]
    seen = States(database, clock)
    down = Noted("down", clock.now + timedelta(seconds=5))
    seen.note("build", None)

    def write(noted: Noted) -> str:
        with database.write() as connection:
            write_states(connection, {"build": noted})
        return state()

    def state() -> str:
        with database.read() as connection:
            return read_states(connection, settings)[0].state

    assert write(down) == "down"
    seen.settle()
    assert state() == "down"
    assert write(Noted(ANSWERING, down.at)) == ANSWERING
    # A clock that was set back shall not keep the state as it was until it has caught up.
    assert write(Noted("slow", down.at - timedelta(hours=1))) == "slow"


def test_clusters_that_leave_the_settings_are_forgotten(runs: PortalUnderTest) -> None:
    with runs.host("core").write() as connection:
        write_facts(connection, "old", {"version": "v1.20.0"})
    look(runs)
    with runs.host("core").read() as connection:
        assert set(connection.execute(select(cluster.c.name)).scalars()) == {"build", "away"}


# What is watched


def test_observed_objects_are_found_by_kind_and_place(
    portal: PortalUnderTest, clock: Clock
) -> None:
    keep(portal, 1, "build", [("shop", "b", False), ("shop", "a", False), ("pay", "a", True)])
    keep(portal, 2, "away", [("shop", "a", False)])
    host = portal.host("core")
    runs = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")

    def found(**options: Any) -> list[tuple[str, str, str]]:
        with host.read() as connection:
            seen = host.clusters.observed(connection, runs, **options)
        assert all(each.body == {"kind": "PipelineRun"} for each in seen)
        return [(each.cluster, each.namespace, each.name) for each in seen]

    assert found() == [("away", "shop", "a"), ("build", "shop", "a"), ("build", "shop", "b")]
    assert found(cluster="build", names=["b"]) == [("build", "shop", "b")]
    assert found(cluster="build", namespace="pay") == []
    assert len(found(limit=2)) == 2


def keep(
    portal: PortalUnderTest, number: int, name: str, objects: list[tuple[str, str, bool]]
) -> None:
    """Write objects of a watch, as its writer does."""
    watch: dict[str, Any] = {
        "id": number, "cluster": name, "resource": "pipelineruns.tekton.dev", "namespace": "",
        "kind": "PipelineRun", "state": "watching", "error": "", "holder": "",
        "resource_version": "1", "change": 9, "objects": 0, "lag": 0.0, "events": 0, "lists": 0,
        "connects": 0,
    }  # fmt: skip
    body = zlib.compress(b'{"kind": "PipelineRun"}')
    rows = [
        {"watch": number, "uid": f"{number}-{at}", "namespace": namespace, "name": called,
         "resource_version": "1", "change": at, "gone": gone, "body": body}
        for at, (namespace, called, gone) in enumerate(objects)
    ]  # fmt: skip
    with portal.host("core").write() as connection:
        connection.execute(insert(cluster_watch).values(watch))
        connection.execute(insert(cluster_object), rows)


# Doctor


def findings(portal: PortalUnderTest) -> list[Finding]:
    runtime = portal.runtime
    checks = contributed_checks(runtime.plugins.contributions.checks, runtime.host)
    return examine(checks, secrets=runtime.settings.secrets())


def test_doctor_tells_what_each_cluster_is_and_grants(runs: PortalUnderTest) -> None:
    found = {finding.title: finding for finding in findings(runs)}
    answers = found["Cluster build answers"]
    assert answers.status == "ok"
    assert answers.detail == (
        "v1.36.2; the portal is system:serviceaccount:ops:callboard; kinds served: 1."
    )
    assert found["Cluster build grants what is asked for"].detail == "runs.nodes"
    read = found["Cluster build does not grant runs.read"]
    assert read.status == "warn"
    assert read.detail == "get, list on pipelineruns, taskruns in pay. Shows runs."
    assert read.next_step.startswith("callboard kubernetes rbac --plugin runs")
    assert found["Cluster build does not grant runs.start, which is optional"].status == "ok"
    away = found["Cluster away is down"]
    assert away.status == "bad"
    assert "Connection refused" in away.detail
    assert "t-oken" not in str(found)


def test_doctor_tells_of_refused_credentials(runs: PortalUnderTest, server: ClusterServer) -> None:
    server.on("GET", "/version", status(401, "Unauthorized", "Unauthorized"))
    [found] = [each for each in findings(runs) if "build" in each.title]
    assert found.title == "Cluster build is unauthenticated"
    assert "Renew the token" in found.next_step


# Manifests


def contributed(*rules: ClusterRule) -> list[Contributed[ClusterRule]]:
    return [Contributed("ci_runs", rule) for rule in rules]


def documents(text: str) -> list[dict[str, Any]]:
    found = list(yaml.safe_load_all(text))
    assert all(each["metadata"]["labels"] for each in found)
    return found


def test_manifests_grant_what_is_asked_for_and_no_more() -> None:
    text = Manifests("callboard", "ops").write(contributed(READ, LOGS, START, NODES))
    account, role, binding = documents(text)
    assert account["kind"] == "ServiceAccount"
    assert account["metadata"]["namespace"] == "ops"
    assert role["kind"] == "ClusterRole"
    assert role["metadata"]["name"] == "callboard-ci-runs"
    assert sorted(role["rules"], key=str) == sorted(
        [
            {"apiGroups": [rule.group], "resources": [*rule.resources], "verbs": [*rule.verbs]}
            for rule in (READ, LOGS, START, NODES)
        ],
        key=str,
    )
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "callboard-ci-runs",
    }  # fmt: skip
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "callboard", "namespace": "ops"}
    ]
    assert '# ci_runs, start: Starts "runs". Optional.' in text


def test_rights_by_name_are_asked_for_where_the_settings_name_somebody() -> None:
    def people(host: Any) -> list[str]:
        return list(host.settings)

    rule = ClusterRule(
        name="act_as", group="", resources=("users",), verbs=("impersonate",), why="Acts.",
        optional=True, namespaced=False, named=people,
    )  # fmt: skip

    def asked(*names: str) -> list[Contributed[ClusterRule]]:
        host: Any = SimpleNamespace(settings=names)
        return list(asked_rules(contributed(READ, rule), lambda _plugin: host))

    assert [item.value.name for item in asked()] == [READ.name]
    [_read, named] = asked("ada", "bea")
    _account, role, _binding = documents(Manifests("callboard", "ops").write([named]))
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"],
         "resourceNames": ["ada", "bea"]}
    ]  # fmt: skip
    assert [item.name for item in questions(named.value, "")] == ["ada", "bea"]


def test_rights_in_namespaces_are_roles_there() -> None:
    text = Manifests("callboard", "ops", ["shop", "pay"]).write(contributed(READ, NODES))
    _account, *found = documents(text)
    assert [(each["kind"], each["metadata"].get("namespace")) for each in found] == [
        ("ClusterRole", None), ("ClusterRoleBinding", None),
        ("Role", "shop"), ("RoleBinding", "shop"),
        ("Role", "pay"), ("RoleBinding", "pay"),
    ]  # fmt: skip
    granted = [each["rules"][0]["resources"] for each in found if "rules" in each]
    assert granted == [["nodes"], *[["pipelineruns", "taskruns"]] * 2]


PLUGIN = """
from callboard import hookimpl
from callboard.contributions import ClusterRule


@hookimpl
def callboard_cluster_rules():
    return [
        ClusterRule(name="read", group="a.example", resources=("as",), verbs=("get",), why="A."),
        ClusterRule(name="act", group="a.example", resources=("as",), verbs=("patch",), why="B.",
                    optional=True),
    ]
"""


def rbac(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["kubernetes", "rbac", *arguments])
    return done.exit_code, done.stdout if done.exit_code == 0 else str(done.exception)


def test_the_command_prints_manifests(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("asker", PLUGIN)
    monkeypatch.setenv("CALLBOARD_PLUGINS", "asker")
    monkeypatch.chdir(tmp_path)
    code, text = rbac()
    assert code == 0
    _account, role, _binding = documents(text)
    assert [rule["verbs"] for rule in role["rules"]] == [["patch"], ["get"]]
    code, text = rbac("--required", "--plugin", "asker", "--namespace", "shop", "--account", "cb",
                      "--home", "ops")  # fmt: skip
    account, role, _binding = documents(text)
    assert (account["metadata"]["name"], account["metadata"]["namespace"]) == ("cb", "ops")
    assert (role["kind"], [rule["verbs"] for rule in role["rules"]]) == ("Role", [["get"]])
    assert "These do: asker" in rbac("--plugin", "nope")[1]
    assert "no name in Kubernetes" in rbac("--namespace", "a\nb")[1]
    assert list(tmp_path.glob("*.sqlite3")) == []


# Without clusters

WITHOUT = """
import sys
from pathlib import Path
from callboard_web.runtime import Runtime

runtime = Runtime.open(Path(sys.argv[1]), {"CALLBOARD_PLUGINS": ""})
runtime.upgrade()
runtime.start(worker=True, serve=True)
assert list(runtime.host("core").clusters.names()) == sys.argv[2].split(), sys.argv
print(*[name for name in ("kubernetes", "urllib3") if name in sys.modules])
print(*[job.key for job in runtime.plugins.contributions.jobs if "clusters" in job.key])
runtime.stop()
"""


@pytest.mark.parametrize("names", ["", "build"])
def test_the_client_is_loaded_by_the_first_request_only(names: str, tmp_path: Path) -> None:
    config = tmp_path / "callboard.yaml"
    clusters = [{"name": name, "server": "https://127.0.0.1:1"} for name in names.split()]
    config.write_text(
        yaml.safe_dump({"kubernetes": {"clusters": clusters}, "jobs": {"workers": 0}})
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(config), names],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    loaded, jobs = done.stdout.splitlines()
    assert "kubernetes" not in loaded.split()
    assert "urllib3" not in loaded.split()
    assert jobs == ("core.clusters.look" if names else "")
