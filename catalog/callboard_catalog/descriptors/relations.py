"""The relations that an entity declares in its `spec`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard.errors import InputError
from callboard.i18n import Message, Translator
from callboard.kinds import KindRelation
from callboard_catalog.descriptors.envelope import KIND, NAME, NAMESPACE
from callboard_catalog.descriptors.faults import Fault, Path, one_of, path_text, shown, type_name
from callboard_catalog.descriptors.kinds import KindRegistry

_ = Translator("callboard")

_MALFORMED: Final = _("is not a well-formed entity reference; expected [kind:][namespace/]name")
_WITHOUT_KIND: Final = re.compile(r"(?:[^:/\s]+/)?[-A-Za-z0-9_.]+")


class RelationPair(NamedTuple):
    """A declared relation: `source` has `type` to `target`, which has `reverse_type` back."""

    source: EntityRef
    type: str
    reverse_type: str
    target: EntityRef


@dataclass(frozen=True, slots=True)
class Relations:
    """The distinct relations of one entity, and a warning for each reference that is none."""

    pairs: list[RelationPair]
    warnings: list[Fault]


def reference_of(document: Mapping[str, Any]) -> EntityRef:
    """Give the reference of a valid document."""
    metadata = document["metadata"]
    namespace = metadata.get("namespace") or DEFAULT_NAMESPACE
    return EntityRef.of(document["kind"], namespace, metadata["name"])


def relations(document: Mapping[str, Any], registry: KindRegistry) -> Relations:
    """Give the relations of a valid document, in the order of the kind's fields.

    A malformed reference, or one to a kind that the field does not allow, is left out with
    a warning of code `bad-reference`; it is no reason to reject the entity.
    """
    found = Relations([], [])
    kind = registry.get(document["kind"], document["apiVersion"])
    spec = document.get("spec")
    if kind is None or not isinstance(spec, dict):
        return found
    source = reference_of(document)
    for path, relation in kind.relations:
        value: Any = spec
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            _add(found, source, relation, value, ("spec", *path))
    return found


def _add(
    found: Relations, source: EntityRef, relation: KindRelation, value: Any, path: Path
) -> None:
    inherit = relation.default_namespace == "inherit"
    namespace = source.namespace if inherit else DEFAULT_NAMESPACE
    texts = value if isinstance(value, list) else [value]
    seen = {pair.target for pair in found.pairs if pair.type == relation.relation}
    for position, text in enumerate(texts):
        target = (
            _target(text, relation.default_kind, namespace)
            if isinstance(text, str)
            else _("is %(type)s; expected a text", type=type_name(text))
        )
        if isinstance(target, EntityRef) and relation.allowed_kinds:
            target = _of_allowed_kind(target, relation.allowed_kinds)
        if isinstance(target, Message):
            where: Path = (*path, position) if isinstance(value, list) else path
            written = f" {shown(text)}" if isinstance(text, str) else ""
            message = _(
                "%(reference)s %(problem)s; the relation is left out",
                reference=f"{path_text(where)}{written}",
                problem=target,
            )
            found.warnings.append(Fault("bad-reference", where, message))
        elif target not in seen:
            seen.add(target)
            found.pairs.append(RelationPair(source, relation.relation, relation.reverse, target))


@lru_cache(maxsize=16_384)
def _target(text: str, default_kind: str | None, namespace: str) -> EntityRef | Message:
    """Give the target, or what is wrong with the text."""
    try:
        target = EntityRef.parse(
            text.strip(), default_kind=default_kind, default_namespace=namespace
        )
    except InputError:
        if default_kind is None and _WITHOUT_KIND.fullmatch(text.strip()):
            return _("names no kind; expected such as component:order-service")
        return _MALFORMED
    parts = ((KIND, target.kind), (NAMESPACE, target.namespace), (NAME, target.name))
    return target if all(pattern.fullmatch(part) for pattern, part in parts) else _MALFORMED


def _of_allowed_kind(target: EntityRef, allowed: tuple[str, ...]) -> EntityRef | Message:
    if any(target.kind == kind.lower() for kind in allowed):
        return target
    return _(
        "is of kind %(kind)s; expected %(expected)s", kind=target.kind, expected=one_of(allowed)
    )
