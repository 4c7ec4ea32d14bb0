"""`callboard audit` as people run it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # runs whole processes


@pytest.fixture
def log(commands: Any) -> Any:
    """Give a folder with a portal in whose log three things happened."""
    commands.write("audit: {signing_key: key.pem}\n")
    for arguments in (
        ("audit", "key", "key.pem"),
        ("db", "upgrade"),
        ("maintenance", "on", "Saturday"),
        ("maintenance", "off"),
        ("maintenance", "on"),
    ):
        done = commands.run(*arguments)
        assert done.returncode == 0, done.stderr
    return commands


def tamper(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "callboard.sqlite3") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_verify_export_and_checkpoint(log: Any) -> None:
    done = log.run("audit", "checkpoint", "--output", "point.json")
    assert done.returncode == 0, done.stderr
    point = json.loads((log.folder / "point.json").read_text())
    assert (point["position"], point["count"]) == (3, 3)
    assert point["signature"]

    verify = ("audit", "verify", "--checkpoint", "point.json")
    done = log.run(*verify, "--public-key", "key.pem.pub")
    assert done.returncode == 0, done.stderr
    assert "at position 3 agrees" in done.stdout
    assert "The audit log is whole: 4 entries" in done.stdout

    done = log.run("audit", "export", "--output", "log.jsonl", "--after", "1")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (log.folder / "log.jsonl").read_text().splitlines()]
    assert [line["position"] for line in lines] == list(range(2, len(lines) + 2))
    assert lines[-1]["action"] == "audit.entry.export"
    assert next(line for line in lines if line["position"] == 3)["hash"] == point["hash"]
    done = log.run("audit", "export", "--format", "csv")
    assert done.stdout.startswith("\ufeffposition,id,at,actor")

    (log.folder / "point.json").write_text(json.dumps({**point, "position": 2}))
    assert "signature of the checkpoint is wrong" in log.fails(*verify)


def test_verify_names_what_was_changed_and_exits_with_one(log: Any) -> None:
    assert log.run("audit", "verify").returncode == 0
    tamper(
        log.folder,
        "DROP TRIGGER audit_entry_update",
        "UPDATE audit_entry SET actor = 'person:nobody' WHERE id = 2",
    )
    said = log.fails("audit", "verify")
    assert "changed: position 2, entry 2: the entry differs from its seal in: actor" in said
    assert "1 faults" in said
    tamper(log.folder, "DROP TRIGGER audit_head_delete", "DELETE FROM audit_head")
    assert "The head of the audit log is gone" in log.fails("audit", "verify")


def test_what_cannot_be_done_is_said_in_words(log: Any) -> None:
    assert "cannot be written" in log.fails("audit", "key", "key.pem")
    assert "not a checkpoint" in log.fails("audit", "verify", "--checkpoint", "key.pem.pub")
    assert "is no Ed25519 key" in log.fails("audit", "verify", "--public-key", "callboard.yaml")
    assert "There is no export as xlsx" in log.fails("audit", "export", "--format", "xlsx")
    assert "cannot be written" in log.fails("audit", "export", "--output", "missing/log.jsonl")


def test_doctor_tells_of_entries_that_are_not_sealed(log: Any) -> None:
    tamper(
        log.folder,
        "DROP TRIGGER audit_entry_update",
        "UPDATE audit_entry SET at = '2026-01-01 00:00:00.000000'",
    )
    done = log.run("doctor")
    assert "The audit log is not sealed" in done.stdout
    assert "0 entries in the chain, 3 wait" in done.stdout
