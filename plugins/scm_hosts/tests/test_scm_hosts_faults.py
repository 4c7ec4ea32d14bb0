"""Hosts that refuse, limit, lie or go in circles; scans that are ended midway."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import TOKEN, Answer, FakeHost, serving
from scm_site import Site, component, database_of, site_of
from sqlalchemy import update

from callboard.testing import Clock
from callboard_scm_hosts import models
from callboard_scm_hosts.jobs import is_due
from callboard_scm_hosts.ledger import load_state
from callboard_scm_hosts.service import ask_all, touched

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SQLITE = "sqlite:///callboard.sqlite3"


@pytest.fixture(params=["gitlab", "github", "gitea", "gitee"])
def site(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Site]:
    clock.set(NOW)
    with site_of(tmp_path, request.param, SQLITE, clock) as made:
        yield made


@pytest.fixture
def github(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    clock.set(NOW)
    with site_of(tmp_path, "github", SQLITE, clock) as made:
        yield made


def is_listing(path: str) -> bool:
    return re.search(r"/(groups|orgs)/[^/]+/(projects|repos)(\?|$)", path) is not None


def instead(server: FakeHost, answer: Answer, *, of: str = "", times: int = 1000) -> None:
    """Give this answer to the next listings, or to requests whose path holds `of`."""
    left = [times]

    def fault(path: str) -> Answer | None:
        if left[0] and (of in path if of else is_listing(path)):
            left[0] -= 1
            return answer
        return None

    server.faults.append(fault)


# What no list of repositories is


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(b"<html><title>Sign in</title>"), "answered with no JSON"),
        (Answer("text"), "answered with no JSON"),
        (Answer({"message": "?"}), "no list of repositories"),
        (Answer({}, 500), "status 500"),
        (Answer({}, 418), "status 418"),
        (Answer({}, 401), "refused the token"),
        (Answer({}, 403), "refused the token"),
        (Answer({}, 404), "the token may not see it"),
        (Answer(b"[" * 100_000), "answered with no JSON"),
        (Answer(b"[" + b" " * (11 * 2**20) + b"]"), "larger than"),
        (Answer(b"", 302, {"Location": "http://169.254.169.254/latest"}), "not below the address"),
        (Answer(b"", 302, {"Location": "/login"}), "not below the address"),
    ],
)
def test_answers_that_are_no_list(site: Site, answer: Answer, words: str) -> None:
    site.scan()
    instead(site.server, answer)
    outcome = site.scan()
    assert words in outcome.error
    assert TOKEN not in outcome.error
    assert site.names() == ["orders", "stock"]
    row = site.discovery()
    assert words in str(row.error)
    assert row.failing_since == NOW
    assert words in str(site.runtime.engine.read("scm_hosts.shop").error)
    site.server.faults.clear()
    site.clock.advance(timedelta(hours=2))
    assert site.scan().error == ""
    assert site.discovery().failing_since is None
    assert not site.runtime.engine.read("scm_hosts.shop").error


def test_entries_that_are_no_repositories(site: Site) -> None:
    good = Answer([])
    shapes: list[Any] = [None, 1, "x", [], {}, {"id": 1}, {"id": True, "path": "shop/x"}]
    own = site.server.repositories[0]
    shape = site.server.shape(own)  # type: ignore[attr-defined]
    name = "path_with_namespace" if "path_with_namespace" in shape else "full_name"
    for wrong in (
        "other/repo", "shop/../../etc", "shop/a b", "shop//a", "/shop/a", "shop", "a" * 600,
        "shop/a\0", "shop/\u202eabc", 7, None, "shop/a?x=1", "shop/..",
    ):  # fmt: skip
        shapes.append({**shape, "id": 500 + len(shapes), name: wrong})
    shapes.append({**shape, "id": 900, "default_branch": "-x"})
    shapes.append({**shape, "id": 901, "default_branch": "a..b"})
    shapes.append(shape)
    good.body = shapes
    instead(site.server, good)
    outcome = site.scan()
    assert (outcome.listed, outcome.error) == (1, "")
    assert str(site.discovery().note).startswith(f"{len(shapes) - 1} entries of the list")
    assert site.names() == ["orders"]


def test_a_list_that_is_suddenly_empty_is_not_believed(github: Site) -> None:
    for number in range(20):
        github.server.add(f"shop/r{number}", 100 + number)
    github.scan()
    instead(github.server, Answer([]))
    assert "lists no repository any more, though 23 were known" in github.scan().error
    assert github.names() == ["orders", "stock"]


# Paging


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("{same}", "goes in a circle"),
        ("http://169.254.169.254/api/v3/orgs/shop/repos?page=2", "not below the address"),
        ("{base}/elsewhere?page=2", "not below the address"),
        ("{base}/api/v3/../../x?page=2", "not below the address"),
        ("ftp://x/y", "not below the address"),
    ],
)
def test_pages_that_lead_elsewhere(github: Site, link: str, words: str) -> None:
    github.scan()
    base = github.server.base
    same = f"{base}/api/v3/orgs/shop/repos?type=all&sort=created&direction=asc&per_page=100"
    url = link.format(base=base, same=same)
    instead(github.server, Answer([], headers={"Link": f'<{url}>; rel="next"'}))
    github.server.clear()
    assert words in github.scan().error
    assert len(github.server.requests) == 1
    assert github.names() == ["orders", "stock"]


def test_pages_without_end(github: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callboard_scm_hosts.client.MAXIMUM_PAGES", 20)

    def more(path: str) -> Answer | None:
        number = int(path.rpartition("page=")[2]) + 1 if "&page=" in path else 2
        url = f"{github.server.base}{path.partition('&page=')[0]}&page={number}"
        return Answer([], headers={"Link": f'<{url}>; rel="next"'}) if is_listing(path) else None

    github.server.faults.append(more)
    assert "does not end" in github.scan().error
    assert len(github.server.requests) == 20


def test_a_token_goes_to_its_host_alone(github: Site) -> None:
    with serving(type(github.server)()) as other:
        instead(github.server, Answer(b"", 302, {"Location": f"{other.base}/api/v3/x"}))
        assert "not below the address" in github.scan().error
        assert other.requests == []


def test_a_repository_that_moved_is_followed(github: Site) -> None:
    moved = {"Location": "/api/v3/repos/shop/stock/git/trees/main?recursive=1"}
    instead(github.server, Answer(b"", 301, moved), of="shop/orders/git/trees")
    github.server.repositories[0].files = github.server.repositories[1].files
    assert github.scan().error == ""
    assert github.states()["shop/orders"] == "read"


# Limits


@pytest.mark.parametrize(
    ("status", "body", "headers", "pause"),
    [
        (429, {}, {"Retry-After": "300"}, 300),
        (429, {}, {"Retry-After": "Mon, 02 Mar 2026 08:10:00 GMT"}, 600),
        (403, {"message": "You have exceeded a secondary rate limit."}, {}, 60),
        (403, {}, {"Retry-After": "120"}, 120),
        (403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(STAMP)}, 0),
        (403, {}, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(STAMP + 60)}, 60),
        (429, {}, {"RateLimit-Remaining": "0", "RateLimit-Reset": str(STAMP + 900)}, 900),
        (429, {}, {"Retry-After": "999999999"}, 6 * 3600),
        (429, {}, {"Retry-After": "soon"}, 60),
    ],
)
def test_a_host_that_has_enough_is_left_alone(
    site: Site, status: int, body: Any, headers: dict[str, str], pause: int
) -> None:
    site.scan()
    instead(site.server, Answer(body, status, headers), times=1)
    site.server.clear()
    outcome = site.scan()
    if not pause:
        assert "refused the token" in outcome.error
        return
    assert outcome.error == ""
    assert outcome.waiting is not None
    late = outcome.waiting - NOW
    assert timedelta(seconds=pause) <= late <= timedelta(seconds=pause + 31)
    assert site.names() == ["orders", "stock"]
    state = load_state(site.host, "code")
    assert state.waiting_until == outcome.waiting
    assert not is_due(site.host, site.host.settings.discover[0])
    assert site.scan().waiting == outcome.waiting
    assert len(site.server.requests) == 1
    site.clock.set(outcome.waiting)
    assert site.scan().waiting is None


def test_a_scan_goes_on_when_the_limit_is_renewed(site: Site) -> None:
    for number in range(30):
        files = {"catalog-info.yaml": component(f"c{number}")}
        site.server.add(f"shop/r{number:02}", 100 + number, files=files)
    remaining = [25]

    def limited(path: str) -> Answer | None:
        remaining[0] -= 1
        reset = str(int((NOW + timedelta(minutes=30)).timestamp()))
        left = max(0, remaining[0])
        site.server.limits = {"X-RateLimit-Limit": "25", "X-RateLimit-Remaining": str(left),
                              "X-RateLimit-Reset": reset}  # fmt: skip
        return Answer({"message": "API rate limit exceeded"}, 403) if remaining[0] < 0 else None

    site.server.faults.append(limited)
    outcome = site.scan()
    assert outcome.waiting == NOW + timedelta(minutes=30)
    some = site.names()
    assert 0 < len(some) < 32
    assert not site.discovery().complete
    assert len(site.server.requests) <= 25 + 8
    assert not is_due(site.host, site.host.settings.discover[0])
    site.server.faults.clear()
    site.server.limits = {}
    site.clock.set(outcome.waiting)
    assert is_due(site.host, site.host.settings.discover[0])
    read = sum(1 for state in site.states().values() if state != "new")
    assert site.scan().read == 33 - read
    assert len(site.names()) == 32
    assert site.discovery().complete


def test_the_own_budget_of_an_hour(tmp_path: Path, clock: Clock) -> None:
    clock.set(NOW)
    with site_of(tmp_path, "github", SQLITE, clock, {"requests_per_hour": 10}) as site:
        for number in range(10):
            site.server.add(f"shop/r{number}", 100 + number, files={"a": b"x"})
        outcome = site.scan()
        assert outcome.waiting == NOW + timedelta(hours=1)
        assert len(site.server.requests) == 10
        state = load_state(site.host, "code")
        assert (state.requests, state.hour_requests) == (10, 10)
        assert "are used up" in str(state.waiting_for)
        for hour in range(1, 4):
            clock.set(NOW + timedelta(hours=hour))
            site.scan()
        assert "new" not in site.states().values()


def test_a_host_that_is_away_has_longer_pauses(github: Site) -> None:
    instead(github.server, Answer({}, 503))
    waits = []
    for _time in range(6):
        outcome = github.scan()
        if outcome.waiting:
            waits.append((outcome.waiting - github.clock()).total_seconds())
            github.clock.set(outcome.waiting)
    assert len(github.server.requests) <= 6
    assert waits
    github.server.faults.clear()
    github.clock.advance(timedelta(hours=1))
    assert github.scan().error == ""
    assert load_state(github.host, "code").in_a_row == 0


# Files


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", [], {}, {"tree": 1, "sha": "0" * 40}, {"tree": [], "sha": 1},
        {"sha": "0" * 40, "tree": [1, None, {"type": "blob", "mode": "100644"}]},
        {"sha": "0" * 40, "tree": [
            {"type": "blob", "mode": "100644", "path": path, "sha": "1" * 40, "size": 3}
            for path in ("../catalog-info.yaml", "/catalog-info.yaml", "a/.git/x", "\0")
        ]},
        {"sha": "0" * 40, "tree": [{"type": "blob", "mode": "120000", "sha": "1" * 40, "size": 3,
                                    "path": "catalog-info.yaml"}]},
        {"sha": "0" * 40, "tree": [{"type": "blob", "mode": "100644", "sha": "../../x", "size": -1,
                                    "path": "catalog-info.yaml"}]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("site", ["github", "gitea"], indirect=True)
def test_trees_that_are_none(site: Site, body: Any) -> None:
    instead(site.server, Answer(body), of="/git/trees/")
    outcome = site.scan()
    assert outcome.error == ""
    assert site.names() == []
    assert set(site.states().values()) <= {"failed", "none"}
    site.server.faults.clear()
    site.clock.advance(timedelta(hours=3))
    for repository in site.server.repositories:
        repository.pushed = "2026-03-02T10:00:00Z"
    site.scan()
    assert site.names() == ["orders", "stock"]


def test_contents_that_are_not_those_of_the_blob(site: Site) -> None:
    site.scan()
    stock = site.server.get("shop/stock")
    assert stock is not None
    stock.files["catalog-info.yaml"] = component("store")
    stock.pushed = "2026-03-02T08:10:00Z"
    lie = {"size": 3, "encoding": "base64", "content": "YWJj", "blob_id": "1" * 40}
    instead(site.server, Answer(lie), of="blobs/")
    instead(site.server, Answer(lie), of="/files/")
    site.clock.advance(timedelta(minutes=20))
    assert site.scan().failed == 1
    assert "another content" in str(site.rows()["shop/stock"].reason)
    assert site.names() == ["orders", "stock"]
    site.server.faults.clear()
    site.clock.advance(timedelta(hours=1))
    assert site.scan().failed == 0
    assert site.names() == ["orders", "store"]


def test_who_asks_for_a_scan_need_not_wait_for_what_failed(site: Site) -> None:
    instead(site.server, Answer({}, 500), of="/11/")
    instead(site.server, Answer({}, 500), of="shop/orders/")
    site.scan()
    site.server.faults.clear()
    site.scan()
    assert site.states()["shop/orders"] == "failed"
    with site.host.write() as connection:
        ask_all(site.host, connection, "shop")
    site.runtime.jobs.run_once()
    assert site.states()["shop/orders"] != "failed"
    assert site.names() == ["orders", "stock"]


def test_one_repository_that_cannot_be_read_does_not_hinder_others(site: Site) -> None:
    instead(site.server, Answer({}, 500), of="/11/")
    instead(site.server, Answer({}, 500), of="shop/orders/")
    outcome = site.scan()
    assert (outcome.failed, outcome.error) == (1, "")
    assert site.names() == ["stock"]
    assert site.states()["shop/orders"] == "failed"
    site.server.clear()
    site.scan()
    assert len([path for path in site.server.requests if not is_listing(path)]) <= 2
    site.clock.advance(timedelta(minutes=5))
    site.server.faults.clear()
    site.scan()
    assert site.names() == ["orders", "stock"]


def test_a_discovery_that_could_read_nothing_says_so_everywhere(site: Site) -> None:
    instead(site.server, Answer({}, 500), of="/11/")
    instead(site.server, Answer({}, 500), of="shop/orders/")
    site.scan()
    client = site.client
    source = next(item for item in site.runtime.catalog.sources() if item.type == "plugin")
    assert (source.state, source.last_success_at) == ("partial", site.clock())
    page = client.get(f"/sources/{source.name}").text
    assert "1 of 3 repositories could not be read." in page
    assert 'href="/scm_hosts/shop?state=failed"' in page
    site.runtime.jobs.run_once()
    assert "Partly read" in client.get("/sources").text
    assert "partly read" in client.get("/scm_hosts/").text
    assert source.name not in site.runtime.engine.moved()
    site.server.faults.append(lambda path: None if is_listing(path) else Answer({}, 403))
    site.clock.advance(timedelta(hours=1))
    with site.host.write() as connection:
        connection.execute(update(models.repository).values(touched=1))
    site.scan()
    assert set(site.states().values()) == {"failed"}
    source = next(item for item in site.runtime.catalog.sources() if item.type == "plugin")
    assert source.state == "failing"
    assert source.last_success_at == NOW
    page = client.get(f"/sources/{source.name}").text
    assert "None of the 3 repositories could be read." in page
    assert "The last good state is still shown." in page
    assert 'href="/scm_hosts/shop?state=failed"' in page
    assert "Failing" in client.get("/sources").text
    assert "none could be read" in client.get("/scm_hosts/").text
    [told] = [item for item in client.get("/api/catalog/sources").json()["items"]
              if item["name"] == source.name]  # fmt: skip
    assert (told["state"], told["details"]) == ("failing", "/scm_hosts/shop?state=failed")
    site.server.faults.clear()
    site.clock.advance(timedelta(hours=7))
    site.scan()
    source = next(item for item in site.runtime.catalog.sources() if item.type == "plugin")
    assert (source.state, source.error, source.details) == ("ok", "", "")
    assert site.names() == ["orders", "stock"]


# Ended midway


class Killed(BaseException):
    """What ends a process at once, as far as a thread can tell."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with database_of(request, request.param) as url:
        yield url


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gitlab", "gitea"])
def test_a_scan_that_is_ended_goes_on_where_it_was(
    tmp_path: Path, clock: Clock, database_url: str, kind: str
) -> None:
    clock.set(NOW)
    with site_of(tmp_path, kind, database_url, clock, {"readers": 1}) as site:
        for number in range(40):
            files = {"catalog-info.yaml": component(f"c{number}")}
            site.server.add(f"shop/r{number:02}", 100 + number, files=files)
        site.scan_until(15, Killed)
        assert [state for state in site.states().values() if state != "new"]
        before = len(site.server.requests)
        site.server.clear()
        outcome = site.scan()
        assert outcome.read == 43 - 15
        assert len(site.names()) == 42
        assert len(site.server.requests) < 4 * 28 + 3
        assert before > 15
        assert not any("r05" in path or "/105/" in path for path in site.server.requests)


def test_what_was_touched_waits_for_the_host(github: Site) -> None:
    github.scan()
    stock = github.server.get("shop/stock")
    assert stock is not None
    stock.files["catalog-info.yaml"] = component("store")
    instead(github.server, Answer({}, 429, {"Retry-After": "120"}), of="/git/", times=1)
    with github.host.write() as connection:
        touched(github.host, connection, "code", "shop/stock")
    waiting = github.scan(touched_only=True).waiting
    assert waiting == NOW + timedelta(seconds=120)
    assert not is_due(github.host, github.host.settings.discover[0])
    github.clock.set(waiting)
    assert is_due(github.host, github.host.settings.discover[0])
    github.scan()
    assert github.names() == ["orders", "store"]


def test_a_discovery_that_fails_at_first_is_not_asked_all_the_time(github: Site) -> None:
    instead(github.server, Answer({}, 401))
    for _time in range(4):
        github.runtime.jobs.run_once()
        github.clock.advance(timedelta(minutes=1))
    assert len(github.server.requests) == 1
    github.clock.advance(timedelta(minutes=10))
    github.server.faults.clear()
    github.runtime.jobs.run_once()
    assert github.names() == ["orders", "stock"]


def test_no_secret_is_logged(github: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    instead(github.server, Answer({"message": TOKEN}, 401), times=1)
    github.scan()
    github.scan()
    assert TOKEN not in caplog.text
    assert TOKEN not in repr(github.discovery())
