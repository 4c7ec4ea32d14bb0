"""What of a delivery is kept and shown: nothing that proves who sent it."""

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from callboard.redaction import MASK, redact

BODY_LIMIT: Final = 5 * 1024 * 1024
MOST_NAMES: Final = 60
LONGEST: Final = 500
SHOWN: Final = 64 * 1024
"""Characters of a body that a page shows."""

_SECRET: Final = re.compile(
    r"authorization|cookie|token|secret|passw|signature|api-?key|credential", re.IGNORECASE
)
_SECRET_KEY: Final = re.compile(
    r"passw|secret|token|api_?key|private_?key|credential|^sign$|signature", re.IGNORECASE
)
_UNFIT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def masked(pairs: Mapping[str, str]) -> dict[str, str]:
    """Give headers or parameters as they are kept: bounded, and `***` for those with secrets."""
    return {
        name[:LONGEST]: MASK if _SECRET.search(name) else redact(_plain(value[:LONGEST]))
        for name, value in list(pairs.items())[:MOST_NAMES]
    }


def unmasked(pairs: Mapping[str, str]) -> dict[str, str]:
    """Give what `masked` has left as it was."""
    return {name: value for name, value in pairs.items() if value != MASK}


def pack(body: bytes) -> bytes:
    """Compress a body."""
    return zlib.compress(body)


def unpack(packed: bytes | None) -> bytes:
    """Give a body as it was, of at most `BODY_LIMIT` bytes."""
    return zlib.decompressobj().decompress(packed, BODY_LIMIT) if packed else b""


def readable(body: bytes) -> tuple[str, bool]:
    """Give a body for people, without secrets, and whether there is more than is shown.

    JSON is indented, also where it is a field of a form, as GitHub can be told to send it.
    """
    value = _json_of(body)
    if value is not None:
        text = json.dumps(_without_secrets(value, 0), indent=2, ensure_ascii=False)
    else:
        text = redact(_plain(body[: 4 * SHOWN].decode(errors="replace")))
    return text[:SHOWN], len(text) > SHOWN


def _json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    if not body.startswith(b"payload="):
        return None
    try:
        return json.loads(dict(parse_qsl(body.decode()))["payload"])
    except (ValueError, LookupError, RecursionError):
        return None


def _without_secrets(value: Any, depth: int) -> Any:
    if depth > 50:
        return "…"
    if isinstance(value, dict):
        return {
            _plain(str(name)): MASK
            if _SECRET_KEY.search(str(name)) and isinstance(item, str | int | float) and item
            else _without_secrets(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(item, depth + 1) for item in value]
    return redact(_plain(value)) if isinstance(value, str) else value


def _plain(text: str) -> str:
    """Leave out what neither databases nor pages take."""
    return _UNFIT.sub("\ufffd", text.encode(errors="replace").decode())
