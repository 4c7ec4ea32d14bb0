"""The rules of the REST API's questions, put plainly: all of it in memory, entity by entity."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from callboard_catalog.rest import expressions
from callboard_catalog.rest.expressions import Expression
from callboard_catalog.rest.model import EntityQuery, Order

Fields = Mapping[str, Mapping[str | None, str]]
"""The keys of an entity with its values, lower-case, and how each is written."""


def fields_of(document: Any, relations: Collection[tuple[str, str]]) -> Fields:
    found: defaultdict[str, dict[str | None, str]] = defaultdict(dict)
    pairs = [*_flat("", document), *((f"relations.{kind}", ref) for kind, ref in relations)]
    for key, value in pairs:
        written = _text(value)
        lower = None if written is None or len(written.lower()) > 200 else written.lower()
        if len(key) <= 200:
            known = found[key.lower()].get(lower)
            new = written or ""
            found[key.lower()][lower] = new if known is None else min(known, new)
    return found


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if path in ("attachments", "relations", "status", "metadata.etag"):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{path}.{key}" if path else key, item)
    elif isinstance(value, list):
        for item in value:
            yield from _flat(path, item)
            if isinstance(item, str) and len(item) <= 200:
                yield f"{path}.{item}", True
    else:
        yield path, value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower()


def matches(fields: Fields, expression: Expression) -> bool:
    match expression:
        case expressions.All(parts):
            return all(matches(fields, part) for part in parts)
        case expressions.Any(parts):
            return any(matches(fields, part) for part in parts)
        case expressions.Not(part):
            return not matches(fields, part)
        case expressions.Exists(key):
            return key in fields
        case expressions.In(key, values):
            return any(value in values for value in _values(fields, key))
        case expressions.Prefix(key, text):
            return any(value.startswith(text) for value in _values(fields, key))


def _values(fields: Fields, key: str) -> list[str]:
    return sorted(value for value in fields.get(key.lower(), {}) if value is not None)


def found(known: Mapping[int, Fields], query: EntityQuery) -> set[int]:
    rows = {row for row, fields in known.items() if matches(fields, query.where)}
    if query.text:
        first = tuple(order.key for order in query.order[:1]) or ("metadata.uid",)
        keys = query.text_fields or first
        text = query.text.lower()
        rows = {
            row
            for row in rows
            if any(text in value for key in keys for value in _values(known[row], key))
        }
    if query.only_sorted:
        rows = {row for row in rows if all(_values(known[row], it.key) for it in query.order)}
    return rows


def ordered(
    known: Mapping[int, Fields], rows: Collection[int], orders: Sequence[Order], only: bool
) -> list[int]:
    if not orders:
        return sorted(rows)
    first, rest = orders[0], orders[1:]
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row in sorted(rows):
        for value in _values(known[row], first.key):
            groups[value].append(row)
    listed: list[int] = []
    for value in sorted(groups, reverse=first.descending):
        if rest:
            listed += ordered(known, groups[value], rest, only)
        else:
            listed += sorted(groups[value], reverse=first.descending)
    if not only:
        lacking = [row for row in rows if not _values(known[row], first.key)]
        listed += ordered(known, lacking, rest, only)
    return listed


def facet(known: Mapping[int, Fields], rows: Collection[int], key: str) -> list[tuple[str, int]]:
    counts: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        for value, written in known[row].get(key.lower(), {}).items():
            if value is not None:
                counts[value].append(written)
    return [(min(counts[value]), len(counts[value])) for value in sorted(counts)]
