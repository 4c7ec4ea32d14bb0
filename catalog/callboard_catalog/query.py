"""What a list of entities can be asked for, and what it answers."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard_catalog import models

TABLE: Final = models.entity
COLUMNS: Final = (TABLE.c.id, TABLE.c.ref, TABLE.c.document)

FACETS: Final = (
    "kind", "type", "owner", "lifecycle", "tag", "system", "domain", "source",
)  # fmt: skip
"""What entities are counted by. An empty value stands for those that have none."""

ORDERED: Final[Mapping[str, ColumnElement[Any]]] = {
    "name": TABLE.c.name,
    "title": models.title_order,
    "updated": TABLE.c.updated_at,
}
"""The orders the database gives, each by an index."""

SHARED: Final = ("kind", "type", "owner", "lifecycle", "system", "domain", "source")
"""The orders by a value that many have, so that rows stand in groups."""

SORTS: Final = (*ORDERED, *SHARED)
"""By name and title as the database compares text; by the others as `label` reads, empty last."""

MOST_ROWS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What a list asks for. Several values of one field mean any of them, an empty one none.

    Kinds are lower-case; owners, systems and domains are canonical references as text. `limit`
    is 1 to 500. `cursor` is one handed out with a page of the same request. `owned_by` and `refs`
    narrow to what has one of these owners, and to these entities, where they are not None.
    """

    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    owned_by: tuple[str, ...] | None = None
    refs: tuple[str, ...] | None = None
    text: str = ""
    sort: str = "name"
    descending: bool = False
    limit: int = 50
    cursor: str = ""

    def filters(self) -> "ListRequest":
        """Give the request without what only turns pages, as a key for what is counted."""
        return replace(self, sort="name", descending=False, limit=50, cursor="")

    def chosen(self, facet: str) -> tuple[str, ...]:
        """Give the values of a facet that are asked for; tags in lower case, as they are kept."""
        values: tuple[str, ...] = getattr(self, f"{facet}s")
        return tuple(value.lower() for value in values) if facet == "tag" else values

    def check(self) -> None:
        """Raise `InputError` for what no list can give."""
        if self.sort not in SORTS or not 1 <= self.limit <= MOST_ROWS:
            raise InputError(
                "The list cannot be sorted or sized like that.",
                hint=f"Sort by {', '.join(SORTS)}; ask for 1 to {MOST_ROWS} rows.",
            )
        if any("\0" in value for facet in FACETS for value in self.chosen(facet)):
            raise InputError("A filter holds a zero character, which no entity can have.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entity on a list comes from: its source, and when it changed last."""

    source: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a facet with the number of entities it would leave. `label` is for people."""

    value: str
    label: str
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class ListResult:
    """A page of entities. `first` is the position of the first one, counted from 1.

    The entities have the relations they declare themselves: those of others may be thousands.

    `titles` has what the owners, systems and domains of the page are called. In an order by a value
    that many have, `groups` has the value of each, with how many of all that match have it.
    """

    entities: list[Entity]
    total: int
    next_cursor: str
    previous_cursor: str
    first: int
    places: Mapping[EntityRef, Place] = field(default_factory=dict)
    titles: Mapping[EntityRef, str] = field(default_factory=dict)
    groups: Mapping[EntityRef, FacetValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a facet that were asked for, of `number` that would leave anything."""

    values: Sequence[FacetValue]
    number: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after (or before) the row with this sort value and id."""

    value: Any
    id: int
    back: bool
    first: int
    sort: str

    def encode(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        packed = orjson.dumps([value, self.id, self.back, self.first, self.sort])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, encoded: str) -> "Cursor":
        """Read a cursor; raises `InputError` for one that was not handed out for this order."""
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            value, row, back, first, sort = orjson.loads(base64.urlsafe_b64decode(padded))
            if not isinstance(value, str) or "\0" in value:
                raise TypeError(value)
            if sort.removeprefix("-") == "updated":
                # In UTC, as it was written: a zone could lead out of the calendar.
                value = datetime.fromisoformat(value.removesuffix("+00:00")).replace(tzinfo=UTC)
            if type(row) is not int or type(first) is not int or not 0 <= row < 2**63:
                raise TypeError(row)
            return cls(value, row, bool(back), min(max(1, first), 2**31), str(sort))
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            raise InputError(
                "The cursor cannot be read.", hint="Start again from the first page."
            ) from error
