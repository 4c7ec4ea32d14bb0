"""The chain of the audit log: its canonical form, its seals, its checkpoints, its horizon."""

import hashlib
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from callboard.audit import entries, hidden, record
from callboard.audit.canonical import (
    FIELDS,
    beginning,
    canonical,
    differing,
    fingerprint,
    moment,
    pieces,
)
from callboard.audit.checkpoint import (
    check_signature,
    make_checkpoint,
    make_keys,
    private_key,
    public_key,
    read_checkpoint,
)
from callboard.audit.forward import register
from callboard.audit.models import audit_destination, audit_entry, audit_seal
from callboard.audit.retention import BATCH, prune
from callboard.audit.rows import RAW, fields_of
from callboard.audit.seal import backlog, head_of, seal_all
from callboard.audit.settings import AuditSettings
from callboard.audit.verification import verify_and_record
from callboard.audit.verify import Fault, Outcome, verify
from callboard.database import Database
from callboard.errors import InputError, SettingsError
from callboard.identity import SYSTEM, Principal
from callboard.testing import Clock

LI = Principal(kind="person", name="user:default/li")
KEEP = timedelta(days=30)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LEAF = st.none() | st.booleans() | TEXT | st.integers() | st.floats(allow_nan=False)
VALUES = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
MAPPINGS = st.none() | st.dictionaries(TEXT, VALUES, max_size=5)
ENTRIES = st.fixed_dictionaries(
    {
        **dict.fromkeys(FIELDS, TEXT),
        "id": st.integers(1, 2**53 - 1),
        "at": st.datetimes(timezones=st.just(UTC)).map(moment),
        "before": MAPPINGS.map(hidden).map(lambda value: orjson.loads(orjson.dumps(value))),
        "after": MAPPINGS.map(hidden).map(lambda value: orjson.loads(orjson.dumps(value))),
    }
)


@given(ENTRIES)
def test_the_bytes_are_canonical_json(entry: dict[str, Any]) -> None:
    made = canonical(pieces(entry))
    assert made == rfc8785.dumps(entry)
    assert rfc8785.dumps(json.loads(made, parse_int=float)) == made


@given(ENTRIES, st.randoms())
def test_the_order_of_keys_does_not_count(entry: dict[str, Any], random: Any) -> None:
    names = list(entry)
    random.shuffle(names)
    assert canonical(pieces({name: entry[name] for name in names})) == canonical(pieces(entry))


@given(ENTRIES, ENTRIES)
def test_entries_that_differ_have_other_bytes(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = rfc8785.dumps(one) == rfc8785.dumps(other)
    assert (canonical(pieces(one)) == canonical(pieces(other))) is same


@given(ENTRIES, ENTRIES, st.sampled_from(FIELDS))
def test_the_fingerprint_names_the_field(
    entry: dict[str, Any], other: dict[str, Any], name: str
) -> None:
    changed = {**entry, name: other[name]}
    differs = rfc8785.dumps(entry[name]) != rfc8785.dumps(other[name])
    one, two = fingerprint(pieces(entry), 1), fingerprint(pieces(changed), 1)
    assert differing(one, two) == ([name] if differs else [])
    assert differing(one, fingerprint(pieces(entry), 2)) == ["position"]


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=8)))))
def test_times_are_written_in_one_way(at: datetime) -> None:
    if not 2 < at.year < 9998:
        return
    written = moment(at)
    assert len(written) == 27
    # In UTC: times that a zone leaves out or has twice equal none of another zone (PEP 495).
    assert datetime.fromisoformat(written) == at.astimezone(UTC)


@given(MAPPINGS)
@settings(max_examples=60)
def test_whatever_is_recorded_is_sealed_as_it_is_read(value: dict[str, Any] | None) -> None:
    stored = orjson.dumps(hidden(value)).decode() if value is not None else None
    row: dict[str, Any] = dict.fromkeys(FIELDS, "")
    row |= {"id": 1, "at": "2026-03-02 08:00:00.000000", "before": stored, "after": None}
    fields = fields_of(row)
    assert fields["before"] == (orjson.loads(stored) if stored else None)
    assert rfc8785.dumps(fields)


@given(st.text(max_size=80) | st.integers() | st.binary(max_size=20))
def test_nonsense_in_the_table_is_read_as_text(nonsense: Any) -> None:
    row: dict[str, Any] = dict.fromkeys(FIELDS, nonsense) | {"id": 1}
    try:
        rfc8785.dumps(fields_of(row))
    except UnicodeEncodeError:  # no database gives half of a pair of surrogates
        assert isinstance(nonsense, str)


def fill(database: Database, clock: Clock, number: int, step: float = 60) -> None:
    with database.write() as connection:
        for index in range(number):
            clock.advance(step)
            record(connection, "a.b.c", f"s{index}", actor=LI, after={"n": index}, at=clock())
    seal_all(database)


def faults(database: Database, *checkpoints: Any) -> list[Fault]:
    with database.read() as connection:
        return list(verify(connection, Outcome(), checkpoints))


def test_the_chain_can_be_computed_from_an_export(database: Database, clock: Clock) -> None:
    fill(database, clock, 5)
    with database.read() as connection:
        head = head_of(connection)
        hash_ = hashlib.sha256(f"callboard-audit/1:{head.chain}".encode()).hexdigest()
        assert hash_ == beginning(head.chain)
        rows = connection.execute(select(*RAW).order_by(audit_entry.c.id)).mappings().all()
        hashes = connection.execute(select(audit_seal.c.hash).order_by(audit_seal.c.position))
        for row, sealed in zip(rows, hashes.scalars(), strict=True):
            fields = fields_of(row)
            content = json.dumps(
                fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")
            ).encode()
            hash_ = hashlib.sha256(bytes.fromhex(hash_) + content).hexdigest()
            assert hash_ == sealed
    assert (head.position, head.hash) == (5, hash_)


def test_both_databases_seal_the_same_bytes(database: Database, clock: Clock) -> None:
    at = datetime(2026, 3, 2, 16, 0, 0, 123456, timezone(timedelta(hours=8)))
    after = {"中": ["é", "\U0001f600", 1.5, 1e21, -0.0, None, True], "a": {"z": 1, "b": 2}}
    with database.write() as connection:
        record(connection, "a.b.c", "x", actor=LI, after=after, at=at)
        row = connection.execute(select(*RAW)).mappings().one()
        made = canonical(pieces({**fields_of(row), "id": 1}))
    assert made.decode() == (
        '{"action":"a.b.c","actor":"person:user:default/li","address":"",'
        '"after":{"a":{"b":2,"z":1},"中":["é","\U0001f600",1.5,1e+21,0,null,true]},'
        '"at":"2026-03-02T08:00:00.123456Z","before":null,"id":1,"on_behalf_of":"",'
        '"request_id":"","result":"ok","subject":"x"}'
    )


def test_what_is_rolled_back_leaves_no_gap(database: Database, clock: Clock) -> None:
    fill(database, clock, 2)
    with suppress(InputError), database.write() as connection:
        record(connection, "a.b.c", "lost", actor=LI, at=clock())
        raise InputError("The change fails.")
    fill(database, clock, 2)
    with database.read() as connection:
        assert head_of(connection).position == 4
    assert faults(database) == []


def test_the_backlog_is_counted(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        for _ in range(3):
            record(connection, "a.b.c", "x", actor=SYSTEM, at=clock())
    clock.advance(90)
    with database.read() as connection:
        waiting = backlog(connection, clock())
    assert (waiting.number, waiting.age) == (3, timedelta(seconds=90))
    assert seal_all(database) == 3
    with database.read() as connection:
        assert backlog(connection, clock()).number == 0


def test_texts_that_databases_do_not_take_are_cleaned(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        record(
            connection, "a.b.c", "x\0y\ud800", actor=Principal(kind="person", name="z\0"),
            after={"k\0\udfff": "v\0\ud800", "n": 2**80}, request_id="\ud800", at=clock(),
        )  # fmt: skip
    seal_all(database)
    with database.read() as connection:
        [entry] = entries(connection)
    assert (entry.subject, entry.actor, entry.request_id) == ("xy?", "person:z", "?")
    assert entry.after == {"k?": "v?", "n": str(2**80)}
    assert faults(database) == []


# Checkpoints


def test_a_signed_checkpoint(database: Database, clock: Clock, tmp_path: Path) -> None:
    fill(database, clock, 3)
    public = make_keys(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="cannot be written"):
        make_keys(tmp_path / "key.pem")
    with database.read() as connection:
        head = head_of(connection)
    key = private_key(tmp_path / "key.pem")
    made = make_checkpoint(head, moment(clock()), "https://portal.example", key)
    file = tmp_path / "checkpoint.json"
    file.write_bytes(made.written())
    read = read_checkpoint(file)
    assert read == made
    assert (read.position, read.hash, read.count) == (3, head.hash, 3)
    check_signature(read, public_key(public))
    fill(database, clock, 3)
    assert faults(database, read) == []
    for name, value in (("position", 2), ("hash", "00" * 32), ("at", "x"), ("signature", "AAAA")):
        changed = {**orjson.loads(made.written()), name: value}
        file.write_bytes(orjson.dumps(changed))
        with pytest.raises(InputError, match="signature of the checkpoint is wrong"):
            check_signature(read_checkpoint(file), public_key(public))
    other = make_keys(tmp_path / "other.pem")
    with pytest.raises(InputError, match="signature of the checkpoint is wrong"):
        check_signature(made, public_key(other))
    unsigned = make_checkpoint(head, moment(clock()), "", None)
    with pytest.raises(InputError, match="not signed"):
        check_signature(unsigned, public_key(public))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"position": 1}', "\x00", '{"hash": 1}'])
def test_what_is_no_checkpoint_is_said_to_be_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "checkpoint.json"
    file.write_text(content)
    with pytest.raises(InputError, match="not a checkpoint"):
        read_checkpoint(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_checkpoint(tmp_path / "missing.json")


def test_what_is_no_key_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for read in (private_key, public_key):
        with pytest.raises(SettingsError, match="no Ed25519 key"):
            read(file)
        with pytest.raises(SettingsError, match="no Ed25519 key"):
            read(tmp_path / "missing.pem")


def test_a_checkpoint_of_another_chain_is_told_so(database: Database, clock: Clock) -> None:
    fill(database, clock, 3)
    with database.read() as connection:
        head = head_of(connection)
    made = make_checkpoint(head, moment(clock()), "", None)
    [fault] = faults(database, type(made)(**{**orjson.loads(made.written()), "chain": "other"}))
    assert fault.kind == "checkpoint"
    assert "another chain" in fault.reason


# Retention


def remove_old(database: Database, clock: Clock, chosen: AuditSettings | None = None) -> int:
    count = 0
    while True:
        with database.write() as connection:
            removed = prune(connection, chosen or AuditSettings(), clock() - KEEP, clock())
        count += removed
        if removed < BATCH:
            return count


def test_retention_leaves_a_chain_that_is_whole(database: Database, clock: Clock) -> None:
    fill(database, clock, 10)
    with database.read() as connection:
        early = make_checkpoint(head_of(connection), moment(clock()), "", None)
    clock.advance(timedelta(days=31))
    fill(database, clock, 5)
    with database.read() as connection:
        late = make_checkpoint(head_of(connection), moment(clock()), "", None)
    assert remove_old(database, clock) == 10
    assert faults(database, early, late) == []
    seal_all(database)
    assert faults(database, early, late) == []
    with database.read() as connection:
        head = head_of(connection)
        [told] = entries(connection, action="audit.log.prune")
        assert len(entries(connection)) == 6
    assert (head.horizon_position, head.horizon_hash) == (10, early.hash)
    assert (told.after["position"], told.after["hash"]) == (10, early.hash)
    assert told.after["removed"] == 10
    assert remove_old(database, clock) == 0
    clock.advance(timedelta(days=31))
    fill(database, clock, 1)
    assert remove_old(database, clock) == 6
    seal_all(database)
    outcome = Outcome()
    with database.read() as connection:
        assert list(verify(connection, outcome, [early, late])) == []
    assert len(outcome.told) == 2
    assert all("older than what is kept" in sentence for sentence in outcome.told)


def test_a_checkpoint_that_the_log_tells_of_outlives_its_entries(
    database: Database, clock: Clock
) -> None:
    fill(database, clock, 10)
    with database.read() as connection:
        old = make_checkpoint(head_of(connection), moment(clock()), "", None)
    fill(database, clock, 3)
    clock.advance(timedelta(days=31))
    with database.write() as connection:
        after = {"position": old.position, "hash": old.hash}
        record(connection, "audit.log.checkpoint", "chain", after=after, at=clock())
    fill(database, clock, 1)
    assert remove_old(database, clock) == 13
    seal_all(database)
    assert faults(database, old) == []
    forged = type(old)(**{**orjson.loads(old.written()), "hash": "00" * 32})
    assert [fault.kind for fault in faults(database, forged)] == ["checkpoint"]


def test_the_newest_entry_stays(database: Database, clock: Clock) -> None:
    fill(database, clock, 3)
    clock.advance(timedelta(days=90))
    assert remove_old(database, clock) == 2
    seal_all(database)
    assert faults(database) == []


def test_what_was_not_sent_everywhere_stays(database: Database, clock: Clock) -> None:
    fill(database, clock, 10)
    chosen = AuditSettings.model_validate(
        {
            "forward": [
                {"name": name, "type": "syslog", "host": "127.0.0.1", "from_start": True}
                for name in ("one", "two")
            ]
        }
    )
    with database.write() as connection:
        register(connection, chosen.forward)
    clock.advance(timedelta(days=90))
    assert remove_old(database, clock, chosen) == 0
    for name, position, removed in (("one", 9, 0), ("two", 4, 4), ("two", 8, 4)):
        with database.write() as connection:
            this = audit_destination.c.name == name
            connection.execute(audit_destination.update().where(this).values(position=position))
        assert remove_old(database, clock, chosen) == removed
    seal_all(database)
    assert faults(database) == []


def test_retention_goes_on_batch_by_batch(database: Database, clock: Clock) -> None:
    fill(database, clock, BATCH + 10, 0.01)
    clock.advance(timedelta(days=90))
    fill(database, clock, 1)
    with database.write() as connection:
        assert prune(connection, AuditSettings(), clock() - KEEP, clock()) == BATCH
    seal_all(database)
    assert faults(database) == []
    assert remove_old(database, clock) == 10
    seal_all(database)
    assert faults(database) == []


def test_retention_does_not_cover_up_what_was_taken_away(
    sqlite_database: Database, clock: Clock
) -> None:
    database = sqlite_database
    fill(database, clock, 10)
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_delete")
        connection.exec_driver_sql("DELETE FROM audit_entry WHERE id = 4")
    clock.advance(timedelta(days=90))
    assert remove_old(database, clock) == 3
    seal_all(database)
    assert [(fault.kind, fault.entry) for fault in faults(database)] == [("removed", 4)]


def test_a_verification_is_recorded(sqlite_database: Database, clock: Clock) -> None:
    database = sqlite_database
    fill(database, clock, 3)
    told: list[Fault] = []
    assert verify_and_record(database, clock, told.append).faults == 0
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_update")
        connection.exec_driver_sql("UPDATE audit_entry SET subject = 'x' WHERE id = 2")
    assert verify_and_record(database, clock, told.append).faults == 1
    with database.read() as connection:
        second, first = entries(connection, action="audit.log.verify")
    assert (first.result, second.result) == ("ok", "failed")
    assert second.after["first"] == [
        "changed: position 2, entry 2: the entry differs from its seal in: subject"
    ]
    assert [fault.entry for fault in told] == [2]
