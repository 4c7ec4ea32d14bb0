"""Which events the one who asks is told of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from callboard.contributions import Event
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.hosting import Services
from callboard_catalog.service import CatalogService
from callboard_web.entities.hidden import hidden_among

OWN: Final = ("access", "audit", "catalog", "job", "portal")
"""The areas of the host's own kinds."""

NEEDED: Final[Mapping[str, str]] = {
    "catalog.entity.": "",
    "catalog.location.": "catalog.location.read",
    "catalog.source.": "catalog.source.read",
    "catalog.document.": "catalog.source.read",
    "job.": "portal.job.read",
    "portal.announcement.": "",
    "portal.view.": "",
}
"""The permission that the host's own kinds need; of others of the host nobody is told."""


def entity_of(event: Event) -> EntityRef | None:
    """Give the entity that an event is about, or None where it is about something else."""
    try:
        ref = EntityRef.parse(event.subject)
    except InputError:
        return None
    return ref if str(ref) == event.subject else None


def about_seen(catalog: CatalogService, events: Sequence[Event]) -> list[Event]:
    """Leave out the events about entities that the one who asks may not see."""
    refs = {event.id: ref for event in events if (ref := entity_of(event))}
    seen = catalog.visible(refs.values())
    named = {event.id: ref for event in events if (ref := _document_of(event))}
    hidden = hidden_among(catalog, named.values())
    return [
        event
        for event in events
        if (event.id not in refs or refs[event.id] in seen) and named.get(event.id) not in hidden
    ]


def _document_of(event: Event) -> EntityRef | None:
    """Give the entity whose document an event about a source tells of."""
    text = event.data.get("ref") if event.kind.startswith("catalog.document.") else None
    try:
        return EntityRef.parse(text) if text else None
    except InputError:
        return None


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one who asks may hear of, as it was decided at one time.

    `kinds` are the beginnings of the host's own kinds; `everything` says that all entities are
    seen, so that no event need be looked at more closely.
    """

    kinds: tuple[str, ...]
    everything: bool

    @classmethod
    def of(cls, services: Services, catalog: CatalogService) -> Self:
        """Decide it for the one who asks."""
        kinds = tuple(kind for kind, name in NEEDED.items() if not name or services.permits(name))
        return cls(kinds, catalog.sight() is None)

    def of_kinds(self, events: Sequence[Event]) -> list[Event]:
        """Leave out the events of kinds that may not be heard of; those of plugins are kept."""
        return [
            event
            for event in events
            if event.kind.startswith(self.kinds) or event.kind.partition(".")[0] not in OWN
        ]
