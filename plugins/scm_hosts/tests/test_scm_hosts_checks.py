"""What `callboard doctor` says of hosts of repositories."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hosts import TOKEN, Answer
from scm_site import Site, opened, site_of

from callboard.doctor import Finding, contributed_checks, examine
from callboard.testing import Clock
from callboard_web.runtime import Runtime

URL = "sqlite:///callboard.sqlite3"


def said(runtime: Runtime) -> list[Finding]:
    checks = contributed_checks(runtime.plugins.contributions.checks, runtime.host)
    found = examine(checks, secrets=runtime.settings.secrets())
    assert TOKEN not in str(found)
    return found


@pytest.fixture(params=["gitlab", "github", "gitea", "gitee"])
def site(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Site]:
    with site_of(tmp_path, request.param, URL, clock) as made:
        yield made


def test_a_host_that_takes_the_token_says_what_is_left(site: Site) -> None:
    (found,) = said(site.runtime)
    assert (found.status, found.title) == ("ok", "Repository host code takes the token.")
    assert "3,999 of 4,000 requests of this hour left" in found.detail


def test_a_token_that_is_refused_is_told(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, "gitlab", URL, clock, {"token": "${env:CALLBOARD_PLUGINS}"}) as site:
        (found,) = said(site.runtime)
    assert (found.status, found.title) == ("bad", "Repository host code cannot be used.")
    assert "refused the token (401)" in found.detail


def test_a_group_that_is_not_there_is_told(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, "gitlab", URL, clock, group="nowhere") as site:
        site.server.faults.append(
            lambda path: Answer({}, 404) if "/groups/nowhere/" in path else None
        )
        (found,) = said(site.runtime)
    assert found.status == "bad"
    assert "/groups/nowhere/projects" in found.detail


def test_a_host_that_is_away_or_used_up_is_told(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, "github", URL, clock, {"requests_per_hour": 10}) as site:
        for _ in range(10):
            assert said(site.runtime)[0].status == "ok"
        (found,) = said(site.runtime)
        assert (found.status, found.title) == (
            "warn", "Repository host code must not be asked now.",
        )  # fmt: skip
        assert "used up" in found.detail
    folder = tmp_path / "away"
    folder.mkdir()
    settings = {"hosts": [{"name": "code", "type": "gitea", "url": "http://127.0.0.1:9"}]}
    with opened(folder, settings, URL, clock) as runtime:
        (found,) = said(runtime)
    assert (found.status, bool(found.detail), bool(found.next_step)) == ("bad", True, True)


def test_a_folder_is_counted(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "code").mkdir()
    settings = {"hosts": [{"name": "code", "type": "folder", "path": str(tmp_path / "code")}]}
    with opened(tmp_path, settings, URL, clock) as runtime:
        (found,) = said(runtime)
    assert (found.status, found.title) == ("warn", "Repository host code: 0 repositories")
