"""Validation by the structural schemas of resource definitions (OpenAPI v3, as Kubernetes has it).

What a schema does not name is taken out and told of; defaults are filled in; values are checked.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from callboard_sandbox.api.kinds import Kind

Json = dict[str, Any]
Cause = tuple[str, str, str]

_PRESERVED: Final = "x-kubernetes-preserve-unknown-fields"
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_META: Final = ("apiVersion", "kind", "metadata")
_METADATA: Final = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
# Fields at the top of built-in kinds, beside those of all. Their specifications are not checked.
_TOP: Final[Mapping[str, frozenset[str]]] = {
    "configmaps": frozenset({"data", "binaryData", "immutable"}),
    "secrets": frozenset({"data", "stringData", "type", "immutable"}),
    "serviceaccounts": frozenset({"secrets", "imagePullSecrets", "automountServiceAccountToken"}),
    "endpoints": frozenset({"subsets"}),
    "podtemplates": frozenset({"template"}),
    "controllerrevisions.apps": frozenset({"data", "revision"}),
    "roles.rbac.authorization.k8s.io": frozenset({"rules"}),
    "clusterroles.rbac.authorization.k8s.io": frozenset({"rules", "aggregationRule"}),
    "rolebindings.rbac.authorization.k8s.io": frozenset({"subjects", "roleRef"}),
    "clusterrolebindings.rbac.authorization.k8s.io": frozenset({"subjects", "roleRef"}),
    "events": frozenset(
        {
            "action",
            "count",
            "eventTime",
            "firstTimestamp",
            "involvedObject",
            "lastTimestamp",
            "message",
            "reason",
            "related",
            "reportingComponent",
            "reportingInstance",
            "series",
            "source",
            "type",
        }
    ),
    "storageclasses.storage.k8s.io": frozenset(
        {
            "allowVolumeExpansion",
            "allowedTopologies",
            "mountOptions",
            "parameters",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        }
    ),
}


def prune(kind: Kind, version: str, body: Json) -> list[str]:
    """Take what is not known out of an object, in place, and give the paths of it."""
    unknown = []
    metadata = body.get("metadata") or {}
    for key in [key for key in metadata if key not in _METADATA]:
        del metadata[key]
        unknown.append(f"metadata.{key}")
    if kind.is_custom:
        schema = kind.schemas.get(version) or {}
        unknown += _pruned(schema, body, "", top=True)
        return unknown
    known = {*_META, *(_TOP.get(kind.key) or ("spec", "status"))}
    for key in [key for key in body if key not in known]:
        del body[key]
        unknown.append(key)
    return unknown


def _pruned(schema: Json, value: Any, path: str, *, top: bool = False) -> Iterator[str]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _pruned(schema.get("items") or {}, item, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    for key in list(value):
        inner = f"{path}.{key}" if path else key
        if top and key in _META:
            continue
        if key in properties:
            yield from _pruned(properties[key], value[key], inner)
        elif isinstance(more, dict):
            yield from _pruned(more, value[key], inner)
        elif not more and not schema.get(_PRESERVED) and schema.get("type") == "object":
            del value[key]
            yield inner


def fill(kind: Kind, version: str, body: Json) -> None:
    """Fill in the defaults of a resource definition, in place."""
    if kind.is_custom:
        _fill(kind.schemas.get(version) or {}, body)


def _fill(schema: Json, value: Any) -> None:
    if isinstance(value, list):
        for item in value:
            _fill(schema.get("items") or {}, item)
    elif isinstance(value, dict):
        for key, inner in (schema.get("properties") or {}).items():
            if "default" in inner and key not in value:
                value[key] = inner["default"]
            if key in value:
                _fill(inner, value[key])
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            for inner in value.values():
                _fill(more, inner)


def faults(kind: Kind, version: str, body: Json) -> list[Cause]:
    """Give what is wrong with an object's values: (field, reason, message)."""
    if not kind.is_custom:
        return []
    schema = kind.schemas.get(version) or {}
    checked = {key: value for key, value in body.items() if key not in _META}
    return list(_faults({**schema, "required": _required(schema)}, checked, ""))


def _required(schema: Json) -> list[str]:
    return [key for key in schema.get("required") or () if key not in _META]


def _faults(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    if value is None and (schema.get("nullable") or not schema.get("type")):
        return
    wrong = _wrong_type(schema, value, path)
    if wrong:
        yield wrong
        return
    yield from _wrong_value(schema, value, path)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults(schema.get("items") or {}, item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key in schema.get("required") or ():
            if key not in value:
                yield (f"{path}.{key}".lstrip("."), "FieldValueRequired", "Required value")
        properties = schema.get("properties") or {}
        more = schema.get("additionalProperties")
        for key, item in value.items():
            inner = properties.get(key) or (more if isinstance(more, dict) else {})
            yield from _faults(inner, item, f"{path}.{key}".lstrip("."))


def _wrong_type(schema: Json, value: Any, path: str) -> Cause | None:
    if schema.get("x-kubernetes-int-or-string"):
        fits = isinstance(value, int | str) and not isinstance(value, bool)
        wanted = "integer,string"
    else:
        wanted = schema.get("type") or ""
        fits = not wanted or isinstance(value, _TYPES[wanted])
        if isinstance(value, bool) and wanted in ("integer", "number"):
            fits = False
    if fits:
        return None
    found = _type_of(value)
    return (
        path,
        "FieldValueTypeInvalid",
        f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"',
    )


def _wrong_value(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    allowed = schema.get("enum")
    if allowed and value not in allowed:
        listed = ", ".join(f'"{each}"' for each in allowed)
        yield (
            path,
            "FieldValueNotSupported",
            f'Unsupported value: "{value}": supported values: {listed}',
        )
    least = schema.get("minimum")
    if least is not None and isinstance(value, int | float) and value < least:
        yield (
            path,
            "FieldValueInvalid",
            f"Invalid value: {value}: {path} in body should be greater than or equal to {least}",
        )
    pattern = schema.get("pattern")
    if pattern and isinstance(value, str) and not re.search(pattern, value):
        yield (
            path,
            "FieldValueInvalid",
            f"Invalid value: \"{value}\": {path} in body should match '{pattern}'",
        )


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    return next(
        name
        for name, types in _TYPES.items()
        if isinstance(value, types) and (name == "boolean" or not isinstance(value, bool))
    )
