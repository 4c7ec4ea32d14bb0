"""What the organisation owns, what nobody owns, and how both fare."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import orjson
from pyroaring import BitMap
from sqlalchemy import Connection, select

from callboard_catalog import models
from callboard_catalog.facets import FacetIndex, among
from callboard_catalog.problems import ProblemTally
from callboard_catalog.query import ListRequest, ListResult
from callboard_catalog.service import CatalogService
from callboard_web.organisation.models import PARTIES, Organisation, Party, read_organisation

NOT_OWNED: Final = frozenset({"group", "user", "location"})
"""Kinds that nobody has to own."""

DEPRECATED: Final = "deprecated"
MOST_READ: Final = 2_000
"""Documents that are looked into for a missing description; beyond it none is."""

Gap = Literal["none", "unknown", "empty", "left"]
GAPS: Final[tuple[Gap, ...]] = get_args(Gap)


@dataclass(frozen=True, slots=True)
class Health:
    """What is owned, of one kind or of all: how many, and of them with something to mend.

    `undescribed` is None where there are too many to look into.
    """

    kind: str
    total: int
    problems: int
    undescribed: int | None
    deprecated: int


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A group in a list. `members` and `owned` are its own, `everybody` and `all_owned` with those
    of the groups below it; `problems` are of what it owns itself."""

    party: Party
    above: Sequence[Party]
    children: int
    members: int
    everybody: int
    owned: int
    all_owned: int
    problems: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A group in the tree. `hidden` are groups below it that there was no room for."""

    row: TeamRow
    branches: Sequence["Branch"]
    hidden: int


def _nothing(_connection: Connection) -> dict[str, "TeamRow"]:
    return {}


class Ownership:
    """Answers from one state of the catalog, most of it from memory."""

    def __init__(self, catalog: CatalogService) -> None:
        self.catalog = catalog
        self._whole: Organisation = catalog.cached_for_all(
            ("organisation", "parties"), read_organisation, kinds=PARTIES
        )
        self.organisation: Organisation = catalog.cached(("organisation", "seen"), self._seen)
        self.index: FacetIndex = catalog.facet_index()
        self.tally: ProblemTally = catalog.problem_tally()
        # Filled as rows are asked for, and forgotten when the catalog changes.
        self._rows: dict[str, TeamRow] = catalog.cached(("organisation", "rows"), _nothing)

    def _seen(self, connection: Connection) -> Organisation:
        sight = self.catalog.sight()
        if sight is None:
            return self._whole
        entity = models.entity.c
        parties = select(entity.ref, entity.id).where(entity.kind.in_(PARTIES))
        rows = connection.execute(parties)
        return self._whole.narrowed({row.ref for row in rows if row.id in sight.rows})

    # What is owned

    def owned(self, owners: Iterable[str]) -> BitMap:
        """Give the rows of what these owners own."""
        return self.index.owned_by(owners)

    def owners(self, ref: str, *, with_others: bool) -> list[str]:
        """Give a group and all below it, or a person and all groups they are in."""
        if not with_others:
            return [ref]
        if ref in self.organisation.people:
            return [ref, *self.organisation.people[ref].above]
        return list(self.organisation.walk([ref]))

    def problems(self, owners: Iterable[str]) -> int:
        """Count what these own that has a problem: entities, not problems."""
        return sum(len(self.tally.owners.get(owner, ())) for owner in owners)

    def health(self, owners: Sequence[str]) -> list[Health]:
        """Say how what these own fares, by kind, the commonest first."""
        rows = self.owned(owners)
        undescribed = self._undescribed(rows)
        deprecated = self.index.values["lifecycle"].get(DEPRECATED, BitMap())
        faulty: dict[str, int] = {}
        for owner in owners:
            for ref in self.tally.owners.get(owner, ()):
                kind = ref.partition(":")[0]
                faulty[kind] = faulty.get(kind, 0) + 1
        found = [
            Health(
                kind, len(of_kind), faulty.get(kind, 0),
                undescribed.get(kind, 0) if undescribed is not None else None,
                len(of_kind & deprecated),
            )
            for kind, members in self.index.values["kind"].items()
            if (of_kind := members & rows)
        ]  # fmt: skip
        return sorted(found, key=lambda item: (-item.total, item.kind))

    def _undescribed(self, rows: BitMap) -> Mapping[str, int] | None:
        """Count by kind what has no description, by looking into the documents."""
        if len(rows) > MOST_READ:
            return None
        ids = tuple(rows)

        def count(connection: Connection) -> dict[str, int]:
            entity = models.entity
            statement = select(entity.c.kind, entity.c.document).where(among(connection, ids))
            found: dict[str, int] = {}
            for kind, document in connection.execute(statement):
                metadata = orjson.loads(document).get("metadata") or {}
                if not str(metadata.get("description") or "").strip():
                    found[kind] = found.get(kind, 0) + 1
            return found

        return self.catalog.cached(("organisation", "undescribed", ids), count) if ids else {}

    # Groups

    def row(self, ref: str) -> TeamRow:
        """Give a group as lists show it."""
        if ref not in self._rows:
            self._rows[ref] = self._row(ref)
        return self._rows[ref]

    def _row(self, ref: str) -> TeamRow:
        organisation = self.organisation
        party = organisation.groups[ref]
        return TeamRow(
            party=party,
            above=[organisation.groups[up] for up in party.above if up in organisation.groups],
            children=len(organisation.children.get(ref, ())),
            members=len(organisation.members.get(ref, ())),
            everybody=len(organisation.everybody(ref)),
            owned=len(self.index.values["owner"].get(ref, ())),
            all_owned=len(self.owned(organisation.walk([ref]))),
            problems=self.problems([ref]),
        )

    def tree(self, refs: Sequence[str], most: int) -> list[Branch]:
        """Give groups with those below them, at most `most`, the nearest to the top first."""
        organisation = self.organisation
        shown: dict[str, None] = {}
        kept: dict[str, list[str]] = {}
        top = list(dict.fromkeys(refs))[:most]
        shown.update(dict.fromkeys(top))
        for ref in (waiting := list(top)):
            for child in organisation.children.get(ref, ()):
                if child not in shown and len(shown) < most:
                    shown[child] = None
                    kept.setdefault(ref, []).append(child)
                    waiting.append(child)

        def branch(ref: str) -> Branch:
            below = kept.get(ref, [])
            hidden = sum(child not in shown for child in organisation.children.get(ref, ()))
            return Branch(self.row(ref), [branch(child) for child in below], hidden)

        return [branch(ref) for ref in top]

    # Gaps

    def gaps(self) -> Mapping[Gap, Sequence[str]]:
        """Give, for each gap, the owners that make it; nobody is the empty text."""
        return self.catalog.cached(("organisation", "gaps"), lambda _connection: self._gaps())

    def _gaps(self) -> Mapping[Gap, Sequence[str]]:
        found: dict[Gap, list[str]] = {gap: [] for gap in GAPS}
        for owner in sorted(self.index.values["owner"]):
            gap = self._gap(owner)
            if gap:
                found[gap].append(owner)
        return found

    def _gap(self, owner: str) -> Gap | None:
        organisation = self.organisation
        if not owner:
            return "none"
        if owner in organisation.people:
            return None
        if owner in organisation.groups:
            # Whether anybody is in it is true or not, whoever they are.
            return "empty" if self._whole.is_empty(owner) else None
        if owner in self._whole.groups or owner in self._whole.people:
            return None  # it is there, and not seen
        return "left" if owner.startswith("user:") else "unknown"

    def owned_kinds(self) -> list[str]:
        """Give the kinds in the catalog that somebody should own."""
        return sorted(kind for kind in self.index.values["kind"] if kind not in NOT_OWNED)

    def gap_counts(self) -> Mapping[Gap, Mapping[str, int]]:
        """Count what is in each gap, by kind, of the kinds that somebody should own."""

        def count(_connection: Connection) -> Mapping[Gap, Mapping[str, int]]:
            return {gap: self._counts(owners) for gap, owners in self.gaps().items()}

        return self.catalog.cached(("organisation", "gap counts"), count)

    def _counts(self, owners: Sequence[str]) -> dict[str, int]:
        rows = self.owned(owners)
        counts = {
            kind: self.index.values["kind"][kind].intersection_cardinality(rows)
            for kind in self.owned_kinds()
        }
        return {kind: count for kind, count in counts.items() if count}

    def gap_list(
        self, owners: Sequence[str], kinds: Sequence[str], *, cursor: str, limit: int
    ) -> ListResult:
        """Give a page of what these owners own."""
        return self.catalog.list(
            ListRequest(
                kinds=tuple(kinds), owners=tuple(owners), sort="owner", limit=limit, cursor=cursor
            )
        )
