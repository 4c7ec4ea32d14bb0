"""GitLab (REST API v4)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.hosts.base import (
    Query,
    branch_of,
    content_of,
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
from callboard_scm_hosts.values import (
    BLOB,
    MAXIMUM_BYTES,
    Found,
    Known,
    Reading,
    TreeEntry,
    Wanted,
)

_ = Translator("scm_hosts")

MAXIMUM_TREE_PAGES: Final = 200


class GitLab:
    """Trees come by hundreds, so named descriptors are asked for first: most repositories have
    none, and cost two requests.

    `last_activity_at` is renewed at most once an hour (the project API), hence `lags`.
    """

    lags = True
    page_size = 0

    def listing(self, discovery: DiscoverSettings) -> tuple[str, Query]:
        query: dict[str, str | int] = {"order_by": "id", "sort": "asc", "per_page": 100}
        if not discovery.scope:
            return "/projects", {"membership": "true", "pagination": "keyset", **query}
        mine = {"include_subgroups": "true", "with_shared": "false"}
        return f"/groups/{quoted(discovery.scope)}/projects", {**mine, **query}

    def items(self, data: Any) -> Sequence[Any]:
        return list_of(data)

    def found(self, item: Mapping[str, Any]) -> Found:
        return Found(
            id=id_of(item),
            path=path_of(item, "path_with_namespace"),
            branch="" if item.get("empty_repo") is True else branch_of(item),
            moved=text_of(item, "last_activity_at", 100),
            topics=topics_of(item, "topics", "tag_list"),
            archived=item.get("archived") is True,
            fork=isinstance(item.get("forked_from_project"), dict),
        )

    def read(self, client: HostClient, known: Known, wanted: Wanted) -> Reading | None:
        project = f"/projects/{quoted(known.found.id)}"
        branch = wanted.branch or known.found.branch
        try:
            answer = client.get(f"{project}/repository/branches/{quoted(branch)}", etag=known.etag)
        except (NotFoundError, ConflictError) as error:
            return missing(error)
        if answer.not_modified:
            return None
        head = _head_of(answer.data)
        if head == known.head:
            return None
        contents: dict[str, bytes] = {}
        if wanted.plain:
            for path in wanted.paths:
                contents.update(_named(client, project, path.removeprefix("./"), head))
            if not contents:
                return Reading("none", head, answer.etag)
        entries, partial = _tree(client, project, head)
        return read_tree(
            self, client, known, wanted, entries, head=head, etag=answer.etag, partial=partial,
            contents=contents,
        )  # fmt: skip

    def blob_address(self, found: Found, blob: str) -> str:
        return f"/projects/{quoted(found.id)}/repository/blobs/{blob}"


def _head_of(data: Any) -> str:
    commit = data.get("commit") if isinstance(data, dict) else None
    head = commit.get("id") if isinstance(commit, dict) else None
    if not isinstance(head, str) or not BLOB.fullmatch(head):
        raise InputError(_("The host answered with a branch that has no commit."))
    return head


def _named(client: HostClient, project: str, path: str, head: str) -> dict[str, bytes]:
    """Give a file by its blob, nothing where there is none."""
    try:
        answer = client.get(f"{project}/repository/files/{quoted(path)}", {"ref": head})
    except NotFoundError:
        return {}
    blob = answer.data.get("blob_id") if isinstance(answer.data, dict) else None
    if not isinstance(blob, str) or not BLOB.fullmatch(blob):
        raise InputError(_("The host answered with a file that has no blob."))
    size = answer.data.get("size")
    if isinstance(size, int) and size > MAXIMUM_BYTES:
        return {blob: b""}
    return {blob: content_of(answer.data, blob)}


def _tree(client: HostClient, project: str, head: str) -> tuple[list[TreeEntry], bool]:
    query: Query = {"ref": head, "recursive": "true", "per_page": 100, "pagination": "keyset"}
    entries: list[TreeEntry] = []
    for number, answer in enumerate(client.pages(f"{project}/repository/tree", query), 1):
        found = (entry_of(item, "id") for item in list_of(answer.data))
        entries += [entry for entry in found if entry]
        if number == MAXIMUM_TREE_PAGES:
            return entries, bool(answer.following)
    return entries, False
