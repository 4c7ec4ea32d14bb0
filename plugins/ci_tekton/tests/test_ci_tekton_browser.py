"""A push becomes a run: it is seen, followed, ended, repeated and kept, in Chromium.

Git runs a real hook, which signs a delivery and sends it as Gitea does. The cluster is a sandbox.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from browsing import Visit, served, start_browser, visiting
from playwright.sync_api import Browser, Page, expect, sync_playwright

from callboard_sandbox.running import Cluster
from callboard_sandbox.settings import SandboxSettings
from callboard_web.runtime import Runtime

pytestmark = pytest.mark.browser

REPOSITORY = "https://git.example.test/shop/cart"
SECRET = "what-signs-the-deliveries"
NAMESPACE = "shop-ci"
RUNS = f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelineruns"
TAB = "/catalog/default/component/cart/ci_tekton.runs"
LINES = 150
SLOWLY = 60_000
MANY = 20_000
SPEED = 4.0

COMPONENT = f"""\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: cart
  annotations: {{backstage.io/source-location: "url:{REPOSITORY}/"}}
spec: {{type: service, lifecycle: production, owner: team}}
"""
# Git calls it after a push: one line for each branch on its standard input.
HOOK = """\
#!{python}
import hashlib, hmac, json, subprocess, sys, urllib.request

for before, after, ref in (line.split() for line in sys.stdin):
    command = ["git", "log", "-1", "--format=%an%x1f%s", after]
    author, title = subprocess.check_output(command, text=True).strip().split("\\x1f")
    commit = {{"id": after, "message": title, "author": {{"name": author, "email": ""}},
              "timestamp": "2026-03-02T08:00:00Z", "url": "{repository}/commit/" + after,
              "added": [], "modified": ["main.go"], "removed": []}}
    body = json.dumps({{
        "ref": ref, "before": before, "after": after, "commits": [commit], "total_commits": 1,
        "head_commit": commit, "pusher": {{"login": "ada"}}, "sender": {{"login": "ada"}},
        "repository": {{"id": 1, "name": "cart", "full_name": "shop/cart", "private": True,
                       "owner": {{"login": "shop"}}, "html_url": "{repository}",
                       "clone_url": "{repository}.git", "default_branch": "main",
                       "ssh_url": "git@git.example.test:shop/cart.git"}},
    }}).encode()
    digest = hmac.new(b"{secret}", body, hashlib.sha256).hexdigest()
    headers = {{"content-type": "application/json", "x-gitea-event": "push",
               "x-gitea-delivery": after, "x-gitea-signature": digest}}
    sent = urllib.request.Request("{address}/hooks/scm_hosts/code", body, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    print(opener.open(sent, timeout=20).status)
"""


def pipeline(name: str, task: str, *steps: str) -> dict[str, Any]:
    """Give a Pipeline of one task, declared within it."""
    written = [{"name": step, "image": "golang:1.25", "script": f"make {step}"} for step in steps]
    return {
        "apiVersion": "tekton.dev/v1", "kind": "Pipeline",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "params": [{"name": "revision", "type": "string"}],
            "tasks": [{"name": task, "taskSpec": {"steps": written}}],
        },
    }  # fmt: skip


PLAN = [
    {"match": {"step": "fetch"}, "seconds": 4, "log": ["+ git fetch", "\x1b[32mfetched\x1b[0m"]},
    {
        "match": {"step": "compile"}, "seconds": 100,
        "log": [f"\x1b[1mcompiled\x1b[0m {number} of {LINES}" for number in range(1, LINES + 1)],
    },
    {"match": {"step": "soak"}, "seconds": 9000, "log": []},
]  # fmt: skip


@dataclass
class Site:
    """A portal, its cluster, and a repository that tells it of pushes."""

    folder: Path
    address: str
    cluster: Cluster

    def git(self, *arguments: str) -> None:
        environment = {
            **os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.test",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.test",
        }  # fmt: skip
        subprocess.run(
            ["git", *arguments], cwd=self.folder / "work", env=environment, check=True,
            capture_output=True, timeout=60,
        )  # fmt: skip

    def push(self, branch: str, title: str) -> None:
        """Commit, and push; the hook sends the delivery before it returns."""
        with (self.folder / "work" / "main.go").open("a") as file:
            file.write(f"// {title}\n")
        self.git("add", "main.go")
        self.git("commit", "--message", title)
        self.git("push", "origin", f"HEAD:refs/heads/{branch}")

    def prune(self) -> int:
        """Delete all runs at the cluster's API, as its pruner does, and say how many."""
        headers = {"Authorization": f"Bearer {self.cluster.tokens['admin']}"}
        with httpx.Client(
            base_url=self.cluster.server.address, headers=headers, trust_env=False, timeout=20
        ) as client:
            found = client.get(RUNS).raise_for_status().json()["items"]
            for item in found:
                client.delete(f"{RUNS}/{item['metadata']['name']}").raise_for_status()
        return len(found)

    def log_state(self, page: Page) -> str:
        """Ask the API of logs what is known of the one a page shows."""
        path = page.locator("[data-log]").get_attribute("data-log")
        answer = httpx.get(f"{self.address}{path}?count=1", timeout=20, trust_env=False)
        return str(answer.raise_for_status().json()["state"])


def rule(name: str, branch: str) -> dict[str, Any]:
    return {
        "name": name, "repositories": ["git.example.test/shop/*"], "branches": [branch],
        "cluster": "sandbox", "namespace": NAMESPACE, "pipeline": name,
        "parameters": {"revision": "{{ revision }}"}, "status": False,
    }  # fmt: skip


def settings_of(cluster: Cluster) -> dict[str, Any]:
    hosts = [{"name": "code", "type": "gitea", "url": "https://git.example.test",
              "webhook_secrets": [SECRET]}]  # fmt: skip
    rules = [rule("build", "main"), rule("soak", "soak/*")]
    return {
        "access": {"anonymous": "administrator"},
        "catalog": {"sources": [{"name": "test", "type": "folder", "path": "catalog",
                                 "paths": ["*.yaml"]}]},
        "kubernetes": {"clusters": [{"name": "sandbox", "kubeconfig": str(cluster.kubeconfig)}]},
        "plugins": {
            "time_limit": "20s",
            "settings": {"scm_hosts": {"hosts": hosts}, "ci_tekton": {"push": {"rules": rules}}},
        },
    }  # fmt: skip


@contextmanager
def sandbox(folder: Path) -> Iterator[Cluster]:
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps({"rules": PLAN}))
    settings = SandboxSettings(serve=True, port=0, speed=SPEED, plan=folder / "plan.json")
    cluster = Cluster(folder, settings, clock=lambda: datetime.now(UTC))
    cluster.store.create("namespaces", {"metadata": {"name": NAMESPACE}})
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def portal(folder: Path, cluster: Cluster) -> Iterator[str]:
    (folder / "catalog").mkdir()
    (folder / "catalog" / "cart.yaml").write_text(COMPONENT)
    config = folder / "callboard.yaml"
    config.write_text(yaml.safe_dump(settings_of(cluster)))
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": "ci_tekton scm_hosts"}, strict=True)
    runtime.upgrade()
    runtime.start(worker=True, serve=True)
    try:
        runtime.jobs.submit(None, "catalog", "refresh", {"source": "test"})
        with served(runtime) as address:
            yield address
    finally:
        runtime.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with sandbox(folder / "sandbox") as cluster, portal(folder, cluster) as address:
        headers = {"Authorization": f"Bearer {cluster.tokens['admin']}"}
        for body in (
            pipeline("build", "make", "fetch", "compile"),
            pipeline("soak", "soak", "soak"),
        ):
            path = f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}/pipelines"
            made = httpx.post(
                f"{cluster.server.address}{path}", json=body, headers=headers, trust_env=False
            )
            made.raise_for_status()
        made_site = Site(folder, address, cluster)
        (folder / "work").mkdir()
        made_site.git("init", "--quiet", "--bare", str(folder / "cart.git"))
        hook = folder / "cart.git" / "hooks" / "post-receive"
        hook.write_text(HOOK.format(
            python=sys.executable, repository=REPOSITORY, secret=SECRET, address=address
        ))  # fmt: skip
        hook.chmod(0o755)
        made_site.git("init", "--quiet", "--initial-branch=main")
        made_site.git("remote", "add", "origin", str(folder / "cart.git"))
        yield made_site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = start_browser(playwright)
        yield started
        started.close()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.1)


def open_run(site: Site, page: Page, branch: str, title: str) -> str:
    """Push while a service's page is open; open the run that appears there, and give its path."""
    until(lambda: httpx.get(f"{site.address}{TAB}", trust_env=False).status_code == 200)
    page.goto(TAB)
    site.push(branch, title)
    row = page.get_by_role("row").filter(has_text=title)
    expect(row).to_be_visible(timeout=SLOWLY)
    row.get_by_role("rowheader").get_by_role("link").click()
    expect(page.locator("h1")).to_be_visible()
    return page.url.removeprefix(site.address).partition("?")[0]


def follow_to_the_end(site: Site, page: Page) -> None:
    """Watch the log of the step `compile` grow until it ends, always at its last line."""
    page.locator("#ci-run-tree").get_by_role("link", name="compile").click()
    log = page.get_by_role("log")
    expect(log).to_contain_text(re.compile(r"compiled \d+ of"), timeout=SLOWLY)
    expect(page.locator("[data-log-live]")).to_have_text("Live")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    last = log.get_by_text(f"compiled {LINES} of {LINES}", exact=True)
    expect(last).to_be_in_viewport(timeout=SLOWLY)
    expect(page.locator("[data-log-live]")).to_contain_text("Ended", timeout=SLOWLY)
    expect(page.locator("[data-log-count]")).to_have_text(f"{LINES} lines")
    until(lambda: site.log_state(page) == "kept")


def find_and_link(page: Page) -> None:
    """Search the log, and choose lines by their numbers."""
    page.keyboard.press("/")
    page.keyboard.type("COMPILED 77 ")
    expect(page.locator("[data-log-found]")).to_have_text("1 of 1")
    expect(page.locator(".log mark").first).to_be_in_viewport()
    page.locator("#L77 .log-n").click()
    page.locator("#L79 .log-n").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L77-L79$"))
    expect(page.locator(".log-chosen")).to_have_count(3)


def cancel_and_repeat(page: Page) -> None:
    """End the run that is shown, then run it again."""
    page.get_by_role("link", name="End…").click()
    page.get_by_role("button", name="End the run").click()
    expect(page.locator("#flash-text")).to_have_text("Asked to end")
    expect(page.locator("#ci-run-head .pill")).to_contain_text("ancelled", timeout=SLOWLY)
    ended = page.url.partition("?")[0]
    page.get_by_role("link", name=re.compile("again…")).click()
    page.locator("form button[type=submit].btn-p").last.click()
    expect(page.locator("#flash-text")).to_have_text("Started again")
    expect(page.locator("#ci-run-head .pill")).to_contain_text("unning", timeout=SLOWLY)
    assert page.url.partition("?")[0] != ended


def test_a_push_is_followed_ended_repeated_and_kept(site: Site, browser: Browser) -> None:
    with visiting(browser, site.address, viewport={"width": 1280, "height": 900}) as visit:
        page = visit.page
        first = open_run(site, page, "main", "Take off vouchers once")
        follow_to_the_end(site, page)
        find_and_link(page)
        step = page.url.removeprefix(site.address)
        open_run(site, page, "soak/one", "Soak it")
        cancel_and_repeat(page)
        assert site.prune() >= 3
        page.goto(first)
        expect(page.get_by_text("The cluster has pruned this run.")).to_be_visible(timeout=SLOWLY)
        read_again(visit, step)
        assert visit.faults == []


def container_of(site: Site, run: str, name: str) -> str:
    """Wait until a container of a run's pod runs, and give the pod's name."""
    found: list[str] = []

    def runs() -> bool:
        for pod in site.cluster.store.scan("pods"):
            labels, status = pod["metadata"]["labels"], pod.get("status") or {}
            states = {each["name"]: each["state"] for each in status.get("containerStatuses", [])}
            if labels.get("tekton.dev/pipelineRun") == run and "running" in states.get(name, {}):
                found.append(pod["metadata"]["name"])
        return bool(found)

    until(runs)
    return found[0]


def test_a_long_log_costs_few_elements(site: Site, browser: Browser) -> None:
    with visiting(browser, site.address, viewport={"width": 1280, "height": 900}) as visit:
        page = visit.page
        open_run(site, page, "soak/two", "Soak it for long")
        run = page.locator(".crumb b").inner_text()
        pod = container_of(site, run, "step-soak")
        for first in range(0, MANY, 5000):
            lines = [f"[INFO] line {number}" for number in range(first + 1, first + 5001)]
            site.cluster.store.append_log(NAMESPACE, pod, "step-soak", lines)
        page.locator("#ci-run-tree").get_by_role("link", name="soak").last.click()
        log, last = page.get_by_role("log"), page.locator(f"#L{MANY}")
        expect(last).to_be_in_viewport(timeout=SLOWLY)
        assert page.evaluate("document.querySelectorAll('[data-log-area] *').length") < 500
        log.focus()
        page.keyboard.press("Home")
        expect(page.locator("#L1")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
        site.cluster.store.append_log(NAMESPACE, pod, "step-soak", ["one more"])
        page.get_by_role("button", name="1 new line").click()
        expect(log.get_by_text("one more")).to_be_in_viewport()
        walk_by_keys(page)
        page.get_by_role("button", name="Wrap lines").click()
        expect(page.locator("#L10002")).to_be_in_viewport()
        assert visit.faults == []


def walk_by_keys(page: Page) -> None:
    """Go to a line by its address, and from there by keys from number to number."""
    page.evaluate("location.hash = '#L10000'")
    expect(page.locator("#L10000")).to_be_in_viewport()
    expect(page.locator("#L10000")).to_contain_text("[INFO] line 10000")
    page.locator("#L10000 .log-n").click()
    for key in ("ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#L10002 .log-n")).to_be_focused()
    expect(page).to_have_url(re.compile("#L10000-L10002$"))


def read_again(visit: Visit, step: str) -> None:
    """Open a link to lines of a log whose pod and run are gone."""
    page = visit.page
    page.goto(step)
    chosen = page.locator(".log-chosen")
    expect(chosen).to_have_count(3)
    expect(chosen.first).to_contain_text(f"compiled 77 of {LINES}")
    expect(chosen.first).to_be_in_viewport()
    page.get_by_role("log").focus()
    page.keyboard.press("End")
    expect(page.get_by_role("log").get_by_text(f"compiled {LINES} of {LINES}")).to_be_in_viewport()
