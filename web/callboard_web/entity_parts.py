"""The portal's own cards and tabs of an entity."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import yaml

from callboard.contributions import (
    EntityCard,
    EntityContext,
    EntityTab,
    Fragment,
)
from callboard.entities import Entity
from callboard.i18n import Translator
from callboard_catalog.reading import Related
from callboard_catalog.service import CatalogService
from callboard_web.parts import Part
from callboard_web.words import RELATION_ORDER, relation_words

_: Final = Translator("callboard")

RELATED_LIMIT: Final = 500
LIST_LIMIT: Final = 12
_FIRST: Final = ("name", "namespace", "title", "description")
RAW_LIMIT: Final = 400_000
"""Characters of a raw document that a page shows."""


# Cards


def _service(context: EntityContext) -> CatalogService:
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("The portal's own cards need the catalog service.")
    return catalog


def _related(context: EntityContext) -> Sequence[Related]:
    return _service(context).related(context.entity.ref, limit=RELATED_LIMIT)


def _about(context: EntityContext) -> Fragment:
    entity = context.entity
    provenance = _service(context).provenance(entity.ref)
    return Fragment(
        template="portal/about.html",
        context={"entity": entity, "provenance": provenance, "profile": _profile(entity)},
    )


def _profile(entity: Entity) -> dict[str, str]:
    profile = entity.spec.get("profile")
    known = profile if isinstance(profile, dict) else {}
    return {"email": str(known.get("email") or "")}


def _listed(relation: str) -> Callable[[EntityContext], Fragment | None]:
    def render(context: EntityContext) -> Fragment | None:
        found = [item for item in _related(context) if item.type == relation]
        if not found:
            return None
        return Fragment(
            template="portal/related_card.html",
            context={
                "items": sorted(found, key=lambda item: (item.kind, item.title))[:LIST_LIMIT],
                "total": len(found),
                "ref": context.entity.ref,
            },
        )

    return render


# Tabs


def _definition(context: EntityContext) -> Fragment:
    text = str(context.entity.spec["definition"])
    return Fragment(
        template="portal/definition.html",
        context={
            "type": context.entity.type,
            "text": text[:RAW_LIMIT],
            "cut": len(text) > RAW_LIMIT,
        },
    )


def _raw(context: EntityContext) -> Fragment:
    as_json = context.query.get("format") == "json"
    text = raw_json(context.entity) if as_json else raw_yaml(context.entity)
    return Fragment(
        template="portal/raw.html",
        context={
            "ref": context.entity.ref,
            "as_json": as_json,
            "text": text[:RAW_LIMIT],
            "cut": len(text) > RAW_LIMIT,
            "provenance": _service(context).provenance(context.entity.ref),
        },
    )


def raw_document(entity: Entity) -> dict[str, Any]:
    """Give an entity as it is served, with its relations at the end."""
    relations = [
        {"type": relation.type, "targetRef": str(relation.target)} for relation in entity.relations
    ]
    metadata = entity.metadata
    first = {name: metadata[name] for name in _FIRST if name in metadata}
    document = {**entity.document, "metadata": {**first, **metadata}}
    return {**document, "relations": relations}


def raw_json(entity: Entity) -> str:
    return json.dumps(raw_document(entity), ensure_ascii=False, indent=2)


def raw_yaml(entity: Entity) -> str:
    return str(
        yaml.dump(
            raw_document(entity), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100
        )
    )


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as blocks, as people write them."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


CARDS: Final = (
    EntityCard(name="about", title=_("About"), render=_about, width=4, order=11),
    EntityCard(
        name="members", title=_("Members"), render=_listed("hasMember"), order=20,
        applies=lambda entity: entity.ref.kind == "group",
    ),
    EntityCard(
        name="contents", title=_("Contents"), render=_listed("hasPart"), order=21,
        applies=lambda entity: entity.ref.kind in ("system", "domain", "component"),
    ),
    EntityCard(
        name="owned", title=_("Owns"), render=_listed("ownerOf"), order=22,
        applies=lambda entity: entity.ref.kind in ("group", "user"),
    ),
)  # fmt: skip
TABS: Final = (
    EntityTab(
        name="definition", title=_("Definition"), render=_definition, order=10,
        applies=lambda entity: isinstance(entity.spec.get("definition"), str),
    ),
    EntityTab(name="raw", title=_("Raw"), render=_raw, order=900),
)  # fmt: skip
PART: Final = Part(entity_cards=CARDS, entity_tabs=TABS)
