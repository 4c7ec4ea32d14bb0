"""GitHub and GitHub Enterprise Server (REST API, version 2022-11-28)."""

from collections.abc import Mapping, Sequence
from typing import Any

from callboard.errors import ConflictError, InputError, NotFoundError
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.hosts.base import (
    Query,
    branch_of,
    entry_of,
    id_of,
    list_of,
    missing,
    path_of,
    quoted,
    read_tree,
    text_of,
    topics_of,
)
from callboard_scm_hosts.settings import DiscoverSettings
from callboard_scm_hosts.values import BLOB, Found, Known, Reading, Wanted


class GitHub:
    """One request lists all files of a repository; 304 costs nothing of the limit."""

    lags = False
    page_size = 0

    def listing(self, discovery: DiscoverSettings) -> tuple[str, Query]:
        # By the time of creation: a push moves no repository to another page.
        query: Query = {"sort": "created", "direction": "asc", "per_page": 100}
        if not discovery.scope:
            return "/user/repos", query
        return f"/orgs/{quoted(discovery.scope)}/repos", {"type": "all", **query}

    def items(self, data: Any) -> Sequence[Any]:
        return list_of(data)

    def found(self, item: Mapping[str, Any]) -> Found:
        return Found(
            id=id_of(item),
            path=path_of(item, "full_name"),
            branch=branch_of(item),
            moved=text_of(item, "pushed_at", 100),
            topics=topics_of(item, "topics"),
            archived=item.get("archived") is True,
            fork=item.get("fork") is True,
        )

    def read(self, client: HostClient, known: Known, wanted: Wanted) -> Reading | None:
        branch = wanted.branch or known.found.branch
        address = f"/repos/{known.found.path}/git/trees/{quoted(branch)}"
        try:
            answer = client.get(address, {"recursive": 1}, etag=known.etag)
        except (NotFoundError, ConflictError) as error:
            return missing(error)
        if answer.not_modified:
            return None
        head, entries, partial = tree_of(answer.data)
        if head == known.head:
            return None
        return read_tree(
            self, client, known, wanted, entries, head=head, etag=answer.etag, partial=partial
        )

    def blob_address(self, found: Found, blob: str) -> str:
        return f"/repos/{found.path}/git/blobs/{blob}"


def tree_of(data: Any) -> tuple[str, list[Any], bool]:
    """Give the id of a tree, its plain files, and whether some are left out."""
    if not isinstance(data, dict) or not isinstance(data.get("tree"), list):
        raise InputError("The host answered with something that is no list of files.")
    head = data.get("sha")
    if not isinstance(head, str) or not BLOB.fullmatch(head):
        raise InputError("The host answered with a list of files without its id.")
    found = (entry_of(item, "sha") for item in data["tree"])
    return head, [entry for entry in found if entry], data.get("truncated") is True
