"""Reading JSON that others wrote: whatever is not as expected reads as absent."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from callboard.redaction import redact

LONGEST: Final = 10_000
"""Characters kept of one message or value."""


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """Give the object at a path, an empty one where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def items(value: Any, name: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list."""
    found = value.get(name) if isinstance(value, Mapping) else None
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping):
            yield item


def text(value: Any, name: str, length: int = LONGEST) -> str:
    """Give a string as databases take it, cut at `length`; empty where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return cut(found, length) if isinstance(found, str) else ""


def cut(value: str, length: int = LONGEST) -> str:
    """Cut a string, without the zero characters that PostgreSQL refuses."""
    found = value.replace("\0", "\ufffd").encode(errors="replace").decode()
    return found if len(found) <= length else f"{found[: length - 1]}…"


def moment(value: Any, name: str) -> datetime | None:
    """Read an RFC 3339 time, as the API writes it."""
    found = value.get(name) if isinstance(value, Mapping) else None
    try:
        read = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read and read.tzinfo is None else read


def seconds(start: datetime | None, end: datetime | None) -> int | None:
    """Give whole seconds between two moments, never fewer than none; None where one lacks."""
    return max(0, int((end - start).total_seconds())) if start and end else None


def parameters(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give parameters as [{name, value}]; values may be texts, lists or objects."""
    return [
        {"name": text(item, "name", 253), "value": bounded(item.get("value"))}
        for item in items(spec, "params")
    ]


def results(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give results as [{name, type, value}]; a run's results have no type of their own."""
    return [
        {
            "name": text(item, "name", 253),
            "type": text(item, "type", 10) or _type_of(item.get("value")),
            "value": bounded(item.get("value")),
        }
        for item in items(status, "results")
    ]


def _type_of(value: Any) -> str:
    return "array" if isinstance(value, list) else "object" if isinstance(value, Mapping) else (
        "string"
    )  # fmt: skip


def bounded(value: Any) -> Any:
    """Give a parameter or result value with its texts cut, and what looks like a secret hidden."""
    if isinstance(value, str):
        return redact(cut(value))
    if isinstance(value, list):
        return [bounded(item) for item in value[:1000]]
    if isinstance(value, Mapping):
        return {cut(str(key), 253): bounded(item) for key, item in list(value.items())[:1000]}
    return value if isinstance(value, int | float | bool) else None


def packed(body: Mapping[str, Any]) -> bytes:
    """Give an object as compressed JSON."""
    import zlib

    return zlib.compress(orjson.dumps(body), 6)
