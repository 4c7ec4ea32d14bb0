"""What a delivery tells, in the words of GitLab, GitHub, Gitea and Gitee, as one.

A payload is a hint. Nothing of what it says is kept; it says which repository to look at.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

Kind = Literal["push", "tag", "merge_request", "repository", "ping", "other"]

MOST_FILES: Final = 1000
LONGEST: Final = 500
_ADDRESSES: Final = (
    "git_http_url", "git_ssh_url", "clone_url", "ssh_url", "http_url", "html_url", "web_url",
    "homepage",
)  # fmt: skip
_REPOSITORY_EVENTS: Final = {
    "project_create": "created",
    "project_destroy": "deleted",
    "project_rename": "renamed",
    "project_transfer": "renamed",
    "project_update": "updated",
}
"""The words of GitLab's system and group hooks."""

MERGE_REQUESTS: Final = frozenset({"merge_request", "pull_request", "pull_request_sync"})
"""The words for merge requests of all hosts."""

_ACTIONS: Final = {"transferred": "renamed", "unarchived": "updated", "edited": "updated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a delivery tells of.

    `branch` is that of a push, `name` the tag. `commit` is empty where it was deleted, `before`
    where it is new. `files` are the changed paths, None where the payload does not hold them all.
    `actor` is who did it and `title` the first line of the newest commit's message. `action` is
    what was done with a repository: created, renamed, deleted, archived or updated.
    """

    kind: Kind
    word: str = ""
    path: str = ""
    remote_id: str = ""
    addresses: tuple[str, ...] = ()
    branch: str = ""
    default_branch: str = ""
    commit: str = ""
    name: str = ""
    action: str = ""
    files: tuple[str, ...] | None = None
    before: str = ""
    actor: str = ""
    title: str = ""


def content_of(body: bytes, headers: Mapping[str, str]) -> dict[str, Any] | None:
    """Read the JSON of a body, or of the field `payload` of a form; None where there is none."""
    try:
        text = body.decode()
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            text = dict(parse_qsl(text, max_num_fields=10)).get("payload", "")
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def told_by(headers: Mapping[str, str], content: Mapping[str, Any]) -> Told:
    """Give what a delivery tells."""
    word = _word(headers, content)
    repository = _repository(content)
    if word == "ping" or headers.get("x-gitee-ping", "").lower() == "true":
        return Told(kind="ping", word=word, **repository)
    if word in _REPOSITORY_EVENTS:
        return Told(
            kind="repository", word=word, action=_REPOSITORY_EVENTS[word],
            **(repository | _plain_project(content)),
        )  # fmt: skip
    if word == "repository":
        action = text_of(content, "action")
        return Told(kind="repository", word=word, action=_ACTIONS.get(action, action), **repository)
    if word in ("create", "delete") and text_of(content, "ref_type") == "tag":
        return Told(kind="tag", word=word, name=text_of(content, "ref"), **repository)
    if word == "delete" and text_of(content, "ref_type") == "branch":
        return Told(kind="push", word=word, branch=text_of(content, "ref"), **repository)
    ref = text_of(content, "ref")
    if word in ("push", "tag_push") and ref.startswith("refs/tags/"):
        return _tag(word, ref, content, repository)
    if word == "push" and ref:
        return _push(word, ref, content, repository)
    if word in MERGE_REQUESTS:
        return Told(kind="merge_request", word=word, **repository)
    return Told(kind="other", word=word, **repository)


def _push(word: str, ref: str, content: Mapping[str, Any], repository: Mapping[str, Any]) -> Told:
    after = text_of(content, "after")
    deleted = not after.strip("0") or content.get("deleted") is True
    return Told(
        kind="push",
        word=word,
        branch=ref.removeprefix("refs/heads/"),
        commit="" if deleted else after,
        files=None if deleted else _files(content),
        **_moved(content, after),
        **repository,
    )


def _tag(word: str, ref: str, content: Mapping[str, Any], repository: Mapping[str, Any]) -> Told:
    """Read the push of a tag: `after` may be the tag's own object, and not the commit."""
    after = text_of(content, "after")
    deleted = not after.strip("0") or content.get("deleted") is True
    named = text_of(content, "checkout_sha") or text_of(_mapping(content, "head_commit"), "id")
    return Told(
        kind="tag",
        word=word,
        name=ref.removeprefix("refs/tags/"),
        commit="" if deleted else named if named.strip("0") else after,
        **_moved(content, after),
        **repository,
    )


def _moved(content: Mapping[str, Any], after: str) -> dict[str, Any]:
    before = text_of(content, "before")
    return {
        "before": before if before.strip("0") else "",
        "actor": actor_of(content),
        "title": _title(content, after),
    }


def actor_of(content: Mapping[str, Any]) -> str:
    """Give the name on the host of who did it."""
    people = [_mapping(content, key) for key in ("sender", "pusher", "user", "updated_by")]
    named = (text_of(one, key) for one in people for key in ("login", "username", "name"))
    return text_of(content, "user_username") or next((name for name in named if name), "")


def _title(content: Mapping[str, Any], after: str) -> str:
    commits = content.get("commits")
    listed = commits[:MOST_FILES] if isinstance(commits, list) else []
    found = [one for one in listed if isinstance(one, Mapping) and one.get("id") == after]
    head = found[0] if found else _mapping(content, "head_commit")
    return text_of(head, "message", longest=5000).partition("\n")[0].strip()[:LONGEST]


def _mapping(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = content.get(key)
    return value if isinstance(value, Mapping) else {}


def _word(headers: Mapping[str, str], content: Mapping[str, Any]) -> str:
    """Give the kind of a delivery in one word: `push`, `tag_push`, `repository`, …

    What the body says goes first where it says something: system hooks of GitLab have one header
    for all they tell.
    """
    for key in ("event_name", "object_kind", "hook_name"):
        if said := text_of(content, key):
            return said.removesuffix("_hooks")
    for name in ("x-github-event", "x-gitea-event", "x-forgejo-event", "x-gogs-event"):
        if headers.get(name):
            return headers[name][:LONGEST]
    said = headers.get("x-gitlab-event") or headers.get("x-gitee-event", "")
    return said.removesuffix(" Hook").strip().lower().replace(" ", "_")[:LONGEST]


def _repository(content: Mapping[str, Any]) -> dict[str, Any]:
    found = [item for item in (content.get("project"), content.get("repository"))
             if isinstance(item, Mapping)]  # fmt: skip
    number = next((item["id"] for item in found if isinstance(item.get("id"), int)), None)
    if number is None and isinstance(content.get("project_id"), int):
        number = content["project_id"]
    addresses = dict.fromkeys(text for item in found for text in _texts(item, _ADDRESSES))
    return {
        "path": _first(found, ("path_with_namespace", "full_name")),
        "remote_id": "" if number is None else str(number),
        "addresses": tuple(addresses),
        "default_branch": _first(found, ("default_branch",)),
    }


def _plain_project(content: Mapping[str, Any]) -> dict[str, Any]:
    """Read the fields that GitLab's system hooks have at the top."""
    path = text_of(content, "path_with_namespace")
    return {"path": path} if path else {}


def _files(content: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Give the changed paths; None where commits are left out, as GitLab does beyond twenty."""
    commits = content.get("commits")
    if not isinstance(commits, list):
        return None
    total = content.get("total_commits_count", content.get("total_commits"))
    if content.get("commits_more_than_ten") is True or content.get("forced") is True:
        return None
    if not isinstance(total, int) or total != len(commits) or content.get("created") is True:
        return None
    if not text_of(content, "before").strip("0"):
        return None
    paths: dict[str, None] = {}
    for commit in commits:
        listed = _paths(commit)
        if listed is None:
            return None
        paths.update(dict.fromkeys(listed))
    return tuple(paths) if len(paths) <= MOST_FILES else None


def _paths(commit: Any) -> list[str] | None:
    if not isinstance(commit, Mapping):
        return None
    found: list[str] = []
    for key in ("added", "modified", "removed"):
        listed = commit.get(key)
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            return None
        found.extend(listed)
    return found


def _first(found: list[Mapping[str, Any]], names: tuple[str, ...]) -> str:
    return next((text for item in found for text in _texts(item, names)), "")


def _texts(item: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if text := text_of(item, name):
            yield text


def text_of(item: Mapping[str, Any], name: str, longest: int = LONGEST) -> str:
    """Give a text of a payload, cut to what is believed; empty for another type."""
    value = item.get(name)
    return value[:longest] if isinstance(value, str) else ""
