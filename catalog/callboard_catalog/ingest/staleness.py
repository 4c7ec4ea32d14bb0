"""Which entities are served by their last good version only, and since when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from callboard.events.log import Fact
from callboard_catalog import models
from callboard_catalog.store.bulk import delete_where, insert_rows, rows_where

STALE: Final = models.stale


def settle_stale(
    connection: Connection, kept: Mapping[int, str], shown: Mapping[int, str], now: datetime
) -> list[Fact]:
    """Note which entities, by number and reference, a fault in their file hides, and which not.

    Gives an event for each that became stale, and for each that is fresh again.
    """
    numbers = [*kept, *shown]
    columns = [STALE.c.entity_id]
    known = {row[0] for row in rows_where(connection, columns, STALE.c.entity_id, numbers)}
    new = [number for number in kept if number not in known]
    fresh = [number for number in shown if number in known]
    insert_rows(connection, STALE, ("entity_id", "since"), [(number, now) for number in new])
    delete_where(connection, STALE, STALE.c.entity_id, fresh)
    return [
        *(Fact("catalog.entity.stale", kept[number]) for number in new),
        *(Fact("catalog.entity.fresh", shown[number]) for number in fresh),
    ]
