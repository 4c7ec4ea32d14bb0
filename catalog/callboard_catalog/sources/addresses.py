"""Reading addresses: files of Git hosts through Git, others by HTTP, only what has changed.

One `Visit` is one pass over some addresses. It asks each once, several at the same time, with what
is known from the last pass; one that fails costs only itself.
"""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.errors import CallboardError, InputError, NotFoundError, NotReadyError
from callboard.i18n import Translator
from callboard.threads import DaemonPool
from callboard_catalog.sources.base import LOCATIONS, WebAddress
from callboard_catalog.sources.folder import matching, too_large
from callboard_catalog.sources.hosts import RepositoryPage, page_links, repository_page
from callboard_catalog.sources.url import checked_body

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.git.values import TreeFile
    from callboard.http import HttpClient

_ = Translator("callboard")

AT_ONCE: Final = 8
MAXIMUM_ADDRESSES: Final = 1_000
MAXIMUM_OF_LOCATIONS: Final = 20_000
KEPT_BYTES: Final = 64 * 2**20
"""Content that one pass holds before it is taken; what is more is asked for once again."""

GIVEN_UP_AFTER: Final = 3
"""Addresses of one host that fail in turn before the host is left alone for this pass."""

LONGEST_ETAG: Final = 500
_WILDCARD: Final = re.compile(r"[*\[]")


def most_addresses(source_type: str) -> int:
    """Give how many addresses one source may lead to: those registered by people are many."""
    return MAXIMUM_OF_LOCATIONS if source_type == LOCATIONS else MAXIMUM_ADDRESSES


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an address: its server's validator or its commit, and what it held."""

    etag: str
    blob: str


@dataclass(frozen=True, slots=True)
class Remote:
    """An address that was asked: what names its content, or why there is none."""

    blob: str
    etag: str = ""
    data: bytes | None = field(default=None, repr=False)
    error: CallboardError | None = None


class Addresses:
    """How this site reads addresses. `check_repository` raises for repositories not allowed."""

    def __init__(
        self,
        *,
        http: "Callable[[], HttpClient]",
        open_repository: "Callable[[str, int | None], GitRepository]",
        check_repository: Callable[[str], None],
        maximum_bytes: int,
    ) -> None:
        self.http = http
        self.open_repository = open_repository
        self._check_repository = check_repository
        self.maximum_bytes = maximum_bytes

    def visit(
        self, known: Mapping[str, Known] | None = None, *, most: int = MAXIMUM_ADDRESSES
    ) -> "Visit":
        """Begin a pass over `most` addresses, with what the last one learned."""
        return Visit(self, known or {}, most)

    def page(self, url: str) -> RepositoryPage | None:
        """Tell which file of which repository an address means, where its host is configured."""
        page = repository_page(url)
        return page if page and self.reads_repository(page.repository) else None

    def reads_repository(self, url: str) -> bool:
        """Say whether repositories of a host may be read."""
        try:
            self._check_repository(url)
        except CallboardError:
            return False
        return True

    def check(self, url: str) -> None:
        """Raise `InputError` for an address that the settings do not allow to be read."""
        if self.page(url) is not None:
            return
        try:
            self.http().check(url)
        except InputError as error:
            hint = _("Add its host to git.allow_hosts for files of repositories, or else to "
                     "http.allow_hosts.")  # fmt: skip
            raise InputError(error.message, hint=hint) from error


class Visit:
    """One pass: what is asked for, is asked once."""

    def __init__(self, addresses: Addresses, known: Mapping[str, Known], most: int) -> None:
        self.addresses = addresses
        self.known = known
        self.most = most
        self._remote: dict[str, Remote] = {}
        self._repositories: dict[str, _Repository] = {}
        self._failures: defaultdict[str, int] = defaultdict(int)
        self._held = 0
        self._lock = threading.Lock()

    @property
    def learned(self) -> dict[str, Known]:
        """What is known of addresses now, of all that were asked."""
        found = {}
        for url, remote in self._remote.items():
            known = self.known.get(url)
            if remote.error is None and remote.etag:
                found[url] = Known(remote.etag, remote.blob)
            elif remote.error is not None and known is not None:
                found[url] = known
        return found

    def prepare(self, urls: Iterable[str]) -> None:
        """Ask several addresses at the same time; those of one repository one after the other."""
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for url in dict.fromkeys(urls):
            if url not in self._remote:
                page = self.addresses.page(url)
                groups[page.repository if page else url].append(url)
        if len(groups) < 2:
            return
        pool = DaemonPool(AT_ONCE, "address")
        asked = [pool.submit(partial(self._ask_all, group)) for group in groups.values()]
        pool.close()
        for item in asked:
            item.result()

    def _ask_all(self, urls: Iterable[str]) -> None:
        for url in urls:
            self.ask(url)

    def ask(self, url: str) -> Remote:
        """Give what an address holds now; its error is in the answer, never raised."""
        known = self._remote.get(url)
        if known is None:
            known = self._asked(url, self.known.get(url))
            with self._lock:
                self._held += len(known.data or b"")
                if self._held > KEPT_BYTES and known.data is not None:
                    self._held -= len(known.data)
                    known = Remote(known.blob, known.etag)
                self._remote[url] = known
        return known

    def content(self, url: str) -> bytes:
        """Give the content of an address; raises a `CallboardError` where there is none."""
        remote = self.ask(url)
        if remote.error is None and remote.data is None:
            # It is what it was, but nobody has it any more.
            remote = self._remote[url] = self._asked(url, None)
        if remote.error is not None:
            raise remote.error
        assert remote.data is not None
        return remote.data

    def _asked(self, url: str, known: Known | None) -> Remote:
        host = url.partition("://")[2].partition("/")[0]
        try:
            if len(self._remote) >= self.most:
                raise InputError(
                    _("One source may lead to at most %(limit)s URLs.", limit=self.most)
                )
            if self._failures[host] >= GIVEN_UP_AFTER:
                raise NotReadyError(
                    _("%(host)s did not answer several times and is left alone.", host=host),
                    hint=_("It is tried again later."),
                )
            page = self.addresses.page(url)
            if page is None:
                return self._of_web(url, host, known)
            with self._answering(host):
                return self._of_git(page, known)
        except CallboardError as error:
            return Remote(f"error: {error.message}"[:500], error=error)

    @contextmanager
    def _answering(self, host: str) -> Iterator[None]:
        """Count how often in turn a host gave no answer at all; a bad answer is one."""
        try:
            yield
        except NotReadyError:
            self._failures[host] += 1
            raise
        self._failures[host] = 0

    def _of_web(self, url: str, host: str, known: Known | None) -> Remote:
        with self._answering(host):
            response = self.addresses.http().get(url, etag=known.etag if known else None)
        if known and response.not_modified:
            return Remote(known.blob, known.etag)
        data = checked_body(response, url)
        if len(data) > self.addresses.maximum_bytes:
            raise InputError(too_large(len(data), self.addresses.maximum_bytes))
        etag = response.headers.get("etag", "")
        return Remote(
            hashlib.sha256(data).hexdigest(), etag if len(etag) <= LONGEST_ETAG else "", data
        )

    # Files of repositories

    def repository(self, url: str) -> "_Repository":
        """Give a repository, whose branches are asked for once in a pass."""
        with self._lock:
            if url not in self._repositories:
                opened = self.addresses.open_repository(url, None)
                self._repositories[url] = _Repository(opened)
            return self._repositories[url]

    def _of_git(self, page: RepositoryPage, known: Known | None) -> Remote:
        repository = self.repository(page.repository)
        reference, path, head = repository.locate(page)
        if known and known.etag == head:
            return Remote(known.blob, head)
        commit = repository.fetch(reference)
        file = repository.files(commit).get(path)
        if file is None:
            raise NotFoundError(
                _("%(url)s has no file %(path)s at %(reference)s.", url=repository.url,
                  path=repr(path), reference=repr(reference)),
                hint=_("Correct the URL."),
            )  # fmt: skip
        if file.size > self.addresses.maximum_bytes:
            raise InputError(too_large(file.size, self.addresses.maximum_bytes))
        data = repository.content(file.blob)
        return Remote(file.blob, commit, data)

    def expand(self, url: str) -> list[str]:
        """Give the files of a repository that an address with wildcards means, else itself.

        Of a repository that cannot be read now, those it meant when it was read last.
        """
        page = self.addresses.page(url) if _WILDCARD.search(url) else None
        if page is None:
            return [url]
        try:
            repository = self.repository(page.repository)
            reference, pattern, _head = repository.locate(page)
            found = repository.matching(repository.fetch(reference), pattern)
        except CallboardError:
            return [*self._meant_before(page), url]
        return [page.page_of(reference, path) for path in found] or [url]

    def _meant_before(self, page: RepositoryPage) -> list[str]:
        from callboard.git.patterns import compile_pattern

        test = compile_pattern(page.rest)
        pages = ((url, repository_page(url)) for url in self.known)
        return sorted(
            url
            for url, known in pages
            if known and known.repository == page.repository and test(known.rest)
        )

    def web(self, url: str) -> WebAddress:
        """Give the pages that belong to an address."""
        return page_links(url) if self.addresses.page(url) else WebAddress(view=url)


class _Repository:
    """A repository during a pass: each branch is asked for and fetched once."""

    def __init__(self, opened: "GitRepository") -> None:
        self._opened = opened
        self._heads: dict[str, str] = {}
        self._fetched: dict[str, str] = {}
        self._files: dict[str, dict[str, TreeFile]] = {}

    @property
    def url(self) -> str:
        return self._opened.url

    def locate(self, page: RepositoryPage) -> tuple[str, str, str]:
        """Tell branch and path of a page apart, and give the commit of the branch."""
        missing: NotFoundError | None = None
        for reference, path in page.readings():
            try:
                return reference, path, self.head(reference)
            except NotFoundError as error:
                missing = missing or error
            except InputError:
                break  # what follows is longer, so no name of a branch either
        raise missing or NotFoundError(
            _("%(url)s has no such branch.", url=self.url), hint=_("Correct the URL.")
        )

    def head(self, reference: str) -> str:
        if reference not in self._heads:
            name = None if reference == "HEAD" else reference
            self._heads[reference] = self._opened.head(name)
        return self._heads[reference]

    def fetch(self, reference: str) -> str:
        if reference not in self._fetched:
            name = None if reference == "HEAD" else reference
            self._fetched[reference] = self._opened.fetch(name)
        return self._fetched[reference]

    def files(self, commit: str) -> "dict[str, TreeFile]":
        """Give the files of a commit by path; links and submodules are left out."""
        if commit not in self._files:
            self._files[commit] = {
                file.path: file
                for file in self._opened.files(commit)
                if not (file.is_symlink or file.is_submodule)
            }
        return self._files[commit]

    def matching(self, commit: str, pattern: str) -> list[str]:
        return matching(self.files(commit), (pattern,))

    def content(self, blob: str) -> bytes:
        for _blob, data in self._opened.read([blob]):
            return data
        raise NotFoundError(
            _("A file of %(url)s went away while it was read.", url=self.url),
            hint=_("It is tried again later."),
        )
