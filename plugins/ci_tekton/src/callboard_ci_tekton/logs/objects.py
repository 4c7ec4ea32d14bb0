"""An object store that speaks the protocol of Amazon S3, over the portal's HTTP client.

Requests are signed by AWS Signature Version 4 ("Authenticating Requests", Amazon S3 API reference).
Buckets are in the path, as stores of one's own want it and Amazon takes it. Names hold only
characters that need no encoding.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urlsplit

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_ci_tekton.logs.archive import damaged

if TYPE_CHECKING:
    from callboard.http import HttpClient
    from callboard.http.response import Response
    from callboard_ci_tekton.logs.settings import LogSettings

_ = Translator("ci_tekton")

_KEY: Final = re.compile(r"<Key>([^<]+)</Key>")
_NOTHING: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests for one store."""

    access_key: str
    secret_key: str
    region: str

    def headers(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        digest: str,
        at: datetime,
    ) -> dict[str, str]:
        """Give the headers of a request with its signature; `digest` is that of its body."""
        parts, time = urlsplit(url), at.strftime("%Y%m%dT%H%M%SZ")
        given = {name.lower(): value for name, value in headers.items()}
        given |= {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": time}
        names = ";".join(sorted(given))
        listed = "".join(f"{name}:{given[name]}\n" for name in sorted(given))
        query = "&".join(sorted(part if "=" in part else f"{part}="
                                for part in parts.query.split("&") if part))  # fmt: skip
        asked = f"{method}\n{parts.path}\n{query}\n{listed}\n{names}\n{digest}"
        scope = f"{time[:8]}/{self.region}/s3/aws4_request"
        told = hashlib.sha256(asked.encode()).hexdigest()
        signature = _by(self._key(time[:8]), f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{told}").hex()
        given["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope},"
            f"SignedHeaders={names},Signature={signature}"
        )
        del given["host"]  # the client sets it
        return given

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = _by(key, part)
        return key


def _by(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


class ObjectStore:
    """A bucket, or a part of one: `callboard_ci_tekton.logs.places.Place`."""

    is_remote = True

    def __init__(
        self, http: "HttpClient", settings: "LogSettings", now: Callable[[], datetime]
    ) -> None:
        assert settings.secret_key is not None
        base = settings.endpoint or f"https://s3.{settings.region}.amazonaws.com"
        self._bucket = f"{base}/{settings.bucket}"
        self._prefix = settings.prefix
        self._http = http
        self._now = now
        self._signer = Signer(
            settings.access_key, settings.secret_key.get_secret_value(), settings.region
        )

    def put(self, name: str, file: Path) -> None:
        self._ask("PUT", name, content=file.read_bytes()).checked()

    def read(self, name: str, offset: int, length: int) -> bytes:
        if not length:
            return b""
        span = {"range": f"bytes={offset}-{offset + length - 1}"}
        return self._found(self._ask("GET", name, span)).body

    def size(self, name: str) -> int:
        found = self._found(self._ask("HEAD", name))
        return int(found.headers.get("content-length", "0"))

    def names(self, beginning: str) -> list[str]:
        query = urlencode(
            {"list-type": "2", "max-keys": "100", "prefix": f"{self._prefix}{beginning}"},
            quote_via=quote,
            safe="",
        )
        found = self._ask("GET", "", query=query).checked()
        return [key.removeprefix(self._prefix) for key in _KEY.findall(found.text)]

    def delete(self, name: str) -> None:
        answer = self._ask("DELETE", name)
        if answer.status != 404:
            answer.checked()

    def _found(self, answer: "Response") -> "Response":
        if answer.status in (404, 416):
            raise damaged(_("the object store does not have it"))
        return answer.checked()

    def _ask(
        self,
        method: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        query: str = "",
    ) -> "Response":
        path = f"/{self._prefix}{name}" if name else ""
        url = f"{self._bucket}{path}{'?' if query else ''}{query}"
        digest = _NOTHING if content is None else hashlib.sha256(content).hexdigest()
        signed = self._signer.headers(method, url, headers or {}, digest, self._now())
        answer = self._http.request(
            method, url, headers=signed, content=content, idempotent=True, redirects=False
        )
        if answer.status == 404 and b"NoSuchBucket" in answer.body:
            raise NotFoundError(
                _("The object store has no bucket of that name."),
                hint=_("Make it, or correct plugins.settings.ci_tekton.logs.place."),
            )
        return answer
