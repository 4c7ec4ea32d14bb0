"""What the portal's search finds: the sections of pages, each with its anchor."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from callboard.contributions import SearchDocument
from callboard.entities import EntityRef
from callboard_docs import queries
from callboard_docs.showing import Links

if TYPE_CHECKING:
    from callboard.host import Host

PAGES_AT_ONCE: Final = 200
LONGEST_TEXT: Final = 20_000


def read_sections(host: "Host") -> Iterator[SearchDocument]:
    """Give every section of the documentation that everybody sees."""
    with host.read() as connection:
        holders = queries.load_holders(connection)
    after = 0
    while True:
        with host.read() as connection:
            rows = queries.load_sections(connection, after, PAGES_AT_ONCE)
        if not rows:
            return
        for row in rows:
            if row.site_id in holders:
                ref = EntityRef.parse(holders[row.site_id])
                fragment = f"#{row.anchor}" if row.anchor else ""
                yield SearchDocument(
                    key=f"{row.site_id}/{row.address}{fragment}",
                    title=row.page if row.title in ("", row.page) else f"{row.title} · {row.page}",
                    path=Links(ref.path("docs"), 0, "", "").page(row.address, fragment),
                    text=row.text[:LONGEST_TEXT],
                    entity=ref,
                )
        after = rows[-1].id
