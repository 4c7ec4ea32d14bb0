"""Reads a repository from a copy that Git fetches, in place of the host's API."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from callboard.errors import NotFoundError
from callboard_scm_hosts.hosts.base import PLAIN_FILES, missing
from callboard_scm_hosts.settings import HostSettings
from callboard_scm_hosts.values import MAXIMUM_BYTES, Found, Known, Reading, TreeEntry, Wanted

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.host import Host


def open_repository(host: "Host", settings: HostSettings, found: Found) -> "GitRepository":
    """Give a repository by the address that is made here, not by one the host may name."""
    if settings.type == "folder":
        return host.git(f"{settings.address}/{found.id}")
    return host.git(f"{settings.address}/{found.path}.git")


def read_by_git(
    host: "Host", settings: HostSettings, known: Known, wanted: Wanted
) -> Reading | None:
    """Read a repository, None where its head is the one that was read before."""
    repository = open_repository(host, settings, known.found)
    branch = wanted.branch or known.found.branch
    try:
        head = repository.fetch(None if branch in ("", "HEAD") else branch)
    except NotFoundError as error:
        return missing(error)
    if head == known.head:
        return None
    tree = [
        TreeEntry(file.path, file.blob, file.size)
        for file in repository.files(head)
        if file.mode in PLAIN_FILES
    ]
    chosen = wanted.chosen(tree)
    if not chosen:
        return Reading("none", head)
    new = {
        entry.blob
        for entry, descriptor in chosen
        if descriptor and entry.size <= MAXIMUM_BYTES and entry.blob not in known.blobs
    }
    return Reading("read", head, "", tuple(chosen), dict(repository.read(sorted(new))))


def blobs_by_git(
    host: "Host", settings: HostSettings, found: Found, blobs: Collection[str]
) -> dict[str, bytes]:
    """Give files by their blobs; what is not there is left out."""
    return dict(open_repository(host, settings, found).read(sorted(blobs)))
