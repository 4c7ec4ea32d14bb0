"""Gives found people names that stay theirs, and refuses a reading that lost too many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callboard.entities import DEFAULT_NAMESPACE
from callboard.errors import NotReadyError
from callboard.i18n import Translator
from callboard.people.model import FoundGroup, FoundPeople, FoundUser
from callboard.people.names import give_names, wanted_name

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table

    from callboard.host import Host

_ = Translator("callboard")

FEW: Final = 10
"""So few may leave at once whatever share of all they are, as long as somebody is left."""

KINDS: Final = ("user", "group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a reading is taken. `maximum_loss` is a share from 0 to 1; at 1 any loss is taken."""

    namespace: str = DEFAULT_NAMESPACE
    maximum_loss: float = 0.2
    keep_names: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    wanted: str
    name: str


def identity_columns() -> list["Column[Any]"]:
    """Give the columns of a plugin's table of names: `Table("x_identity", metadata, *these)`.

    `wanted` is the name they would have if nobody else had it, `name` the one they have.
    """
    from sqlalchemy import Column, String

    return [
        Column("source", String(60), primary_key=True),
        Column("kind", String(5), primary_key=True),
        Column("remote_id", String(200), primary_key=True),
        Column("wanted", String(63), nullable=False),
        Column("name", String(63), nullable=False),
    ]


def settle(
    host: "Host", table: "Table", source: str, people: FoundPeople, rules: Rules
) -> dict[tuple[str, str], str]:
    """Give the name of each by kind and id, and keep them in the table.

    Nothing is written where nothing changed. Renames, and names that were taken, are audited.
    Raises `NotReadyError` where nobody is left, or too many are missing at once: the source then
    keeps what was read before.
    """
    found: Mapping[str, Sequence[FoundUser | FoundGroup]] = {
        "user": people.users,
        "group": people.groups,
    }
    wanted = {
        kind: {item.id: wanted_name(item.name, kind, item.id) for item in reversed(found[kind])}
        for kind in KINDS
    }
    with host.read() as connection:
        settled, same = _plan(_load(connection, table, source), wanted, source, rules)
    if not same:
        with host.write() as connection:
            # Read again: another process may have been faster.
            known = _load(connection, table, source)
            settled, same = _plan(known, wanted, source, rules)
            if not same:
                _keep(host, connection, table, source, known, settled, rules)
    return {(kind, number): item.name for kind, part in settled.items()
            for number, item in part.items()}  # fmt: skip


_Both = Mapping[str, Mapping[str, _Known]]


def _load(connection: "Connection", table: "Table", source: str) -> _Both:
    found: dict[str, dict[str, _Known]] = {kind: {} for kind in KINDS}
    for row in connection.execute(table.select().where(table.c.source == source)):
        found[row.kind][row.remote_id] = _Known(row.wanted, row.name)
    return found


def _plan(
    known: _Both, wanted: Mapping[str, Mapping[str, str]], source: str, rules: Rules
) -> tuple[_Both, bool]:
    settled = {}
    for kind in KINDS:
        _check_loss(kind, known[kind], wanted[kind], source, rules)
        before = {number: (item.wanted, item.name) for number, item in known[kind].items()}
        names = give_names(wanted[kind], before, keep=rules.keep_names)
        settled[kind] = {number: _Known(wanted[kind][number], names[number]) for number in names}
    return settled, settled == known


def _check_loss(
    kind: str, known: Mapping[str, _Known], wanted: Mapping[str, str], source: str, rules: Rules
) -> None:
    if rules.maximum_loss >= 1:
        return
    if kind == "user" and not wanted:
        raise NotReadyError(
            _("%(source)s was read, but there is nobody in it.", source=source),
            hint=_("What was known before is kept. Check where people are looked for and what the "
                   "account may see. With maximum_loss: 1 even nobody is taken for true."),
        )  # fmt: skip
    # Someone of another id under the same name is no loss: the directory was moved.
    still = set(wanted.values())
    lost = [n for n, item in known.items() if n not in wanted and item.wanted not in still]
    many = len(lost) > FEW and len(lost) > rules.maximum_loss * len(known)
    if lost and (many or not wanted):
        message = (
            _("Of %(known)s people of %(source)s %(lost)s are missing at once.",
              known=len(known), source=source, lost=len(lost))
            if kind == "user"
            else _("Of %(known)s groups of %(source)s %(lost)s are missing at once.",
                   known=len(known), source=source, lost=len(lost))
        )  # fmt: skip
        raise NotReadyError(
            message,
            hint=_("That is more than maximum_loss allows, so what was known before is kept. If it "
                   "is right, raise maximum_loss until it was read."),
        )  # fmt: skip


def _keep(
    host: "Host", connection: "Connection", table: "Table", source: str, known: _Both,
    settled: _Both, rules: Rules,
) -> None:  # fmt: skip
    gone, new = [], []
    for kind in KINDS:
        before, after = known[kind], settled[kind]
        changed = [number for number in after if before.get(number) != after[number]]
        gone += [(kind, n) for n in (*before.keys() - after.keys(), *changed) if n in before]
        for number in sorted(changed):
            item = after[number]
            new.append({"source": source, "kind": kind, "remote_id": number,
                        "wanted": item.wanted, "name": item.name})  # fmt: skip
            _tell(host, connection, kind, before.get(number), item, source, rules)
    # All that go, go first: two may have swapped their names.
    for kind, number in gone:
        connection.execute(
            table.delete().where(
                table.c.source == source, table.c.kind == kind, table.c.remote_id == number
            )
        )
    if new:
        connection.execute(table.insert(), new)


def _tell(
    host: "Host", connection: "Connection", kind: str, before: _Known | None, after: _Known,
    source: str, rules: Rules,
) -> None:  # fmt: skip
    ref = f"{kind}:{rules.namespace}/{after.name}"
    about = {"source": source, "name": after.name}
    if before is not None and before.name != after.name:
        host.audit(
            connection, f"{host.plugin}.{kind}.rename", ref,
            before={"name": before.name}, after=about,
        )  # fmt: skip
        told = {**about, "before": before.name}
        host.publish(connection, f"{host.plugin}.{kind}.renamed", ref, told)
    elif before is None and after.name != after.wanted:
        told = {**about, "wanted": after.wanted}
        host.audit(connection, f"{host.plugin}.{kind}.mark", ref, after=told)
        host.publish(connection, f"{host.plugin}.{kind}.marked", ref, told)
