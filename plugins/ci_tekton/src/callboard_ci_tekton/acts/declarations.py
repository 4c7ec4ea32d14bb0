"""What a Pipeline asks for (Tekton, `spec.params` and `spec.workspaces`), and whether it is given.

A run that lacks a parameter or a workspace is accepted by the cluster and fails afterwards, so it
is looked at here, before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_ci_tekton.runs.values import items, mapping, text

_ = Translator("ci_tekton")

Kind = Literal["string", "array", "object"]

MOST: Final = 200
"""Parameters, and items of one, that are looked at."""

SOURCES: Final = ("volumeClaimTemplate", "emptyDir", "persistentVolumeClaim", "configMap", "secret")
"""What a workspace can be bound to here; the fields of a binding in `spec.workspaces`."""

NAMED: Final[Mapping[str, str]] = {
    "persistentVolumeClaim": "claimName",
    "configMap": "name",
    "secret": "secretName",
}
"""Sources that are objects of the namespace, and the field that names them."""


class UnfitError(InputError):
    """What a run was given does not fit its pipeline.

    `faults` tell by field (`params.<name>`, `workspaces.<name>`, `timeouts`, …) what is wrong.
    """

    def __init__(self, faults: Mapping[str, Text]) -> None:
        listed = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        super().__init__(_("This does not fit the pipeline. %(faults)s", faults=listed))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a pipeline. `default` is None where there is none: then it is required."""

    name: str
    kind: Kind
    description: str = ""
    default: Any = None
    choices: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether a run must give it."""
        return self.default is None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace of a pipeline."""

    name: str
    description: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a form for a pipeline is made of."""

    title: str
    description: str
    parameters: tuple[Parameter, ...]
    workspaces: tuple[Workspace, ...] = field(default=())


def kept_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parts of a Pipeline's `spec` that `declaration_of` reads, for the table."""
    return {
        "displayName": text(spec, "displayName", 300),
        "description": text(spec, "description", 2000),
        "params": list(items(spec, "params"))[:MOST],
        "workspaces": list(items(spec, "workspaces"))[:MOST],
    }


def declaration_of(spec: Mapping[str, Any]) -> Declaration:
    """Read the `spec` of a Pipeline, or what was kept of it."""
    return Declaration(
        text(spec, "displayName", 300),
        text(spec, "description", 2000),
        tuple(_parameter(item) for item in items(spec, "params") if text(item, "name")),
        tuple(
            Workspace(text(item, "name", 253), text(item, "description", 2000),
                      item.get("optional") is True)
            for item in items(spec, "workspaces") if text(item, "name")
        ),
    )  # fmt: skip


def _parameter(item: Mapping[str, Any]) -> Parameter:
    default = item.get("default")
    declared = text(item, "type")
    kind: Kind = "string"
    if declared == "array" or (not declared and isinstance(default, list)):
        kind = "array"
    elif declared == "object" or (not declared and isinstance(default, Mapping | dict)):
        kind = "object"
    choices = item.get("enum")
    return Parameter(
        text(item, "name", 253),
        kind,
        text(item, "description", 2000),
        default,
        tuple(map(str, choices)) if isinstance(choices, list) else (),
        tuple(mapping(item, "properties")),
    )


def check_values(declaration: Declaration, values: Mapping[str, Any]) -> dict[str, Text]:
    """Give by `params.<name>` what is wrong with parameters: texts, lists or mappings of texts."""
    faults: dict[str, Text] = {}
    known = {parameter.name for parameter in declaration.parameters}
    for name in values.keys() - known:
        faults[f"params.{name}"] = _("The pipeline has no parameter of this name.")
    for parameter in declaration.parameters:
        if parameter.name in values:
            fault = _wrong(parameter, values[parameter.name])
        else:
            fault = _("It needs a value: there is no default.") if parameter.required else ""
        if fault:
            faults[f"params.{parameter.name}"] = fault
    return faults


def _wrong(parameter: Parameter, value: Any) -> Text:
    match parameter.kind:
        case "string":
            if not isinstance(value, str):
                return _("It takes one text.")
            if parameter.choices and value not in parameter.choices:
                choices = ", ".join(parameter.choices)
                return _("It takes one of these: %(choices)s.", choices=choices)
        case "array":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                return _("It takes a list of texts.")
        case "object":
            return _wrong_object(parameter, value)
    return ""


def _wrong_object(parameter: Parameter, value: Any) -> Text:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
        return _("It takes texts by their keys.")
    given = {*value, *(parameter.default if isinstance(parameter.default, Mapping) else ())}
    if lacking := [key for key in parameter.properties if key not in given]:
        return _("These keys are missing: %(keys)s.", keys=", ".join(lacking))
    unknown = [key for key in value if key not in parameter.properties]
    if parameter.properties and unknown:
        return _("There are no such keys: %(keys)s.", keys=", ".join(unknown))
    return ""


def check_bindings(
    declaration: Declaration, bindings: Sequence[Mapping[str, Any]]
) -> dict[str, Text]:
    """Give by `workspaces.<name>` what is wrong with bindings, as in `spec.workspaces`."""
    return dict(_wrong_bindings(declaration, bindings))


def _wrong_bindings(
    declaration: Declaration, bindings: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[str, Text]]:
    bound = {str(item.get("name", "")): item for item in bindings}
    known = {workspace.name: workspace for workspace in declaration.workspaces}
    for name, item in bound.items():
        if name not in known:
            yield f"workspaces.{name}", _("The pipeline has no workspace of this name.")
            continue
        for source, key in NAMED.items():
            if source in item and not text(mapping(item, source), key):
                yield f"workspaces.{name}", _("Say which one by its name.")
    for name, workspace in known.items():
        if name not in bound and not workspace.optional:
            yield f"workspaces.{name}", _("It must be given something to keep its files in.")
