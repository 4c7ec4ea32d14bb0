"""What deliveries tell, whichever host they come from."""

import json
from datetime import UTC, datetime
from typing import Any

import deliveries as sample
import pytest
from deliveries import AFTER, BEFORE, NONE, Repository, Sent
from hypothesis import given
from hypothesis import strategies as st

from callboard.repositories.merge_requests import MergeRequest
from callboard_scm_hosts.merge_requests import merge_request_of
from callboard_scm_hosts.payloads import Told, content_of, told_by

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
OF = Repository()
MAKERS: dict[str, Any] = {
    "gitlab": sample.gitlab,
    "github": sample.github,
    "gitea": sample.gitea,
    "gitee": lambda of, **more: sample.gitee(of, NOW, **more),
}


def told(sent: Sent) -> Told:
    content = content_of(sent.body, sent.headers)
    assert content is not None
    return told_by(sent.headers, content)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_push(kind: str) -> None:
    found = told(MAKERS[kind](OF))
    assert (found.kind, found.branch, found.commit) == ("push", "main", AFTER)
    assert (found.path, found.remote_id, found.default_branch) == ("shop/orders", "15", "main")
    assert "https://git.example.org/shop/orders.git" in found.addresses
    assert "git@git.example.org:shop/orders.git" in found.addresses


@pytest.mark.parametrize("kind", MAKERS)
def test_a_branch_with_a_slash(kind: str) -> None:
    assert told(MAKERS[kind](OF, ref="refs/heads/release/1.2")).branch == "release/1.2"


@pytest.mark.parametrize("kind", MAKERS)
def test_a_deleted_branch_has_no_commit(kind: str) -> None:
    found = told(MAKERS[kind](OF, ref="refs/heads/old", after=NONE, count=0))
    assert (found.kind, found.branch, found.commit, found.files) == ("push", "old", "", None)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_tag_is_no_branch(kind: str) -> None:
    found = told(MAKERS[kind](OF, ref="refs/tags/v1"))
    assert (found.kind, found.name, found.branch) == ("tag", "v1", "")


def test_changed_files_are_told_only_where_all_are() -> None:
    assert told(sample.gitlab(OF, count=2)).files == ("catalog-info.yaml",)
    assert told(sample.gitea(OF, count=2)).files == ("catalog-info.yaml",)
    assert told(sample.gitee(OF, NOW, count=2)).files == ("catalog-info.yaml",)
    assert told(sample.gitlab(OF, count=20, total=25)).files is None, "GitLab sends twenty"
    assert told(sample.gitea(OF, count=5, total=9)).files is None
    assert told(sample.gitee(OF, NOW, count=11)).files is None
    assert told(sample.gitlab(OF, before=NONE)).files is None, "a new branch"
    assert told(sample.github(OF)).files is None, "GitHub does not say how many there are"
    assert told(sample.gitlab(OF, commits=[{"added": [1]}])).files is None
    assert told(sample.gitlab(OF, commits=["no"])).files is None


def test_tags_of_gitlab_have_a_word_of_their_own() -> None:
    sent = sample.gitlab(OF, ref="refs/tags/v1", object_kind="tag_push", event_name="tag_push")
    assert told(sent).kind == "tag"


@pytest.mark.parametrize(
    ("word", "action"),
    [("project_create", "created"), ("project_destroy", "deleted"), ("project_rename", "renamed"),
     ("project_transfer", "renamed"), ("project_update", "updated")],
)  # fmt: skip
def test_system_hooks_of_gitlab(word: str, action: str) -> None:
    found = told(sample.gitlab_project_event(OF, word, old_path_with_namespace="shop/old"))
    assert (found.kind, found.action) == ("repository", action)
    assert (found.path, found.remote_id) == ("shop/orders", "15")


def test_a_push_by_a_system_hook_of_gitlab() -> None:
    sent = sample.gitlab(OF).with_headers(x_gitlab_event="System Hook")
    assert told(sent).kind == "push"


@pytest.mark.parametrize("send", [sample.github_sent, sample.gitea_sent])
@pytest.mark.parametrize(
    ("action", "known"),
    [("created", "created"), ("deleted", "deleted"), ("archived", "archived"),
     ("renamed", "renamed"), ("transferred", "renamed"), ("unarchived", "updated")],
)  # fmt: skip
def test_repository_events(send: Any, action: str, known: str) -> None:
    content = {"action": action, "repository": sample.github_repository(OF)}
    found = told(send(content, "repository"))
    assert (found.kind, found.action, found.path) == ("repository", known, "shop/orders")


@pytest.mark.parametrize("send", [sample.github_sent, sample.gitea_sent])
def test_a_branch_deleted_by_an_event_of_its_own(send: Any) -> None:
    content = {"ref": "old", "ref_type": "branch", "repository": sample.github_repository(OF)}
    found = told(send(content, "delete"))
    assert (found.kind, found.branch, found.commit) == ("push", "old", "")
    assert told(send({**content, "ref_type": "tag"}, "delete")).kind == "tag"
    assert told(send(content, "create")).kind == "other", "its push tells more"


def test_pings() -> None:
    ping = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {"type": "Organization"}}
    assert told(sample.github_sent(ping, "ping")).kind == "ping"
    assert told(sample.gitee(OF, NOW).with_headers(x_gitee_ping="true")).kind == "ping"


def test_what_is_not_known_is_told_as_it_is_called() -> None:
    found = told(sample.github_sent({"action": "opened"}, "issues"))
    assert (found.kind, found.word) == ("other", "issues")
    found = told(sample.gitlab_sent({"object_kind": "wiki_page"}, "Wiki Page Hook"))
    assert (found.kind, found.word) == ("other", "wiki_page")


def test_forms() -> None:
    sent = sample.github_form(sample.github(OF))
    assert told(sent) == told(sample.github(OF))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"null", b"\xff", b"[" * 100_000, b"payload=%7B%7D", b"{" * 9]
)
def test_what_is_no_object_is_none(body: bytes) -> None:
    assert content_of(body, {"content-type": "application/json"}) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["project", "repository", "ref", "after", "before", "commits", "id", "event_name",
             "object_kind", "action", "ref_type", "total_commits", "path_with_namespace",
             "clone_url", "default_branch", "added", "project_id"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["ref", "project", "repository", "commits", "object_kind",
                                        "event_name", "after", "hook_name"]), _JSON),
       st.sampled_from(["push", "repository", "delete", "ping", ""]))  # fmt: skip
def test_no_payload_breaks_it(content: dict[str, Any], word: str) -> None:
    found = told_by({"x-github-event": word}, json.loads(json.dumps(content)))
    assert found.kind in ("push", "tag", "repository", "ping", "other")


def merge_request(kind: str, **more: Any) -> MergeRequest:
    sent = sample.merge_request(kind, OF, NOW, **more)
    content = content_of(sent.body, sent.headers)
    assert content is not None
    assert told_by(sent.headers, content).kind == "merge_request"
    found = merge_request_of(content, ("https://git.example.org/shop/orders.git",), 5)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", MAKERS)
def test_a_merge_request(kind: str) -> None:
    found = merge_request(kind)
    assert (found.action, found.number, found.delivery) == ("opened", 7, 5)
    assert (found.source, found.target, found.commit) == ("feature/price", "main", AFTER)
    assert (found.title, found.actor, found.fork) == ("Change 价格", "li", False)
    assert merge_request(kind, action="updated").action == "updated"
    assert merge_request(kind, action="edited").action == "edited"
    assert merge_request(kind, action="merged").action == "merged"
    assert merge_request(kind, fork=True).fork is True


@pytest.mark.parametrize("kind", MAKERS)
def test_who_pushed_what(kind: str) -> None:
    found = told(MAKERS[kind](OF))
    assert (found.actor, found.before) == ("li", BEFORE)
    new = told(MAKERS[kind](OF, ref="refs/tags/v1", before=NONE))
    assert (new.name, new.before, new.actor) == ("v1", "", "li")
    assert new.commit
    assert told(MAKERS[kind](OF, ref="refs/tags/v1", after=NONE, count=0)).commit == ""


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["head", "base", "repo", "ref", "number"]),
                                      inner, max_size=3), max_leaves=10))  # fmt: skip
def test_a_merge_request_of_any_shape_is_read_or_left(value: Any) -> None:
    for name in ("object_attributes", "pull_request"):
        merge_request_of({name: value, "user": value, "sender": value}, (), 0)
