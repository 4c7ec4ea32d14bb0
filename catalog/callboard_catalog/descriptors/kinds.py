"""The kinds of entities: those built in, and the registry that plugins and settings add to."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.kinds import EntityField, FieldType, Kind, KindField, KindRelation
from callboard_catalog.descriptors.declared import DeclarationError, check_declared

_ = Translator("callboard")

_VERSIONS: Final = ("backstage.io/v1alpha1", "backstage.io/v1beta1")


def _fields(names: str, *types: FieldType) -> tuple[KindField, ...]:
    """Give one field for each name; those with a star are required."""
    return tuple(
        KindField(name=name.rstrip("*"), types=types or ("text",), required=name.endswith("*"))
        for name in names.split()
    )


def _profile() -> KindField:
    return KindField(name="profile", types=("object",), fields=_fields("displayName email picture"))


def _part_of(path: str, kind: str) -> KindRelation:
    return KindRelation(path=path, relation="partOf", reverse="hasPart", default_kind=kind)


_OWNER: Final = KindRelation(
    path="owner", relation="ownedBy", reverse="ownerOf", default_kind="Group"
)
_SYSTEM: Final = _part_of("system", "System")
# `dependencyOf` gives relations but is in no schema upstream: one reference or a list is taken.
_DEPENDENCIES: Final = (
    KindRelation(path="dependsOn", relation="dependsOn", reverse="dependencyOf"),
    KindRelation(path="dependencyOf", relation="dependencyOf", reverse="dependsOn"),
)

# Source of fields and relations: the Backstage catalog model, "Kinds".
COMPONENT: Final = Kind(
    name="Component",
    api_versions=_VERSIONS,
    title=_("Component"),
    plural=_("Components"),
    fields=_fields("type* lifecycle* owner* system subcomponentOf")
    + _fields("providesApis consumesApis dependsOn", "texts"),
    relations=(
        _OWNER,
        _part_of("subcomponentOf", "Component"),
        _SYSTEM,
        KindRelation(
            path="providesApis",
            relation="providesApi",
            reverse="apiProvidedBy",
            default_kind="API",
        ),
        KindRelation(
            path="consumesApis",
            relation="consumesApi",
            reverse="apiConsumedBy",
            default_kind="API",
        ),
        *_DEPENDENCIES,
    ),
)
API: Final = Kind(
    name="API",
    api_versions=_VERSIONS,
    title=_("API"),
    plural=_("APIs"),
    fields=_fields("type* lifecycle* owner* definition* system"),
    relations=(_OWNER, _SYSTEM),
)
RESOURCE: Final = Kind(
    name="Resource",
    api_versions=_VERSIONS,
    title=_("Resource"),
    plural=_("Resources"),
    fields=_fields("type* owner* system") + _fields("dependsOn", "texts"),
    relations=(_OWNER, _SYSTEM, *_DEPENDENCIES),
)
SYSTEM: Final = Kind(
    name="System",
    api_versions=_VERSIONS,
    title=_("System"),
    plural=_("Systems"),
    fields=_fields("owner* domain type"),
    relations=(_OWNER, _part_of("domain", "Domain")),
)
DOMAIN: Final = Kind(
    name="Domain",
    api_versions=_VERSIONS,
    title=_("Domain"),
    plural=_("Domains"),
    fields=_fields("owner* subdomainOf type"),
    relations=(_OWNER, _part_of("subdomainOf", "Domain")),
)
GROUP: Final = Kind(
    name="Group",
    api_versions=_VERSIONS,
    title=_("Group"),
    plural=_("Groups"),
    fields=(
        *_fields("type* parent"),
        *_fields("children* members", "texts"),
        _profile(),
    ),
    relations=(
        KindRelation(path="parent", relation="childOf", reverse="parentOf", default_kind="Group"),
        KindRelation(path="children", relation="parentOf", reverse="childOf", default_kind="Group"),
        KindRelation(path="members", relation="hasMember", reverse="memberOf", default_kind="User"),
    ),
)
USER: Final = Kind(
    name="User",
    api_versions=_VERSIONS,
    title=_("User"),
    plural=_("Users"),
    fields=(*_fields("memberOf*", "texts"), _profile()),
    relations=(
        KindRelation(
            path="memberOf", relation="memberOf", reverse="hasMember", default_kind="Group"
        ),
    ),
)
LOCATION: Final = Kind(
    name="Location",
    api_versions=_VERSIONS,
    title=_("Location"),
    plural=_("Locations"),
    fields=(
        *_fields("type target"),
        *_fields("targets", "texts"),
        KindField(name="presence", choices=("required", "optional")),
    ),
    spec_required=True,
)
_STEP_FIELDS: Final = (
    *_fields("action*", "string"),
    *_fields("id name", "string"),
    *_fields("input", "object"),
    *_fields("if", "string", "boolean"),
)
TEMPLATE: Final = Kind(
    name="Template",
    api_versions=("scaffolder.backstage.io/v1beta3",),
    title=_("Template"),
    plural=_("Templates"),
    fields=(
        *_fields("type* owner lifecycle"),
        KindField(name="steps", types=("objects",), required=True, fields=_STEP_FIELDS),
        *_fields("parameters", "object", "objects"),
        *_fields("secrets presentation output EXPERIMENTAL_recovery", "object"),
        *_fields("formDecorators", "objects"),
    ),
    relations=(_OWNER,),
)
BUILT_IN_KINDS: Final = (
    COMPONENT, API, RESOURCE, SYSTEM, DOMAIN, GROUP, USER, LOCATION, TEMPLATE,
)  # fmt: skip

SchemaCheck = Callable[[Any], Iterable[tuple[tuple[str | int, ...], Text]]]
"""Gives the path below `spec` and the message of each fault."""


@dataclass(frozen=True, slots=True)
class RegisteredKind:
    """A kind, ready to check entities with."""

    kind: Kind
    spec_required: bool
    relations: tuple[tuple[tuple[str, ...], KindRelation], ...]
    check_schema: SchemaCheck | None
    check_types: Mapping[str, SchemaCheck]

    def checks(self, spec: Mapping[str, Any]) -> Iterator[SchemaCheck]:
        """Give the schemas that a `spec` must follow: that of the kind, and that of its type."""
        if self.check_schema is not None:
            yield self.check_schema
        type_ = spec.get("type")
        if isinstance(type_, str) and type_ in self.check_types:
            yield self.check_types[type_]


@dataclass(frozen=True, slots=True)
class RegisteredField:
    """A field that a site or plugin adds to entities, ready to check them with."""

    field: EntityField
    kinds: frozenset[str]
    check_schema: SchemaCheck | None

    def value(self, document: Mapping[str, Any]) -> tuple[tuple[str, ...], Any]:
        """Give where the field stands in a document, and its value; None where it is not there."""
        return value_at(document, self.field.path)


def value_at(document: Mapping[str, Any], path: str) -> tuple[tuple[str, ...], Any]:
    """Follow a dotted path through keys that may have dots themselves; the longest key wins."""
    value: Any = document
    keys: list[str] = []
    rest = path.split(".")
    while rest:
        if not isinstance(value, Mapping):
            return (*keys, *rest), None
        for length in range(len(rest), 0, -1):
            key = ".".join(rest[:length])
            if key in value:
                break
        value = value.get(key)
        keys.append(key)
        rest = rest[length:]
    return tuple(keys), value


class KindRegistry:
    """The kinds that entities may have. Names are compared as they are written."""

    def __init__(self, kinds: Iterable[Kind] = BUILT_IN_KINDS) -> None:
        self._kinds: dict[tuple[str, str], RegisteredKind] = {}
        self._versions: dict[str, list[str]] = {}
        self._all: list[Kind] = []
        self._fields: dict[str, RegisteredField] = {}
        for kind in kinds:
            self.add(kind)

    def declare(self, declared: Kind | EntityField) -> None:
        """Add what a plugin or the settings declare; raises `DeclarationError` where it is bad."""
        check_declared(declared, self.kinds())
        if isinstance(declared, Kind):
            self.add(declared)
        else:
            self.add_field(declared)

    def add(self, kind: Kind) -> None:
        """Add a kind. Raises `InputError` where one of its versions is taken or it is no kind."""
        taken = [version for version in kind.api_versions if (kind.name, version) in self._kinds]
        if taken:
            raise InputError(f"There is a kind {kind.name} with apiVersion {taken[0]} already.")
        if not kind.api_versions:
            raise InputError(
                f"The kind {kind.name} has no apiVersion; expected such as example.com/v1."
            )
        registered = RegisteredKind(
            kind,
            kind.spec_required or any(field.required for field in kind.fields),
            tuple((tuple(relation.path.split(".")), relation) for relation in kind.relations),
            None if kind.schema is None else schema_check(kind.name, kind.schema),
            {
                name: schema_check(f"{kind.name}/{name}", rules)
                for name, rules in kind.types.items()
            },
        )
        self._all.append(kind)
        for version in kind.api_versions:
            self._kinds[kind.name, version] = registered
            self._versions.setdefault(kind.name, []).append(version)

    def add_field(self, field: EntityField) -> None:
        """Add a field of entities. Raises `InputError` where its name is taken or it is none."""
        if field.name in self._fields:
            raise DeclarationError(f"There is a field {field.name} already", ("name",))
        registered = RegisteredField(
            field,
            frozenset(kind.lower() for kind in field.kinds),
            None if field.schema is None else schema_check(field.name, field.schema),
        )
        self._fields[field.name] = registered

    def fields(self, kind: str) -> Iterator[RegisteredField]:
        """Give the added fields that entities of a kind may have."""
        for field in self._fields.values():
            if not field.kinds or kind.lower() in field.kinds:
                yield field

    def entity_fields(self) -> tuple[EntityField, ...]:
        """Give every added field, in the order they were added."""
        return tuple(registered.field for registered in self._fields.values())

    def get(self, name: str, api_version: str) -> RegisteredKind | None:
        """Give the kind with this name and apiVersion, or None."""
        return self._kinds.get((name, api_version))

    def versions(self, name: str) -> tuple[str, ...]:
        """Give the apiVersions known for a kind; none where there is no such kind."""
        return tuple(self._versions.get(name, ()))

    def kinds(self) -> tuple[Kind, ...]:
        """Give every kind, in the order they were added."""
        return tuple(self._all)

    def nearest(self, name: str) -> str:
        """Give the known name most like this one, or an empty text."""
        lower = {known.lower(): known for known in self._versions}
        found = difflib.get_close_matches(name.lower(), lower, n=1)
        return lower[found[0]] if found else ""


def schema_check(name: str, rules: Mapping[str, Any]) -> SchemaCheck:
    """Give the check of a JSON Schema; raises `InputError` where it is none.

    `name` is whose schema it is, for messages.
    """
    # Imported here since only custom kinds need it.
    import jsonschema
    import referencing

    from callboard_catalog.descriptors.schema import problem_of

    schema = dict(rules)
    validator_class = jsonschema.validators.validator_for(
        schema, default=jsonschema.Draft202012Validator
    )
    try:
        validator_class.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise InputError(f"The schema of {name} is no JSON Schema: {error.message}") from error
    # An empty registry of its own: a $ref to a URL must not be fetched.
    validator = validator_class(schema, registry=referencing.Registry())

    def check(spec: Any) -> list[tuple[tuple[str | int, ...], Text]]:
        try:
            return [(tuple(e.absolute_path), problem_of(e)) for e in validator.iter_errors(spec)]
        except referencing.exceptions.Unresolvable as error:
            message = _(
                "the schema of %(kind)s refers to %(reference)s, which it lacks",
                kind=name,
                reference=error.ref,
            )
            return [((), message)]

    return check
