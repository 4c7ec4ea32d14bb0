"""What other plugins ask hosts of repositories, against servers that speak their APIs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deliveries import AFTER
from fake_hosts import HOSTS, Answer, FakeGitee, FakeHost, serving
from scm_site import OWN_DATABASE, opened, settings_for

from callboard.errors import InputError, NotFoundError, NotReadyError, UnauthorisedError
from callboard.repositories.hosts import CodeHost, CommitStatus, StatusState
from callboard.testing import Clock

EVERY: tuple[StatusState, ...] = ("pending", "running", "success", "failed", "cancelled")
STATES = {
    "gitlab": ["pending", "running", "success", "failed", "canceled"],
    "github": ["pending", "pending", "success", "failure", "error"],
    "gitea": ["pending", "pending", "success", "failure", "error"],
}


@contextmanager
def asked(folder: Path, kind: str, clock: Clock) -> Iterator[tuple[CodeHost, FakeHost]]:
    """Give a host as plugins get it, by an address, and the server behind it."""
    with serving(HOSTS[kind]()) as server:
        server.add("shop/orders", 11, files={"a b/ci.yaml": b"rules: []\n"},
                   heads={"release/1.2": "a" * 40, "v1": "b" * 40, "7": "c" * 40})  # fmt: skip
        settings = {**settings_for(kind, server.base), "discover": []}
        with opened(folder, settings, OWN_DATABASE, clock) as runtime:
            found = runtime.host("ci_tekton").code_host(f"{server.base}/shop/orders.git")
            assert found is not None
            yield found, server


@pytest.mark.parametrize("kind", STATES)
def test_a_status_is_written_in_the_words_of_the_host(
    kind: str, tmp_path: Path, clock: Clock
) -> None:
    with asked(tmp_path, kind, clock) as (host, server):
        for state in EVERY:
            status = CommitStatus(
                state=state, context="callboard/build", description="d" * 300, link="https://p/1"
            )
            host.set_status("shop/orders", AFTER, status)
            host.set_status("shop/orders", AFTER, status)  # an answer may have been lost
        [place] = {path for _method, path, _content in server.sent}
        assert place.endswith(f"/statuses/{AFTER}")
        said = [content for _method, _path, content in server.sent]
        states = [content["state"] for content in said]
        assert list(dict.fromkeys(states)) == list(dict.fromkeys(STATES[kind]))
        assert said[0]["context"] == "callboard/build"
        assert said[0]["target_url"] == "https://p/1"
        assert len(said[0]["description"]) in (140, 255)


def test_gitee_keeps_one_check_run_of_a_name(tmp_path: Path, clock: Clock) -> None:
    with asked(tmp_path, "gitee", clock) as (host, server):
        assert isinstance(server, FakeGitee)
        seen = []
        for state in EVERY:
            host.set_status("shop/orders", AFTER, CommitStatus(state=state, context="callboard/a"))
            [check] = server.checks
            seen.append((check["status"], check.get("conclusion")))
        host.set_status("shop/orders", AFTER, CommitStatus(state="running", context="callboard/b"))
        assert [check["name"] for check in server.checks] == ["callboard/a", "callboard/b"]
        assert seen == [
            ("queued", None), ("in_progress", None), ("completed", "success"),
            ("completed", "failure"), ("completed", "cancelled"),
        ]  # fmt: skip


@pytest.mark.parametrize("kind", HOSTS)
def test_files_and_heads_are_read(kind: str, tmp_path: Path, clock: Clock) -> None:
    with asked(tmp_path, kind, clock) as (host, server):
        assert (host.kind, host.name, host.web) == (kind, "code", server.base)
        assert host.path_of(f"{server.base}/shop/orders.git") == "shop/orders"
        assert host.path_of("https://elsewhere.example/shop/orders.git") == ""
        head = server.repositories[0].head
        assert host.read_file("shop/orders", head, "a b/ci.yaml") == b"rules: []\n"
        assert host.read_file("shop/orders", head, "nowhere.yaml") is None
        assert host.head_of("shop/orders", branch="main") == head
        assert host.head_of("shop/orders", branch="release/1.2") == "a" * 40
        assert host.head_of("shop/orders", branch="gone") is None
        assert host.head_of("shop/orders", tag="v1") == "b" * 40
        assert host.head_of("shop/orders", merge_request=7) == "c" * 40
        for wrong in ("../admin", "shop", "shop/../../admin", "shop/orders?x=1"):
            with pytest.raises(InputError):
                host.read_file(wrong, head, "ci.yaml")


@pytest.mark.parametrize("kind", HOSTS)
def test_lists_are_given_page_by_page(kind: str, tmp_path: Path, clock: Clock) -> None:
    with asked(tmp_path, kind, clock) as (host, server):
        for number in range(12, 17):
            server.add(f"shop/s{number}", number)
        path = "/groups/shop/projects" if kind == "gitlab" else "/orgs/shop/repos"
        size = "limit" if kind == "gitea" else "per_page"
        pages: list[Any] = list(host.pages(path, {size: 2}))
        assert [item["id"] for page in pages for item in page] == [11, 12, 13, 14, 15, 16]
        assert [len(page) for page in pages][:3] == [2, 2, 2]


def test_bytes_come_as_they_are(tmp_path: Path, clock: Clock) -> None:
    with asked(tmp_path, "gitlab", clock) as (host, server):
        trace = b"\x1b[32mok\x1b[0m\r\n" * 20_000
        answers = {"/trace": Answer(trace), "/gone": Answer({}, 404), "/away": Answer(
            {}, 302, {"Location": "http://169.254.169.254/"})}  # fmt: skip
        server.faults.append(lambda path: next(
            (answer for end, answer in answers.items() if path.endswith(end)), None))  # fmt: skip
        assert b"".join(host.stream("/jobs/1/trace")) == trace
        beginning = host.stream("/jobs/1/trace")
        assert trace.startswith(next(beginning))
        beginning.close()  # type: ignore[attr-defined]
        with pytest.raises(NotFoundError):
            list(host.stream("/jobs/1/gone"))
        with pytest.raises(InputError):
            list(host.stream("/jobs/1/away"))


def test_refusals_are_told(tmp_path: Path, clock: Clock) -> None:
    with asked(tmp_path, "github", clock) as (host, server):
        status = CommitStatus(state="success", context="callboard/build")
        server.faults.append(lambda path: Answer({"message": "no"}, 403))
        with pytest.raises(UnauthorisedError):
            host.set_status("shop/orders", AFTER, status)
        server.faults[:] = [lambda path: Answer({"message": "down"}, 503)]
        with pytest.raises(NotReadyError):
            host.set_status("shop/orders", AFTER, status)
        with pytest.raises(InputError):
            host.set_status("shop/orders", "main", status)
        assert server.sent == []
