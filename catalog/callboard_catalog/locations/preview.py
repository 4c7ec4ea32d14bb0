"""What registering a location would bring: it is really read, and nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import select

from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_catalog import models
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.ingest.parse import ParsedFile
from callboard_catalog.ingest.walk import Walk
from callboard_catalog.locations.model import Location
from callboard_catalog.locations.source import LocationsSnapshot
from callboard_catalog.settings import REGISTERED
from callboard_catalog.store.bulk import rows_where

_ = Translator("callboard")

MOST_ADDRESSES: Final = 100
MOST_ENTITIES: Final = 5_000


@dataclass(frozen=True, slots=True)
class PreviewFault:
    """A fault, and its place. Severity is `error` or `warning`; `ref` may be empty."""

    path: str
    line: int
    severity: str
    message: Text
    ref: str = ""


@dataclass(frozen=True, slots=True)
class PreviewEntity:
    """A document that would be served. `held_by` names the source that serves it already."""

    ref: str
    document: dict[str, Any]
    path: str
    line: int
    held_by: str = ""


@dataclass(slots=True)
class Preview:
    """What an address holds, the entity of the location itself left out."""

    entities: list[PreviewEntity] = field(default_factory=list)
    faults: list[PreviewFault] = field(default_factory=list)

    @property
    def errors(self) -> list[PreviewFault]:
        """The faults that keep something from being served."""
        return [fault for fault in self.faults if fault.severity == "error"]


def preview(engine: CatalogEngine, kind: str, target: str) -> Preview:
    """Read an address with all its Locations lead to. It may take as long as they do.

    Raises `InputError` for one that leads to very much; what cannot be read is among the faults.
    """
    location = Location.of(kind, target, engine.now())
    snapshot = LocationsSnapshot([location])
    # Whoever waits for other hosts does not keep a connection from others meanwhile.
    engine.database.release()
    walk = Walk(snapshot, {}, visit=engine.addresses.visit(most=MOST_ADDRESSES), everything=True)
    found = Preview()
    for parsed in walk.changed(engine.refresh.parser(engine.registered, snapshot, walk)):
        _add(found, parsed, location.ref)
        if len(found.entities) > MOST_ENTITIES:
            raise InputError(
                _("The address leads to more than %(limit)s entities.", limit=MOST_ENTITIES),
                hint=_("Give its repository in catalog.sources instead."),
            )
    return _with_holders(engine, found)


def _add(found: Preview, parsed: ParsedFile, own: str) -> None:
    found.faults += [
        PreviewFault(parsed.path, item.line, item.severity, item.message, item.ref)
        for item in parsed.rejections
    ]
    taken = {item.ref for item in found.entities}
    for item in parsed.candidates:
        if item.ref == own:
            continue
        if item.ref in taken:
            message = _("%(ref)s is described twice", ref=item.ref)
            found.faults.append(PreviewFault(parsed.path, item.line, "warning", message, item.ref))
            continue
        taken.add(item.ref)
        found.entities.append(PreviewEntity(item.ref, item.document, parsed.path, item.line))


def _with_holders(engine: CatalogEngine, found: Preview) -> Preview:
    """Tell of each entity which other source serves one of its name."""
    entity = models.entity.c
    refs: Sequence[str] = [item.ref for item in found.entities]
    with engine.database.read() as connection:
        names = {
            row.id: row.name
            for row in connection.execute(select(models.source.c.id, models.source.c.name))
        }
        held = {
            row.ref: names.get(row.source_id, "")
            for row in rows_where(connection, (entity.ref, entity.source_id), entity.ref, refs)
        }
    found.entities = [
        item
        if held.get(item.ref, REGISTERED) == REGISTERED
        else PreviewEntity(item.ref, item.document, item.path, item.line, held[item.ref])
        for item in found.entities
    ]
    return found
