"""Pages of files and commits on the hosts of Git repositories.

The rules of paths are those of the hosts' own documentation: GitHub, GitLab, Gitea and Forgejo,
Gitee, Bitbucket Cloud. Hosts are told apart by their names.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from callboard_catalog.sources.base import WebAddress


@dataclass(frozen=True, slots=True)
class _Paths:
    """Where a host shows things; `branch` and `commit` stand before `<name>/<file>`."""

    view: str
    edit: str
    tree: str
    at_commit: str
    commit: str
    line: str = "#L"
    edit_query: str = ""


_GITHUB: Final = _Paths("/blob/", "/edit/", "/tree/", "/blob/", "/commit/")
_GITLAB: Final = _Paths("/-/blob/", "/-/edit/", "/-/tree/", "/-/blob/", "/-/commit/")
_GITEA: Final = _Paths("/src/branch/", "/_edit/", "/src/branch/", "/src/commit/", "/commit/")
_BITBUCKET: Final = _Paths(
    "/src/", "/src/", "/src/", "/src/", "/commits/", line="#lines-", edit_query="?mode=edit"
)
_HOSTS: Final = (
    ("gitlab", _GITLAB),
    ("gitea", _GITEA),
    ("forgejo", _GITEA),
    ("codeberg", _GITEA),
    ("github", _GITHUB),
    ("gitee", _GITHUB),
    ("bitbucket", _BITBUCKET),
)


def _base(url: str) -> str:
    base = url.removesuffix("/").removesuffix(".git")
    return base if base.startswith(("http://", "https://")) else ""


def _paths_of(url: str) -> _Paths | None:
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return None
    return next((paths for name, paths in _HOSTS if name in host), None)


def web_address(url: str, branch: str, path: str) -> WebAddress:
    """Give a file's pages on its host; of a host that is not known only the repository itself."""
    base = _base(url)
    if not base:
        return WebAddress(source=url if "://" in url else "")
    paths = _paths_of(base)
    if paths is None:
        return WebAddress(source=base)
    file, ref = quote(path), quote(branch)
    folder = file.rpartition("/")[0]
    tree = f"{base}{paths.tree}{ref}/"
    return WebAddress(
        view=f"{base}{paths.view}{ref}/{file}",
        edit=f"{base}{paths.edit}{ref}/{file}{paths.edit_query}",
        source=f"{tree}{folder}" if folder else tree,
    )


def commit_url(url: str, commit: str) -> str:
    """Give the page of a commit, or nothing where the host is not known."""
    base = _base(url)
    paths = _paths_of(base) if base else None
    return f"{base}{paths.commit}{quote(commit)}" if paths and commit else ""


def line_url(url: str, commit: str, path: str, line: int) -> str:
    """Give the page of a line as it is in a commit, or nothing where the host is not known."""
    base = _base(url)
    paths = _paths_of(base) if base else None
    if not (paths and commit):
        return ""
    return f"{base}{paths.at_commit}{quote(commit)}/{quote(path)}{paths.line}{line}"


_VIEWS: Final = (
    (re.compile(r"(/[^?#]+?)/-/blob/(.+)"), r"\1/-/edit/\2"),
    (re.compile(r"(/[^?#]+?)/src/branch/(.+)"), r"\1/_edit/\2"),
    (re.compile(r"(/[^/?#]+/[^/?#]+)/blob/(.+)"), r"\1/edit/\2"),
)
_BITBUCKET_VIEW: Final = re.compile(r"/[^/?#]+/[^/?#]+/src/.+")


def edit_url(view: str) -> str:
    """Give where the file that a page of its host shows is edited; nothing for other pages."""
    try:
        parts = urlsplit(view)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https"):
        return ""
    for pattern, edit in _VIEWS:
        if pattern.fullmatch(parts.path):
            path = pattern.sub(edit, parts.path)
            return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
    if _paths_of(view) is _BITBUCKET and _BITBUCKET_VIEW.fullmatch(parts.path):
        return urlunsplit((parts.scheme, parts.netloc, parts.path, "mode=edit", ""))
    return ""
