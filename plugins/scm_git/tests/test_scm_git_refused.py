"""Hosts that refuse a repository are left alone, and asked again when there is reason to."""

import html
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from git_servers import TOKEN, GitServer, certificate, make_root
from starlette.testclient import TestClient

from callboard.jobs.runs import runs
from callboard.testing import Clock
from callboard_scm_git.metrics import count_repositories
from callboard_scm_git.queries import load_repositories
from callboard_scm_git.refresh import refresh_all
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ENTITY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: orders
  annotations: {{"backstage.io/source-location": "url:{url}"}}
spec: {{type: service, lifecycle: production, owner: team}}
"""


class Site:
    """A portal of one entity whose repository is on a server of Git over https."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.certificate = certificate(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "key.pem")
        self.server = GitServer(make_root(folder), context)
        (folder / "catalog").mkdir()
        (folder / "catalog/orders.yaml").write_text(ENTITY.format(url=self.server.url))
        self.runtime = self.open()

    def open(self, token: str = "") -> Runtime:
        """Start the portal, with a token for the server."""
        sign_in = [{"host": f"127.0.0.1:{self.server.port}", "username": "robot", "token": token}]
        settings: dict[str, Any] = {
            "access": {"anonymous": "administrator"},
            "database": {"url": "sqlite:///callboard.sqlite3"},
            "git": {"allow_hosts": ["127.0.0.1"], "credentials": sign_in if token else []},
            "http": {
                "ca_bundle": str(self.certificate), "allow_hosts": ["127.0.0.1"], "retries": 0,
            },
            "catalog": {"sources": [
                {"name": "files", "type": "folder", "path": "catalog", "paths": ["*.yaml"]}
            ]},
        }  # fmt: skip
        config = self.folder / "callboard.yaml"
        config.write_text(yaml.safe_dump(settings))
        environment = {"CALLBOARD_PLUGINS": "scm_git"}
        made = Runtime.open(config, environment, clock=self.clock, strict=True)
        made.upgrade()
        made.start(worker=False, serve=False)
        made.engine.read("files")
        return made

    def row(self) -> Any:
        with self.runtime.host("scm_git").read() as connection:
            return load_repositories(connection)[0]

    def refresh(self, **more: Any) -> tuple[str, int]:
        """Run what the schedule does; give what came of it and how often the server was asked."""
        before = len(self.server.asked)
        (outcome,) = refresh_all(self.runtime.host("scm_git"), **more)
        return outcome.result, len(self.server.asked) - before


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    clock.set(NOW)
    made = Site(tmp_path, clock)
    yield made
    made.runtime.stop()
    made.server.close()


def test_a_host_that_refuses_is_asked_once_and_left_alone(site: Site) -> None:
    site.server.status = 403
    site.runtime.jobs.run_once()
    asked = len(site.server.asked)
    assert asked
    # By then a job that failed would have been tried again.
    for _ in range(2):
        site.clock.advance(timedelta(minutes=2))
        site.runtime.jobs.run_once()
    assert len(site.server.asked) == asked
    with site.runtime.database.read() as connection:
        assert runs(connection, state="failed", plugin="scm_git") == []
        assert [run.error for run in runs(connection, state="waiting", plugin="scm_git")] == []
    row = site.row()
    assert (row.failing_since, row.next_try_at) == (NOW, NOW + timedelta(minutes=15))
    page = html.unescape(
        TestClient(create_app(site.runtime)).get("/catalog/default/component/orders").text
    )
    assert "The host refuses to give this repository." in page
    assert re.search(r"It is asked again after .*8:15", page)
    assert row.error in page
    counts = {item.labels["state"]: item.value for item in
              count_repositories(site.runtime.host("scm_git"))}  # fmt: skip
    assert counts == {"read": 0, "failing": 0, "refused": 1, "waiting": 0}


def test_the_schedule_asks_less_and_less_often(site: Site) -> None:
    site.server.status = 403
    assert site.refresh()[0] == "refused"
    tries = []
    for step in range(4 * 9):
        site.clock.advance(timedelta(minutes=15))
        result, requests = site.refresh()
        assert result == "refused"
        if requests:
            tries.append((step + 1) / 4)
    assert tries == [0.25, 0.5, 1, 2, 4, 8]
    # From then on it is asked every six hours.
    site.clock.advance(timedelta(hours=5))
    assert site.refresh()[1]
    assert site.row().next_try_at == site.clock() + timedelta(hours=6)
    site.server.status = 0
    assert site.refresh() == ("refused", 0)
    assert site.refresh(anyway=True)[0] == "read"
    row = site.row()
    assert (row.failing_since, row.next_try_at, row.error) == (None, None, "")


def test_every_way_to_refuse_is_one(site: Site) -> None:
    for status in (401, 403, 404):
        site.server.status = status
        assert site.refresh(anyway=True)[0] == "refused", status
    assert site.row().next_try_at


def test_other_credentials_are_tried_at_once(site: Site) -> None:
    site.server.secured = True
    assert site.refresh()[0] == "refused"
    site.runtime.stop()
    site.runtime = site.open()
    assert site.refresh() == ("refused", 0)
    site.runtime.stop()
    site.runtime = site.open(TOKEN)
    assert site.refresh()[0] == "read"
    assert site.row().next_try_at is None


def test_a_host_that_is_down_is_tried_again_soon(site: Site) -> None:
    site.server.status = 503
    assert site.refresh()[0] == "failed"
    assert site.refresh()[1]
    assert site.row().next_try_at is None
    site.server.status = 403
    site.refresh()
    assert site.row().next_try_at
    site.server.status = 503
    assert site.refresh(anyway=True)[0] == "failed"
    assert site.row().next_try_at is None


def test_an_empty_repository_is_no_refusal(site: Site) -> None:
    origin = site.folder / "root/origin.git"
    (origin / "HEAD").write_text("ref: refs/heads/nothing\n")
    (origin / "packed-refs").unlink(missing_ok=True)
    (origin / "refs/heads/main").unlink(missing_ok=True)
    assert site.refresh()[0] == "failed"
    assert site.row().next_try_at is None
