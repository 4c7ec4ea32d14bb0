"""Pages of files and commits on the hosts of Git repositories, for people.

The rules of paths are those of the hosts' own documentation: GitHub, GitLab, Gitea and Forgejo,
Gitee, Bitbucket Cloud. Hosts are told apart by their names; of others nothing is known, and every
function gives an empty text.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class _Paths:
    """What stands before the name of a branch or commit."""

    file: str
    edit: str
    commit: str
    query: str = ""


_GITHUB: Final = _Paths("/blob/", "/edit/", "/commit/")
_GITLAB: Final = _Paths("/-/blob/", "/-/edit/", "/-/commit/")
_GITEA: Final = _Paths("/src/branch/", "/_edit/", "/commit/")
_BITBUCKET: Final = _Paths("/src/", "/src/", "/commits/", "?mode=edit")
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
    """Give the page that shows a file, or a folder, of a branch."""
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
