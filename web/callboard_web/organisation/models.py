"""Groups and people with how they belong together, read from the catalog at once."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import Connection, select

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_web.organisation.names import sort_key


@dataclass(frozen=True, slots=True)
class Party:
    """A group or a person. `above` are the groups it is in, known or not, as text like `ref`."""

    ref: str
    title: str
    type: str
    above: tuple[str, ...]

    @property
    def entity(self) -> EntityRef:
        return EntityRef.parse(self.ref)

    @property
    def url(self) -> str:
        return self.entity.path()


@dataclass(frozen=True)
class Organisation:
    """All groups and people, by reference, in the order of their names.

    `children` and `members` are what the catalog knows of: of groups below and of people in it.
    """

    groups: Mapping[str, Party]
    people: Mapping[str, Party]
    children: Mapping[str, Sequence[str]]
    members: Mapping[str, Sequence[str]]

    @cached_property
    def roots(self) -> Sequence[str]:
        """Give the groups that no known group is above of, and one of each circle."""
        found = [ref for ref, group in self.groups.items() if not self._known(group.above)]
        seen = set().union(*(self.below([ref]) for ref in found)) if found else set()
        for ref in self.groups:
            if ref not in seen:
                found.append(ref)
                seen |= self.below([ref])
        return found

    def _known(self, refs: Collection[str]) -> bool:
        return any(ref in self.groups for ref in refs)

    def below(self, refs: Collection[str]) -> set[str]:
        """Give these groups and all below them, each once, whatever circles there are."""
        return set(self.walk(refs))

    def walk(self, refs: Collection[str]) -> Iterator[str]:
        """Give these groups and all below them, the nearest first."""
        waiting = list(dict.fromkeys(refs))
        seen = set(waiting)
        for ref in waiting:
            yield ref
            fresh = [child for child in self.children.get(ref, ()) if child not in seen]
            seen.update(fresh)
            waiting += fresh

    def everybody(self, ref: str) -> set[str]:
        """Give the people of a group and of all groups below it."""
        return {person for group in self.walk([ref]) for person in self.members.get(group, ())}

    def narrowed(self, seen: Collection[str]) -> "Organisation":
        """Give the organisation as if there were only these."""
        groups = {ref: party for ref, party in self.groups.items() if ref in seen}
        people = {ref: party for ref, party in self.people.items() if ref in seen}
        return Organisation(groups, people, _below(groups), _below(people))

    def is_empty(self, ref: str) -> bool:
        """Say whether nobody is in a group, nor in any below it."""
        return not any(self.members.get(group) for group in self.walk([ref]))


PARTIES: Final = ("group", "user")
"""The kinds that an organisation is read from."""

UP = {"childOf": True, "memberOf": True, "parentOf": False, "hasMember": False}
"""Relations within the organisation: whether they lead from what is below to what is above."""


def read_organisation(connection: Connection) -> Organisation:
    """Read groups, people and their relations, in two queries."""
    entity, relation = models.entity, models.relation
    kinds = entity.c.kind.in_(PARTIES)
    rows = connection.execute(
        select(entity.c.ref, entity.c.kind, entity.c.title, entity.c.type).where(kinds)
    ).all()
    above: defaultdict[str, set[str]] = defaultdict(set)
    declared = (
        select(relation.c.source_ref, relation.c.type, relation.c.target_ref)
        .join_from(entity, relation, relation.c.origin_id == entity.c.id)
        .where(kinds, relation.c.type.in_(tuple(UP)))
    )
    for source, name, target in connection.execute(declared):
        if source != target:
            low, high = (source, target) if UP[name] else (target, source)
            above[low].add(high)
    rows = sorted(rows, key=lambda row: (sort_key(row.title), row.ref))
    parties = {
        row.ref: Party(row.ref, row.title, row.type, tuple(sorted(above[row.ref]))) for row in rows
    }
    groups = {ref: party for ref, party in parties.items() if ref.startswith("group:")}
    people = {ref: party for ref, party in parties.items() if ref.startswith("user:")}
    return Organisation(groups, people, _below(groups), _below(people))


def _below(parties: Mapping[str, Party]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for ref, party in parties.items():
        for high in party.above:
            found[high].append(ref)
    return dict(found)
