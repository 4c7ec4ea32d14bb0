"""Statuses of commits, in the words of each type of host.

GitLab: "Commits API, Set commit pipeline status"; GitHub: "REST API, commit statuses"; Gitea: API
v1, `repoCreateStatus`; Gitee: API v5, check runs, of which the newest of a name is kept up to date.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard.http import Response
from callboard.repositories.hosts import CommitStatus
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.hosts.base import quoted

Write = Callable[[HostClient, str, str, CommitStatus], None]

_GITLAB: Final = {"cancelled": "canceled"}
_GITHUB: Final = {"running": "pending", "failed": "failure", "cancelled": "error"}
_GITEE: Final = {
    "pending": {"status": "queued"},
    "running": {"status": "in_progress"},
    "success": {"status": "completed", "conclusion": "success"},
    "failed": {"status": "completed", "conclusion": "failure"},
    "cancelled": {"status": "completed", "conclusion": "cancelled"},
}


def _gitlab(client: HostClient, repository: str, commit: str, status: CommitStatus) -> None:
    content = {
        "state": _GITLAB.get(status.state, status.state),
        "context": status.context[:255],
        "description": status.description[:255],
        **_link(status, "target_url"),
    }
    address = f"/projects/{quoted(repository)}/statuses/{commit}"
    client.send("POST", address, content, tolerates=_is_there)


def _is_there(response: Response) -> bool:
    """Whether GitLab refuses because the status is what it is asked to become."""
    return response.status == 400 and b"Cannot transition status" in response.body[:2000]


def _github(client: HostClient, repository: str, commit: str, status: CommitStatus) -> None:
    content = {
        "state": _GITHUB.get(status.state, status.state),
        "context": status.context[:255],
        "description": status.description[:140],
        **_link(status, "target_url"),
    }
    client.send("POST", f"/repos/{repository}/statuses/{commit}", content)


def _gitee(client: HostClient, repository: str, commit: str, status: CommitStatus) -> None:
    content = {
        "name": status.context[:255],
        **_GITEE[status.state],
        "output": {"title": status.context[:255], "summary": status.description or status.state},
        **_link(status, "details_url"),
    }
    address = f"/repos/{repository}/commits/{commit}/check-runs"
    number = _number(client.get(address, {"check_name": status.context[:255]}).data, status.context)
    if number:
        client.send("PATCH", f"/repos/{repository}/check-runs/{number}", content)
    else:
        address = f"/repos/{repository}/check-runs"
        client.send("POST", address, {"head_sha": commit, **content})


def _number(data: Any, context: str) -> int:
    """Give the number of the newest check run of a name, 0 where there is none."""
    listed = data.get("check_runs") if isinstance(data, Mapping) else data
    numbers = (
        item.get("id")
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, Mapping) and item.get("name") == context[:255]
    )
    return max((number for number in numbers if type(number) is int), default=0)


def _link(status: CommitStatus, name: str) -> dict[str, str]:
    return {name: status.link} if status.link else {}


STATUSES: Final[Mapping[str, Write]] = {
    "gitlab": _gitlab,
    "github": _github,
    "gitea": _github,
    "gitee": _gitee,
}
