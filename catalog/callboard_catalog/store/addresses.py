"""What sources know of the addresses they read."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from callboard.database import Database
from callboard_catalog.locations.models import address
from callboard_catalog.sources.addresses import Known
from callboard_catalog.store.bulk import chunks


def known_addresses(connection: Connection, source_id: int) -> dict[str, Known]:
    """Give what is known of each address of a source."""
    statement = select(address.c.url, address.c.etag, address.c.blob)
    rows = connection.execute(statement.where(address.c.source_id == source_id))
    return {row.url: Known(row.etag, row.blob) for row in rows}


def keep_addresses(
    database: Database, source_id: int, before: Mapping[str, Known], now: Mapping[str, Known]
) -> None:
    """Keep what a pass learned of the addresses of a source; writes only what differs."""
    gone = [url for url in before if before[url] != now.get(url)]
    new = [
        {"source_id": source_id, "url": url, "etag": known.etag, "blob": known.blob}
        for url, known in now.items()
        if before.get(url) != known
    ]
    if not gone and not new:
        return
    with database.write() as connection:
        own = address.c.source_id == source_id
        for chunk in chunks([*gone, *(row["url"] for row in new)]):
            connection.execute(delete(address).where(own, address.c.url.in_(chunk)))
        if new:
            connection.execute(insert(address), new)
