"""A Git repository, read at a commit without a work tree."""

from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from callboard_catalog.sources.base import FoundFile, WebAddress
from callboard_catalog.sources.folder import matching, too_large

if TYPE_CHECKING:
    from callboard.git import GitRepository


class GitReader:
    """Reads the newest commit of a branch. Nothing moved costs one `ls-remote`."""

    def __init__(
        self,
        open_repository: "Callable[[], GitRepository]",
        branch: str,
        patterns: tuple[str, ...],
        maximum_bytes: int,
    ) -> None:
        self._open = open_repository
        self.branch = branch
        self.patterns = patterns
        self.maximum_bytes = maximum_bytes

    @cached_property
    def repository(self) -> "GitRepository":
        return self._open()

    def version(self, known: str) -> str:
        return self.repository.head(self.branch or None)

    def snapshot(self, version: str) -> "GitSnapshot":
        return GitSnapshot(self, self.repository.fetch(self.branch or None))


class GitSnapshot:
    """The files of one commit. Symbolic links and submodules are not followed."""

    def __init__(self, reader: GitReader, commit: str) -> None:
        self.reader = reader
        self.version = commit
        self.files = {
            file.path: FoundFile(
                file.path,
                file.blob,
                file.size,
                too_large(file.size, reader.maximum_bytes)
                if file.size > reader.maximum_bytes
                else "",
            )
            for file in reader.repository.files(commit)
            if not (file.is_symlink or file.is_submodule)
        }

    @cached_property
    def roots(self) -> Collection[str]:
        return matching(self.files, self.reader.patterns)

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        by_blob: dict[str, list[str]] = {}
        for path in paths:
            if path in self.files:
                by_blob.setdefault(self.files[path].blob, []).append(path)
        for blob, content in self.reader.repository.read(list(by_blob)):
            for path in by_blob[blob]:
                yield path, content

    def location(self, path: str) -> str:
        web = self.web(path)
        return f"url:{web.view}" if web.view else f"url:{self.address}#{path}"

    @property
    def address(self) -> str:
        """The repository as a URL; that of a local folder begins with `file://`."""
        url = self.reader.repository.url
        return Path(url).as_uri() if url.startswith("/") else url

    def web(self, path: str) -> WebAddress:
        return web_address(self.address, self.reader.branch or "HEAD", path)


def web_address(url: str, branch: str, path: str) -> WebAddress:
    """Give a file's pages on its host, by the path rules of GitHub, GitLab, Gitee and Gitea.

    Hosts are told apart by their names; for others only the repository itself is given.
    """
    base = url.removesuffix("/").removesuffix(".git")
    if not base.startswith(("http://", "https://")):
        return WebAddress(source=url if "://" in url else "")
    host = base.split("/")[2].lower()
    file, ref = quote(path), quote(branch)
    folder = file.rpartition("/")[0]
    if "gitlab" in host:
        middle = ("/-/blob/", "/-/edit/", "/-/tree/")
    elif "gitea" in host or "forgejo" in host:
        middle = ("/src/branch/", "/_edit/", "/src/branch/")
    elif "github" in host or "gitee" in host:
        middle = ("/blob/", "/edit/", "/tree/")
    else:
        return WebAddress(source=base)
    view, edit, tree = (f"{base}{part}{ref}/" for part in middle)
    return WebAddress(f"{view}{file}", f"{edit}{file}", f"{tree}{folder}" if folder else tree)
