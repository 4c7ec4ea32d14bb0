"""Whoever writes into the tables of the audit log by hand is found out, and the row named."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from callboard.audit import record
from callboard.audit.canonical import canonical, fingerprint, link, pieces
from callboard.audit.checkpoint import make_checkpoint
from callboard.audit.rows import RAW, fields_of
from callboard.audit.seal import head_of, seal_all
from callboard.audit.verify import Fault, Outcome, verify
from callboard.database import Database
from callboard.identity import Principal
from callboard.testing import Clock

LI = Principal(kind="person", name="user:default/li")
TRIGGERS = [
    f"{table}_{statement}"
    for table in ("audit_entry", "audit_seal", "audit_head")
    for statement in ("update", "delete")
]
COUNT = 9

Tamper = Callable[[Connection], Any]


@pytest.fixture
def chain(database: Database, clock: Clock) -> Database:
    """Give a log of nine sealed entries, without the triggers: these rows are anybody's."""
    with database.write() as connection:
        for number in range(1, COUNT + 1):
            clock.advance(60)
            record(
                connection, "catalog.source.refresh", f"source-{number}", actor=LI,
                before={"state": "failing"}, after={"state": "ok", "run": number},
                address="192.0.2.1", request_id=f"r-{number}", at=clock(),
            )  # fmt: skip
    assert seal_all(database) == COUNT
    with database.write() as connection:
        for trigger in TRIGGERS:
            table = trigger.rpartition("_")[0]
            of_table = f" ON {table}" if database.dialect == "postgresql" else ""
            connection.execute(text(f"DROP TRIGGER {trigger}{of_table}"))
    return database


def faults(database: Database, *checkpoints: Any) -> list[Fault]:
    outcome = Outcome()
    with database.read() as connection:
        found = list(verify(connection, outcome, checkpoints))
    assert outcome.faults == len(found)
    return found


def places(found: Sequence[Fault]) -> list[tuple[str, int | None, int | None]]:
    return [(fault.kind, fault.position, fault.entry) for fault in found]


def tamper(database: Database, *statements: str, **values: Any) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.execute(text(statement), values)


def stored(connection: Connection, entry: int) -> dict[str, Any]:
    from callboard.audit.models import audit_entry

    row = connection.execute(select(*RAW).where(audit_entry.c.id == entry)).mappings().one()
    return fields_of(row)


def reseal(connection: Connection, position: int, entry: int) -> str:
    """Write the seal of a place anew, as one who knows how it is made."""
    before = connection.execute(
        text("SELECT hash FROM audit_seal WHERE position = :p"), {"p": position - 1}
    ).scalar_one()
    parts = pieces(stored(connection, entry))
    made = link(before, canonical(parts))
    connection.execute(
        text(
            "UPDATE audit_seal SET hash = :h, fingerprint = :f, entry_id = :e WHERE position = :p"
        ),
        {"h": made, "f": fingerprint(parts, position), "e": entry, "p": position},
    )
    return made


def test_an_untouched_log_has_no_faults(chain: Database) -> None:
    outcome = Outcome()
    with chain.read() as connection:
        assert list(verify(connection, outcome)) == []
    assert (outcome.checked, outcome.waiting) == (COUNT, 0)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "2026-03-02 08:00:00.000001"),
        ("at", "2030-01-01 00:00:00.000000"),
        ("actor", "person:user:default/wang"),
        ("actor", ""),
        ("on_behalf_of", "person:user:default/li"),
        ("action", "catalog.source.remove"),
        ("subject", "source-44"),
        ("subject", "source-4 "),
        ("before", None),
        ("before", '{"state":"ok"}'),
        ("after", '{"state":"ok","run":5}'),
        ("after", "not json"),
        ("after", '{"state":"ok","run":4,"more":[]}'),
        ("address", "192.0.2.2"),
        ("request_id", ""),
        ("result", "denied"),
    ],
)
@pytest.mark.parametrize("entry", [1, 4, COUNT])
def test_a_changed_field_is_named(
    chain: Database, entry: int, column: str, value: str | None
) -> None:
    stamp = "CAST(:v AS timestamptz)" if chain.dialect == "postgresql" and column == "at" else ":v"
    given = f"{value}+00" if chain.dialect == "postgresql" and column == "at" else value
    tamper(chain, f'UPDATE audit_entry SET "{column}" = {stamp} WHERE id = :e', v=given, e=entry)
    [fault] = faults(chain)
    assert (fault.kind, fault.position, fault.entry) == ("changed", entry, entry)
    assert fault.reason == f"the entry differs from its seal in: {column}"


def test_json_that_says_the_same_is_no_change(chain: Database) -> None:
    tamper(chain, """UPDATE audit_entry SET "after" = '{ "run": 4, "state": "ok" }' WHERE id = 4""")
    assert faults(chain) == []


@pytest.mark.parametrize("entry", [1, 4, COUNT])
def test_a_removed_entry_is_named(chain: Database, entry: int) -> None:
    tamper(chain, "DELETE FROM audit_entry WHERE id = :e", e=entry)
    assert places(faults(chain)) == [("removed", entry, entry)]


@pytest.mark.parametrize("entry", [1, 4])
def test_an_entry_removed_with_its_seal_leaves_a_gap(chain: Database, entry: int) -> None:
    tamper(
        chain,
        "DELETE FROM audit_entry WHERE id = :e",
        "DELETE FROM audit_seal WHERE entry_id = :e",
        e=entry,
    )
    [fault] = faults(chain)
    assert (fault.kind, fault.position) == ("removed", entry)
    assert f"position {entry} of the chain" in fault.reason


def test_the_last_entry_removed_with_its_seal_is_missed_by_the_head(chain: Database) -> None:
    tamper(
        chain,
        "DELETE FROM audit_entry WHERE id > 7",
        "DELETE FROM audit_seal WHERE entry_id > 7",
    )
    [fault] = faults(chain)
    assert (fault.kind, fault.position) == ("removed", 8)
    assert "went on to position 9" in fault.reason


def test_a_removed_seal_leaves_its_entry_behind(chain: Database) -> None:
    tamper(chain, "DELETE FROM audit_seal WHERE position = 4")
    assert places(faults(chain)) == [("removed", 4, None), ("inserted", None, 4)]


def test_a_gap_closed_by_moving_what_follows_is_found(chain: Database) -> None:
    tamper(
        chain,
        "DELETE FROM audit_entry WHERE id = 4",
        "DELETE FROM audit_seal WHERE position = 4",
        "UPDATE audit_seal SET position = -position WHERE position > 4",
        "UPDATE audit_seal SET position = -position - 1 WHERE position < 0",
        "UPDATE audit_head SET position = 8",
    )
    found = faults(chain)
    assert {fault.kind for fault in found} == {"moved"}
    assert [fault.entry for fault in found] == [5, 6, 7, 8, 9]


def _insert(entry: int) -> str:
    columns = "at, actor, on_behalf_of, action, subject, address, request_id, result"
    return (
        f"INSERT INTO audit_entry (id, {columns}) SELECT {entry}, {columns} FROM audit_entry "
        "WHERE id = 4"
    )


def test_an_inserted_entry_without_a_seal_is_named(chain: Database) -> None:
    tamper(chain, _insert(99))
    assert places(faults(chain)) == [("inserted", None, 99)]


def test_an_inserted_entry_with_a_seal_of_its_own_is_named(chain: Database) -> None:
    with chain.write() as connection:
        connection.execute(text(_insert(99)))
        connection.execute(
            text("INSERT INTO audit_seal (position, entry_id, fingerprint, hash) "
                 "VALUES (10, 99, '', '')")
        )  # fmt: skip
        reseal(connection, 10, 99)
    assert places(faults(chain)) == [("inserted", 10, None)]


def test_an_entry_inserted_in_the_middle_moves_the_others(chain: Database) -> None:
    with chain.write() as connection:
        connection.execute(text(_insert(99)))
        for statement in (
            "UPDATE audit_seal SET position = -position WHERE position > 4",
            "UPDATE audit_seal SET position = 1 - position WHERE position < 0",
            "INSERT INTO audit_seal (position, entry_id, fingerprint, hash) VALUES (5, 99, '', '')",
            "UPDATE audit_head SET position = 10",
        ):
            connection.execute(text(statement))
        reseal(connection, 5, 99)
    found = places(faults(chain))
    assert ("moved", 6, 5) in found
    assert ("moved", 10, 9) in found


def test_an_entry_sealed_before_and_after_it_was_put_up_again(chain: Database) -> None:
    tamper(chain, "INSERT INTO audit_unsealed (entry_id) VALUES (4)")
    assert seal_all(chain) == 0
    assert places(faults(chain)) == [("inserted", 4, 4)]


def test_an_entry_removed_before_its_seal_is_named(chain: Database, clock: Clock) -> None:
    with chain.write() as connection:
        number = record(connection, "a.b.c", "x", actor=LI, at=clock())
    tamper(chain, "DELETE FROM audit_entry WHERE id = :e", e=number)
    seal_all(chain)
    assert places(faults(chain)) == [("removed", None, number)]


@pytest.mark.parametrize(("one", "other"), [(4, 5), (1, 9), (3, 7)])
def test_two_entries_swapped(chain: Database, one: int, other: int) -> None:
    tamper(
        chain,
        "UPDATE audit_entry SET id = 1000 WHERE id = :a",
        "UPDATE audit_entry SET id = :a WHERE id = :b",
        "UPDATE audit_entry SET id = :b WHERE id = 1000",
        a=one, b=other,
    )  # fmt: skip
    assert places(faults(chain)) == [("changed", one, one), ("changed", other, other)]


@pytest.mark.parametrize(("one", "other"), [(4, 5), (1, 9), (3, 7)])
def test_two_seals_swapped(chain: Database, one: int, other: int) -> None:
    tamper(
        chain,
        "UPDATE audit_seal SET position = 1000 WHERE position = :a",
        "UPDATE audit_seal SET position = :a WHERE position = :b",
        "UPDATE audit_seal SET position = :b WHERE position = 1000",
        a=one, b=other,
    )  # fmt: skip
    found = faults(chain)
    assert places(found) == [("moved", one, other), ("moved", other, one)]
    assert found[0].reason == "the entry differs from its seal in: position"


def test_seals_of_two_entries_exchanged(chain: Database) -> None:
    tamper(
        chain,
        "UPDATE audit_seal SET entry_id = 1000 WHERE position = 4",
        "UPDATE audit_seal SET entry_id = 4 WHERE position = 6",
        "UPDATE audit_seal SET entry_id = 6 WHERE position = 4",
    )
    assert places(faults(chain)) == [("moved", 4, 6), ("moved", 6, 4)]


@pytest.mark.parametrize("position", [1, 4])
@pytest.mark.parametrize("hash_", ["00" * 32, "no hash"])
def test_a_changed_hash_is_named(chain: Database, position: int, hash_: str) -> None:
    tamper(chain, "UPDATE audit_seal SET hash = :h WHERE position = :p", h=hash_, p=position)
    [fault] = faults(chain)
    assert (fault.kind, fault.position, fault.entry) == ("changed", position, position)
    assert fault.reason == "the hash of its seal was changed; the entry was not"


def test_a_changed_hash_at_the_end_is_found(chain: Database) -> None:
    tamper(chain, "UPDATE audit_seal SET hash = :h WHERE position = 9", h="00" * 32)
    [fault] = faults(chain)
    assert (fault.kind, fault.position, fault.entry) == ("changed", 9, 9)


@pytest.mark.parametrize("entry", [2, 4, 8])
def test_an_entry_replaced_together_with_its_seal_is_named(chain: Database, entry: int) -> None:
    with chain.write() as connection:
        connection.execute(
            text("UPDATE audit_entry SET subject = 'other' WHERE id = :e"), {"e": entry}
        )
        reseal(connection, entry, entry)
    assert places(faults(chain)) == [("replaced", entry, entry)]


def test_the_last_entry_replaced_together_with_its_seal(chain: Database) -> None:
    with chain.write() as connection:
        connection.execute(text("UPDATE audit_entry SET subject = 'other' WHERE id = 9"))
        reseal(connection, 9, 9)
    assert [(fault.kind, fault.position) for fault in faults(chain)] == [("head", 9)]


def _rewrite(chain: Database, first: int) -> None:
    """Write the chain anew from a place to its end, and its head, as the portal itself would."""
    with chain.write() as connection:
        for position in range(first, COUNT + 1):
            made = reseal(connection, position, position)
        connection.execute(text("UPDATE audit_head SET hash = :h"), {"h": made})


def test_a_chain_written_anew_is_found_by_a_checkpoint_alone(chain: Database) -> None:
    with chain.read() as connection:
        checkpoint = make_checkpoint(head_of(connection), "2026-03-02T08:00:00Z", "", None)
    tamper(chain, "UPDATE audit_entry SET subject = 'other' WHERE id = 5")
    _rewrite(chain, 5)
    assert faults(chain) == []
    assert places(faults(chain, checkpoint)) == [("checkpoint", 9, None)]


def test_a_head_that_is_rewound_is_found(chain: Database) -> None:
    with chain.read() as connection:
        checkpoint = make_checkpoint(head_of(connection), "2026-03-02T08:00:00Z", "", None)
    tamper(
        chain,
        "UPDATE audit_head SET position = 7, "
        "hash = (SELECT hash FROM audit_seal WHERE position = 7)",
    )
    assert places(faults(chain)) == [("inserted", 8, None)]
    tamper(
        chain,
        "DELETE FROM audit_seal WHERE position > 7",
        "DELETE FROM audit_entry WHERE id > 7",
    )
    assert faults(chain) == []
    [fault] = faults(chain, checkpoint)
    assert (fault.kind, fault.position) == ("checkpoint", 9)
    assert "cut off" in fault.reason


def test_a_beginning_cut_off_is_found(chain: Database) -> None:
    tamper(
        chain,
        "UPDATE audit_head SET horizon_position = 3, "
        "horizon_hash = (SELECT hash FROM audit_seal WHERE position = 3)",
        "DELETE FROM audit_entry WHERE id < 4",
        "DELETE FROM audit_seal WHERE position < 4",
    )
    [fault] = faults(chain)
    assert (fault.kind, fault.position) == ("removed", 3)
    assert "no entry audit.log.prune" in fault.reason


def test_several_faults_hide_none(chain: Database) -> None:
    tamper(
        chain,
        "UPDATE audit_entry SET subject = 'other' WHERE id = 2",
        "UPDATE audit_seal SET hash = 'abcd' WHERE position = 3",
        "DELETE FROM audit_entry WHERE id = 5",
        "DELETE FROM audit_seal WHERE position = 7",
        "UPDATE audit_entry SET actor = 'x' WHERE id = 9",
    )
    assert places(faults(chain)) == [
        ("changed", 2, 2),
        ("changed", 3, 3),
        ("removed", 5, 5),
        ("removed", 7, None),
        ("changed", 9, 9),
        ("inserted", None, 7),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET subject = 'other' WHERE id = 1",
        "DELETE FROM audit_entry WHERE id = 1",
        "UPDATE audit_seal SET hash = 'x' WHERE position = 1",
        "DELETE FROM audit_seal WHERE position = 1",
        "UPDATE audit_head SET position = 0",
        "UPDATE audit_head SET chain = 'x'",
        "DELETE FROM audit_head",
    ],
)
def test_the_database_refuses_what_changes_the_log(
    database: Database, clock: Clock, statement: str
) -> None:
    check_refused(database, clock, statement)


def test_postgresql_refuses_to_empty_the_log(postgres_database: Database, clock: Clock) -> None:
    check_refused(postgres_database, clock, "TRUNCATE audit_entry")


def check_refused(database: Database, clock: Clock, statement: str) -> None:
    with database.write() as connection:
        record(connection, "a.b.c", "x", actor=LI, at=clock())
    seal_all(database)
    with (
        pytest.raises(DBAPIError, match="neither changed nor removed"),
        database.write() as connection,
    ):
        connection.execute(text(statement))
    assert faults(database) == []
