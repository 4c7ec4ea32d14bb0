"""What a delivery tells of a merge request, in the words of each host, as one."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.repositories.merge_requests import Action, MergeRequest
from callboard_scm_hosts.payloads import actor_of, text_of

ACTIONS: Final[Mapping[str, Action]] = {
    "open": "opened",
    "opened": "opened",
    "reopen": "opened",
    "reopened": "opened",
    "ready_for_review": "opened",
    "synchronize": "updated",
    "synchronized": "updated",
    "update": "edited",
    "edited": "edited",
    "labeled": "edited",
    "unlabeled": "edited",
    "label_updated": "edited",
    "label_cleared": "edited",
    "merge": "merged",
    "merged": "merged",
    "close": "closed",
    "closed": "closed",
}


def merge_request_of(
    content: Mapping[str, Any], addresses: tuple[str, ...], delivery: int
) -> MergeRequest | None:
    """Give what became of a merge request; None for a delivery that does not say which one."""
    if content.get("object_attributes") is not None:
        found = _gitlab(content)
    else:
        found = _pull_request(content)
    if not found["number"] or not (found["source"] and found["target"]):
        return None
    return MergeRequest(addresses=addresses, delivery=delivery, **found)


def _gitlab(content: Mapping[str, Any]) -> dict[str, Any]:
    told = _part(content, "object_attributes")
    action = ACTIONS.get(text_of(told, "action"), "other")
    if action == "edited" and text_of(told, "oldrev"):
        action = "updated"  # only new commits have an old revision
    return {
        "action": action,
        "number": _number(told, "iid"),
        "source": text_of(told, "source_branch"),
        "target": text_of(told, "target_branch"),
        "commit": text_of(_part(told, "last_commit"), "id"),
        "fork": told.get("source_project_id") != told.get("target_project_id"),
        "title": text_of(told, "title"),
        "actor": text_of(_part(content, "user"), "username"),
        "link": text_of(told, "url"),
    }


def _pull_request(content: Mapping[str, Any]) -> dict[str, Any]:
    """GitHub, Gitea and Gitee have a pull request with two ends."""
    told = _part(content, "pull_request")
    head, base = _part(told, "head"), _part(told, "base")
    action = ACTIONS.get(text_of(content, "action"), "other")
    if text_of(content, "action_desc") == "source_branch_changed":
        action = "updated"  # Gitee
    if action == "closed" and told.get("merged") is True:
        action = "merged"
    source, target = (_name_of(_part(end, "repo")) for end in (head, base))
    return {
        "action": action,
        "number": _number(told, "number") or _number(content, "number"),
        "source": text_of(head, "ref"),
        "target": text_of(base, "ref"),
        "commit": text_of(head, "sha"),
        # Of a source that is gone nothing is known, so it is not taken for the repository's own.
        "fork": not source or source != target,
        "title": text_of(told, "title"),
        "actor": actor_of(content),
        "link": text_of(told, "html_url"),
    }


def _name_of(repository: Mapping[str, Any]) -> str:
    return text_of(repository, "full_name") or text_of(repository, "path_with_namespace")


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}


def _number(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    return value if type(value) is int and 0 < value < 2**31 else 0
