"""Read the audit log: a page at a time, the newest first, by any of its fields."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    false,
    or_,
    select,
    type_coerce,
)

from callboard.audit.models import audit_entry

Result = Literal["ok", "denied", "failed"]

SCANNED: Final = 10_000
"""Entries that are looked through for a page, where no index finds what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing, when, from where, and how it ended.

    `before` and `after` are what changed, with secrets hidden. `on_behalf_of` names the person a
    token or the system acted for, or is empty.
    """

    id: int
    at: datetime
    actor: str
    on_behalf_of: str
    action: str
    subject: str
    before: Any
    after: Any
    address: str
    request_id: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which entries are meant; what is empty is not asked for.

    `actor`, `action`, `subject` and `address` are whole values, or patterns with `*` for anything.
    `text` is looked for in all that people wrote. `since` is the first moment, `until` the first
    that is too late.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    result: str = ""
    address: str = ""
    request_id: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def told(self) -> dict[str, str]:
        """Give what is asked for, as an entry about an export keeps it."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in given.items()
            if value
        }


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, and the number to go on before: 0 at the end. A page may be short and go on."""

    entries: list[AuditEntry]
    next: int


def entries(
    connection: Connection,
    *,
    subject: str = "",
    actor: str = "",
    action: str = "",
    before: int = 0,
    limit: int = 50,
) -> list[AuditEntry]:
    """Give the entries that fit, newest first; `before` is the last number of the page before."""
    question = Question(subject=subject, actor=actor, action=action)
    return page(connection, question, before=before, limit=limit).entries


def page(connection: Connection, question: Question, *, before: int = 0, limit: int = 50) -> Page:
    """Give a page of entries, newest first; `before` is the `next` of the page before."""
    ordered = _ordered(select(audit_entry), audit_entry.c).where(
        *_indexed(question), _below(connection, before)
    )
    loose = _loose(question, audit_entry.c)
    if not loose:
        found = _read(connection, ordered.limit(limit + 1))
        return _page(found, limit, 0)
    scanned = ordered.limit(SCANNED).subquery()
    query = _ordered(select(scanned), scanned.c).where(*_loose(question, scanned.c))
    found = _read(connection, query.limit(limit + 1))
    further = 0
    if len(found) <= limit:
        last = ordered.with_only_columns(audit_entry.c.id).offset(SCANNED - 1).limit(1)
        further = connection.execute(last).scalar() or 0
    return _page(found, limit, further)


def walk(connection: Connection, question: Question, *, batch: int = 500) -> Iterator[AuditEntry]:
    """Give every entry that fits, newest first, reading a batch at a time."""
    before = 0
    while True:
        found = page(connection, question, before=before, limit=batch)
        yield from found.entries
        before = found.next
        if not before:
            return


def find(connection: Connection, number: int) -> AuditEntry | None:
    """Give one entry, or None."""
    return next(
        iter(_read(connection, select(audit_entry).where(audit_entry.c.id == number))), None
    )


def _ordered(query: Select[Any], columns: Any) -> Select[Any]:
    return query.order_by(columns.at.desc(), columns.id.desc())


def _read(connection: Connection, query: Select[Any]) -> list[AuditEntry]:
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def _page(found: list[AuditEntry], limit: int, further: int) -> Page:
    return Page(found[:limit], found[limit - 1].id if len(found) > limit else further)


def _below(connection: Connection, before: int) -> ColumnElement[bool]:
    column = audit_entry.c
    if not before:
        return column.id > 0
    at = connection.execute(select(column.at).where(column.id == before)).scalar()
    if at is None:  # retention has removed it, and all that is older
        return false()
    return and_(column.at <= at, or_(column.at < at, column.id < before))


def _indexed(question: Question) -> Iterator[ColumnElement[bool]]:
    column = audit_entry.c
    for name in ("actor", "action", "subject"):
        value = getattr(question, name)
        if value and "*" not in value:
            yield column[name] == value
    if question.request_id:
        yield column.request_id == question.request_id
    if question.since:
        yield column.at >= question.since
    if question.until:
        yield column.at < question.until


def _loose(question: Question, column: Any) -> list[ColumnElement[bool]]:
    """Give the conditions that no index answers."""
    found: list[ColumnElement[bool]] = []
    for name in ("actor", "action", "subject", "address"):
        value = getattr(question, name)
        if "*" in value:
            found.append(column[name].like(_pattern(value), escape="\\"))
        elif value and name == "address":
            found.append(column.address == value)
    if question.result:
        found.append(column.result == question.result)
    if question.text:
        texts = ("actor", "on_behalf_of", "action", "subject", "before", "after")
        searched = [type_coerce(column[name], String) for name in texts]
        found.append(or_(*(item.icontains(question.text, autoescape=True) for item in searched)))
    return found


def _pattern(value: str) -> str:
    for special in "\\%_":
        value = value.replace(special, f"\\{special}")
    return value.replace("*", "%")
