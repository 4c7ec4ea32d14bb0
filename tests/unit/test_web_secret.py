"""The secret that signs cookies outlives a restart, and every process has the same."""

import threading
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from callboard.database import Branch, Database, upgrade
from callboard.testing import PostgresServer
from callboard_web import builtin
from callboard_web.app import create_app
from callboard_web.personal.secrets import shared_secret
from callboard_web.runtime import Runtime

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    """Give the URL of an empty database that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/portal.sqlite3"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.url(server.create(request.getfixturevalue("schema_branches")))


def test_it_is_made_once_however_many_ask_at_once(url: str) -> None:
    databases = [Database(url) for _ in range(6)]
    upgrade(databases[0], [Branch("portal", builtin.callboard_migrations())])
    together = threading.Barrier(len(databases))
    given: list[str] = []

    def ask(database: Database) -> None:
        together.wait(10)
        given.append(shared_secret(database, "cookies", NOW))

    threads = [threading.Thread(target=ask, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(given) == len(databases)
    assert len(set(given)) == 1
    assert len(given[0]) >= 32
    assert shared_secret(databases[0], "another", NOW) not in given
    for database in databases:
        database.close()


def test_another_process_reads_the_cookies_of_the_first(portal_runtime: Runtime) -> None:
    first, second = (TestClient(create_app(portal_runtime)) for _ in range(2))
    page = first.get("/navigation")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    second.cookies.update(first.cookies)
    answer = second.post(
        "/preferences",
        data={"csrf_token": token, "next": "/", "theme": "dark"},
        follow_redirects=False,
    )
    assert answer.status_code == 303
