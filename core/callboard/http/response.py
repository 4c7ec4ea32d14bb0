"""What a host answered, read whole and within limits."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import httpx

from callboard.errors import (
    CallboardError,
    InputError,
    NotFoundError,
    NotReadyError,
    UnauthorisedError,
)
from callboard.i18n import Translator

_ = Translator("callboard")


class TooLargeError(InputError):
    """An answer is larger than the client's limit."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `url` is where it came from, after redirects, with secrets hidden."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: str

    @property
    def etag(self) -> str | None:
        """The version of the body, for the next conditional request."""
        value: str | None = self.headers.get("etag")
        return value

    @property
    def not_modified(self) -> bool:
        """Whether the body is still the one of the given ETag (status 304)."""
        return self.status == 304

    @property
    def text(self) -> str:
        """The body in the character set it declares, UTF-8 by default; bad bytes are replaced."""
        return httpx.Response(200, headers=_content_type(self.headers), content=self.body).text

    def json(self) -> Any:
        """Read the body as JSON; raises `InputError` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise InputError(
                _("The answer of %(url)s is not JSON.", url=self.url),
                hint=_("Check that the address is an API."),
            ) from error

    def checked(self) -> Self:
        """Give the response itself if it is a success or 304; else raise what the status means."""
        if self.status < 300 or self.not_modified:
            return self
        raise self._error()

    def _error(self) -> CallboardError:
        text = _("%(url)s answered with status %(status)s.", url=self.url, status=self.status)
        if self.status in (401, 403, 407):
            return UnauthorisedError(text, hint=_("Check the credentials for this host."))
        if self.status in (404, 410):
            hint = _("Check the address and the rights of the credentials.")
            return NotFoundError(text, hint=hint)
        if self.status in (408, 425, 429) or self.status >= 500:
            return NotReadyError(text, hint=_("It is tried again later."))
        return InputError(text, hint=_("Check the address and what is sent to it."))


def _content_type(headers: httpx.Headers) -> dict[str, str]:
    value = headers.get("content-type")
    return {"content-type": value} if value else {}


def check_size(size: int, maximum_bytes: int) -> None:
    """Raise `TooLargeError` for a body that is larger than the limit."""
    if size > maximum_bytes:
        raise TooLargeError(
            _("The answer is larger than %(limit)s bytes.", limit=maximum_bytes),
            hint=_("Raise the limit if such an answer is meant."),
        )


def read_body(chunks: Iterable[bytes], encoding: str, maximum_bytes: int) -> bytes:
    """Read and unpack a body; never holds more than the limit and one chunk.

    Raises `TooLargeError` for a larger body, `NotReadyError` for one packed in a way not asked for
    or broken.
    """
    if encoding not in ("", "identity", "gzip"):
        raise NotReadyError(
            _(
                "The answer is packed as %(encoding)s, which was not asked for.",
                encoding=repr(encoding[:40]),
            )
        )
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding == "gzip" else None
    body = bytearray()
    for chunk in chunks:
        try:
            body += unpacker.decompress(chunk, maximum_bytes + 1 - len(body)) if unpacker else chunk
        except zlib.error as error:
            raise NotReadyError(_("The answer is broken: it cannot be unpacked.")) from error
        check_size(len(body), maximum_bytes)
    if unpacker and not unpacker.eof and body:
        raise NotReadyError(_("The answer is broken: it ends early."))
    return bytes(body)
