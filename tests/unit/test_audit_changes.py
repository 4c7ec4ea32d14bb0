"""What was changed outside of the portal is recorded when it starts."""

from pathlib import Path
from typing import Any

import pytest

from callboard.audit import AuditEntry, entries
from callboard_web.runtime import Runtime

HEAD = "catalog: {sources: []}\n"


def started(folder: Path, text: str, **environ: str) -> list[AuditEntry]:
    """Let a portal start with these settings, and give what is recorded, the newest first."""
    (folder / "callboard.yaml").write_text(HEAD + text)
    given = {"CALLBOARD_PLUGINS": "", **environ}
    runtime = Runtime.open(folder / "callboard.yaml", given)
    try:
        runtime.upgrade()
        runtime.start(worker=False, serve=True)
        with runtime.database.read() as connection:
            return entries(connection, action="portal.settings.change")
    finally:
        runtime.stop()


def test_settings_that_changed_are_told_with_before_and_after(tmp_path: Path) -> None:
    [first] = started(tmp_path, "portal: {title: One, organisation: Bank}\n")
    assert first.before is None
    assert first.after["portal.title"] == "One"
    assert first.actor == "system:callboard"
    assert len(started(tmp_path, "portal: {title: One, organisation: Bank}\n")) == 1
    second = started(tmp_path, "portal: {title: Two}\njobs: {workers: 2}\n")[0]
    assert second.before == {"portal.organisation": "Bank", "portal.title": "One"}
    assert second.after == {"jobs.workers": 2, "portal.title": "Two"}


@pytest.mark.parametrize(
    "text",
    [
        "portal: {cookie_secret: 'hunter2-hunter2-hunter2-hunter2-hunter2'}\n",
        "portal: {cookie_secret: '${env:SECRET}'}\n",
        """
audit:
  forward:
    - {name: a, type: webhook, url: 'https://u:hunter2@x.example/', secret: hunter2-hunter2-hunter2}
""",
        "http: {proxy: 'http://user:hunter2@proxy.example:1'}\n",
    ],
)
def test_no_secret_is_told(tmp_path: Path, text: str) -> None:
    secret: dict[str, Any] = {"SECRET": "hunter2-hunter2-hunter2-hunter2-hunter2"}
    told = started(tmp_path, text, **secret)
    assert told[0].after
    assert "hunter2" not in str(told)


def test_an_upgrade_of_a_database_that_is_there_is_told(tmp_path: Path) -> None:
    started(tmp_path, "")
    runtime = Runtime.open(tmp_path / "callboard.yaml", {"CALLBOARD_PLUGINS": ""})
    with runtime.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version_portal")
        tables = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'portal_%'"
        )
        for name in [row[0] for row in tables]:
            connection.exec_driver_sql(f"DROP TABLE {name}")
    runtime.upgrade()
    with runtime.database.read() as connection:
        [told] = entries(connection, action="portal.database.upgrade")
    runtime.stop()
    assert told.before == {"portal": None}
    assert told.after["portal"] >= "0001"
