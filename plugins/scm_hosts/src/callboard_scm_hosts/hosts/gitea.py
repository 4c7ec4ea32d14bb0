"""Gitea and Forgejo (API v1), and Gitee (API v5), which are alike in what is asked here."""

from collections.abc import Mapping, Sequence
from typing import Any

from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.hosts.base import (
    Query,
    branch_of,
    id_of,
    list_of,
    missing,
    path_of,
    quoted,
    read_tree,
    text_of,
    topics_of,
)
from callboard_scm_hosts.hosts.github import tree_of
from callboard_scm_hosts.settings import DiscoverSettings
from callboard_scm_hosts.values import Found, Known, Reading, TreeEntry, Wanted

_ = Translator("scm_hosts")

MAXIMUM_TREE_PAGES = 50


class Gitea:
    """Lists and trees come in pages; a push changes when a repository was updated."""

    lags = False
    page_size = 0

    def listing(self, discovery: DiscoverSettings) -> tuple[str, Query]:
        if not discovery.scope:
            return "/repos/search", {"sort": "id", "order": "asc", "limit": 50}
        return f"/orgs/{quoted(discovery.scope)}/repos", {"limit": 50}

    def items(self, data: Any) -> Sequence[Any]:
        return list_of(data.get("data") if isinstance(data, dict) else data)

    def found(self, item: Mapping[str, Any]) -> Found:
        return Found(
            id=id_of(item),
            path=path_of(item, "full_name"),
            branch="" if item.get("empty") is True else branch_of(item),
            moved=text_of(item, "updated_at", 100),
            topics=topics_of(item, "topics"),
            archived=item.get("archived") is True,
            fork=item.get("fork") is True,
        )

    def read(self, client: HostClient, known: Known, wanted: Wanted) -> Reading | None:
        found, branch = known.found, wanted.branch or known.found.branch
        try:
            reference = branch
            if "/" in branch:
                # The address of a tree has one part for its name.
                answer = client.get(f"/repos/{found.path}/branches/{quoted(branch)}")
                reference = _commit_of(answer.data)
            return self._read(client, known, wanted, reference)
        except (NotFoundError, ConflictError) as error:
            return missing(error)

    def _read(
        self, client: HostClient, known: Known, wanted: Wanted, reference: str
    ) -> Reading | None:
        address = f"/repos/{known.found.path}/git/trees/{quoted(reference)}"
        entries: list[TreeEntry] = []
        head, listed = "", 0
        for number in range(1, MAXIMUM_TREE_PAGES + 1):
            query = {"recursive": 1, "per_page": 1000, "page": number}
            data = client.get(address, query).data
            tree, found, truncated = tree_of(data)
            if number == 1 and tree == known.head:
                return None
            if head and tree != head:
                raise InputError(
                    _("The repository changed while it was read."), hint=_("It is read again.")
                )
            head = tree
            entries += found
            listed += len(data["tree"])
            total = data.get("total_count")
            more = isinstance(total, int) and listed < total
            if not (data["tree"] and (more or (total is None and truncated))):
                break
        else:
            truncated = True
        partial = truncated and not isinstance(total, int)
        return read_tree(self, client, known, wanted, entries, head=head, partial=partial)

    def blob_address(self, found: Found, blob: str) -> str:
        return f"/repos/{found.path}/git/blobs/{blob}"


class Gitee(Gitea):
    """Gitee gives whole trees, and lists whose last page only its size tells."""

    page_size = 100

    def listing(self, discovery: DiscoverSettings) -> tuple[str, Query]:
        query: Query = {"sort": "created", "direction": "asc", "per_page": 100, "page": 1}
        if not discovery.scope:
            return "/user/repos", query
        return f"/orgs/{quoted(discovery.scope)}/repos", {"type": "all", **query}

    def found(self, item: Mapping[str, Any]) -> Found:
        return Found(
            id=id_of(item),
            path=path_of(item, "full_name"),
            branch=branch_of(item),
            moved=text_of(item, "pushed_at", 100) or text_of(item, "updated_at", 100),
            topics=topics_of(item, "topics", "project_labels"),
            # Closed (关闭) is what others call archived; the other values are 开始 and 暂停.
            archived=item.get("archived") is True or item.get("status") in ("关闭", "closed"),
            fork=item.get("fork") is True,
        )

    def _read(
        self, client: HostClient, known: Known, wanted: Wanted, reference: str
    ) -> Reading | None:
        address = f"/repos/{known.found.path}/git/trees/{quoted(reference)}"
        answer = client.get(address, {"recursive": 1}, etag=known.etag)
        if answer.not_modified:
            return None
        head, entries, partial = tree_of(answer.data)
        if head == known.head:
            return None
        return read_tree(
            self, client, known, wanted, entries, head=head, etag=answer.etag, partial=partial
        )


def _commit_of(data: Any) -> str:
    commit = data.get("commit") if isinstance(data, dict) else None
    value = (commit.get("id") or commit.get("sha")) if isinstance(commit, dict) else None
    if not isinstance(value, str) or not value.isalnum():
        raise InputError(_("The host answered with a branch that has no commit."))
    return value
