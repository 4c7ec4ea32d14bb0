"""JSON Schemas (2020-12) of whole documents, for editors and pipelines.

They say what the checks of this package say, as far as a JSON Schema can: what they refuse is
refused here; lengths of prefixes and the like are left to the checks.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from callboard.errors import NotFoundError
from callboard.kinds import EntityField, FieldType, Kind, KindField
from callboard_catalog.descriptors.envelope import NAME, NAMESPACE
from callboard_catalog.descriptors.kinds import KindRegistry

Schema = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_TYPES: Final[Mapping[FieldType, Schema]] = {
    "text": _TEXT,
    "string": {"type": "string"},
    "texts": {"type": "array", "items": _TEXT},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "objects": {"type": "array", "items": {"type": "object"}},
    "any": {"not": {"type": "null"}},
}
_TAG: Final = "^[a-z0-9:+#]+(-[a-z0-9:+#]+)*$"
_LABELS: Final[Schema] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [{"const": ""}, {"type": "string", "pattern": f"^(?:{NAME.pattern})$"}]
    },
}
_METADATA: Final[Schema] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": f"^(?:{NAME.pattern})$"},
        "namespace": {
            "type": "string",
            "maxLength": 63,
            "pattern": f"^{NAMESPACE.pattern.partition(')')[2]}$",
        },
        "title": _TEXT,
        "description": {"type": "string"},
        "labels": _LABELS,
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 63, "pattern": _TAG}},
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["url"],
                "properties": {
                    "url": _TEXT, "title": _TEXT, "icon": _TEXT, "type": {**_TEXT},
                },
            },
        },
    },
}  # fmt: skip


def schema_of(registry: KindRegistry, name: str) -> Schema:
    """Give the schema of documents of a kind, whatever the case of its name.

    Raises `NotFoundError` where there is no such kind.
    """
    kinds = [kind for kind in registry.kinds() if kind.name.lower() == name.lower()]
    if not kinds:
        raise NotFoundError(
            f"There is no kind {name[:80]!r}.",
            hint=f"One of {', '.join(sorted({kind.name for kind in registry.kinds()}))}.",
        )
    schemas = [_document(kind, registry) for kind in kinds]
    whole = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"$schema": DIALECT, "title": str(kinds[0].title), **whole}


def schema_of_all(registry: KindRegistry) -> Schema:
    """Give the schema of documents of any kind: for a file whose documents are of several."""
    names = dict.fromkeys(kind.name for kind in registry.kinds())
    rules = [
        {
            "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
            "then": {"$ref": f"#/$defs/{name}"},
        }
        for name in names
    ]
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {"kind": {"enum": list(names)}},
        "allOf": rules,
        "$defs": {name: _without_dialect(schema_of(registry, name)) for name in names},
    }


def _without_dialect(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "$schema"}


def _document(kind: Kind, registry: KindRegistry) -> Schema:
    registered = registry.get(kind.name, kind.api_versions[0])
    is_required = registered is not None and registered.spec_required
    added = [item.field for item in registry.fields(kind.name)]
    return _with_added(
        {
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", *(["spec"] if is_required else [])],
            "additionalProperties": False,
            "properties": {
                "apiVersion": {"enum": list(kind.api_versions)},
                "kind": {"const": kind.name},
                "metadata": _METADATA,
                "spec": _spec(kind),
            },
        },
        added,
    )


def _spec(kind: Kind) -> Schema:
    """Give the rules of `spec`: declared fields, the kind's own schema, that of each type."""
    parts = [{"type": "object", **_object(kind.fields)}]
    if kind.schema is not None:
        parts.append(dict(kind.schema))
    for type_, rules in kind.types.items():
        is_of_type = {"properties": {"type": {"const": type_}}, "required": ["type"]}
        parts.append({"if": is_of_type, "then": dict(rules)})
    return parts[0] if len(parts) == 1 else {"allOf": parts}


def _object(fields: Iterable[KindField]) -> Schema:
    listed = list(fields)
    found: Schema = {"properties": {field.name: _field(field) for field in listed}}
    required = [field.name for field in listed if field.required]
    return {"required": required, **found} if required else found


def _field(field: KindField) -> Schema:
    if field.choices:
        return {"enum": list(field.choices)}
    allowed = [_of_type(type_, field) for type_ in field.types]
    return allowed[0] if len(allowed) == 1 else {"anyOf": allowed}


def _of_type(type_: FieldType, field: KindField) -> Schema:
    if not field.fields:
        return dict(_TYPES[type_])
    inner = {"type": "object", **_object(field.fields)}
    return {"type": "array", "items": inner} if type_ == "objects" else inner


def _with_added(document: Schema, fields: Iterable[EntityField]) -> Schema:
    """Add the fields that a site has beside those of the kind, each a rule of its own."""
    rules = [_at(field.path, _added(field)) for field in fields]
    return {**document, "allOf": rules} if rules else document


def _added(field: EntityField) -> Schema:
    own: Schema = {"enum": [*field.choices, None]} if field.choices else dict(field.schema or {})
    return {"title": str(field.title), **own}


def _at(path: str, rule: Schema) -> Schema:
    """Put a rule at a dotted path; keys of annotations and labels have dots themselves."""
    parts = path.split(".")
    if parts[:2] in (["metadata", "annotations"], ["metadata", "labels"]):
        parts = [*parts[:2], ".".join(parts[2:])]
    for part in reversed(parts):
        rule = {"properties": {part: rule}}
    return rule
