"""The one client for a host's API: its token, its budget, its pages, and nothing it should not be.

What a host answers is not trusted. A link to another page must lead below the API's own address;
a redirect likewise; pages are bounded and none is asked for twice; an answer of another shape than
asked for is an error that names the address.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from callboard.errors import (
    CallboardError,
    ConflictError,
    InputError,
    NotFoundError,
    NotReadyError,
    UnauthorisedError,
)
from callboard.http import Response
from callboard.i18n import Translator
from callboard.redaction import redact
from callboard_scm_hosts.ledger import Ledger, WaitingError
from callboard_scm_hosts.settings import HostSettings

if TYPE_CHECKING:
    from callboard.http import HttpClient

_ = Translator("scm_hosts")

MAXIMUM_PAGES: Final = 5_000
MAXIMUM_REDIRECTS: Final = 3
MAXIMUM_STREAM: Final = 64 * 2**20
_REDIRECTS: Final = frozenset({301, 302, 307, 308})
_NEXT: Final = re.compile(r'<([^<>\s]{1,4000})>\s*;[^,<]*?\brel="?next"?', re.IGNORECASE)
_ACCEPT: Final = {"github": "application/vnd.github+json"}
_SCHEMES: Final = {"gitea": "token", "gitee": "token"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `following` is the address of the next page, empty where this is the last."""

    data: Any
    etag: str = ""
    following: str = ""
    not_modified: bool = False


class HostClient:
    """Asks one host. Threads may share it.

    Every call raises `WaitingError` where the host must not be asked now, `NotFoundError`,
    `ConflictError`, `UnauthorisedError`, `NotReadyError` by the status, and `InputError` for an
    answer that cannot be what was asked for. No message holds the token.
    """

    def __init__(self, http: "HttpClient", settings: HostSettings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self._http = http
        self._base = settings.api

    def get(
        self, path: str, query: Mapping[str, str | int] | None = None, *, etag: str = ""
    ) -> Answer:
        """Ask for an address below the API's own: a path, or what `Answer.following` gave."""
        url = path if "://" in path else f"{self._base}{path}"
        if query:
            url = f"{url}?{urlencode(query)}"
        response = self._sent(self._checked_url(url), etag)
        self._check_status(response)
        if response.not_modified:
            return Answer(None, etag, not_modified=True)
        following = self._following(url, response)
        return Answer(self._data(response), response.etag or "", following)

    def pages(self, path: str, query: Mapping[str, str | int]) -> Iterator[Answer]:
        """Ask for a list, page after page; raises `InputError` for pages that go in a circle."""
        answer = self.get(path, query)
        asked = {f"{self._base}{path}?{urlencode(query)}"}
        while True:
            yield answer
            if not answer.following:
                return
            check_paging(answer.following, asked)
            asked.add(answer.following)
            answer = self.get(answer.following)

    def send(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any],
        *,
        tolerates: Callable[[Response], bool] = lambda response: False,
    ) -> Any:
        """Send JSON by POST or PATCH and give what is answered, None for what is tolerated.

        It must be something that does no harm twice: an answer may be lost on its way.
        """
        response = self._sent(self._checked_url(f"{self._base}{path}"), "", method, content)
        if tolerates(response):
            return None
        self._check_status(response)
        return self._data(response)

    def stream(self, path: str) -> Iterator[bytes]:
        """Give the bytes of an answer piece by piece; raises `NotReadyError` where it ends early.

        Redirects are not followed.
        """
        url = self._checked_url(f"{self._base}{path}")
        self.ledger.take()
        try:
            yield from self._http.stream(
                url, headers=self._headers(""), maximum_bytes=MAXIMUM_STREAM
            )
        except NotReadyError:
            self.ledger.failed()
            raise
        self.ledger.keep()

    # Sending

    def _sent(
        self, url: str, etag: str, method: str = "GET", content: Mapping[str, Any] | None = None
    ) -> Response:
        for _attempt in range(MAXIMUM_REDIRECTS + 1):
            self.ledger.take()
            try:
                response = self._http.request(
                    method, url, headers=self._headers(etag), json=content, idempotent=True,
                    redirects=False,
                )  # fmt: skip
            except CallboardError as error:
                if not isinstance(error, WaitingError):
                    self.ledger.failed()
                raise
            self.ledger.answered(response)
            if response.status not in _REDIRECTS or method != "GET":
                return response
            url = self._checked_url(urljoin(url, response.headers.get("location", "")))
        raise NotReadyError(
            _("%(url)s redirects again and again.", url=self._shown(url)),
            hint=_("Check the address of this host in the settings."),
        )

    def _headers(self, etag: str) -> dict[str, str]:
        headers = {"Accept": _ACCEPT.get(self.settings.type, "application/json")}
        if etag:
            headers["If-None-Match"] = etag
        if self.settings.token is not None:
            scheme = _SCHEMES.get(self.settings.type, "Bearer")
            headers["Authorization"] = f"{scheme} {self.settings.token.get_secret_value()}"
        return headers

    def _checked_url(self, url: str) -> str:
        """Refuse what is not below the API's address: the token goes along with each request."""
        try:
            parts, base = urlsplit(url), urlsplit(self._base)
            same = (parts.scheme, parts.netloc.lower()) == (base.scheme, base.netloc.lower())
        except ValueError:
            same = False
        if not same or not f"{parts.path}/".startswith(f"{base.path}/") or "/../" in parts.path:
            raise InputError(
                _(
                    "%(host)s leads to %(url)s, which is not below the address of its API.",
                    host=self.settings.name,
                    url=self._shown(url),
                ),
                hint=_("Check url and api_url of this host in the settings."),
            )
        return urlunsplit(parts._replace(fragment=""))

    def _shown(self, url: str) -> str:
        secret = self.settings.token.get_secret_value() if self.settings.token else ""
        return redact(url.partition("?")[0], [secret] if secret else [])[:300]

    # Reading

    def _check_status(self, response: Response) -> None:
        status = response.status
        if status < 300 or response.not_modified:
            return
        url = self._shown(response.url)
        if status in (401, 403):
            raise UnauthorisedError(
                _("%(url)s refused the token (%(status)s).", url=url, status=status),
                hint=_("Check that the token is not expired and has the scopes it needs."),
            )
        if status in (404, 410):
            raise NotFoundError(
                _("There is no %(url)s, or the token may not see it.", url=url),
                hint=_("Check the name, and the scopes of the token."),
            )
        if status == 409:
            raise ConflictError(_("%(url)s answered with status 409.", url=url))
        if status >= 500 or status in (408, 425, 429):
            self.ledger.failed()
            raise NotReadyError(
                _("%(url)s answered with status %(status)s.", url=url, status=status),
                hint=_("It is tried again later."),
            )
        raise InputError(
            _("%(url)s answered with status %(status)s.", url=url, status=status),
            hint=_("Check the type and the address of this host in the settings."),
        )

    def _data(self, response: Response) -> Any:
        try:
            data = response.json()
        except InputError:
            data = None
        if not isinstance(data, dict | list):
            self.ledger.failed()
            raise InputError(
                _("%(url)s answered with no JSON.", url=self._shown(response.url)),
                hint=_("Check that url and type of this host are right; a page of signing in "
                       "or of a proxy may be in the way."),
            )  # fmt: skip
        return data

    def _following(self, url: str, response: Response) -> str:
        match = _NEXT.search(response.headers.get("link", "")[:20_000])
        if match:
            return self._checked_url(urljoin(url, match[1]))
        number = response.headers.get("x-next-page", "").strip()
        if number.isascii() and number.isdigit() and len(number) < 8:
            return with_page(url, int(number))
        return ""


def with_page(url: str, number: int) -> str:
    """Give the address of another page of the same list."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query, keep_blank_values=True)), "page": str(number)}
    return urlunsplit(parts._replace(query=urlencode(query)))


def check_paging(following: str, asked: set[str]) -> None:
    """Raise `InputError` for a page that was asked for already, and for too many."""
    if following in asked or len(asked) >= MAXIMUM_PAGES:
        raise InputError(
            _(
                "A list goes in a circle or does not end: page %(number)s leads to %(url)s.",
                number=len(asked),
                url=redact(following)[:300],
            ),
            hint=_("What was known before is kept."),
        )
