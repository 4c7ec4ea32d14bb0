"""The pages of a descriptor file on the host of its repository, and the file behind such a page.

The rules of paths are those of the hosts' own documentation: GitHub and Gitee (`/blob/`), GitLab
(`/-/blob/`), Gitea and Forgejo (`/src/branch/`), Bitbucket Cloud (`/src/`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from callboard.repositories import edit_page, edit_page_of, file_page, folder_page
from callboard_catalog.sources.base import WebAddress

MOST_PARTS: Final = 6
"""Parts of an address that are tried as the name of a branch: names may hold slashes."""

_PAGE: Final = re.compile(
    r"(?P<repository>/[^/]+/.+?)"
    r"(?P<middle>/(?:-/(?:blob|raw|tree|edit)|blob|raw|tree|edit|src/(?:branch|tag|commit))/)"
    r"(?P<rest>[^?#]+)"
)
_BITBUCKET_PAGE: Final = re.compile(r"(?P<repository>/[^/]+/[^/]+)(?P<middle>/src/)(?P<rest>.+)")


def web_address(url: str, branch: str, path: str) -> WebAddress:
    """Give a file's pages on its host; of a host that is not known only the repository itself."""
    view = file_page(url, branch, path)
    if view:
        folder = path.rpartition("/")[0]
        return WebAddress(
            view=view, edit=edit_page(url, branch, path), source=folder_page(url, branch, folder)
        )
    if url.startswith(("http://", "https://")):
        return WebAddress(source=url.removesuffix("/").removesuffix(".git"))
    return WebAddress(source=url if "://" in url else "")


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """A page of a file or folder in a repository. `rest` is its branch and path, not yet told
    apart; `base` is the address up to them.
    """

    repository: str
    base: str
    rest: str

    def readings(self) -> Iterator[tuple[str, str]]:
        """Give the ways to read it as a branch and a path, the shortest branch first."""
        parts = self.rest.strip("/").split("/")
        for count in range(1, min(len(parts), MOST_PARTS) + 1):
            yield "/".join(parts[:count]), "/".join(parts[count:])

    def page_of(self, reference: str, path: str) -> str:
        """Give the page of another file of the same repository."""
        return f"{self.base}{quote(reference)}/{quote(path)}"


def repository_page(url: str) -> RepositoryPage | None:
    """Tell which file of which repository a page shows; None for an address of another kind."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme != "https" or not host or parts.query:
        return None
    pattern = _BITBUCKET_PAGE if "bitbucket" in host else _PAGE
    match = pattern.fullmatch(parts.path)
    if match is None:
        return None
    path = match["repository"].removesuffix(".git")
    place = parts.netloc.rpartition("@")[2]
    return RepositoryPage(
        repository=urlunsplit((parts.scheme, place, f"{path}.git", "", "")),
        base=urlunsplit((parts.scheme, place, match["repository"] + match["middle"], "", "")),
        rest=unquote(match["rest"]),
    )


def page_links(url: str) -> WebAddress:
    """Give the pages that belong to the address of a file: to see it, to change it, its folder."""
    folder = url.partition("?")[0].partition("#")[0].rpartition("/")[0]
    return WebAddress(view=url, edit=edit_page_of(url), source=f"{folder}/")
