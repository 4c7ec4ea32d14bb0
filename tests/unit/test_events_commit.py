"""Listeners of this process are told after a commit, and only then."""

import logging
from contextlib import suppress

import pytest

from callboard.database import Database, touch
from callboard.errors import InputError


def test_listeners_are_told_once_after_the_commit(database: Database) -> None:
    told: list[str] = []
    database.committed.listen("a", lambda: told.append("a"))
    database.committed.listen("b", lambda: told.append("b"))
    with database.write() as connection:
        touch(connection, "a")
        touch(connection, "a")
        assert told == []
    assert told == ["a"]


def test_a_rollback_tells_nothing(database: Database) -> None:
    told: list[str] = []
    database.committed.listen("a", lambda: told.append("a"))
    with suppress(InputError), database.write() as connection:
        touch(connection, "a")
        raise InputError("The change fails.")
    assert told == []


def test_a_failing_listener_harms_nobody(
    sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    def fail() -> None:
        raise ValueError("a listener's fault")

    def note() -> None:
        told.append("a")

    sqlite_database.committed.listen("a", fail)
    sqlite_database.committed.listen("a", note)
    with caplog.at_level(logging.ERROR), sqlite_database.write() as connection:
        touch(connection, "a")
    assert told == ["a"]
    assert "A listener of a failed" in caplog.text
    sqlite_database.committed.unlisten("a", note)
    with sqlite_database.write() as connection:
        touch(connection, "a")
    assert told == ["a"]
