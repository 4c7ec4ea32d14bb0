"""Hands operations to the portal's search, so that they are found like pages."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from callboard.contributions import SearchDocument
from callboard.entities import EntityRef
from callboard_apis.models import api, item

if TYPE_CHECKING:
    from callboard.host import Host

PAGE: Final = 2_000
MOST_DOCUMENTS: Final = 100_000


def read_operations(host: "Host") -> Iterable[SearchDocument]:
    """Give every operation of every API: `GET /orders/{id}`, with the names of its fields."""
    given = 0
    with host.read() as connection:
        apis = connection.execute(
            select(api.c.ref, api.c.definition_id, api.c.title)
            .where(api.c.definition_id.is_not(None))
            .order_by(api.c.ref)
        ).all()
    for one in apis:
        ref = EntityRef.parse(one.ref)
        with host.read() as connection:
            rows = connection.execute(
                select(item.c.key, item.c.verb, item.c.title, item.c.summary, item.c.words)
                .where(item.c.definition_id == one.definition_id, item.c.kind == "operation")
                .order_by(item.c.position)
            ).all()
        for row in rows:
            given += 1
            if given > MOST_DOCUMENTS:
                return
            yield SearchDocument(
                key=f"{one.ref}/{row.key}",
                title=f"{row.verb} {row.title}".strip(),
                path=ref.path(f"apis/operation/{row.key}"),
                text=f"{row.summary} {one.title} {row.words[:1_500]}",
                entity=ref,
            )
