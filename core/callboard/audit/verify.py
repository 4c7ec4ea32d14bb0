"""Walk the chain and name every row that was changed, removed, inserted or moved."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sqlalchemy import Connection, select

from callboard.audit.canonical import beginning, canonical, differing, fingerprint, link, pieces
from callboard.audit.checkpoint import Checkpoint
from callboard.audit.models import audit_entry, audit_seal, audit_unsealed
from callboard.audit.rows import RAW, fields_of
from callboard.audit.seal import Head, head_of

BATCH: Final = 1000
PRUNED: Final = "audit.log.prune"
"""The action of the entries that tell of a horizon."""

CHECKPOINTED: Final = "audit.log.checkpoint"
"""The action of the entries that tell of a checkpoint."""

FaultKind = Literal["changed", "removed", "inserted", "moved", "replaced", "head", "checkpoint"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `position` is the place in the chain, `entry` the entry's number.

    Either is None where there is none. `reason` says in a sentence what differs.
    """

    kind: FaultKind
    position: int | None
    entry: int | None
    reason: str

    def __str__(self) -> str:
        places = [
            f"{name} {number}"
            for name, number in (("position", self.position), ("entry", self.entry))
            if number is not None
        ]
        return f"{self.kind}: {', '.join(places) or 'the chain'}: {self.reason}"


@dataclass(slots=True)
class Outcome:
    """What a walk found out, once it has ended. `checked` counts the places looked at.

    `waiting` counts entries without a seal so far, `told` says what became of checkpoints.
    """

    head: Head | None = None
    checked: int = 0
    waiting: int = 0
    faults: int = 0
    told: list[str] = field(default_factory=list)


def verify(
    connection: Connection, outcome: Outcome, checkpoints: Iterable[Checkpoint] = ()
) -> Iterator[Fault]:
    """Give the faults, in the order of the chain, in bounded memory; fills in `outcome`.

    The connection must see one state throughout, as that of `Database.read` does. Raises
    `NotReadyError` where the head is gone.
    """
    head = outcome.head = head_of(connection)
    comparison = _Comparison(head, outcome, checkpoints)
    walk = _Walk(head, outcome, comparison)
    for found in (
        walk.chain(connection),
        walk.end(),
        _horizon(connection, head),
        _outside(connection),
        _queue(connection, outcome),
        comparison.left_over(connection),
    ):
        for fault in found:
            outcome.faults += 1
            yield fault


@dataclass(frozen=True, slots=True)
class _Place:
    """A place as it is stored; `content` is that of its entry, None where there is none."""

    position: int
    entry: int
    hash: str
    content: bytes | None
    differing: tuple[str, ...] = ()


class _Walk:
    """Compares each place with its entry and with what is stored of the place before it."""

    def __init__(self, head: Head, outcome: Outcome, comparison: "_Comparison") -> None:
        self.head = head
        self.outcome = outcome
        self.comparison = comparison
        self.before = _Place(head.horizon_position, 0, head.horizon_hash, None)
        self.doubted = False

    def chain(self, connection: Connection) -> Iterator[Fault]:
        if not self.head.horizon_position and self.before.hash != beginning(self.head.chain):
            yield Fault("head", 0, None, "the chain does not begin with the hash of its name")
        places = _places(connection, self.head.horizon_position)
        place = next(places, None)
        while place is not None:
            following = next(places, None)
            fault = self._fault(place, following)
            gap = place.position != self.before.position + 1
            if gap:
                yield self._gap(place.position)
            if fault is not None:
                yield fault
            self.doubted = fault is not None
            self.before = place
            self.outcome.checked += 1
            yield from self.comparison.at(place)
            place = following

    def _gap(self, found: int) -> Fault:
        first, last = self.before.position + 1, found - 1
        places = f"position {first}" if first == last else f"positions {first} to {last}"
        return Fault("removed", first, None, f"the seal is gone: {places} of the chain")

    def _fault(self, place: _Place, following: _Place | None) -> Fault | None:
        if place.content is None:
            reason = "its seal is there, but the entry is not"
            return Fault("removed", place.position, place.entry, reason)
        if place.differing:
            moved = not {"id", "position"}.isdisjoint(place.differing)
            reason = f"the entry differs from its seal in: {', '.join(place.differing)}"
            kind: FaultKind = "moved" if moved else "changed"
            return Fault(kind, place.position, place.entry, reason)
        due = _linked(self.before.hash, place.content)
        if due == place.hash or place.position != self.before.position + 1:
            return None
        return self._broken(place, following, due)

    def _broken(self, place: _Place, following: _Place | None, due: str) -> Fault | None:
        """Say whose fault it is that a place does not follow from the one before."""
        leads = self._leads(place.hash, following)
        if self.doubted and leads is not False:
            return None  # the one before was told of, and what comes after goes on from here
        if leads:
            reason = "it was replaced together with its seal: the chain does not go on from it"
            return Fault("replaced", self.before.position, self.before.entry or None, reason)
        if self._leads(due, following):
            reason = "the hash of its seal was changed; the entry was not"
            return Fault("changed", place.position, place.entry, reason)
        reason = "the chain neither leads to it nor goes on from it"
        return Fault("replaced", place.position, place.entry, reason)

    def _leads(self, hash_: str, following: _Place | None) -> bool | None:
        """Say whether what comes after goes on from a hash; None where that cannot be told."""
        if following is None:
            return hash_ == self.head.hash
        if following.content is None or following.position != self.before.position + 2:
            return None
        return _linked(hash_, following.content) == following.hash

    def end(self) -> Iterator[Fault]:
        """Compare the last place with the head."""
        head, last = self.head, self.before
        if last.position < head.position:
            reason = f"the end of the chain is gone: it went on to position {head.position}"
            yield Fault("removed", last.position + 1, None, reason)
        elif last.position > head.position:
            reason = f"there are seals beyond the head, which is at position {head.position}"
            yield Fault("inserted", head.position + 1, None, reason)
        elif last.hash != head.hash and not self.doubted:
            reason = "the head has another hash than the last place of the chain"
            yield Fault("head", last.position, None, reason)


class _Comparison:
    """Compares the chain with checkpoints, each where the walk comes by its place."""

    def __init__(self, head: Head, outcome: Outcome, checkpoints: Iterable[Checkpoint]) -> None:
        self.head = head
        self.told = outcome.told
        self.waiting: dict[int, list[Checkpoint]] = defaultdict(list)
        for checkpoint in checkpoints:
            self.waiting[checkpoint.position].append(checkpoint)

    def at(self, place: _Place) -> Iterator[Fault]:
        for checkpoint in self.waiting.pop(place.position, ()):
            yield from self._compared(checkpoint, place.hash)

    def left_over(self, connection: Connection) -> Iterator[Fault]:
        """Say what became of checkpoints that the walk did not come by."""
        head = self.head
        for position, checkpoint in [
            (n, item) for n, found in self.waiting.items() for item in found
        ]:
            if position == head.horizon_position:
                yield from self._compared(checkpoint, head.horizon_hash)
            elif position < head.horizon_position and checkpoint.chain == head.chain:
                yield from self._older(connection, checkpoint)
            elif position > head.position and checkpoint.chain == head.chain:
                reason = (
                    f"the chain ends at position {head.position}, before the checkpoint of "
                    f"{checkpoint.at}: the newest entries were cut off"
                )
                yield Fault("checkpoint", position, None, reason)
            else:
                yield from self._compared(checkpoint, "")

    def _older(self, connection: Connection, checkpoint: Checkpoint) -> Iterator[Fault]:
        """Compare with what the log itself recorded when the checkpoint was made, if it still has.

        The entries it was made of have been removed since.
        """
        query = select(audit_entry.c.after).where(audit_entry.c.action == CHECKPOINTED)
        with connection.execute(query.execution_options(yield_per=BATCH)) as result:
            found = {str(item["hash"]) for item in result.scalars() if _is_of(item, checkpoint)}
        if found:
            yield from self._compared(checkpoint, found.pop() if len(found) == 1 else "")
            return
        self.told.append(
            f"The checkpoint of {checkpoint.at} at position {checkpoint.position} is older than "
            f"what is kept, which begins after position {self.head.horizon_position}."
        )

    def _compared(self, checkpoint: Checkpoint, found: str) -> Iterator[Fault]:
        position = checkpoint.position
        if checkpoint.chain != self.head.chain:
            reason = "it is of another chain: of another portal, or this one was begun anew"
            yield Fault("checkpoint", position, None, reason)
        elif checkpoint.hash != found:
            reason = f"the chain is not what it was at {checkpoint.at}: it was written anew"
            yield Fault("checkpoint", position, None, reason)
        else:
            self.told.append(f"The checkpoint of {checkpoint.at} at position {position} agrees.")


def _is_of(after: Any, checkpoint: Checkpoint) -> bool:
    return isinstance(after, dict) and after.get("position") == checkpoint.position


def _horizon(connection: Connection, head: Head) -> Iterator[Fault]:
    """Find a horizon that no entry tells of, and seals that are older than it."""
    query = (
        select(audit_entry.c.after)
        .where(audit_entry.c.action == PRUNED)
        .order_by(audit_entry.c.at.desc(), audit_entry.c.id.desc())
        .limit(1)
    )
    told = connection.execute(query).scalar() or {"position": 0, "hash": head.horizon_hash}
    if (told.get("position"), told.get("hash")) != (head.horizon_position, head.horizon_hash):
        reason = f"no entry {PRUNED} tells of this horizon: the beginning was cut off"
        yield Fault("removed", head.horizon_position, None, reason)
    older = select(audit_seal).where(audit_seal.c.position <= head.horizon_position)
    for row in connection.execute(older.order_by(audit_seal.c.position)):
        yield Fault("inserted", row.position, row.entry_id, "its place is before the horizon")


def _outside(connection: Connection) -> Iterator[Fault]:
    """Find entries that are neither sealed nor wait for it."""
    number = audit_entry.c.id
    query = (
        select(number)
        .outerjoin(audit_seal, audit_seal.c.entry_id == number)
        .outerjoin(audit_unsealed, audit_unsealed.c.entry_id == number)
        .where(audit_seal.c.position.is_(None), audit_unsealed.c.entry_id.is_(None))
        .order_by(number)
        .execution_options(yield_per=BATCH)
    )
    with connection.execute(query) as result:
        for entry in result.scalars():
            yield Fault("inserted", None, entry, "it has no seal and does not wait for one")


def _queue(connection: Connection, outcome: Outcome) -> Iterator[Fault]:
    """Find what waits for a seal and cannot get one."""
    query = (
        select(audit_unsealed.c.entry_id, audit_entry.c.id, audit_seal.c.position)
        .outerjoin(audit_entry, audit_entry.c.id == audit_unsealed.c.entry_id)
        .outerjoin(audit_seal, audit_seal.c.entry_id == audit_unsealed.c.entry_id)
        .order_by(audit_unsealed.c.entry_id)
        .execution_options(yield_per=BATCH)
    )
    with connection.execute(query) as result:
        for row in result:
            if row.position is not None:
                reason = "it was put up to be sealed again"
                yield Fault("inserted", row.position, row.entry_id, reason)
            elif row.id is None:
                yield Fault("removed", None, row.entry_id, "it is gone before it was sealed")
            else:
                outcome.waiting += 1


def _places(connection: Connection, after: int) -> Iterator[_Place]:
    seal = audit_seal.c
    while True:
        query = (
            select(seal.position, seal.entry_id, seal.fingerprint, seal.hash, *RAW)
            .outerjoin(audit_entry, audit_entry.c.id == seal.entry_id)
            .where(seal.position > after)
            .order_by(seal.position)
            .limit(BATCH)
        )
        rows = connection.execute(query).mappings().all()
        yield from map(_stored, rows)
        if len(rows) < BATCH:
            return
        after = rows[-1]["position"]


def _linked(previous: str, content: bytes) -> str:
    try:
        return link(previous, content)
    except ValueError:  # somebody wrote what is no hash
        return ""


def _stored(row: Any) -> _Place:
    stored = (row["position"], row["entry_id"], row["hash"])
    if row["id"] is None:
        return _Place(*stored, None)
    parts = pieces(fields_of(row))
    actual = fingerprint(parts, row["position"])
    return _Place(*stored, canonical(parts), tuple(differing(actual, row["fingerprint"])))
