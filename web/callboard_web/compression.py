"""Brotli or gzip for what is sent, as the browser takes it."""

import gzip
import zlib
from collections.abc import Sequence
from typing import Final

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COMPRESS_FROM: Final = 1024
"""Smaller answers fit into one packet as they are."""

BROTLI_QUALITY: Final = 4
GZIP_LEVEL: Final = 4
_THOROUGH: Final = 256 * 1024
_TEXT: Final = ("text/", "application/json", "application/yaml", "image/svg+xml")
_STREAM: Final = "text/event-stream"


def accepted(header: str, offered: Sequence[str] = ("br", "gzip")) -> str:
    """Give the encoding of `Accept-Encoding` (RFC 9110, 12.5.3) to use, or empty for none.

    Among those that are welcome alike the first offered wins.
    """
    wishes: dict[str, float] = {}
    for part in header.lower().split(",")[:20]:
        name, _, parameter = part.partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            wishes[name.strip()] = float(weight or 1)
        except ValueError:
            continue
    weights = {name: wishes.get(name, wishes.get("*", 0.0)) for name in offered}
    best = max(offered, key=lambda name: weights[name])
    return best if weights[best] > 0 else ""


def compress_for_ever(content: bytes, encoding: str) -> bytes:
    """Compress a file that is sent many times, thoroughly."""
    if encoding == "br":
        # The last steps of thoroughness cost seconds on a file of some megabytes.
        quality = 11 if len(content) < _THOROUGH else 9
        return bytes(brotli.compress(content, quality=quality))
    return gzip.compress(content, mtime=0)


class Compressor:
    """One answer as it goes out, whole or in pieces; each piece can be read when it arrives."""

    def __init__(self, encoding: str) -> None:
        self._brotli = brotli.Compressor(quality=BROTLI_QUALITY) if encoding == "br" else None
        self._gzip = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def add(self, content: bytes, *, last: bool) -> bytes:
        if self._brotli is not None:
            done = self._brotli.process(content)
            return bytes(done + (self._brotli.finish() if last else self._brotli.flush()))
        mode = zlib.Z_FINISH if last else zlib.Z_SYNC_FLUSH
        return self._gzip.compress(content) + self._gzip.flush(mode)


class CompressMiddleware:
    """Compresses text that is larger than a packet; streams of events go as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        encoding = accepted(Headers(scope=scope).get("accept-encoding", ""))
        return await self.app(scope, receive, _Sender(send, encoding))


class _Sender:
    """Holds the head of an answer back until its first piece tells whether to compress."""

    def __init__(self, send: Send, encoding: str) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None
        self._compressor: Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            await self._body(message)
        else:
            await self._send(message)

    async def _body(self, message: Message) -> None:
        content, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            self._decide(start, len(content), more)
            if self._compressor is not None and not more:
                content = self._compressor.add(content, last=True)
                self._compressor = None
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(content))
            await self._send(start)
        if self._compressor is not None:
            content = self._compressor.add(content, last=not more)
        await self._send({**message, "body": content})

    def _decide(self, start: Message, size: int, more: bool) -> None:
        headers = MutableHeaders(raw=start["headers"])
        if "accept-encoding" in headers.get("vary", "").lower():
            return  # whoever made it has seen to this
        if start["status"] == 304:
            headers.add_vary_header("Accept-Encoding")
        kind = headers.get("content-type", "")
        if not kind.startswith(_TEXT) or kind.startswith(_STREAM) or "content-encoding" in headers:
            return
        headers.add_vary_header("Accept-Encoding")
        if self._encoding and (more or size >= COMPRESS_FROM):
            headers["content-encoding"] = self._encoding
            del headers["content-length"]
            self._compressor = Compressor(self._encoding)
