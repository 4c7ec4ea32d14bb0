"""Entities, references and relations: the value types that host and plugins share."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from urllib.parse import quote

from callboard.errors import InputError
from callboard.i18n import Translator

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

_ = Translator("callboard")

DEFAULT_NAMESPACE: Final = "default"
MAXIMUM_REFERENCE_LENGTH: Final = 250

_UNQUOTED: Final = re.compile(r"[\w.~-]+/[\w.~-]+/[\w.~-]+", re.ASCII)
"""Parts of an address that stay as they are; `quote` takes ten times as long to find that out."""

_REFERENCE: Final = re.compile(r"(?:([^:/\s\0]+):)?(?:([^:/\s\0]+)/)?([^/\s\0]+)")


@dataclass(frozen=True, slots=True, order=True)
class EntityRef:
    """The name of an entity, in canonical lower case: `kind:namespace/name`.

    References compare case-insensitively (Backstage "entity references"), so the parts are
    lower-cased when a reference is made by `parse` or `of`.
    """

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, kind: str, namespace: str, name: str) -> Self:
        """Give the canonical reference of the three parts, whatever their case."""
        return cls(kind.lower(), namespace.lower(), name.lower())

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        default_kind: str | None = None,
        default_namespace: str = DEFAULT_NAMESPACE,
    ) -> Self:
        """Read `[kind:][namespace/]name`.

        A colon after the first slash belongs to the name. Raises `InputError` for an empty part,
        a missing kind without a default, white space, a zero character (PostgreSQL keeps none),
        or more than 250 characters.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise InputError(
                _(
                    "%(text)s is not an entity reference; "
                    "expected [kind:][namespace/]name, such as component:default/order-service.",
                    text=repr(text[:80]),
                )
            )
        kind, namespace, name = match.groups()
        kind = kind or default_kind
        if kind is None:
            raise InputError(
                _(
                    "The entity reference %(text)s has no kind; "
                    "expected kind:[namespace/]name, such as component:order-service.",
                    text=repr(text[:80]),
                )
            )
        reference = cls.of(kind, namespace or default_namespace, name)
        if len(str(reference)) > MAXIMUM_REFERENCE_LENGTH:
            raise InputError(
                _(
                    "The entity reference %(text)s… has more than %(limit)s characters.",
                    text=repr(text[:80]),
                    limit=MAXIMUM_REFERENCE_LENGTH,
                )
            )
        return reference

    def __str__(self) -> str:
        return f"{self.kind}:{self.namespace}/{self.name}"

    def path(self, tab: str = "") -> str:
        """Give the address of the entity's page in the portal, or of one of its tabs.

        A plugin's tab is named `<plugin>.<name>`, or `<plugin>` where both names are the same; a
        page below it follows after a slash.
        """
        plain = f"{self.namespace}/{self.kind}/{self.name}"
        if not tab and _UNQUOTED.fullmatch(plain):
            return f"/catalog/{plain}"
        parts = (self.namespace, self.kind, self.name, *(tab.split("/") if tab else ()))
        return "/catalog/" + "/".join(quote(part, safe="") for part in parts)

    def relative(self, *, kind: str = "", namespace: str = DEFAULT_NAMESPACE) -> str:
        """Give the shortest text that reads back with these defaults, for people to read."""
        text = self.name if self.namespace == namespace else f"{self.namespace}/{self.name}"
        return text if self.kind == kind else f"{self.kind}:{text}"


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """One directed relation of an entity, such as `ownedBy` to `group:default/trade-core`."""

    type: str
    target: EntityRef


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of the catalog as it is served.

    `document` is the finished JSON object without `relations`: defaults filled in, placeholders
    replaced, `metadata.uid` and `metadata.etag` set. It must not be changed.
    """

    ref: EntityRef
    document: Mapping[str, Any]
    relations: tuple[Relation, ...] = field(default=())

    @property
    def kind(self) -> str:
        """The kind in the case it was written, such as `Component`."""
        return str(self.document["kind"])

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self.document.get("metadata") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.document.get("spec") or {}

    @property
    def uid(self) -> str:
        return str(self.metadata.get("uid", ""))

    @property
    def name(self) -> str:
        """The name in the case it was written."""
        return str(self.metadata["name"])

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", DEFAULT_NAMESPACE))

    @property
    def title(self) -> str:
        """What a person calls it: the title, a profile's display name, or else the name."""
        profile = self.spec.get("profile")
        display = profile.get("displayName") if isinstance(profile, Mapping) else None
        return str(self.metadata.get("title") or display or self.name)

    @property
    def description(self) -> str:
        return str(self.metadata.get("description") or "")

    @property
    def type(self) -> str:
        return str(self.spec.get("type") or "")

    @property
    def lifecycle(self) -> str:
        return str(self.spec.get("lifecycle") or "")

    @property
    def tags(self) -> Sequence[str]:
        return tuple(self.metadata.get("tags") or ())

    @property
    def labels(self) -> Mapping[str, str]:
        return self.metadata.get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def links(self) -> Sequence[Mapping[str, str]]:
        return tuple(self.metadata.get("links") or ())

    @property
    def owner(self) -> EntityRef | None:
        """The first owner, or None where nobody owns it."""
        return next(iter(self.related("ownedBy")), None)

    def related(self, relation_type: str) -> Iterable[EntityRef]:
        """Give the targets of the relations of one type."""
        return [relation.target for relation in self.relations if relation.type == relation_type]


class Catalog(Protocol):
    """The read side of the catalog, as a plugin is given it. Every call is one or two queries.

    It answers as if there were only what the one who asks may see; in jobs, where nobody asks, it
    has everything. What a plugin keeps in tables of its own it narrows by `seen` or `visible`.
    """

    def get(self, ref: EntityRef) -> Entity | None:
        """Give one entity with its relations, or None."""

    def get_many(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, Entity]:
        """Give the entities that exist among these, with their relations."""

    def titles(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, str]:
        """Give what the entities that exist among these are called, without reading them whole."""

    def find(
        self,
        *,
        kind: str = "",
        annotation: str = "",
        after: EntityRef | None = None,
        limit: int = 500,
    ) -> Sequence[Entity]:
        """Give entities in the order of their references, those after `after`, at most `limit`.

        `kind` and `annotation` (a key) narrow the answer. Page on with the last one's `ref`.
        """

    def visible(self, refs: Iterable[EntityRef]) -> set[EntityRef]:
        """Give those of these that the one who asks may see; all where they may see everything.

        What has left the catalog is seen by those who could see it last.
        """

    def seen(self, column: "ColumnElement[Any]", permission: str = "") -> "ColumnElement[bool]":
        """Say in SQL that a column holds the reference of an entity that the asker may see.

        For lists of a plugin's own rows that the database orders, counts and cuts. The column has
        references as text, as `str(ref)` gives them. It is always true where everything is seen.
        With a permission about entities, only those for which the asker has it as well.
        """
