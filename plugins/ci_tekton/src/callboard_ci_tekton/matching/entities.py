"""Takes in what entities ask for: those that came, changed or went, and the whole catalog."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, delete, insert, select

from callboard.contributions import EventContext, JobContext
from callboard.entities import Entity, EntityRef
from callboard_ci_tekton.matching.keys import Selector, selectors_of
from callboard_ci_tekton.matching.rework import ask_rework, rework
from callboard_ci_tekton.matching.service import TOGETHER, hold_matching, in_parts
from callboard_ci_tekton.models import claim, entity, selector

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True)
class _Asking:
    """What an entity asks for now; nothing where it is gone or of a kind without runs."""

    owner: str
    selectors: Sequence[Selector]

    @property
    def state(self) -> str:
        given = [[item.key, item.rank, item.conditions] for item in self.selectors]
        return hashlib.sha256(orjson.dumps([self.owner, given])).hexdigest()


def take_in(host: "Host", refs: Iterable[str], found: Iterable[Entity]) -> None:
    """Keep what entities ask for now; those of `refs` that were not found ask no more.

    Runs are matched anew by keys that are asked for otherwise than before, later and by parts;
    where nothing changed, nothing is written.
    """
    trusted = host.settings.matching.trusted
    now = {str(item.ref): item for item in found}
    for part in in_parts(sorted(set(refs))):
        asking = {
            ref: _Asking(str(now[ref].owner or ""), selectors_of(now[ref], trusted))
            if ref in now
            else _Asking("", ())
            for ref in part
        }
        with host.read() as connection:
            if not _changed(connection, asking):
                continue
        with host.write() as connection:
            hold_matching(connection, alone=True)
            changed = _changed(connection, asking)
            ask_rework(host, connection, _replace(connection, changed))


def _changed(connection: Connection, asking: Mapping[str, _Asking]) -> dict[str, _Asking]:
    kept = connection.execute(select(entity).where(entity.c.ref.in_(list(asking))))
    states = {row.ref: row.state for row in kept}
    return {
        ref: item
        for ref, item in asking.items()
        if (states.get(ref) != item.state if item.selectors else ref in states)
    }


def _replace(connection: Connection, changed: Mapping[str, _Asking]) -> set[str]:
    """Write what entities ask for, and give the keys that are asked for otherwise than before."""
    listed = sorted(changed)
    before: dict[str, set[Selector]] = {}
    for row in connection.execute(select(selector).where(selector.c.entity.in_(listed))):
        item = Selector(row.key, row.rank, tuple(row.conditions))
        before.setdefault(row.entity, set()).add(item)
    after = {ref: set(item.selectors) for ref, item in changed.items()}
    keys = {item.key for ref in listed for item in before.get(ref, set()) ^ after[ref]}
    turned = [ref for ref in listed if (ref in before) != bool(after[ref])]
    keys |= {f"entity:{ref}" for ref in turned}
    keys |= set(connection.execute(select(claim.c.key).where(claim.c.entity.in_(turned))).scalars())
    connection.execute(delete(selector).where(selector.c.entity.in_(listed)))
    connection.execute(delete(entity).where(entity.c.ref.in_(listed)))
    asking = [(ref, item) for ref, item in changed.items() if item.selectors]
    rows: list[dict[str, Any]] = [
        {"entity": ref, "position": place, "key": one.key, "rank": one.rank,
         "conditions": list(one.conditions)}
        for ref, item in asking
        for place, one in enumerate(item.selectors)
    ]  # fmt: skip
    if rows:
        connection.execute(
            insert(entity),
            [{"ref": ref, "owner": item.owner, "state": item.state} for ref, item in asking],
        )
        connection.execute(insert(selector), rows)
    return keys


def on_entities(context: EventContext) -> None:
    """Take in what entities ask for that came, changed or went."""
    take_in_named(context.host, {event.subject for event in context.events})


def take_in_named(host: "Host", refs: Collection[str]) -> None:
    """Take in what entities ask for, as the catalog has them now."""
    found = host.catalog.get_many([EntityRef.parse(ref) for ref in refs])
    take_in(host, refs, found.values())


def run_match(context: JobContext) -> None:
    """The job that takes in the whole catalog: once at first, then to mend what was missed."""
    match_catalog(context.host)


def match_catalog(host: "Host") -> None:
    """Go through all entities page by page, then match what is left to be matched anew.

    It may be killed anywhere: the next time, what was done costs a read.
    """
    after: EntityRef | None = None
    seen: set[str] = set()
    while page := host.catalog.find(after=after, limit=TOGETHER):
        refs = {str(item.ref) for item in page}
        seen |= refs
        take_in(host, refs, page)
        after = page[-1].ref
    with host.read() as connection:
        gone = set(connection.execute(select(entity.c.ref)).scalars()) - seen
    for part in in_parts(sorted(gone)):
        # Asked for again: one of them may have come since its page was read.
        take_in_named(host, part)
    rework(host)
