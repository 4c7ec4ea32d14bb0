"""The tab with an entity's definition: reference, one operation or schema, source, changes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from callboard.contributions import EntityContext, Fragment
from callboard.entities import Entity
from callboard.i18n import Text, Translator, from_data
from callboard_apis import queries, words
from callboard_apis.changes import Change
from callboard_apis.packing import CHUNK_LINES, unpack
from callboard_apis.queries import AnyRow, Shown
from callboard_apis.store import text_of
from callboard_apis.texts import LONGEST_NAME, plain

_ = Translator("apis")

STYLES: Final = ("apis/apis.css",)
SMALL_ITEMS: Final = 40
SMALL_BYTES: Final = 160_000
LISTED_ITEMS: Final = 250
"""With more items than this the reference lists the headings, each with a page of its own."""

LARGEST_GROUP: Final = 500
MOST_FOUND: Final = 200
MOST_BESIDE: Final = 100
LONGEST_LINE: Final = 2_000
FIRST_LINES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Group:
    """Items under one heading."""

    title: Text
    rows: list[Any]
    h: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An item that a search within found, with what fits marked as `marked` reads it."""

    kind: str
    key: str
    verb: str
    title: str
    marked: str
    summary: str
    summary_marked: str
    deprecated: bool
    within: list[str] = field(default_factory=list)


def has_definition(entity: Entity) -> bool:
    """Whether the entity has a definition, which is a text."""
    return text_of(entity) is not None


def draw_tab(context: EntityContext) -> Fragment | None:
    """Draw what the address below the tab names; None where there is no such page."""
    part, _slash, rest = context.path.get("rest", "").partition("/")
    with context.host.read() as connection:
        shown = queries.load_api(connection, str(context.entity.ref))
    if shown is None or shown.definition is None:
        return _unprepared(context) if part in ("", "source") and not rest else None
    if part == "" and not rest:
        return _reference(context, shown)
    if part in ("operation", "schema") and rest:
        return _item(context, shown, part, rest)
    if part == "source" and not rest:
        return _source(context, shown)
    if part == "changes":
        return _changes(context, shown, rest)
    return None


def _fragment(
    context: EntityContext, template: str, shown: Any, part: str, more: dict[str, Any],
    title: Text = "",
) -> Fragment:  # fmt: skip
    named = shown.definition and words.FORMATS.get(shown.definition.format)
    dialect = shown.definition.dialect if shown.definition else ""
    return Fragment(
        template=f"apis/{template}.html",
        context={
            "shown": shown,
            "base": context.entity.ref.path("apis"),
            "ref": context.entity.ref,
            "part": part,
            "asked": context.query.get("q", "").strip()[:200],
            "kind": f"{named or context.entity.type} {dialect}".strip(),
            "faults": [(from_data(text), line) for text, line in shown.head.get("faults", ())],
            "w": words,
            **more,
        },
        styles=STYLES,
        title=title,
    )


@dataclass(frozen=True, slots=True)
class _Waiting:
    waiting: bool = True


@dataclass(frozen=True, slots=True)
class _Unprepared:
    api: _Waiting = _Waiting()
    definition: None = None
    head: dict[str, Any] = field(default_factory=dict)


def _unprepared(context: EntityContext) -> Fragment:
    """Show the beginning of the text itself, until there is more."""
    text = plain(text_of(context.entity) or "", FIRST_LINES * 200)
    lines = _lines(text, 1)[:FIRST_LINES]
    more = {"lines": lines, "chosen": 0, "piece": 0, "pieces": 1}
    return _fragment(context, "source", _Unprepared(), "source", more)


# The reference


def _reference(context: EntityContext, shown: Shown) -> Fragment:
    assert shown.definition is not None
    if (
        shown.definition.format == "text"
        or not shown.definition.operations + shown.definition.schemas
    ):
        return _source(context, shown)
    asked = context.query.get("q", "").strip()[:200]
    if asked:
        return _found(context, shown, asked)
    number = shown.definition.id
    items = shown.definition.operations + shown.definition.schemas
    if items > LISTED_ITEMS:
        return _large(context, shown)
    small = items <= SMALL_ITEMS and shown.definition.size <= SMALL_BYTES
    bodies: dict[int, Any] = {}
    with context.host.read() as connection:
        if small:
            loaded = queries.load_bodies(connection, number)
            rows: Sequence[AnyRow] = [row for row, _body in loaded]
            bodies = {row.position: body for row, body in loaded}
        else:
            rows = queries.load_items(connection, number)
    more = {"groups": _grouped(rows, shown.head), "small": small, "bodies": bodies}
    return _fragment(context, "overview", shown, "", more)


def _large(context: EntityContext, shown: Shown) -> Fragment:
    """The headings of a large definition, or what is under one of them."""
    assert shown.definition is not None
    number = shown.definition.id
    tag = context.query.get("tag")
    chosen = None if tag is None else (context.query.get("kind", "operation"), tag[:300])
    with context.host.read() as connection:
        counted = queries.load_groups(connection, number)
        rows = (
            queries.load_items(connection, number, group=chosen, limit=LARGEST_GROUP)
            if chosen
            else ()
        )
    declared = {group["name"]: at for at, group in enumerate(shown.head.get("groups", ()))}
    ordered = sorted(
        counted, key=lambda row: (row.kind != "operation", declared.get(row.tag, len(declared)))
    )
    notes = {group["name"]: group["h"] for group in shown.head.get("groups", ())}
    more = {
        "listed": [(row, _title(row.tag), notes.get(row.tag, "")) for row in ordered],
        "chosen": chosen,
        "chosen_title": _title(tag or ""),
        "chosen_note": notes.get(tag or "", ""),
        "rows": rows,
    }
    return _fragment(context, "large", shown, "", more, _title(tag) if tag else "")


def _grouped(rows: Iterable[Any], head: dict[str, Any]) -> list[Group]:
    """Put items under headings: in the order tags are declared in, the others as they come."""
    gathered: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        gathered.setdefault((row.kind, row.tag), []).append(row)
    declared = {group["name"]: number for number, group in enumerate(head.get("groups", ()))}
    notes = {group["name"]: group["h"] for group in head.get("groups", ())}
    order = {"operation": 0, "schema": 1}
    keys = sorted(gathered, key=lambda key: (order[key[0]], declared.get(key[1], len(declared))))
    return [Group(_title(tag), gathered[kind, tag], notes.get(tag, "")) for kind, tag in keys]


def _title(tag: str) -> Text:
    return words.GROUPS.get(tag, tag)


def _found(context: EntityContext, shown: Shown, asked: str) -> Fragment:
    assert shown.definition is not None
    with context.host.read() as connection:
        rows = queries.load_items(
            connection, shown.definition.id, asked=asked, limit=MOST_FOUND + 1
        )
    listed = [_found_row(row, asked) for row in rows[:MOST_FOUND]]
    pairs = zip(rows, listed, strict=False)
    groups = [
        Group(_title(tag), [found for _row, found in group])
        for (_kind, tag), group in groupby(pairs, key=lambda pair: (pair[0].kind, pair[0].tag))
    ]
    more = {"groups": groups, "total": len(listed), "cut": len(rows) > MOST_FOUND}
    return _fragment(context, "found", shown, "", more)


def _found_row(row: AnyRow, asked: str) -> Found:
    terms = [word for word in asked.lower().split()[: queries.MOST_WORDS] if word]
    seen = f"{row.verb} {row.title} {row.summary}".lower()
    hidden = [term for term in terms if term not in seen]
    within = [name for name in row.words.split() if any(term in name for term in hidden)][:6]
    return Found(
        row.kind, row.key, row.verb, row.title, mark_words(row.title, terms),
        row.summary, mark_words(row.summary, terms), row.deprecated,
        [mark_words(name, terms) for name in within],
    )  # fmt: skip


def mark_words(text: str, terms: Sequence[str]) -> str:
    """Put U+E000 and U+E001 around what fits, as the filter `marked` reads them."""
    plain_text = text.replace("\ue000", "").replace("\ue001", "")
    if not terms:
        return plain_text
    pattern = "|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True))
    return re.sub(pattern, "\ue000\\g<0>\ue001", plain_text, flags=re.IGNORECASE)


# One operation or schema


def _item(context: EntityContext, shown: Shown, kind: str, key: str) -> Fragment | None:
    assert shown.definition is not None
    number = shown.definition.id
    with context.host.read() as connection:
        loaded = queries.load_item(connection, number, kind, key)
        if loaded is None:
            return None
        row, content = loaded
        before, after = queries.load_beside(connection, number, row)
        others = queries.load_group(connection, number, row, MOST_BESIDE)
        used = queries.load_users(connection, number, row) if kind == "schema" else []
    more = {
        "row": row,
        "content": content,
        "before": before,
        "after": after,
        "others": others,
        "used": used,
        "group_title": _title(row.tag),
        "try_out": bool(
            context.host.settings.try_out and content.get("fields") is not None
            and shown.definition.format == "openapi"
        ),
    }  # fmt: skip
    title = f"{row.verb} {row.title}".strip()[:LONGEST_NAME] if kind == "operation" else row.title
    return _fragment(context, "item", shown, "", more, title)


# The text


def _source(context: EntityContext, shown: Shown) -> Fragment:
    assert shown.definition is not None
    line = _number(context.query.get("line"))
    piece = _number(context.query.get("piece"))
    with context.host.read() as connection:
        number = shown.definition.id
        if line or "piece" not in context.query:
            first, text, at, pieces = queries.load_source(connection, number, line or 1)
        else:
            first, text, at, pieces = queries.load_piece(connection, number, piece)
    lines = _lines(text, first)[: CHUNK_LINES + 1]
    more = {"lines": lines, "chosen": line, "piece": at, "pieces": pieces}
    part = "" if shown.definition.format == "text" else "source"
    return _fragment(context, "source", shown, part or "source", more)


def _lines(text: str, first: int) -> list[tuple[int, str]]:
    listed = text.split("\n")
    if listed and not listed[-1]:
        listed.pop()
    return [(number, _cut(line)) for number, line in enumerate(listed, first)]


def _cut(line: str) -> str:
    kept = line.rstrip("\r")
    return kept if len(kept) <= LONGEST_LINE else f"{kept[:LONGEST_LINE]}…"


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 9 else 0


# Changes


def _changes(context: EntityContext, shown: Shown, rest: str) -> Fragment | None:
    ref = str(context.entity.ref)
    more: dict[str, Any] = {"version": None, "versions": (), "changes": None}
    with context.host.read() as connection:
        if rest:
            version = queries.load_version(connection, ref, _number(rest))
            if version is None:
                return None
            more["version"] = version
            if version.changes is not None:
                more["changes"] = [Change.from_data(item) for item in unpack(version.changes)]
        else:
            more["versions"] = queries.load_versions(connection, ref)
    return _fragment(context, "changes", shown, "changes", more)
