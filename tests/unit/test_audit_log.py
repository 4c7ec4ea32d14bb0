"""The audit log: written with the change, without secrets, read a page at a time."""

from contextlib import suppress

import pytest
from sqlalchemy import select

from callboard.audit import entries, hidden, record
from callboard.audit.models import audit_entry
from callboard.database import Database
from callboard.errors import InputError
from callboard.identity import SYSTEM, Principal
from callboard.testing import Clock

LI = Principal(kind="person", name="li")
CI = Principal(kind="token", name="ci")


def test_an_entry_tells_who_did_what(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        number = record(
            connection,
            "catalog.source.refresh",
            "orders",
            actor=CI,
            on_behalf_of=LI,
            before={"state": "failing"},
            after={"state": "ok"},
            address="192.0.2.1",
            request_id="r-1",
            at=clock(),
        )
    with database.read() as connection:
        (entry,) = entries(connection)
    assert (entry.id, entry.at, entry.actor, entry.on_behalf_of) == (
        number,
        clock(),
        "token:ci",
        "person:li",
    )
    assert (entry.before, entry.after) == ({"state": "failing"}, {"state": "ok"})
    assert (entry.address, entry.request_id, entry.result) == ("192.0.2.1", "r-1", "ok")


def test_an_entry_is_undone_with_its_change(database: Database, clock: Clock) -> None:
    with suppress(InputError), database.write() as connection:
        record(connection, "a.b.c", "x", actor=SYSTEM, at=clock())
        raise InputError("The change fails after its entry was written.")
    with database.read() as connection:
        assert entries(connection) == []


def test_pages_and_filters(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        for number in range(7):
            actor = LI if number % 2 else SYSTEM
            record(connection, f"a.b.{number % 3}", f"s{number}", actor=actor, at=clock())
    with database.read() as connection:
        first = entries(connection, limit=4)
        second = entries(connection, limit=4, before=first[-1].id)
        assert [entry.subject for entry in first + second] == [f"s{n}" for n in range(6, -1, -1)]
        assert [e.subject for e in entries(connection, actor="person:li")] == ["s5", "s3", "s1"]
        assert [e.subject for e in entries(connection, action="a.b.0")] == ["s6", "s3", "s0"]
        assert [e.subject for e in entries(connection, subject="s2")] == ["s2"]


def test_no_secret_reaches_the_table(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        record(
            connection,
            "plugins.settings.change",
            "hello",
            actor=LI,
            before={"apiKey": "hunter2", "nested": [{"db_password": "hunter2"}]},
            after={"url": "https://li:hunter2@git.example.com/x", "TOKEN": ["hunter2"]},
            at=clock(),
        )
        text = str(connection.execute(select(audit_entry)).all())
    assert "hunter2" not in text
    assert "git.example.com" in text


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("password", True),
        ("dbPassword", True),
        ("API_KEY", True),
        ("privateKey", True),
        ("access-token", True),
        ("client_secret", True),
        ("key", False),
        ("keyboard", False),
        ("secretary", False),
        ("tokenizer", False),
        ("monkey", False),
    ],
)
def test_keys_that_hold_secrets(key: str, secret: bool) -> None:
    assert hidden({key: "value"}) == {key: "***" if secret else "value"}


def test_long_parts_are_cut() -> None:
    kept = hidden({"text": "x" * 10_000, "list": list(range(1000)), "deep": _nested(50)})
    assert len(kept["text"]) < 4100
    assert kept["text"].endswith("… (10000 characters)")
    assert len(kept["list"]) == 201
    assert str(kept["deep"]).count("{") < 10


def _nested(depth: int) -> dict[str, object]:
    return {"a": _nested(depth - 1)} if depth else {}
