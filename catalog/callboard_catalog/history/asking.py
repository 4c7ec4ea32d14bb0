"""The history of the catalog as one who asks may see it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, Select, select

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.history.past import MOST_LOOKED_AT, Past, exact_from
from callboard_catalog.history.service import Version, plain_version
from callboard_catalog.history.values import (
    Difference,
    DifferencePage,
    PastCounts,
    PastEntity,
    PastPage,
    PastRequest,
)
from callboard_catalog.service import CatalogService

VERSION: Final = models.entity_version
FEW: Final = 1_000
"""Up to this many rows are asked for by their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """Which changes, newest first, from those with a lower number than `below` on.

    `begin` is the first moment, `end` the first one that is no longer meant.
    """

    begin: datetime | None = None
    end: datetime | None = None
    kind: str = ""
    source: str = ""
    action: str = ""
    below: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Changed:
    """A change and whose it is. The version has no documents."""

    ref: EntityRef
    version: Version


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A page of changes. `following` is the number below which the next one begins, or None."""

    items: Sequence[Changed]
    following: int | None


class History:
    """Reads what was, on the connection of the moment, as `CatalogService` reads what is.

    The past of an entity is seen by who may see the entity now, or, of one that is gone, by who
    might see it as it was last.
    """

    def __init__(self, catalog: CatalogService) -> None:
        self.catalog = catalog

    # The past

    def exact_from(self) -> datetime | None:
        """Give the time from which on the past is known exactly; None where that is all of it."""
        with self.catalog.database.read() as connection:
            return exact_from(connection)

    def entity(self, ref: EntityRef, at: datetime) -> PastEntity | None:
        """Give an entity as it was at a time."""
        with self._past(at) as past:
            return past.get(ref) if ref in self.catalog.visible([ref]) else None

    def page(self, request: PastRequest) -> PastPage:
        """Give a page of the entities of a time."""
        with self._past(request.at) as past:
            index = self.catalog.facet_index()
            rows = _rows(index, request)
            # Numbers of another state would leave out what this one has.
            known = index.generation == self.catalog.generation() and len(rows) <= FEW
            return past.page(request, rows if known else None)

    def differences(self, difference: Difference, request: PastRequest) -> DifferencePage:
        """Give a page of what came, changed or left between a time and now."""
        with self._past(request.at) as past:
            return past.differences(difference, request)

    def counts(self, request: PastRequest) -> PastCounts:
        """Count the entities of a time, and what came, changed or left since, without pages."""
        request = replace(request, after="", limit=0)

        def counted(connection: Connection) -> PastCounts:
            now = _rows(self.catalog.facet_index(), request)
            return Past(connection, request.at, self.catalog.sight()).counts(request, len(now))

        with self.catalog.snapshot():
            return self.catalog.cached(("past counts", request), counted)

    @contextmanager
    def _past(self, at: datetime) -> Iterator[Past]:
        with self.catalog.snapshot(), self.catalog.database.read() as connection:
            yield Past(connection, at, self.catalog.sight())

    # Changes

    def changes(self, request: ChangeRequest) -> ChangePage:
        """Give a page of all changes. One with many hidden ones may have fewer than asked."""
        found: list[Changed] = []
        looked_at, below = 0, request.below
        with self.catalog.snapshot(), self.catalog.database.read() as connection:
            while True:
                asked = replace(request, below=below, limit=request.limit + 1)
                rows = connection.execute(_changes(asked)).all()
                items = [Changed(EntityRef.parse(row.ref), plain_version(row)) for row in rows]
                visible = self.catalog.visible({item.ref for item in items})
                found += [item for item in items if item.ref in visible]
                looked_at += len(rows)
                if len(found) > request.limit:
                    found = found[: request.limit]
                    return ChangePage(found, found[-1].version.id)
                if len(rows) <= request.limit:
                    return ChangePage(found, None)
                below = rows[-1].id
                if looked_at >= MOST_LOOKED_AT:
                    return ChangePage(found, below)


def _changes(request: ChangeRequest) -> Select[Any]:
    columns = [column for column in VERSION.c if column.name != "before"]
    statement = select(*columns).order_by(VERSION.c.id.desc()).limit(request.limit)
    if request.begin is not None:
        statement = statement.where(VERSION.c.at >= request.begin)
    if request.end is not None:
        statement = statement.where(VERSION.c.at < request.end)
    if request.kind:
        statement = statement.where(VERSION.c.ref.startswith(f"{request.kind}:", autoescape=True))
    if request.source:
        statement = statement.where(VERSION.c.source == request.source)
    if request.action:
        statement = statement.where(VERSION.c.action == request.action)
    if request.below is not None:
        statement = statement.where(VERSION.c.id < request.below)
    return statement


def _rows(index: FacetIndex, request: PastRequest) -> BitMap:
    """Give the rows of now that a request would find."""
    found = index.everything
    for facet, value in (
        ("kind", request.kind),
        ("namespace", request.namespace),
        ("owner", request.owner),
    ):
        if value:
            found = found & index.values[facet].get(value, BitMap())
    return found
