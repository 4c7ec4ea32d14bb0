"""A Git server asked over HTTP for its references, without a process (gitprotocol-http(5))."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from callboard import __version__
from callboard.errors import NotReadyError
from callboard.git.packets import (
    References,
    UnusualError,
    capabilities_of,
    read_advertisement,
    read_references,
    request_of_references,
)
from callboard.git.runner import GitFailedError
from callboard.i18n import Translator

if TYPE_CHECKING:
    from callboard.http import HttpClient

_ = Translator("callboard")

MAXIMUM_ANSWER: Final = 16 * 2**20
CONNECTING: Final = 30.0
"""Seconds in which a server must let us connect."""

_SERVICE: Final = "git-upload-pack"
_ADVERTISED: Final = f"application/x-{_SERVICE}-advertisement"
_RESULT: Final = f"application/x-{_SERVICE}-result"


class SmartServer:
    """The references of one repository behind an http or https address without credentials.

    The client must not follow redirects with `authorization` (the value of that header), so none is
    followed at all. Everything a server may answer beside references and a refusal is left to the
    git program by an `UnusualError`.
    """

    def __init__(
        self, url: str, client: "Callable[[], HttpClient]", *, authorization: str, timeout: float
    ) -> None:
        self._url = url if url.endswith("/") else f"{url}/"
        self._client = client
        self._timeout = timeout
        # GitHub's server is told apart by the beginning of this name.
        self._headers = {"User-Agent": f"git/callboard-{__version__}", "Git-Protocol": "version=2"}
        if authorization:
            self._headers["Authorization"] = authorization
        self._object_format: str | None = None

    def references(self, prefixes: Sequence[str]) -> References:
        """Ask for the references that begin with one of the prefixes; there may be more.

        Once a server has said that it speaks protocol version 2, one request is enough. Raises
        `GitFailedError` with the words of git for a refusal and for an answer that is too large or
        too late, `InputError` for a host the client may not ask.
        """
        known, self._object_format = self._object_format, None
        if known is None:
            asked = f"{self._url}info/refs?service={_SERVICE}"
            body = self._answer("GET", asked, _ADVERTISED, {})
            capabilities = capabilities_of(body)
            if capabilities is None:
                return read_advertisement(body)
            if "ls-refs" not in capabilities:
                raise UnusualError
            known = capabilities.get("object-format", "")
        told = {"Content-Type": f"application/x-{_SERVICE}-request", "Accept": _RESULT}
        content = request_of_references(prefixes, known)
        body = self._answer("POST", f"{self._url}{_SERVICE}", _RESULT, told, content)
        found = read_references(body)
        self._object_format = known
        return found

    def _answer(
        self,
        method: str,
        url: str,
        expected: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
    ) -> bytes:
        from callboard.http import TooLargeError

        began = time.monotonic()
        try:
            response = self._client().request(
                method, url, headers={**self._headers, **headers}, content=content, redirects=False
            )
        except TooLargeError:
            reason = _("it gave more than %(limit)s bytes", limit=MAXIMUM_ANSWER)
            raise GitFailedError("", 0, reason) from None
        except NotReadyError as error:
            raise self._late(time.monotonic() - began) or UnusualError from error
        if response.status >= 400:
            raise GitFailedError(self._refusal(response.status), 128)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status != 200 or kind != expected:
            raise UnusualError
        return response.body

    def _late(self, seconds: float) -> GitFailedError | None:
        """Give the error of a server that took its time: it is not asked a second time."""
        for limit in (self._timeout, CONNECTING):
            if seconds >= limit:
                reason = _("it took longer than %(limit)s s", limit=f"{limit:g}")
                return GitFailedError("", 0, reason)
        return None

    def _refusal(self, status: int) -> str:
        """Say what git says of a status, so that people read the same whoever asked."""
        if status == 401:
            parts = urlsplit(self._url)
            return (
                "error: unable to read askpass response from 'false'\n"
                f"fatal: could not read Username for '{parts.scheme}://{parts.netloc}': "
                "terminal prompts disabled"
            )
        if status == 404:
            return f"fatal: repository '{self._url}' not found"
        return f"fatal: unable to access '{self._url}': The requested URL returned error: {status}"
