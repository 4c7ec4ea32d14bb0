"""Sessions on each database, with several processes on one; the command for the hash."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from starlette.testclient import TestClient

from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.sessions.attempts import TooManyAttemptsError
from callboard_web.sessions.break_glass import _fits
from callboard_web.sessions.housekeeping import tidy
from callboard_web.sessions.models import account, attempt, session
from callboard_web.testing import sign_in_as

PERSON = "user:default/li-lei"


@pytest.fixture
def runtime(portal_runtime: Runtime) -> Iterator[Runtime]:
    """The portal of the suite, left without sessions."""
    yield portal_runtime
    with portal_runtime.database.write() as connection:
        for table in (session, account, attempt):
            connection.execute(delete(table))


def browser(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime), base_url="https://testserver")


def is_in(client: TestClient) -> bool:
    answer = client.get("/me/sessions", headers={"accept": "text/html"}, follow_redirects=False)
    return answer.status_code == 200


def sessions_of(client: TestClient) -> Any:
    return client.app.state.portal.sessions  # type: ignore[attr-defined]


def test_what_one_process_ends_is_ended_in_the_other(runtime: Runtime) -> None:
    one, other = browser(runtime), browser(runtime)
    number = sign_in_as(one, PERSON)
    other.cookies.update(one.cookies)
    assert is_in(one)
    assert is_in(other)
    assert sessions_of(other).end(number, "ended") is not None
    assert not is_in(one)
    assert not is_in(other)
    assert sessions_of(one).end(number, "ended") is None


def test_one_account_signs_in_from_many_places_at_once(runtime: Runtime) -> None:
    clients = [browser(runtime) for _ in range(6)]
    threads = [threading.Thread(target=sign_in_as, args=(client, PERSON)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(is_in, clients))
    with runtime.database.read() as connection:
        assert len(connection.execute(select(account.c.id)).all()) == 1
    own = sessions_of(clients[0])
    (found, *others) = own.of_account(own.open()[0].account)
    assert len(others) == 5
    assert own.end_of_account(found.account, "ended", but=found.id) == 5
    assert sum(map(is_in, clients)) == 1


def test_attempts_are_counted_together(runtime: Runtime) -> None:
    one, other = (sessions_of(browser(runtime)).attempts for _ in range(2))
    for _ in range(5):
        one.take("name")
        other.take("name")
    with pytest.raises(TooManyAttemptsError):
        one.take("name")
    with pytest.raises(TooManyAttemptsError):
        other.take("name")
    other.take("another name")


def test_housekeeping_may_run_twice_at_once(runtime: Runtime) -> None:
    client = browser(runtime)
    number = sign_in_as(client, PERSON)
    with runtime.database.write() as connection:
        past = runtime.now() - timedelta(seconds=1)
        connection.execute(
            session.update().where(session.c.id == number).values(ends_at=past, limit_at=past)
        )
    host = runtime.host("portal")
    threads = [threading.Thread(target=tidy, args=(host,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with runtime.database.read() as connection:
        assert connection.execute(select(session.c.id)).all() == []


def test_signing_out_leads_to_the_provider_that_ends_its_own(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(runtime)
    sign_in_as(client, PERSON)
    portal = client.app.state.portal  # type: ignore[attr-defined]
    address = "https://id.example.com/logout?id_token_hint=a.b&x=%22%3E"
    monkeypatch.setattr(portal, "sign_out_address", lambda request, ended: address)
    page = client.get("/sign-out").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = client.post("/sign-out", data={"csrf_token": token}, follow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["refresh"] == f"1; url={address}"
    assert "https://id.example.com/logout?id_token_hint=a.b&amp;x=%22%3E" in answer.text
    assert not is_in(client)


@pytest.mark.slow
def test_the_command_makes_a_hash_and_shows_no_password(commands: Any) -> None:
    done = commands.run("password", input="correct horse battery staple\n")
    assert done.returncode == 0
    hashed = done.stdout.strip()
    assert hashed.startswith("$argon2id$")
    assert _fits(hashed, "correct horse battery staple")
    assert not _fits(hashed, "correct horse battery stapl")
    short = commands.run("password", input="short\n")
    assert short.returncode == 1
    assert "expected 16" in short.stderr
    assert "short" not in short.stdout
