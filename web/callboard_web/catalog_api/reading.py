"""What endpoints that give entities share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from callboard.errors import InputError, NotFoundError
from callboard_catalog.rest.expressions import All, Expression
from callboard_catalog.rest.filters import parse_filters
from callboard_catalog.rest.finished import EntityBytes
from callboard_catalog.rest.model import Order
from callboard_catalog.rest.predicates import parse_predicate
from callboard_catalog.rest.service import EntityQueries
from callboard_web.catalog_api.model import Answer, ApiRequest, Entities

WHOLE: Final = 1_000
"""Entities that are sent in one piece; a longer list goes out as it is read."""

ABSENT: Final = b"null"


def queries_of(request: ApiRequest) -> EntityQueries:
    """Give what answers questions for entities."""
    return request.queries or EntityQueries(request.portal.runtime.catalog)


def bytes_of(request: ApiRequest) -> EntityBytes:
    """Give what reads entities as they are sent."""
    return EntityBytes(request.portal.runtime.catalog)


def where(filters: Iterable[str], predicate: Any = None) -> Expression:
    """Give what filters and a predicate ask for together; raises `InputError`."""
    filtered = parse_filters(filters)
    return filtered if predicate is None else All((filtered, parse_predicate(predicate)))


def fields_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Read the paths to keep, each text a list with commas; raises `InputError`."""
    found = tuple(part for text in texts for piece in text.split(",") if (part := piece.strip()))
    for field in found:
        if "[" in field:
            raise InputError(f"invalid fields, array type fields are not supported: {field[:200]}")
    return found


def order_of(field: str, direction: str) -> Order:
    """Give an order by key and direction; raises `InputError`."""
    if not field.strip() or direction not in ("", "asc", "desc"):
        raise InputError(
            "Invalid order, expected a field, and asc or desc.",
            hint="Such as order=asc:metadata.name, or orderField=metadata.name,asc.",
        )
    return Order(field.strip().lower(), direction == "desc")


def answered(request: ApiRequest, planned: Answer | Entities) -> Answer:
    """Read what a plan asks for; a long list is read as it is sent."""
    if isinstance(planned, Answer):
        return planned
    reader = bytes_of(request)
    if len(planned.rows) > WHOLE:
        # Not as a generator of its own: it takes the connection now, of the state of these rows.
        stream = reader.stream(planned.rows, planned.fields)
        return Answer(body=_around(planned, stream), headers=planned.headers)
    found = [item for item in reader.finished(planned.rows, planned.fields) if item != ABSENT]
    return listed(planned, found)


def listed(planned: Entities, found: Sequence[bytes]) -> Answer:
    """Give what a plan asks for with the bytes of its entities, or of its one."""
    body = found[0] if planned.ref else b"[%b]" % b",".join(found)
    return Answer(body=planned.begin + body + planned.end, headers=planned.headers)


def _around(planned: Entities, stream: Iterator[bytes]) -> Iterator[bytes]:
    if planned.begin:
        yield planned.begin
    yield from stream
    if planned.end:
        yield planned.end


def one(request: ApiRequest, row: int | None, said: str) -> Answer:
    """Give one entity; raises `NotFoundError` with what was asked for."""
    found = [] if row is None else bytes_of(request).finished([row])
    if not found or found[0] == ABSENT:
        raise NotFoundError(said)
    return Answer(body=found[0])
