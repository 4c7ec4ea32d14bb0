"""The form of a pipeline: what stands in its fields, and what was sent read back."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from callboard.redaction import MASK
from callboard_ci_tekton.acts.declarations import NAMED, SOURCES, Declaration, Parameter
from callboard_ci_tekton.acts.preparing import TIMEOUTS
from callboard_ci_tekton.runs.values import items, mapping, text

CLAIM_SIZE: Final = "1Gi"


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in a form's fields, by their names, and what is wrong, by theirs."""

    values: Mapping[str, str]
    faults: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        """Give the text of a field, empty without one."""
        return self.values.get(name, "")


def new_key() -> str:
    """Give the token by which a form that is sent twice is known."""
    return secrets.token_urlsafe(12)


def first_values(declaration: Declaration, last: Mapping[str, Any]) -> dict[str, str]:
    """Give what a new form has in its fields: defaults, and what the last run was given.

    `last` is the body of a run of this pipeline, empty without one.
    """
    spec = mapping(last, "spec")
    given = {text(item, "name"): item.get("value") for item in items(spec, "params")}
    bound = {text(item, "name"): item for item in items(spec, "workspaces")}
    values = {"key": new_key()}
    for parameter in declaration.parameters:
        value = parameter.default
        if parameter.required:
            value = given.get(parameter.name)
            value = None if MASK in str(value) else value
        values |= _fields(parameter, value)
    for workspace in declaration.workspaces:
        values |= _binding_fields(
            workspace.name, bound.get(workspace.name, {}), optional=workspace.optional
        )
    return values


def _fields(parameter: Parameter, value: Any) -> dict[str, str]:
    name = f"p:{parameter.name}"
    if isinstance(value, str):
        return {name: value}
    if isinstance(value, list):
        return {name: "\n".join(map(str, value))}
    if isinstance(value, Mapping):
        if parameter.properties:
            return {f"{name}:{key}": str(value.get(key, "")) for key in parameter.properties}
        return {name: "\n".join(f"{key}={item}" for key, item in value.items())}
    return {}


def _binding_fields(name: str, binding: Mapping[str, Any], *, optional: bool) -> dict[str, str]:
    source = next((found for found in SOURCES if found in binding), "")
    named = text(mapping(binding, source), NAMED.get(source, ""), 253)
    template = mapping(binding, "volumeClaimTemplate", "spec")
    size = text(mapping(template, "resources", "requests"), "storage", 40)
    return {
        f"w:{name}:source": source or ("" if optional else SOURCES[0]),
        f"w:{name}:name": named,
        f"w:{name}:size": size or CLAIM_SIZE,
        f"w:{name}:class": text(template, "storageClassName", 253),
    }


def read_values(form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give the first value of each field, with the line ends people type as one character."""
    return {
        name[:600]: values[0].replace("\r\n", "\n")
        for name, values in list(form.items())[:2000] if values
    }  # fmt: skip


def read_parameters(declaration: Declaration, typed: Mapping[str, str]) -> dict[str, Any]:
    """Give the parameters that differ from what the pipeline takes by default.

    A field that is empty is left out where something is required, so that it is told of.
    """
    found = {}
    for parameter in declaration.parameters:
        value = _read(parameter, typed)
        if value is not None and value != parameter.default:
            found[parameter.name] = value
    return found


def _read(parameter: Parameter, typed: Mapping[str, str]) -> Any:
    name = f"p:{parameter.name}"
    if parameter.kind == "object" and parameter.properties:
        keys = {key: typed.get(f"{name}:{key}", "") for key in parameter.properties}
        return keys if any(keys.values()) or not parameter.required else None
    if name not in typed:
        return None
    given = typed[name]
    if parameter.required and not given.strip():
        return None
    if parameter.kind == "string":
        return given
    lines = [line.strip() for line in given.split("\n") if line.strip()]
    if parameter.kind == "array":
        return lines
    pairs = (line.partition("=") for line in lines)
    return {key.strip(): value.strip() for key, _mark, value in pairs}


def read_bindings(declaration: Declaration, typed: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give the bindings of workspaces as in `spec.workspaces`."""
    found = []
    for workspace in declaration.workspaces:
        start = f"w:{workspace.name}"
        source = typed.get(f"{start}:source", "")
        if source in SOURCES:
            found.append({"name": workspace.name, source: _source(source, start, typed)})
    return found


def _source(source: str, start: str, typed: Mapping[str, str]) -> dict[str, Any]:
    if source in NAMED:
        return {NAMED[source]: typed.get(f"{start}:name", "").strip()}
    if source == "emptyDir":
        return {}
    size = typed.get(f"{start}:size", "").strip() or CLAIM_SIZE
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}},
    }  # fmt: skip
    if storage := typed.get(f"{start}:class", "").strip():
        spec["storageClassName"] = storage
    return {"spec": spec}


def read_timeouts(typed: Mapping[str, str]) -> dict[str, str]:
    """Give the time limits that were typed."""
    found = {name: typed.get(f"t:{name}", "").strip() for name in TIMEOUTS}
    return {name: span for name, span in found.items() if span}


def is_long(parameter: Parameter, value: str) -> bool:
    """Whether a text needs several lines."""
    return "\n" in value or "\n" in str(parameter.default or "") or len(value) > 120
