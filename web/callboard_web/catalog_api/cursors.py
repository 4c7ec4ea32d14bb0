"""Where a list goes on: opaque texts, signed with the portal's key, good for one kind of list."""

import hashlib
from functools import cache
from typing import Any, Final

import orjson
from itsdangerous import BadData, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from callboard.errors import InputError

LONGEST: Final = 48 * 1024
"""Characters. A cursor is sent in an address too, and servers take about 64 KiB of one."""

SHORT: Final = 1_000
"""Bytes that are not worth compressing, which takes longer than all the rest of a cursor."""


class _Signer(URLSafeSerializer):
    def dump_payload(self, obj: Any) -> bytes:
        content = orjson.dumps(obj)
        return base64_encode(content) if len(content) < SHORT else super().dump_payload(obj)


class Cursors:
    """Makes and reads cursors; `secret` is the portal's key."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._signer = cache(self._signer_of)

    def make(self, kind: str, content: Any) -> str:
        """Give a cursor with JSON in it; raises `InputError` where the query in it is too long."""
        text = str(self._signer(kind).dumps(content))
        if len(text) > LONGEST:
            raise InputError(
                "The query is too long to go on from: its cursor would not fit into an address.",
                hint="Ask for fewer conditions, or for all with one larger limit.",
            )
        return text

    def read(self, kind: str, text: str) -> Any:
        """Give what is in a cursor; raises `InputError` for one that is not ours, or of another
        kind of list."""
        try:
            if len(text) > LONGEST:
                raise BadData("too long")
            return self._signer(kind).loads(text)
        except BadData as error:
            raise InputError(
                "Malformed cursor.", hint="Give it as it was handed out, to the same endpoint."
            ) from error

    def _signer_of(self, kind: str) -> URLSafeSerializer:
        purpose = f"callboard.catalog.cursor.1.{kind}"
        given = {"digest_method": hashlib.sha256}
        return _Signer(self._secret, salt=purpose, signer_kwargs=given)
