"""Where the documentation of an entity is, by its annotations.

`backstage.io/techdocs-ref` is `dir:<folder>`, relative to the entity's source, or `url:<address>`;
`backstage.io/techdocs-entity` names another entity whose documentation is shown (Backstage,
"Well-known annotations").
"""

import posixpath
from dataclasses import dataclass
from typing import Final

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.repositories import described_place, parse_location

_ = Translator("docs")

REFERENCE: Final = "backstage.io/techdocs-ref"
ENTITY: Final = "backstage.io/techdocs-entity"
ENTITY_PATH: Final = "backstage.io/techdocs-entity-path"
ANNOTATIONS: Final = (REFERENCE, ENTITY)
LONGEST_FOLDER: Final = 500
_FILES: Final = (".md", ".yml", ".yaml")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A folder of a repository; `reference` is a branch or tag, empty for the default branch."""

    url: str
    folder: str
    reference: str


def has_docs(entity: Entity) -> bool:
    """Whether the entity says where its documentation is."""
    return any(entity.annotations.get(name) for name in ANNOTATIONS)


def borrowed_from(entity: Entity) -> tuple[EntityRef, str] | None:
    """Give the entity whose documentation is shown instead, and the page in it.

    Raises `InputError` for a reference that cannot be read.
    """
    named = entity.annotations.get(ENTITY, "").strip()
    if not named:
        return None
    ref = EntityRef.parse(named, default_kind="component", default_namespace=entity.namespace)
    return ref, entity.annotations.get(ENTITY_PATH, "").strip("/ ")[:LONGEST_FOLDER]


def address_of(entity: Entity) -> Address:
    """Give where the documentation of an entity is; raises `InputError` where that is nowhere."""
    text = entity.annotations.get(REFERENCE, "").strip()
    kind, _colon, target = text.partition(":")
    if kind == "url":
        place = parse_location(target)
        if place is not None:
            return Address(place.url, _folder_of(place.folder), place.reference)
    elif kind == "dir":
        place = described_place(entity)
        if place is None:
            raise InputError(
                _("The documentation is in a folder that is no Git repository."),
                hint=_(
                    "Read the entity from a Git source, or name a repository: "
                    "backstage.io/techdocs-ref: url:https://…"
                ),
            )
        folder = posixpath.normpath(posixpath.join(place.folder, target.strip()))
        if not folder.startswith(("..", "/")) and len(folder) <= LONGEST_FOLDER:
            return Address(place.url, "" if folder == "." else folder, place.reference)
    raise InputError(
        _("backstage.io/techdocs-ref is %(value)s.", value=repr(text[:100])),
        hint=_("Expected dir:. or dir:./folder within the repository, or url:https://…"),
    )


def _folder_of(path: str) -> str:
    """Give the folder of an address that leads to a file, such as mkdocs.yml."""
    return posixpath.dirname(path) if path.lower().endswith(_FILES) else path
