"""Pushes, from the host's delivery to what the catalog shows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deliveries as sample
import pytest
from deliveries import AFTER, SECRET, SIGNING, Repository, Sent
from location_servers import GitHost, git_host
from scm_site import component, database_of, opened, site_of
from starlette.testclient import TestClient

from callboard.events import read
from callboard.repositories import merge_requests
from callboard.repositories.merge_requests import MergeRequest
from callboard.repositories.pushed import KIND, Pushed
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

CODE = "/hooks/scm_hosts/code"
SECRETS = {"webhook_secrets": ["${env:SCM_TOKEN}", SECRET, SIGNING]}


def post(client: TestClient, sent: Sent, path: str = CODE) -> Any:
    headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
    return client.post(path, content=sent.body, headers=headers)


@contextmanager
def hooked(folder: Path, kind: str, clock: Clock, **more: Any) -> Iterator[Runtime]:
    """Give a portal with one host, which nobody asks anything."""
    host = {"name": "code", "type": kind, "url": "https://git.example.org", **SECRETS}
    settings = {"hosts": [host], "discover": more.pop("discover", [])}
    with opened(folder, settings, "sqlite:///callboard.sqlite3", clock, **more) as runtime:
        yield runtime


def outcome(client: TestClient, answer: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = client.get(f"/api/deliveries/{answer.json()['delivery']}").json()
    return found


def pushes(runtime: Runtime) -> list[Pushed]:
    with runtime.database.read() as connection:
        return [Pushed.of(item.data) for item in read(connection, 0, (KIND,))]


def made(kind: str, clock: Clock, of: Repository | None = None, **more: Any) -> Sent:
    of = of or Repository()
    if kind == "gitee":
        return sample.gitee(of, clock(), **more)
    makers: dict[str, Any] = {
        "gitlab": sample.gitlab, "github": sample.github, "gitea": sample.gitea,
    }  # fmt: skip
    sent: Sent = makers[kind](of, **more)
    return sent


@pytest.mark.parametrize("kind", ["gitlab", "github", "gitea", "gitee"])
def test_a_push_is_told_of(kind: str, tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, kind, clock) as runtime:
        client = TestClient(create_app(runtime))
        answer = post(client, made(kind, clock))
        assert answer.status_code == 202
        assert pushes(runtime) == [], "not while the host waits"
        runtime.jobs.run_once()
        [found] = pushes(runtime)
        assert found.is_of("ssh://git@git.example.org/shop/orders", "main")
        assert found.is_of("https://git.example.org/shop/orders", "")
        assert found.commit == AFTER
        told = outcome(client, answer)
        assert told["state"] == "done"
        assert told["event"] in ("push", "push_hooks")
        assert told["outcome"] == f"Branch main of shop/orders is at {AFTER[:7]}."
        again = post(client, made(kind, clock))
        assert again.status_code == 200
        runtime.jobs.run_once()
        assert len(pushes(runtime)) == 1


@pytest.mark.parametrize("kind", ["gitlab", "github", "gitea", "gitee"])
def test_nobody_else_is_heard(kind: str, tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, kind, clock) as runtime:
        client = TestClient(create_app(runtime))
        sent = made(kind, clock)
        bare = {
            name: value for name, value in sent.headers.items()
            if "token" not in name and "signature" not in name
        }  # fmt: skip
        assert post(client, Sent(bare, sent.body)).status_code == 401
        assert post(client, Sent({}, b"")).status_code == 401
        forged = {name: "x" if name not in bare else value for name, value in sent.headers.items()}
        assert post(client, Sent(forged, sent.body)).status_code == 401
        assert post(client, sent, "/hooks/scm_hosts/other").status_code == 404
        runtime.jobs.run_once()
        assert pushes(runtime) == []
        refused = client.get("/api/deliveries?verdict=refused").json()["items"]
        assert {item["reason"] for item in refused} >= {"It bears no signature."}
        assert SECRET not in client.get("/deliveries?verdict=refused").text


def test_what_is_not_signed_is_refused_where_no_secret_is_set(tmp_path: Path, clock: Clock) -> None:
    settings = {"hosts": [{"name": "code", "type": "gitlab", "url": "https://git.example.org"}]}
    with opened(tmp_path, settings, "sqlite:///callboard.sqlite3", clock) as runtime:
        answer = post(TestClient(create_app(runtime)), sample.gitlab(Repository()))
        assert answer.status_code == 401
        assert "No secret is set" in answer.text


def test_gitlab_signs(tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, "gitlab", clock) as runtime:
        client = TestClient(create_app(runtime))
        plain = sample.gitlab(Repository())
        sent = sample.gitlab_signed(plain, clock())
        assert post(client, sent).status_code == 202
        assert post(client, sent).status_code == 200, "the same id again"
        old = sample.gitlab_signed(plain, clock(), name="msg_2")
        clock.advance(301)
        assert post(client, old).status_code == 401
        runtime.jobs.run_once()
        assert len(pushes(runtime)) == 1


def test_the_password_of_gitee_is_kept_nowhere(tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, "gitee", clock) as runtime:
        client = TestClient(create_app(runtime))
        answer = post(client, sample.gitee(Repository(), clock(), password=True))
        runtime.jobs.run_once()
        assert len(pushes(runtime)) == 1
        page = client.get(f"/deliveries/{answer.json()['delivery']}").text
        assert SECRET not in page
        assert "git-oschina-hook" in page
    files = [path.read_bytes() for path in tmp_path.rglob("callboard.sqlite3*")]
    assert not any(SECRET.encode() in content for content in files)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (sample.gitlab_sent({"object_kind": "wiki_page"}, "Wiki Page Hook"),
         "Nothing follows from an event wiki_page."),
        (sample.gitlab_sent({"object_kind": "merge_request"}, "Merge Request Hook"),
         "It does not say of which repository it tells, so nothing is read."),
        (sample.gitlab_sent({"object_kind": "push", "ref": "refs/heads/main"}, "Push Hook"),
         "It does not say of which repository it tells, so nothing is read."),
    ],
)  # fmt: skip
def test_what_nothing_follows_from(sent: Sent, told: str, tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, "gitlab", clock) as runtime:
        client = TestClient(create_app(runtime))
        answer = post(client, sent)
        runtime.jobs.run_once()
        assert outcome(client, answer)["outcome"] == told
        assert pushes(runtime) == []


def test_what_is_no_json_is_refused_with_its_reason(tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, "gitlab", clock) as runtime:
        answer = post(TestClient(create_app(runtime)), Sent({"x-gitlab-token": SECRET}, b"a=b"))
        assert answer.status_code == 401
        assert "application/json" in answer.text


def test_a_host_tells_of_its_own_repositories_only(tmp_path: Path, clock: Clock) -> None:
    """Whoever knows the secret of one host cannot keep the sources of another busy."""
    project = {
        **sample.gitlab_project(Repository()),
        "git_http_url": "https://other.example.org/shop/orders.git",
        "git_ssh_url": "git@evil.example:shop/orders.git",
        "web_url": "https://git.example.org@evil.example/shop/orders",
        "homepage": "https://git.example.org.evil.example/shop/orders",
        "ssh_url": "git@ssh.git.example.org:shop/orders.git",
        "http_url": "http://[::1",
    }  # fmt: skip
    with hooked(tmp_path, "gitlab", clock) as runtime:
        client = TestClient(create_app(runtime))
        post(client, sample.gitlab(Repository(), project=project))
        runtime.jobs.run_once()
        [found] = pushes(runtime)
        assert {"https://git.example.org/shop/orders.git",
                "git@ssh.git.example.org:shop/orders.git"} <= set(found.addresses)  # fmt: skip
        assert not any("evil" in item or "other" in item for item in found.addresses)


# To the page of the entity


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitHost]:
    with git_host(tmp_path / "git") as host:
        yield host


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_push_to_git_changes_the_page(
    database: str, tmp_path: Path, clock: Clock, git_server: GitHost,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    git_server.commit({"catalog-info.yaml": component("orders").decode()})
    base = git_server.server.base
    sources = [
        {"name": "orders", "type": "git", "url": f"{base}/shop/orders.git", "schedule": "1d"},
        {"name": "old", "type": "git", "url": f"{base}/shop/orders.git", "branch": "old",
         "schedule": "1d"},
    ]  # fmt: skip
    git_server.commit({"catalog-info.yaml": component("elder").decode()}, "old")
    settings = {"hosts": [{"name": "code", "type": "gitlab", "url": base, **SECRETS}]}
    more = {**git_server.settings, "catalog": {"sources": sources}}
    folder = tmp_path / "portal"
    folder.mkdir()
    of = Repository(base=base)
    with (
        database_of(request, database) as url,
        opened(folder, settings, url, clock, **{"http": {}, **more}) as runtime,
    ):
        for source in ("orders", "old"):
            assert not runtime.engine.read(source).error
        client = TestClient(create_app(runtime))
        page = "/catalog/default/component/orders"
        assert "The ordering service" not in client.get(page).text
        changed = component("orders").decode().replace(
            "  name: orders\n", "  name: orders\n  description: The ordering service\n"
        )  # fmt: skip
        git_server.commit({"catalog-info.yaml": changed}, "main")
        other = post(client, sample.gitlab(of, ref="refs/heads/feature"))
        runtime.jobs.run_once()
        assert outcome(client, other)["state"] == "done"
        assert "The ordering service" not in client.get(page).text, "another branch"
        second = sample.gitlab(of, count=2).named("second")
        answer = post(client, second)
        runtime.jobs.run_once()
        assert "The ordering service" in client.get(page).text
        shown = client.get(f"/deliveries/{answer.json()['delivery']}").text
        assert 'href="/sources/orders"' in shown


@pytest.mark.parametrize("kind", ["gitlab", "github", "gitea", "gitee"])
def test_a_push_to_what_was_found_changes_the_page(kind: str, tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, kind, "sqlite:///callboard.sqlite3", clock, SECRETS) as site:
        site.scan()
        client = site.client
        assert site.names() == ["orders", "stock"]
        found = site.server.get("shop/orders")
        assert found is not None
        found.files["catalog-info.yaml"] = component("ordering")
        of = Repository(base=site.server.base, number=11, branch=found.branch)
        site.server.clear()
        elsewhere = post(client, made(kind, clock, of, ref="refs/heads/feature", count=3))
        site.runtime.jobs.run_once()
        assert outcome(client, elsewhere)["links"] == [], "a branch that nobody reads"
        answer = post(client, made(kind, clock, of, count=2).named("second"))
        site.runtime.jobs.run_once()
        assert outcome(client, answer)["links"] == [
            {"title": "Discovery shop", "path": "/sources/scm_hosts.shop"}
        ]
        site.runtime.jobs.run_once()
        assert site.names() == ["ordering", "stock"]


def test_a_repository_that_is_deleted_leaves(tmp_path: Path, clock: Clock) -> None:
    with site_of(tmp_path, "gitlab", "sqlite:///callboard.sqlite3", clock, SECRETS) as site:
        site.scan()
        del site.server.repositories[:1]
        of = Repository(base=site.server.base, number=11)
        post(site.client, sample.gitlab_project_event(of, "project_destroy"))
        for _ in range(3):
            site.runtime.jobs.run_once()
        assert site.names() == ["stock"]


def test_the_page_says_how_to_set_it_up(tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, "gitlab", clock) as runtime:
        client = TestClient(create_app(runtime))
        page = client.get("/deliveries/hooks/scm_hosts/code").text
        assert "http://testserver/hooks/scm_hosts/code" in page
        assert "plugins.settings.scm_hosts.hosts[0].webhook_secrets" in page
        assert SECRET not in page
        listed = client.get("/deliveries", headers={"accept-language": "zh-CN"}).text
        assert "/hooks/scm_hosts/code" in listed


@pytest.mark.parametrize("kind", ["gitlab", "github", "gitea", "gitee"])
def test_tags_and_merge_requests_are_told_of(kind: str, tmp_path: Path, clock: Clock) -> None:
    with hooked(tmp_path, kind, clock) as runtime:
        client = TestClient(create_app(runtime))
        named = {"object_kind": "tag_push", "event_name": "tag_push"}
        word: dict[str, Any] = named if kind == "gitlab" else {}
        tag = post(client, made(kind, clock, ref="refs/tags/v1", **word))
        opened_ = sample.merge_request(kind, Repository(), clock(), fork=True)
        asked = post(client, opened_)
        assert (tag.status_code, asked.status_code) == (202, 202), asked.text
        runtime.jobs.run_once()
        [pushed] = pushes(runtime)
        assert (pushed.tag, pushed.branch, pushed.actor) == ("v1", "", "li")
        assert pushed.delivery == tag.json()["delivery"]
        assert not pushed.is_of("https://git.example.org/shop/orders"), "a tag is of no branch"
        with runtime.database.read() as connection:
            [event] = read(connection, 0, (merge_requests.KIND,))
        told = MergeRequest.of(event.data)
        assert (told.action, told.number, told.fork, told.target) == ("opened", 7, True, "main")
        assert told.delivery == asked.json()["delivery"]
        said = outcome(client, asked)["outcome"]
        assert said == "Merge request 7 of shop/orders into main: opened."
