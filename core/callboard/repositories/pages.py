"""Pages of files and commits on the hosts of Git repositories, for people.

The rules of paths are those of the hosts' own documentation: GitHub, GitLab, Gitea and Forgejo,
Gitee, Bitbucket Cloud. Hosts are told apart by their names; of others nothing is known, and every
function gives an empty text.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class _Paths:
    """What stands before the name of a branch or commit."""

    file: str
    edit: str
    folder: str
    at_commit: str
    commit: str
    line: str = "#L"
    query: str = ""


_GITHUB: Final = _Paths("/blob/", "/edit/", "/tree/", "/blob/", "/commit/")
_GITLAB: Final = _Paths("/-/blob/", "/-/edit/", "/-/tree/", "/-/blob/", "/-/commit/")
_GITEA: Final = _Paths("/src/branch/", "/_edit/", "/src/branch/", "/src/commit/", "/commit/")
_BITBUCKET: Final = _Paths(
    "/src/", "/src/", "/src/", "/src/", "/commits/", line="#lines-", query="?mode=edit"
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


def file_page(url: str, branch: str, path: str) -> str:
    """Give the page that shows a file of a branch."""
    paths = _paths_of(url)
    return f"{_base(url)}{paths.file}{quote(branch)}/{quote(path)}" if paths and branch else ""


def edit_page(url: str, branch: str, path: str) -> str:
    """Give the page on which a file of a branch is edited."""
    paths = _paths_of(url)
    if paths is None or not branch:
        return ""
    return f"{_base(url)}{paths.edit}{quote(branch)}/{quote(path)}{paths.query}"


def commit_page(url: str, commit: str) -> str:
    """Give the page of a commit."""
    paths = _paths_of(url)
    return f"{_base(url)}{paths.commit}{quote(commit)}" if paths and commit else ""


def folder_page(url: str, branch: str, path: str) -> str:
    """Give the page that shows a folder of a branch; an empty path is the whole repository."""
    paths = _paths_of(url)
    return f"{_base(url)}{paths.folder}{quote(branch)}/{quote(path)}" if paths and branch else ""


def line_page(url: str, commit: str, path: str, line: int) -> str:
    """Give the page that shows a line as it is in a commit."""
    paths = _paths_of(url)
    if not (paths and commit):
        return ""
    return f"{_base(url)}{paths.at_commit}{quote(commit)}/{quote(path)}{paths.line}{line}"


_VIEWS: Final = (
    (re.compile(r"(/[^?#]+?)/-/blob/(.+)"), r"\1/-/edit/\2"),
    (re.compile(r"(/[^?#]+?)/src/branch/(.+)"), r"\1/_edit/\2"),
    (re.compile(r"(/[^/?#]+/[^/?#]+)/blob/(.+)"), r"\1/edit/\2"),
)
_BITBUCKET_VIEW: Final = re.compile(r"/[^/?#]+/[^/?#]+/src/.+")


def edit_page_of(view: str) -> str:
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


def _base(url: str) -> str:
    return url.removesuffix("/").removesuffix(".git")


def _paths_of(url: str) -> _Paths | None:
    if not url.startswith(("http://", "https://")):
        return None
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return None
    return next((paths for name, paths in _HOSTS if name in host), None)
