"""Several processes write and seal one audit log; some of them are killed midway."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import func, select

from callboard.audit import record
from callboard.audit.models import audit_entry, audit_seal, audit_unsealed
from callboard.audit.seal import head_of, seal_all, seal_batch
from callboard.audit.verify import Outcome, verify
from callboard.database import Database
from callboard.identity import SYSTEM
from callboard.testing import Clock

WRITER = Path(__file__).with_name("audit_writer.py")


def start(database: Database, name: str, count: int) -> "subprocess.Popen[str]":
    url = database.url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(WRITER), url, name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


def check_whole(database: Database, told: set[int]) -> None:
    """Look that all that was told of is there, sealed once, and that the chain is whole."""
    seal_all(database)
    outcome = Outcome()
    with database.read() as connection:
        assert list(verify(connection, outcome)) == []
        present = set(connection.execute(select(audit_entry.c.id)).scalars())
        sealed = connection.execute(select(audit_seal.c.entry_id)).scalars().all()
        waiting = connection.execute(select(func.count()).select_from(audit_unsealed)).scalar()
        head = head_of(connection)
    assert told <= present
    assert sorted(sealed) == sorted(present)
    assert (waiting, head.position, outcome.checked) == (0, len(present), len(present))


def test_replicas_seal_one_chain(database: Database) -> None:
    replicas = [start(database, f"replica-{number}", 60) for number in range(3)]
    told: set[int] = set()
    for replica in replicas:
        said, _ = replica.communicate(timeout=60)
        assert replica.returncode == 0
        told |= {int(line) for line in said.split()}
    with database.read() as connection:
        sealed = connection.execute(select(func.count()).select_from(audit_seal)).scalar()
    assert sealed == len(told) == 3 * 64, "The sealers themselves have left nothing."
    check_whole(database, told)


def test_a_killed_replica_leaves_nothing_half_done(database: Database) -> None:
    told: set[int] = set()
    for attempt in range(4):
        killed = start(database, f"killed-{attempt}", 100_000)
        lasting = start(database, f"lasting-{attempt}", 20)
        assert killed.stdout is not None
        for _ in range(15 + 11 * attempt):
            told.add(int(killed.stdout.readline()))
        killed.kill()
        rest, _ = killed.communicate(timeout=20)
        # The last line may have been cut.
        told |= {int(line) for line in rest.split("\n")[:-1] if line}
        said, _ = lasting.communicate(timeout=60)
        assert lasting.returncode == 0
        told |= {int(line) for line in said.split()}
    check_whole(database, told)


def test_who_comes_second_leaves_the_work_to_the_first(
    postgres_database: Database, clock: Clock
) -> None:
    with postgres_database.write() as connection:
        for _ in range(3):
            record(connection, "a.b.c", "x", actor=SYSTEM, at=clock())
    with postgres_database.write() as first:
        assert seal_batch(first, wait=False) == 3
        other = Database(postgres_database.url.render_as_string(hide_password=False))
        with other.write() as second:
            assert seal_batch(second, wait=False) == 0
        other.close()
    check_whole(postgres_database, set())


def test_a_late_commit_takes_a_later_place(postgres_database: Database, clock: Clock) -> None:
    other = Database(postgres_database.url.render_as_string(hide_password=False))
    with other.write() as late:
        early_number = record(late, "a.b.c", "begun first", actor=SYSTEM, at=clock())
        with postgres_database.write() as connection:
            record(connection, "a.b.c", "committed first", actor=SYSTEM, at=clock())
        assert seal_all(postgres_database) == 1
    other.close()
    assert seal_all(postgres_database) == 1
    with postgres_database.read() as connection:
        order = select(audit_seal.c.entry_id).order_by(audit_seal.c.position)
        assert connection.execute(order).scalars().all()[1] == early_number
    check_whole(postgres_database, set())
