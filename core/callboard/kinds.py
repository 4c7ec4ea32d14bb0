"""Kinds of entities as data: what a plugin or the configuration declares to add one."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    a namespace means that of the entity. Empty `allowed_kinds` allows every kind.
    """

    path: str
    relation: str
    reverse: str
    default_kind: str | None = None
    default_namespace: Literal["inherit", "default"] = "inherit"
    allowed_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of entity: its versions, the rules for `spec` and its relations.

    Rules are `fields` (checked for every entity, very cheap) or a JSON Schema for `spec`
    (`schema`), or both. `spec_required` is implied by a required field.
    """

    name: str
    api_versions: tuple[str, ...]
    title: Text
    fields: tuple[KindField, ...] = ()
    relations: tuple[KindRelation, ...] = ()
    schema: Mapping[str, Any] | None = None
    spec_required: bool = False
