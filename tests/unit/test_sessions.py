"""Sessions through the public door: how they begin, what ends them, and what they cost."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from callboard import audit
from callboard.contributions import Event
from callboard.entities import EntityRef
from callboard.events import log
from callboard.identity import NOBODY
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.sessions import SignedIn
from callboard_web.sessions.models import account, session
from callboard_web.sessions.store import with_account
from callboard_web.testing import PortalUnderTest, sign_in_as

PEOPLE = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada, title: Ada Lovelace}
spec: {profile: {displayName: Ada Lovelace}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: grace}
spec: {profile: {displayName: Grace Hopper}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: engines}
spec: {type: team, parent: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: company}
spec: {type: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mill}
spec: {type: service, lifecycle: production, owner: engines}
"""
ADA = "user:default/ada"
LOCAL = "http://127.0.0.1:8000"
"""Where sessions are given out over plain http."""


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    return {"access": {"anonymous": ""}, "sessions": {"idle": "1h", "absolute": "10h"}}


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(PEOPLE)
    return portal


@pytest.fixture
def browser(people: PortalUnderTest) -> TestClient:
    """A browser of somebody who has not signed in."""
    return new_browser(people.runtime)


def new_browser(runtime: Runtime, address: str = LOCAL, **headers: str) -> TestClient:
    app = create_app(runtime)
    return TestClient(app, base_url=address, client=("127.0.0.1", 50000), headers=headers)


def is_in(client: TestClient) -> bool:
    """Say whether a browser may read: what nobody may who has not signed in."""
    return client.get("/catalog", follow_redirects=False).status_code == 200


def token(client: TestClient) -> str:
    page = client.get("/sign-out").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def post(client: TestClient, path: str, **fields: str) -> Any:
    data = {"csrf_token": token(client), **fields}
    return client.post(path, data=data, follow_redirects=False)


def entries(runtime: Runtime, action: str) -> list[audit.AuditEntry]:
    with runtime.database.read() as connection:
        return audit.entries(connection, action=action)


def told(runtime: Runtime, kind: str) -> list[Event]:
    with runtime.database.read() as connection:
        return log.read(connection, 0, [kind])


def test_one_who_has_not_signed_in_is_led_there_and_back(browser: TestClient) -> None:
    answer = browser.get("/catalog?kind=api&q=a%20b", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/catalog%3Fkind%3Dapi%26q%3Da%2520b"
    page = browser.get(answer.headers["location"])
    assert page.status_code == 200
    sign_in_as(browser, ADA)
    assert "Ada Lovelace" in browser.get("/catalog?kind=api&q=a%20b").text


def test_a_session_says_who_asks(browser: TestClient, people: PortalUnderTest) -> None:
    number = sign_in_as(browser, ADA, roles=("auditor",))
    portal = browser.app.state.portal  # type: ignore[attr-defined]
    with people.runtime.database.read() as connection:
        row = connection.execute(with_account().where(session.c.id == number)).one()
    subject = portal.sessions.person(row)
    refs = ("user:default/ada", "group:default/engines", "group:default/company")
    assert str(subject.principal) == "person:user:default/ada"
    assert subject.mine == tuple(map(EntityRef.parse, refs))
    assert subject.roles == ("auditor",)
    assert subject.title == "Ada Lovelace"


def test_a_session_is_kept_as_a_hash(browser: TestClient, people: PortalUnderTest) -> None:
    sign_in_as(browser, ADA)
    secret = browser.cookies["callboard_session"]
    assert len(secret) == 43
    with people.runtime.database.read() as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(session))]
    assert len(rows) == 1
    assert secret not in str(rows)
    assert re.fullmatch("[0-9a-f]{64}", rows[0]["secret"])
