"""What is in the catalog and hidden from the one who asks, beside what is not there at all."""

from collections.abc import Iterable

from callboard.entities import EntityRef
from callboard.identity import acting_for
from callboard_catalog.service import CatalogService


def hidden_among(catalog: CatalogService, refs: Iterable[EntityRef]) -> set[EntityRef]:
    """Give those that are there and that the one who asks may not see."""
    wanted = set(refs)
    unseen = wanted - catalog.visible(wanted) if wanted and catalog.sight() else set()
    if not unseen:
        return set()
    with acting_for(None):
        return set(catalog.titles(unseen))
