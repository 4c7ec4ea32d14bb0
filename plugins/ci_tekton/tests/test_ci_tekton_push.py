"""From a host's delivery to a run in a cluster, and back to the host: all over real HTTP."""

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import deliveries as sample
import pytest
from deliveries import AFTER, NONE, SECRET, Repository, Sent
from fake_hosts import HOSTS, TOKEN, Answer, FakeGitee, FakeHost, serving
from sandbox_api import TOKENS, Api
from sandbox_api import serving as serving_cluster
from sqlalchemy import select, update

from callboard.audit.models import audit_entry
from callboard.testing import Clock
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_ci_tekton.models import delivery, push, run
from callboard_ci_tekton.push.forgetting import forget
from callboard_sandbox.api.faults import plan_of
from callboard_sandbox.kubeconfig import write_kubeconfig
from callboard_scm_hosts.signatures import verify
from callboard_web.testing import PortalUnderTest, portal_under_test

RULE = {
    "name": "build", "repositories": ["*/shop/*"], "events": ["push", "tag", "merge_request"],
    "branches": ["main", "release/*"], "paths": ["**"], "cluster": "build", "namespace": "builds",
    "pipeline": "build", "service_account": "builder",
    "parameters": {"url": "{{ repository }}", "revision": "{{ revision }}",
                   "branch": "{{ branch }}"},
}  # fmt: skip
PIPELINE = {
    "apiVersion": "tekton.dev/v1", "kind": "Pipeline",
    "metadata": {"name": "build", "namespace": "builds"},
    "spec": {
        "params": [{"name": "url", "type": "string"}, {"name": "revision", "type": "string"},
                   {"name": "branch", "type": "string", "default": "main"}],
        "tasks": [{"name": "unit", "taskSpec": {"steps": [
            {"name": "test", "image": "busybox", "script": "true"}]}}],
    },
}  # fmt: skip
TEMPLATES: dict[str, Path] = {}


@dataclass
class Site:
    """A portal, the cluster it starts runs in, and the host that tells it of pushes."""

    portal: PortalUnderTest
    cluster: Api
    server: FakeHost
    kind: str
    clock: Clock

    @property
    def of(self) -> Repository:
        return Repository(base=self.server.base)

    def made(self, **more: Any) -> Sent:
        makers: dict[str, Any] = {
            "gitlab": sample.gitlab, "github": sample.github, "gitea": sample.gitea,
            "gitee": lambda of, **given: sample.gitee(of, self.clock(), **given),
        }  # fmt: skip
        sent: Sent = makers[self.kind](self.of, **more)
        return sent

    def post(self, sent: Sent) -> int:
        """Deliver, and give the number in the inbox."""
        headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
        answer = self.portal.client.post(
            "/hooks/scm_hosts/code", content=sent.body, headers=headers
        )
        assert answer.status_code in (200, 202), answer.text
        number: int = answer.json()["delivery"]
        return number

    def work(self) -> None:
        """Do what follows, until nothing is left that is due now."""
        for _ in range(30):
            if not self.portal.run_jobs():
                return
        raise AssertionError("the jobs find no end")

    def push(self, **more: Any) -> int:
        number = self.post(self.made(**more))
        self.work()
        return number

    def runs(self) -> list[dict[str, Any]]:
        """Give the runs in the cluster."""
        with self.cluster.client("admin") as client:
            answer = client.get("/apis/tekton.dev/v1/namespaces/builds/pipelineruns")
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def observe(self, body: Mapping[str, Any], version: int, **status: Any) -> None:
        """Let the cluster tell of a run."""
        metadata = {**body["metadata"], "resourceVersion": str(version)}
        told = {**body, "metadata": metadata, "apiVersion": "tekton.dev/v1", "kind": "PipelineRun"}
        if status:
            condition = {"type": "Succeeded", **status}
            told["status"] = {"startTime": "2026-03-02T08:00:00Z", "conditions": [condition]}
        self.portal.observe("build", PIPELINE_RUNS, told)
        self.work()

    def rows(self) -> list[Any]:
        with self.portal.host("ci_tekton").read() as connection:
            joined = push.outerjoin(delivery, delivery.c.push_id == push.c.id)
            wanted = (push.c.kind, push.c.state.label("push_state"), push.c.delivery, *delivery.c)
            return list(connection.execute(select(*wanted).select_from(joined)).all())

    def statuses(self) -> list[str]:
        """Give what the host was told, in its order and words."""
        if isinstance(self.server, FakeGitee):
            return [content.get("conclusion") or content["status"]
                    for _method, _path, content in self.server.sent]  # fmt: skip
        return [content["state"] for _method, _path, content in self.server.sent]


@contextmanager
def site_of(
    folder: Path, clock: Clock, kind: str = "gitlab", *, database: str = "", **settings: Any
) -> Iterator[Site]:
    """Give a site with one rule; `rules`, `files` and the rest of `push` can be given."""
    with serving(HOSTS[kind]()) as server, serving_cluster(folder / "cluster") as cluster:
        server.add("shop/orders", 15, heads={"main": AFTER, "release/1.2": AFTER, "7": AFTER})
        for resource, body in (
            ("namespaces", {"metadata": {"name": "builds"}}), ("pipelines.tekton.dev", PIPELINE),
        ):  # fmt: skip
            cluster.store.create(resource, body)
        write_kubeconfig(folder / "kubeconfig", cluster.server.address, TOKENS)
        host = {"name": "code", "type": kind, "url": server.base, "token": TOKEN,
                "webhook_secrets": [SECRET]}  # fmt: skip
        document: dict[str, Any] = {
            "http": {"allow_hosts": ["127.0.0.1"], "retries": 0},
            "portal": {"base_url": "https://portal.example.org"},
            "kubernetes": {"clusters": [{"name": "build",
                                         "kubeconfig": str(folder / "kubeconfig")}]},
            "plugins": {"settings": {
                "scm_hosts": {"hosts": [host]},
                "ci_tekton": {"push": {"rules": [RULE], **settings}},
            }},
        }  # fmt: skip
        if database:
            document["database"] = {"url": database}
        with portal_under_test(
            folder / "portal", plugins=["ci_tekton", "scm_hosts"], settings=document, clock=clock,
            templates=TEMPLATES,
        ) as portal:  # fmt: skip
            yield Site(portal, cluster, server, kind, clock)


WRITTEN = {
    "gitlab": ["pending", "running", "success"],
    "github": ["pending", "pending", "success"],
    "gitea": ["pending", "pending", "success"],
    "gitee": ["queued", "in_progress", "success"],
}


@pytest.mark.parametrize("kind", HOSTS)
def test_a_push_starts_a_run_and_the_host_hears_of_it(
    kind: str, tmp_path: Path, clock: Clock
) -> None:
    with site_of(tmp_path, clock, kind) as site:
        number = site.push(ref="refs/heads/release/1.2")
        [made] = site.runs()
        given = {item["name"]: item["value"] for item in made["spec"]["params"]}
        url = f"{site.server.base}/shop/orders.git"
        assert given == {"url": url, "revision": AFTER, "branch": "release/1.2"}
        assert made["spec"]["taskRunTemplate"]["serviceAccountName"] == "builder"
        site.observe(made, 1001)
        site.observe(made, 1002, status="Unknown", reason="Running")
        site.observe(made, 1003, status="True", reason="Succeeded")
        assert site.statuses() == WRITTEN[kind]
        last = site.server.sent[-1][2]
        with site.portal.host("ci_tekton").read() as connection:
            row = connection.execute(select(run)).one()
        page = f"https://portal.example.org/ci_tekton/runs/{row.id}"
        assert page in (last.get("target_url"), last.get("details_url"))
        assert "callboard/build" in (last.get("context"), last.get("name"))
        assert (row.trigger, row.branch, row.commit, row.actor) == (
            "push", "release/1.2", AFTER, "li"
        )  # fmt: skip
        inbox = site.portal.client.get(f"/deliveries/{number}").text
        assert f"/ci_tekton/runs/{row.id}" in inbox
        assert "Rule build: Started" in inbox
        shown = site.portal.client.get(f"/ci_tekton/runs/{row.id}").text
        assert f'href="/deliveries/{number}"' in shown
        assert "callboard/build" in shown


def test_it_happens_once_on_both_databases(database_url: str, tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "github", database=database_url) as site:
        number = site.push()
        site.push()
        site.portal.client.post(f"/api/deliveries/{number}/replay")
        site.work()
        assert len(site.runs()) == 1
        # Killed after the run was created and before that was written down.
        host = site.portal.host("ci_tekton")
        with host.write() as connection:
            connection.execute(update(delivery).values(state="waiting", name="", event=""))
            host.submit("start_push", {"delivery": 1}, connection=connection)
        site.work()
        [made] = site.runs()
        [row] = site.rows()
        assert (row.state, row.name) == ("started", made["metadata"]["name"])
        with host.read() as connection:
            acts = connection.execute(select(audit_entry.c.action)).scalars().all()
        assert "ci_tekton.push.start" in acts
        assert "ci_tekton.status.write" in acts


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres_server")
    yield server.url(server.create_empty())


def test_what_did_not_run_says_why(tmp_path: Path, clock: Clock) -> None:
    rules = [RULE, {**RULE, "name": "docs", "paths": ["docs/**"]}]
    with site_of(tmp_path, clock, "gitlab", rules=rules) as site:
        site.post(site.made(ref="refs/heads/feature/x", after="1" * 40).named("one"))
        site.post(site.made(ref="refs/heads/main", after=NONE, count=0).named("two"))
        site.post(site.made(ref="refs/heads/main", after="2" * 40, count=20, total=30).named("3"))
        site.post(site.made(ref="refs/heads/main", after="3" * 40).named("four"))
        site.post(site.made(user_username="ci[bot]", after="4" * 40).named("five"))
        elsewhere = Repository(base=site.server.base, path="bank/loans")
        site.post(sample.gitlab(elsewhere).named("six"))
        fork = sample.merge_request("gitlab", site.of, clock(), fork=True)
        site.post(fork)
        site.post(sample.merge_request("gitlab", site.of, clock(), action="merged").named("7"))
        site.work()
        text = site.portal.client.get("/ci_tekton/pushes").text
        for said in (
            "The branch feature/x does not fit.", "It was deleted.",
            "The host did not tell all changed files, so the rule fits.",
            "None of the changed files fits.", "Pushes of ci[bot] start nothing",
            "No rule is for this repository.", "the rule does not let forks in", "no new commits",
        ):  # fmt: skip
            assert said in text, said
        assert len(site.runs()) == 3, "build twice, and docs where nobody knows the files"
        only = site.portal.client.get("/ci_tekton/pushes?repository=bank").text
        assert "bank/loans" in only
        assert "feature/x" not in only
        assert "没有规则" in site.portal.client.get(
            "/ci_tekton/pushes", headers={"Accept-Language": "zh-CN"}
        ).text  # fmt: skip
        host = site.portal.host("ci_tekton")
        assert forget(host) == 0
        clock.advance(timedelta(days=91))
        assert forget(host) == 8
        assert site.rows() == []


def test_a_merge_request_runs_for_its_target(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "github") as site:
        site.post(sample.merge_request("github", site.of, clock()))
        site.work()
        [made] = site.runs()
        notes = made["metadata"]["annotations"]
        assert notes["callboard.io/tekton-change"] == "7"
        assert notes["callboard.io/tekton-branch"] == "feature/price"
        assert {"name": "branch", "value": "main"} in made["spec"]["params"]


def test_gitee_is_asked_whether_it_is_true(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "gitee") as site:
        site.push(after="f" * 40)
        assert site.runs() == []
        [row] = site.rows()
        assert row.state == "failed"
        assert "at another commit" in str(row.reason)


OWN = [{"repositories": ["*/shop/*"], "cluster": "build", "namespaces": ["builds"],
        "pipelines": ["build*"]}]  # fmt: skip
OWN_FILE = """\
rules:
  - name: own
    pipeline: build
    parameters: {url: "{{ repository }}", revision: "{{ revision }}"}
  - {name: outside, pipeline: deploy}
"""


def test_a_repository_brings_its_own_rules(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "gitlab", rules=[], files=OWN) as site:
        repository = site.server.repositories[0]
        site.push()
        assert [str(row.reason) for row in site.rows()] == ["The repository has no such file."]
        repository.files[".callboard/ci.yaml"] = OWN_FILE.encode()
        site.post(site.made().named("two"))
        site.work()
        assert len(site.runs()) == 1
        asked = [path for path in site.server.requests if "ci.yaml" in path]
        assert asked[-1].endswith(f"ref={AFTER}")
        said = {row.rule: (row.state, str(row.reason)) for row in site.rows()}
        assert said[".callboard/ci.yaml#own"][0] == "started"
        state, reason = said[".callboard/ci.yaml#outside"]
        assert state == "failed"
        assert "pipeline: deploy" in reason
        repository.files[".callboard/ci.yaml"] = b"rules: {"
        site.post(site.made().named("three"))
        site.work()
        assert "cannot be used" in site.portal.client.get("/ci_tekton/pushes").text
        site.post(sample.merge_request("gitlab", site.of, clock(), fork=True))
        site.work()
        asked = [path for path in site.server.requests if "ci.yaml" in path]
        assert asked[-1].endswith("ref=main"), "a fork does not choose what runs"
        assert len(site.runs()) == 1


def test_a_cluster_that_is_away_is_waited_for(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "gitlab") as site:
        site.cluster.faults.plan(plan_of({"fault": "busy", "path": "/apis/tekton.dev"}))
        site.push()
        [row] = site.rows()
        assert row.state == "waiting"
        assert row.reason
        site.cluster.faults.end()
        clock.advance(3600)
        site.work()
        assert len(site.runs()) == 1


def test_what_does_not_fit_the_pipeline_is_not_started(tmp_path: Path, clock: Clock) -> None:
    rule = {**RULE, "parameters": {"url": "{{ repository }}"}}
    with site_of(tmp_path, clock, "gitlab", rules=[rule]) as site:
        number = site.push()
        assert site.runs() == []
        assert "revision" in site.portal.client.get("/ci_tekton/pushes").text
        assert "Rule build: Failed" in site.portal.client.get(f"/deliveries/{number}").text


def test_a_status_is_written_late_rather_than_wrong(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, clock, "gitlab") as site:
        site.server.faults.append(lambda path: Answer({}, 503) if "statuses" in path else None)
        site.push()
        [made] = site.runs()
        site.observe(made, 1001)
        site.observe(made, 1002, status="False", reason="Failed")
        assert site.statuses() == []
        [row] = site.rows()
        assert row.told_error
        page = site.portal.client.get(f"/ci_tekton/runs/{row.run_id}").text
        assert "The status of the commit could not be written." in page
        site.server.faults.clear()
        for _ in range(3):
            clock.advance(7200)
            site.work()
        assert site.statuses() == ["failed"], "and nothing of what went before"
        site.observe(made, 1003, status="False", reason="Failed")
        assert site.statuses() == ["failed"]
        notes = {key: value for key, value in made["metadata"]["annotations"].items()
                 if not key.endswith("-event")}  # fmt: skip
        again = {**made["metadata"], "name": "again", "uid": "u-2", "annotations": {
            **notes, "callboard.io/tekton-rerun-of": made["metadata"]["uid"]}}  # fmt: skip
        site.observe({**made, "metadata": again}, 1004, status="True", reason="Succeeded")
        assert site.statuses() == ["failed", "success"], "who repeats it tells anew"


@contextmanager
def listener(answers: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[Any, bytes]]]]:
    """Stand for an EventListener of Tekton: give its address and what it was sent."""
    got: list[tuple[Any, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answers).encode()
            self.send_response(202)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", got
    finally:
        server.shutdown()
        server.server_close()


OF_HOST = {
    "gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "of-the-listener"},
    "github": {"X-GitHub-Event": "push"},
    "gitea": {"X-GitHub-Event": "push", "X-Gitea-Event": "push", "X-Gogs-Event": "push"},
    "gitee": {"X-Gitee-Event": "Push Hook", "X-Gitee-Token": "of-the-listener"},
}
"""What interceptors ask for besides X-Hub-Signature-256: `github` asks for X-GitHub-Event."""


@pytest.mark.parametrize(
    ("kind", "more"), [*((kind, {}) for kind in HOSTS), ("gitee", {"password": True})]
)
def test_a_delivery_is_forwarded_signed(
    kind: str, more: dict[str, Any], tmp_path: Path, clock: Clock
) -> None:
    event = "4f1e2c3d-aaaa-bbbb-cccc-1234567890ab"
    with listener({"eventListener": "ci", "namespace": "builds", "eventID": event}) as (url, got):
        rule = {"name": "all", "repositories": ["**"], "listener": url,
                "listener_secret": "of-the-listener"}  # fmt: skip
        with site_of(tmp_path, clock, kind, rules=[rule]) as site:
            sent = site.made(**more)
            number = site.post(sent)
            site.work()
            [(headers, body)] = got
            if kind == "gitee":  # what proves who sent it is in the body as well, and not kept
                told = json.loads(sent.body)
                proofs = {name: "***" for name in ("password", "sign") if told[name]}
                assert json.loads(body) == {**told, **proofs}
                assert proofs
            else:
                assert body == sent.body
            digest = hmac.new(b"of-the-listener", body, hashlib.sha256).hexdigest()
            assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
            assert headers.get("X-Gitea-Signature") == (digest if kind == "gitea" else None)
            assert headers["Content-Type"] == "application/json"
            for name, value in OF_HOST[kind].items():
                assert headers[name] == value
            # As the host's own proof of who sent it, by the listener's secret and no other.
            plain = {name.lower(): value for name, value in headers.items()}
            for secret, fits in (("of-the-listener", True), (SECRET, False)):
                assert (verify(kind, plain, body, [secret], clock()) is True) is fits
            assert all(SECRET not in str(each) for each in (headers, body.decode()))
            assert all(value not in str(headers) for name, value in sent.headers.items()
                       if name.endswith(("token", "signature", "signature-256")))  # fmt: skip
            labels = {"triggers.tekton.dev/triggers-eventid": event}
            body_ = {"metadata": {"name": "build-x7", "namespace": "builds", "uid": "u-1",
                                  "labels": labels, "creationTimestamp": "2026-03-02T08:00:00Z"},
                     "spec": {"pipelineRef": {"name": "build"}}}  # fmt: skip
            site.observe(body_, 1001)
            [row] = site.rows()
            assert (row.state, row.event) == ("forwarded", event)
            shown = site.portal.client.get(f"/ci_tekton/runs/{row.run_id}").text
            assert f'href="/deliveries/{number}"' in shown
            assert site.statuses() == [], "the listener's own pipelines tell the host"


def test_a_listener_in_a_private_network_must_be_allowed(tmp_path: Path, clock: Clock) -> None:
    rule = {"name": "all", "repositories": ["**"], "listener": "http://169.254.169.254/",
            "listener_secret": "x"}  # fmt: skip
    with site_of(tmp_path, clock, "gitlab", rules=[rule]) as site:
        site.push()
        [row] = site.rows()
        assert row.state == "failed"
        assert "169.254.169.254" in str(row.reason)
