"""Requests as people send them by hand: for curl, and as HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

LONGEST_BODY: Final = 4_000


@dataclass(frozen=True, slots=True)
class Request:
    """A request with examples in it; `url` is whole."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]
    body: str = ""


def curl(request: Request) -> str:
    """Give a command for a POSIX shell; every part is quoted for it."""
    lines = [f"curl -X {quote(request.method)} {quote(request.url)}"]
    lines += [f"  -H {quote(f'{name}: {value}')}" for name, value in request.headers]
    if request.body:
        lines.append(f"  --data-raw {quote(request.body[:LONGEST_BODY])}")
    return " \\\n".join(lines)


def http(request: Request) -> str:
    """Give the message as RFC 9112 has it."""
    try:
        parts = urlsplit(request.url)
    except ValueError:
        return ""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    body = f"\n\n{request.body[:LONGEST_BODY]}" if request.body else ""
    return "\n".join(lines) + body
