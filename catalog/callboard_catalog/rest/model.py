"""A question for entities and a page of its answer, as the REST API puts it."""

from collections.abc import Sequence
from dataclasses import dataclass

from callboard_catalog.rest.expressions import EVERYTHING, Expression


@dataclass(frozen=True, slots=True)
class Order:
    """A key to sort by. What lacks it is left out by `EntityQuery.only_sorted`, else comes last."""

    key: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page begins: behind (or, with `back`, before) this sort value and row.

    `value` is None where nothing is sorted by, or where the row lacks the key.
    """

    value: str | None
    row: int
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """Which entities, in which order, from where on, and how many.

    `text` is found within one of `text_fields`, whatever its case. `order` sorts by its keys in
    turn and then by row; without it, rows come as they are numbered, or by reference with
    `by_reference`. `limit` None gives everything. `total` asks for the number of all that match.
    """

    where: Expression = EVERYTHING
    text: str = ""
    text_fields: tuple[str, ...] = ()
    order: tuple[Order, ...] = ()
    only_sorted: bool = False
    by_reference: bool = False
    limit: int | None = 20
    offset: int = 0
    position: Position | None = None
    total: bool = True


@dataclass(frozen=True, slots=True)
class EntityPage:
    """The rows of a page in order. `total` is 0 where it was not asked for."""

    rows: Sequence[int]
    total: int = 0
    following: Position | None = None
    preceding: Position | None = None
