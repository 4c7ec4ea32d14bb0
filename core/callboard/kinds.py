"""Kinds and fields of entities as data: what a plugin or the configuration declares to add one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from callboard.i18n import Text

FieldType = Literal["text", "string", "texts", "boolean", "object", "objects", "any"]
"""`text` is a string with at least one character, `texts` a list of them, `string` may be empty,
`objects` is a list of objects, `any` is everything but null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindField:
    """One field of `spec`, or of an object below it. Fields that are not declared are allowed.

    A value has one of `types`; `choices` narrows a text; `fields` are those of an object, or of
    each object of a list.
    """

    name: str
    types: tuple[FieldType, ...] = ("text",)
    required: bool = False
    choices: tuple[str, ...] = ()
    fields: tuple["KindField", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRelation:
    """A field of `spec` that holds entity references, one or a list of them.

    `path` is dotted below `spec`, such as `owner` or `deployment.cluster`. The entity gets
    `relation` to the target and the target gets `reverse` to the entity. Without a `default_kind`
    references must name their kind. With `default_namespace` `inherit` a reference without
    a namespace means that of the entity. Empty `allowed_kinds` allows every kind: a reference to
    another one is left out with a warning.

    `title` is what pages say of the relation, read from this entity to the other one (`scans`),
    and `reverse_title` the way back (`scanned by`); without them the names stand there.
    """

    path: str
    relation: str
    reverse: str
    default_kind: str | None = None
    default_namespace: Literal["inherit", "default"] = "inherit"
    allowed_kinds: tuple[str, ...] = ()
    title: Text = ""
    reverse_title: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of entity: its versions, the rules for `spec` and its relations.

    Rules are `fields` (checked for every entity, very cheap) or a JSON Schema for `spec`
    (`schema`), or both; `types` has a JSON Schema for `spec` for each `spec.type` that has rules
    of its own. `spec_required` is implied by a required field.

    `title` is what one of them is called, `plural` several; `icon` is a name of the portal's icons
    such as `box`, `db` or `flag`.
    """

    name: str
    api_versions: tuple[str, ...]
    title: Text
    fields: tuple[KindField, ...] = ()
    relations: tuple[KindRelation, ...] = ()
    schema: Mapping[str, Any] | None = None
    spec_required: bool = False
    types: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plural: Text = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityField:
    """A field that a site adds to entities: checked where it is there, and shown with its title.

    `path` is dotted from the root, such as `spec.costCentre` or `metadata.annotations.example.com/
    tier`. It is for entities of these `kinds`, without them of all. A text is one of `choices`, or
    the value follows a JSON Schema (`schema`). Pages show it among the facts of an entity, the
    catalog's list in a column if it is a `column`. `name` is what addresses call that column:
    lower-case letters, digits and `_`.
    """

    name: str
    path: str
    title: Text
    kinds: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    column: bool = False
