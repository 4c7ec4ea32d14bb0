"""Secrets that stand in objects themselves: values whose names say so, and addresses with users."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from callboard.redaction import MASK, redact

SHORTEST: Final = 6
"""Characters of a value that is hidden wherever it stands: `true` and `main` stand everywhere."""

_NAME: Final = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key",
    re.IGNORECASE,
)
_WHERE: Final = re.compile(r"(?:file|path|dir|name|ref|url)$", re.IGNORECASE)
"""Ends of names such as `TOKEN_FILE` and `secret-name`: they say where a secret is."""

# An object is looked through as text first: to walk each one would cost more than to keep it.
_NAMES: Final = re.compile(r'"name":"([^"]*)"')
_USER: Final = re.compile(r'://[^/\s"]+@')
_REFERENCE: Final = re.compile(r"\$\([^()]*\)")


def without_secrets(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an object without the values of parameters, variables and results named like secrets.

    They are `***` wherever they stand, for controllers copy them into specs and messages; short
    ones only where they are named. Users in addresses are hidden as well.
    """
    text = orjson.dumps(body).decode()
    if any(map(_is_secret_name, _NAMES.findall(text))):
        secrets = sorted(named_secrets(body), key=len, reverse=True)
        body = _hidden(body, [secret for secret in secrets if len(secret) >= SHORTEST])
    if _USER.search(text):
        body = _redacted(body)
    return body


def named_secrets(body: Any) -> set[str]:
    """Give the values of all that has a name like a secret's; no references to other values."""
    found: set[str] = set()
    for item in _objects(body):
        if _is_secret(item):
            values = (item.get(key) for key in ("value", "default"))
            found.update(text for value in values for text in _texts(value) if _tells(text))
    return found


def _is_secret(item: Mapping[str, Any]) -> bool:
    name = item.get("name")
    return isinstance(name, str) and _is_secret_name(name)


@lru_cache(10_000)
def _is_secret_name(name: str) -> bool:
    return _NAME.search(name) is not None and _WHERE.search(name) is None


def _tells(value: str) -> bool:
    return value not in ("", MASK) and _REFERENCE.fullmatch(value) is None


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    if isinstance(value, list | Mapping):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _objects(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | Mapping):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _hidden(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, list):
        return [_hidden(item, secrets) for item in value]
    if isinstance(value, Mapping):
        masked = ("value", "default") if _is_secret(value) else ()
        return {
            key: _masked(item) if key in masked else _hidden(item, secrets)
            for key, item in value.items()
        }
    return value


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return MASK if _tells(value) else value
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _masked(item) for key, item in value.items()}
    return value


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value) if "://" in value and "@" in value else value
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _redacted(item) for key, item in value.items()}
    return value
