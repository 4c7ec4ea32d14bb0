"""The portal closed for maintenance, by a command of another process."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.identity import SYSTEM
from callboard_web import maintenance
from callboard_web.app import create_app
from callboard_web.runtime import Runtime


@pytest.fixture
def visitor(portal_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(maintenance, "LOOK_SECONDS", 0.0)
    return TestClient(create_app(portal_runtime))


def test_closed_for_everyone_in_their_language(
    visitor: TestClient, portal_runtime: Runtime
) -> None:
    assert visitor.get("/sources").status_code == 200
    now = portal_runtime.now()
    texts = {"": "Moving <house>.", "zh-CN": "正在搬迁。"}
    maintenance.switch(
        portal_runtime.database,
        on=True, texts=texts, length=timedelta(minutes=10), actor=SYSTEM, at=now,
    )  # fmt: skip
    try:
        closed = visitor.get("/sources")
        assert closed.status_code == 503
        assert 500 < int(closed.headers["retry-after"]) <= 600
        assert "Moving &lt;house&gt;." in closed.text
        assert "The error is ours" not in closed.text
        chinese = visitor.get("/catalog", headers={"accept-language": "zh"})
        assert "正在搬迁。" in chinese.text
        api = visitor.get("/api/catalog/problems")
        assert (api.status_code, api.json()["error"]["name"]) == (503, "MaintenanceError")
        for path in ("/healthz", "/readyz", "/metrics", "/favicon.ico"):
            assert visitor.get(path).status_code == 200, path
    finally:
        maintenance.switch(portal_runtime.database, on=False, actor=SYSTEM, at=now)
    assert visitor.get("/sources").status_code == 200
    with portal_runtime.database.read() as connection:
        found = entries(connection, subject=maintenance.SUBJECT, limit=2)
    assert [entry.after["on"] for entry in found] == [False, True]


def test_a_database_that_is_away_changes_nothing(
    visitor: TestClient, portal_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(database: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(maintenance, "read", away)
    assert visitor.get("/healthz").status_code == 200
    assert visitor.get("/navigation").status_code == 200


@pytest.mark.slow
def test_commands(commands) -> None:  # type: ignore[no-untyped-def]
    served = commands.serve()
    on = commands.run("maintenance", "on", "Back soon", "--in", "zh-CN=马上回来", "--minutes", "5")
    assert on.returncode == 0, on.stderr
    assert "closed since" in commands.run("maintenance", "status").stdout
    commands.wait_until(lambda: served.get("/sources").status_code == 503)
    assert "Back soon" in served.get("/sources").text
    assert "does not begin with a language" in commands.fails("maintenance", "on", "--in", "xx=No")
    assert commands.run("maintenance", "off").returncode == 0
    commands.wait_until(lambda: served.get("/sources").status_code == 200)
