"""Where the source of an entity is: the address to clone and the folder inside.

Web addresses follow the path rules of GitHub and Gitee (`/tree/`), GitLab (`/-/tree/`), Gitea
(`/src/branch/`) and Bitbucket (`/src/`). The first segment after them is taken as the branch: a
branch with a slash in its name cannot be told from a folder.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from callboard.entities import Entity

if TYPE_CHECKING:
    from callboard.git import Reference

SOURCE_LOCATION: Final = "backstage.io/source-location"
MANAGED_BY: Final = "backstage.io/managed-by-location"
SLUGS: Final[Mapping[str, str]] = {
    "github.com/project-slug": "https://github.com/",
    "gitlab.com/project-slug": "https://gitlab.com/",
}
ANNOTATIONS: Final = (SOURCE_LOCATION, *SLUGS)
KNOWN_HOSTS: Final = ("github", "gitlab", "gitee", "gitea", "forgejo", "codeberg", "bitbucket")
"""Parts of host names by which hosting software is told."""

MAXIMUM_LENGTH: Final = 500

WITHOUT_SOURCE: Final = frozenset({"domain", "group", "location", "user"})
"""Kinds that are only described in a repository: nothing there is their source."""

_VIEW: Final = re.compile(
    r"(?P<repository>/[^/]+/.+?)/(?:-/(?:tree|blob)|tree|blob|src/(?:branch|tag|commit))/"
    r"(?P<reference>[^/]+)(?:/(?P<path>.*))?"
)
_BITBUCKET_VIEW: Final = re.compile(
    r"(?P<repository>/[^/]+/[^/]+)/src/(?P<reference>[^/]+)(?:/(?P<path>.*))?"
)
_USUAL_BRANCHES: Final = ("main", "master", "trunk", "develop")
_SLUG: Final = re.compile(r"[\w.-]+(?:/[\w.-]+)+")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A repository's clone address and a folder in it, empty for the whole repository.

    `reference` is the branch, tag or commit that a web address names. Places are compared without
    it: a repository is one, whichever of its branches an address was copied from.
    """

    url: str
    folder: str = ""
    reference: str = field(default="", compare=False)


def place_of(entity: Entity) -> Place | None:
    """Give where the source of an entity is; None for one that has no source of its own."""
    return None if entity.ref.kind in WITHOUT_SOURCE else described_place(entity)


def described_place(entity: Entity) -> Place | None:
    """Give where an entity of any kind says its source is, or where it is described.

    None where that is no Git repository, such as a folder of the portal's own machine.
    """
    annotations = entity.annotations
    location = annotations.get(SOURCE_LOCATION, "")
    place = parse_location(location) if location.startswith("url:") else None
    place = place or _from_slugs(annotations)
    if place is not None and not place.folder:
        return replace(place, folder=_described_in(place.url, annotations.get(MANAGED_BY, "")))
    return place


def has_source(entity: Entity) -> bool:
    """Whether the entity has a source location that can be read."""
    return place_of(entity) is not None


def parse_location(location: str) -> Place | None:
    """Read a location such as `url:https://github.com/org/repo/tree/main/dir/`.

    Credentials in a web address are dropped: the host has its own by configuration. None for
    what is no address of a repository.
    """
    text = location.removeprefix("url:").strip()
    if not text or len(text) > MAXIMUM_LENGTH:
        return None
    if not text.startswith(("http://", "https://")):
        return _plain(text)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        host += f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    view = (_BITBUCKET_VIEW if "bitbucket" in host else _VIEW).fullmatch(parts.path)
    path = view["repository"] if view else parts.path.rstrip("/")
    if not host or not path:
        return None
    if view or _known(host):  # one address, however it was written, so that it is read once
        path = path.removesuffix(".git") + ".git"
    folder = unquote(view["path"] or "") if view else parts.fragment
    reference = unquote(view["reference"]) if view else ""
    return Place(urlunsplit((parts.scheme, host, path, "", "")), _clean(folder), reference)


def _known(host: str) -> bool:
    return any(name in host for name in KNOWN_HOSTS)


def _plain(text: str) -> Place | None:
    """Read `file:`, `ssh:`, `git:` and `user@host:path` addresses, which name no view."""
    url, _, folder = text.partition("#")
    url = url.rstrip("/")
    if "://" in url or re.fullmatch(r"[\w.+-]+@[\w.-]+:\S+", url):
        return Place(url, _clean(folder))
    return None


def _from_slugs(annotations: Mapping[str, str]) -> Place | None:
    for key, base in SLUGS.items():
        slug = annotations.get(key, "").strip()
        if len(slug) < MAXIMUM_LENGTH // 2 and _SLUG.fullmatch(slug):
            return Place(f"{base}{slug}.git")
    return None


def _described_in(url: str, managed_by: str) -> str:
    """Give the folder of the descriptor where it lies in the same repository.

    A source location without a folder says nothing about a repository of many services; the
    folder that holds the entity's own descriptor is what its owners mean.
    """
    text = managed_by.removeprefix("url:")
    described = parse_location(text)
    if described is None or described.url.removesuffix(".git") != url.removesuffix(".git"):
        return ""
    return described.folder.rpartition("/")[0]


def _clean(folder: str) -> str:
    """Give a plain path inside the repository, or nothing for one that leads elsewhere."""
    parts = [part for part in folder.strip("/").split("/") if part not in ("", ".")]
    return "" if ".." in parts or not folder.isprintable() else "/".join(parts)


def short_name(url: str) -> str:
    """Give what people call a repository: `org/repo` of a web address, the last part of others."""
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    parts = path.removesuffix(".git").strip("/").split("/")
    return parts[-1] if url.startswith("file:") else "/".join(parts[-2:])


def default_branch(head: str, branches: "Sequence[Reference]") -> str:
    """Give the branch that HEAD leads to; of several at the same commit, the usual names first."""
    at_head = [branch.name for branch in branches if branch.commit == head]
    usual = [name for name in _USUAL_BRANCHES if name in at_head]
    return next(iter(usual or at_head), "")
