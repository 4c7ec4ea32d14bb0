"""What badges say of an entity."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import Entity
from callboard.i18n import Text, Translator
from callboard_catalog.problems import Problem
from callboard_catalog.service import CatalogService
from callboard_catalog.source_states import SourceState

_: Final = Translator("callboard")

PROBLEM_LIMIT: Final = 100
LIFECYCLES: Final = {"production": "ok", "deprecated": "warn", "retired": "warn"}


@dataclass(frozen=True, slots=True)
class Told:
    """The two texts of a badge and its ground, a key of `picture.GROUNDS`."""

    label: Text
    value: Text
    ground: str


def _owner_text(entity: Entity, catalog: CatalogService) -> Text:
    if entity.owner is None:
        return _("nobody")
    owner = catalog.get(entity.owner)
    return owner.title if owner else entity.owner.name


def _all(entity: Entity, catalog: CatalogService) -> Told:
    owner = _owner_text(entity, catalog)
    if not entity.lifecycle:
        return Told(entity.title, owner, "none" if entity.owner else "idle")
    value = _("%(lifecycle)s, %(owner)s", lifecycle=entity.lifecycle, owner=owner)
    return Told(entity.title, value, LIFECYCLES.get(entity.lifecycle.lower(), "none"))


def _name(entity: Entity, catalog: CatalogService) -> Told:
    return Told(entity.type or entity.kind, entity.title, "none")


def _owner(entity: Entity, catalog: CatalogService) -> Told:
    ground = "none" if entity.owner else "idle"
    return Told(_("owner"), _owner_text(entity, catalog), ground)


def _lifecycle(entity: Entity, catalog: CatalogService) -> Told:
    if not entity.lifecycle:
        return Told(_("lifecycle"), _("not said"), "idle")
    ground = LIFECYCLES.get(entity.lifecycle.lower(), "none")
    return Told(_("lifecycle"), entity.lifecycle, ground)


def _problems(entity: Entity, catalog: CatalogService) -> Told:
    found = catalog.problems(entity.ref, limit=PROBLEM_LIMIT)
    return _counted(_("catalog file"), found)


def of_source(source: SourceState, catalog: CatalogService) -> Told:
    """Say how a source fares: whether it is read, and what is wrong with what it gives."""
    if source.state == "failing":
        return Told(_("catalog source"), _("cannot be read"), "bad")
    return _counted(
        _("catalog source"), catalog.problems(source=source.name, limit=PROBLEM_LIMIT + 1)
    )


def _counted(label: Text, found: Sequence[Problem]) -> Told:
    """Count faults; that a last good version is served says of some that they are grave."""
    faults = [item for item in found if item.kind != "stale"]
    if not found:
        return Told(label, _("in order"), "ok")
    if len(found) > PROBLEM_LIMIT:
        return Told(label, _("over %(number)s problems", number=PROBLEM_LIMIT), "bad")
    grave = any(item.kind in ("rejected", "conflict", "stale") for item in found)
    # A file that cannot be read at all is a fault of no entity in it.
    value = _.plural("%(number)s problem", "%(number)s problems", len(faults) or 1)
    return Told(label, value, "bad" if grave else "warn")


SHOWN: Final[Mapping[str, tuple[Text, Callable[[Entity, CatalogService], Told]]]] = {
    "": (_("Lifecycle and owner"), _all),
    "owner": (_("Owner"), _owner),
    "lifecycle": (_("Lifecycle"), _lifecycle),
    "problems": (_("Problems of its file"), _problems),
    "name": (_("Name"), _name),
}
"""What `?show=` may ask for, what that is called, and what gives it."""
