"""One descriptor file behind a URL."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from callboard.errors import NotFoundError, NotReadyError, UnauthorisedError
from callboard.i18n import Translator
from callboard_catalog.sources.base import FoundFile, WebAddress

if TYPE_CHECKING:
    from callboard.http import HttpClient, Response

_ = Translator("callboard")


def fetch_text(http: "HttpClient", url: str) -> bytes:
    """Read a URL; raises a `CallboardError` with what to do for every answer but 200."""
    return checked_body(http.get(url), url)


def checked_body(response: "Response", url: str) -> bytes:
    """Give the body of an answer; raises a `CallboardError` with what to do for all but 200."""
    if response.status == 200:
        return response.body
    message = _("%(url)s answered %(status)s.", url=url, status=response.status)
    if response.status in (401, 403):
        raise UnauthorisedError(message, hint=_("Give credentials for its host under http."))
    if response.status in (404, 410):
        raise NotFoundError(message, hint=_("Correct the URL."))
    raise NotReadyError(message, hint=_("It is tried again later."))


class UrlReader:
    """Reads one file; its version is the hash of what came."""

    def __init__(self, http: "HttpClient", url: str) -> None:
        self.http = http
        self.url = url
        self._last: UrlSnapshot | None = None

    def version(self, known: str) -> str:
        self._last = last = self._fetch()
        return last.version

    def snapshot(self, version: str) -> "UrlSnapshot":
        last, self._last = self._last, None
        return last if last and last.version == version else self._fetch()

    def _fetch(self) -> "UrlSnapshot":
        content = fetch_text(self.http, self.url)
        return UrlSnapshot(self, hashlib.sha256(content).hexdigest(), content)

    def kept(self, path: str, blob: str) -> None:
        return None


class UrlSnapshot:
    """The one file as it was read."""

    def __init__(self, reader: UrlReader, version: str, content: bytes) -> None:
        self.reader = reader
        self.version = version
        self.content = content
        self.files = {reader.url: FoundFile(reader.url, version, len(content))}
        self.roots: Collection[str] = [reader.url]

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        if self.reader.url in paths:
            yield self.reader.url, self.content

    def location(self, path: str) -> str:
        return f"url:{path}"

    def web(self, path: str) -> WebAddress:
        return WebAddress(view=path)

    def commit(self, paths: Sequence[str]) -> None:
        return None
