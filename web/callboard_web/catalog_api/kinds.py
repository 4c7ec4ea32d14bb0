"""The kinds there are, and their JSON Schemas."""

from typing import Any, Final

from callboard.i18n import Message, Text
from callboard.kinds import Kind
from callboard_catalog.descriptors.published import schema_of, schema_of_all
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint
from callboard_web.catalog_api.schemas import NAME, TEXT, USUAL_ERROR, listed, shaped
from callboard_web.portal import Portal

LANGUAGES: Final = (("en", "en"), ("zh-CN", "zh_CN"))


def kinds(request: ApiRequest) -> Answer:
    """Answer every kind with its titles, versions, relations and added fields."""
    portal = request.portal
    registry = portal.runtime.engine.registry
    items = [_kind(portal, kind) for kind in registry.kinds()]
    for item, kind in zip(items, registry.kinds(), strict=True):
        item["fields"] = [
            {
                "name": added.field.name,
                "path": added.field.path,
                "title": _texts(portal, added.field.title),
                "choices": list(added.field.choices),
            }
            for added in registry.fields(kind.name)
        ]
    return Answer.of({"items": items})


def schema(request: ApiRequest) -> Answer:
    """Answer the JSON Schema of documents of a kind."""
    registry = request.portal.runtime.engine.registry
    return Answer.of(schema_of(registry, request.parameters["kind"]))


def schemas(request: ApiRequest) -> Answer:
    """Answer the JSON Schema of documents of any kind."""
    return Answer.of(schema_of_all(request.portal.runtime.engine.registry))


def _kind(portal: Portal, kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "apiVersions": list(kind.api_versions),
        "title": _texts(portal, kind.title),
        "plural": _texts(portal, kind.plural or kind.title),
        "types": sorted(kind.types),
        "relations": [
            {
                "path": f"spec.{relation.path}",
                "type": relation.relation,
                "reverse": relation.reverse,
                "defaultKind": relation.default_kind,
                "allowedKinds": list(relation.allowed_kinds),
            }
            for relation in kind.relations
        ],
    }


def _texts(portal: Portal, text: Text) -> dict[str, str]:
    if not isinstance(text, Message):
        return {"en": text}
    store = portal.runtime.translations
    return {language: store.text(locale, text) for language, locale in LANGUAGES}


_TITLES: Final = {"type": "object", "additionalProperties": TEXT}

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/kinds",
        view=kinds,
        about="Every kind of entities: its versions, titles, relations, and the fields that this "
        "site adds to it.",
        answers={
            200: shaped(
                ("items",),
                items=listed(
                    shaped(("kind", "apiVersions", "title"), kind=NAME,
                           apiVersions=listed(NAME), title=_TITLES, plural=_TITLES,
                           types=listed(TEXT), relations=listed({"type": "object"}),
                           fields=listed({"type": "object"}))
                ),
            )
        },
    ),
    Endpoint(
        method="GET",
        path="/schemas",
        view=schemas,
        about="The JSON Schema (2020-12) of documents of any kind, for editors and pipelines.",
        answers={200: {"type": "object"}},
    ),
    Endpoint(
        method="GET",
        path="/schemas/{kind}",
        view=schema,
        about="The JSON Schema (2020-12) of documents of one kind, in any case.",
        answers={200: {"type": "object"}, 404: USUAL_ERROR},
    ),
)  # fmt: skip
