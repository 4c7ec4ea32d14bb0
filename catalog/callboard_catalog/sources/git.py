"""A Git repository, read at a commit without a work tree."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from callboard.errors import CallboardError
from callboard.repositories.pushed import Pushed
from callboard_catalog.sources.base import ChangeCommit, FoundFile, WebAddress
from callboard_catalog.sources.folder import matching, too_large
from callboard_catalog.sources.hosts import web_address

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
        url: str = "",
    ) -> None:
        self._open = open_repository
        self.url = url
        self.branch = branch
        self.patterns = patterns
        self.maximum_bytes = maximum_bytes

    @cached_property
    def repository(self) -> "GitRepository":
        return self._open()

    def follows(self, pushed: Pushed) -> bool:
        return pushed.is_of(self.url, self.branch)

    def version(self, known: str) -> str:
        return self.repository.head(self.branch or None)

    def snapshot(self, version: str) -> "GitSnapshot":
        return GitSnapshot(self, self.repository.fetch(self.branch or None))

    def kept(self, path: str, blob: str) -> bytes | None:
        try:
            return next((content for _, content in self.repository.read([blob])), None)
        except CallboardError:
            return None


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

    def commit(self, paths: Sequence[str]) -> ChangeCommit | None:
        try:
            found = self.reader.repository.log(self.version, limit=1, paths=paths)
        except CallboardError:
            # Who it was is worth a line on a page, not a failed read.
            return None
        if not found:
            return None
        newest = found[0]
        return ChangeCommit(newest.hash, newest.author_name, newest.subject, newest.time)
