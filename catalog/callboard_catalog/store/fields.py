"""The dotted keys of an entity with their values, as they are indexed for filters and facets.

Every plain value of the whole document has a row, except where a column of `entity` says the same.
Source of the rules: the Backstage catalog API, "Filtering": lists are descended, a text in a list
is a value of the list's key and counts also as a key of its own, `metadata.tags.java`, that is
true; a value that is null or too long is there, and equal to nothing.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, ScalarSelect, func, insert, select

from callboard_catalog import models
from callboard_catalog.store.bulk import insert_rows, one_of

API_VERSION: Final = "backstage.io/v1alpha1"
"""The `apiVersion` that has no row: nearly everything has it."""

LONGEST: Final = 200
"""Characters of a key, beyond which it is not known, and of a value, beyond which it is null."""

PLAIN: Final = 0
"""The form of a key whose rows have its values."""

LISTED: Final = 1
"""The form of a key whose rows have texts that stand in a list."""

EMPTY: Final = 2
"""The form of a key whose rows only say that it is there: null, or too long to be compared."""

WRITTEN: Final = 3
"""The form of a key that a column has in lower case; its rows say how it is written."""

MOST_FIELDS: Final = 1_000
DECIDING: Final = ("metadata.tags", "metadata.labels.")
"""Who may see an entity can hang on these, so they are given whatever their number."""

_COLUMNS: Final = frozenset({"kind", "metadata.namespace", "metadata.uid", "metadata.etag"})
_WORDS: Final = frozenset({"spec.type", "spec.lifecycle"})
NOT_TOLD: Final = ("", "-")
"""Types and lifecycles that the columns do not tell from having none."""

Fields = dict[tuple[str, int, str], str | None]
"""Key, form and value, lower-case, with the value as written where that is another."""


def fields_of(document: Mapping[str, Any]) -> Fields:
    """Give the rows of an entity, `metadata` without the uid that it has or gets."""
    found: Fields = {}
    metadata = document["metadata"]
    if document["apiVersion"] != API_VERSION:
        _add(found, "apiversion", document["apiVersion"])
    for name in ("tags", "labels"):
        if name in metadata:
            _add(found, f"metadata.{name}", metadata[name])
    for name, value in metadata.items():
        if name not in ("tags", "labels", "name"):
            _add(found, f"metadata.{name.lower()}", value)
    if "spec" in document:
        _add(found, "spec", document["spec"])
    name = metadata["name"]
    if name != (lower := name.lower()):
        found["metadata.name", WRITTEN, lower] = name
    if len(found) > MOST_FIELDS:
        return _most_of(found)
    return found


def key_number(name: str, form: int = PLAIN) -> ScalarSelect[int]:
    """Give the number of a key, as a part of a statement."""
    table = models.field_key.c
    return select(table.id).where(table.name == name, table.form == form).scalar_subquery()


def text_of(value: Any) -> str:
    """Give a plain value as text, numbers as JavaScript writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return str(value)


def _most_of(found: Fields) -> Fields:
    kept, left = {}, MOST_FIELDS
    for row, written in found.items():
        if not row[0].startswith(DECIDING):
            left -= 1
            if left < 0:
                continue
        kept[row] = written
    return kept


def _add(found: Fields, path: str, value: Any) -> None:
    """Add what is at a lower-case path. Every entity passes here: no frills."""
    if isinstance(value, str):
        if path not in _COLUMNS and not (path in _WORDS and _is_told(value)):
            _add_value(found, path, PLAIN, value)
    elif isinstance(value, dict):
        for name, item in value.items():
            _add(found, f"{path}.{name.lower()}", item)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                _add_value(found, path, LISTED, item)
            else:
                _add(found, path, item)
    elif value is None:
        if len(path) <= LONGEST:
            found[path, EMPTY, ""] = None
    else:
        _add_value(found, path, PLAIN, text_of(value))


def _is_told(value: str) -> bool:
    """Whether a column says all that is to be said of a type or lifecycle."""
    return value not in NOT_TOLD and len(value.lower()) < LONGEST


def _add_value(found: Fields, path: str, form: int, value: str) -> None:
    if len(path) > LONGEST:
        return
    lower = value.lower()
    if len(lower) > LONGEST:
        found[path, EMPTY, ""] = None
        return
    key = (path, form, lower)
    if lower == value:
        found.setdefault(key, None)
        return
    known = found.get(key)
    # Of several ways to write it, the first by its code; capitals come before small letters.
    if known is None or value < known:
        found[key] = value


def write_fields(
    connection: Connection, documents: Iterable[tuple[int, Mapping[str, Any]]]
) -> None:
    """Write the rows of entities, given by number, which have none yet.

    The transaction must hold the catalog's write lock, see `lock_catalog`.
    """
    found = [(entity_id, fields_of(document)) for entity_id, document in documents]
    keys = _key_ids(connection, {(name, form) for _, fields in found for name, form, _ in fields})
    insert_rows(
        connection,
        models.entity_field,
        ("key_id", "value", "entity_id", "written"),
        [
            (keys[name, form], value, entity_id, written)
            for entity_id, fields in found
            for (name, form, value), written in fields.items()
        ],
    )


def _key_ids(
    connection: Connection, wanted: Collection[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    table = models.field_key
    named = one_of(connection, table.c.name, {name for name, _ in wanted})
    rows = connection.execute(select(table.c.name, table.c.form, table.c.id).where(named))
    known = {(name, form): number for name, form, number in rows}
    missing = sorted(set(wanted) - known.keys())
    if missing:
        first = (connection.scalar(select(func.max(table.c.id))) or 0) + 1
        added = [
            {"id": first + at, "name": name, "form": form}
            for at, (name, form) in enumerate(missing)
        ]
        connection.execute(insert(table), added)
        known.update(((row["name"], row["form"]), row["id"]) for row in added)
    return known
