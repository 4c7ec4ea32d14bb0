"""Registered locations with how they fare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from callboard.i18n import Text
from callboard_catalog import models
from callboard_catalog.locations.model import Location, of_row
from callboard_catalog.locations.models import location
from callboard_catalog.service import CatalogService
from callboard_catalog.settings import REGISTERED
from callboard_catalog.store.bulk import rows_where


@dataclass(frozen=True, slots=True)
class ListedLocation:
    """A location and its state: `new`, `ok`, `rejected` or `failing`, the last two with why."""

    location: Location
    state: str
    message: Text = ""
    since: datetime | None = None


def listed(catalog: CatalogService, *, offset: int, limit: int) -> Sequence[ListedLocation]:
    """Give a page of the locations, the newest first: few queries, whatever their number.

    Those whose own entity is hidden from the one who asks are left out.
    """
    with catalog.database.read() as connection:
        newest = select(location).order_by(location.c.created_at.desc(), location.c.id)
        sight = catalog.sight()
        if sight is not None:
            newest = newest.where(sight.not_hidden(connection, location.c.ref))
        found = [of_row(row) for row in connection.execute(newest.offset(offset).limit(limit))]
        file, fault = models.source_file.c, models.rejected.c
        source = connection.scalar(
            select(models.source.c.id).where(models.source.c.name == REGISTERED)
        )
        targets = [item.target for item in found]
        rows = rows_where(connection, (file.id, file.path, file.source_id), file.path, targets)
        files = {row.path: row.id for row in rows if row.source_id == source}
        columns = (fault.file_id, fault.severity, fault.code, fault.message, fault.since, fault.id)
        faults: dict[int, Any] = {}
        for row in rows_where(connection, columns, fault.file_id, list(files.values())):
            first = faults.get(row.file_id)
            if row.severity == "error" and (first is None or row.id < first.id):
                faults[row.file_id] = row
    listed = []
    for item in found:
        number = files.get(item.target)
        row = faults.get(number or 0)
        if number is None or row is None:
            listed.append(ListedLocation(item, "new" if number is None else "ok"))
            continue
        state = "failing" if row.code == "location-target-unreadable" else "rejected"
        listed.append(ListedLocation(item, state, row.message, row.since))
    return listed
