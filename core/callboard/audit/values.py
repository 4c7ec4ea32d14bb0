"""What of a change is kept: no secrets, and no more than a person would read."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from callboard.redaction import MASK, redact

DEPTH: Final = 8
ITEMS: Final = 200
CHARACTERS: Final = 4000

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest that every reader of JSON reads exactly (RFC 8785, appendix D)."""

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SECRET: Final = frozenset(
    {
        "password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "tokens",
        "credential", "credentials", "authorization", "cookie", "cookies", "signature",
        "apikey", "accesskey", "privatekey",
    }
)  # fmt: skip
_SECRET_PAIRS: Final = frozenset({("api", "key"), ("access", "key"), ("private", "key")})


class Redacted(dict[str, Any]):
    """A mapping whose secrets have been taken out: its keys may be named like secrets.

    Texts in it are still searched for what looks like one.
    """


def plain(text: str, longest: int) -> str:
    """Give a text as both databases take it, cut to its length."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:longest]


def hidden(value: Any) -> Any:
    """Give the value as it may be kept: JSON, secrets as `***`, long parts cut short.

    A key counts as secret by the words in it (`apiKey`, `db_password`), whatever it holds; in
    all other texts what looks like a secret is hidden.
    """
    return _hidden(value, DEPTH)


def _hidden(value: Any, depth: int) -> Any:
    if isinstance(value, int) and not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        items = [_hidden(item, depth - 1) for item in list(value)[:ITEMS]]
        return [*items, f"… {len(value) - ITEMS} more"] if len(value) > ITEMS else items
    return _text(str(value))


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    looked_at = not isinstance(value, Redacted)
    kept = {
        _text(str(key)): MASK
        if looked_at and _is_secret(str(key)) and item
        else _hidden(item, depth - 1)
        for key, item in list(value.items())[:ITEMS]
    }
    if len(value) > ITEMS:
        kept["…"] = f"{len(value) - ITEMS} more"
    return kept


def _text(text: str) -> str:
    # Redacted before it is cut, so that no half of a secret escapes its pattern.
    kept = redact(plain(text, 2 * CHARACTERS))
    return kept if len(kept) <= CHARACTERS else f"{kept[:CHARACTERS]}… ({len(text)} characters)"


def _is_secret(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _SECRET.isdisjoint(words) or not _SECRET_PAIRS.isdisjoint(pairwise(words))
