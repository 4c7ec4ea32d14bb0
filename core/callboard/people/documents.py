"""Writes found people and groups as entities."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from callboard.contributions import SourceDocument
from callboard.entities import DEFAULT_NAMESPACE
from callboard.people.model import FoundGroup, FoundPeople, FoundUser, mail_address, web_address

log = logging.getLogger(__name__)

Names = Mapping[tuple[str, str], str]
"""The name of each by kind (`user`, `group`) and id, as `settle` gives it."""

F = TypeVar("F", FoundUser, FoundGroup)

VERSION: Final = "backstage.io/v1alpha1"


def documents(
    people: FoundPeople, names: Names, *, namespace: str = DEFAULT_NAMESPACE, users: bool = True
) -> list[SourceDocument]:
    """Give a Group for each group and a User for each person.

    Without `users` people are members of Groups only, by the names they have in the catalog.
    """
    groups = _once(people.groups)
    children = _children(groups)
    parents: dict[str, list[str]] = {}
    for above in sorted(children):
        for below in children[above]:
            parents.setdefault(below, []).append(above)
    written = [
        _document("group", item, names, namespace, {
            "type": item.type,
            "children": _refs("group", children[item.id], names, namespace),
            **_parent(parents.get(item.id, []), names, namespace),
            **({} if users else {"members": _refs("user", item.members, names, namespace)}),
        })
        for item in groups.values()
    ]  # fmt: skip
    if not users:
        return written
    member_of: dict[str, list[str]] = {}
    for item in groups.values():
        for member in item.members:
            member_of.setdefault(member, []).append(item.id)
    return written + [
        _document("user", item, names, namespace, {
            "memberOf": _refs("group", member_of.get(item.id, []), names, namespace),
        })
        for item in _once(people.users).values()
    ]  # fmt: skip


def _once(items: Iterable[F]) -> dict[str, F]:
    found: dict[str, F] = {}
    for item in items:
        found.setdefault(item.id, item)
    return found


def _children(groups: Mapping[str, FoundGroup]) -> dict[str, list[str]]:
    """Give the groups directly below each; one that would close a circle is left out.

    Groups are walked in the order of their ids, so that the same circle is always cut in the same
    place.
    """
    edges = {number: sorted(item.children & groups.keys()) for number, item in groups.items()}
    below: dict[str, list[str]] = {number: [] for number in groups}
    done: set[str] = set()
    for start in sorted(groups):
        path = [(start, iter(edges[start]))] if start not in done else []
        under_way = {start}
        while path:
            number, left = path[-1]
            child = next(left, None)
            if child is None:
                path.pop()
                under_way.discard(number)
                done.add(number)
            elif child in under_way:
                log.warning("Group %s is below itself; that is left out.", groups[child].name)
            else:
                below[number].append(child)
                if child not in done:
                    path.append((child, iter(edges[child])))
                    under_way.add(child)
    return below


def _refs(kind: str, ids: Iterable[str], names: Names, namespace: str) -> list[str]:
    found = {names[kind, number] for number in ids if (kind, number) in names}
    return [f"{kind}:{namespace}/{name}" for name in sorted(found)]


def _parent(parents: list[str], names: Names, namespace: str) -> dict[str, str]:
    """Give `parent` where there is one; of several each says it by its `children`."""
    refs = _refs("group", parents, names, namespace)
    return {"parent": refs[0]} if len(refs) == 1 else {}


def _document(
    kind: str, item: FoundUser | FoundGroup, names: Names, namespace: str, spec: Mapping[str, Any]
) -> SourceDocument:
    name = names[kind, item.id]
    profile = {
        "displayName": item.title,
        "email": mail_address(item.email),
        "picture": web_address(item.picture),
    }
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if item.annotations:
        metadata["annotations"] = dict(item.annotations)
    if isinstance(item, FoundGroup) and item.description:
        metadata["description"] = item.description
    content = {
        "apiVersion": VERSION,
        "kind": kind.title(),
        "metadata": metadata,
        "spec": {"profile": {key: text for key, text in profile.items() if text}, **spec},
    }
    return SourceDocument(path=f"{kind}s/{name}.json", content=content)
