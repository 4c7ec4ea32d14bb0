"""How often a token may ask, what wrong ones cost, and how exactly its use is noted."""

import re

import pytest
from token_visits import (
    ADA,
    CATALOG,
    DATABASES,
    Visit,
    actions,
    by,
    token_settings,
    whoami,
)

from callboard.testing import Clock
from callboard_web.testing import PortalUnderTest
from callboard_web.tokens import secret
from callboard_web.tokens.limits import Buckets

portal_settings = pytest.fixture(token_settings, params=DATABASES, name="portal_settings")


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(CATALOG)
    return portal


def test_last_use_is_kept_to_the_minute(people: PortalUnderTest, clock: Clock) -> None:
    ada, robot = Visit(people, ADA), Visit(people).client
    text = ada.make()
    whoami(robot, text)
    first = ada.machines.tokens.get(1)
    assert (first.last_used_at, first.last_used_address) == (clock(), "127.0.0.1")
    clock.advance(59)
    whoami(robot, text)
    assert ada.machines.tokens.get(1).last_used_at == first.last_used_at
    clock.advance(1)
    whoami(robot, text)
    assert ada.machines.tokens.get(1).last_used_at == clock()
    page = ada.client.get("/me/tokens").text
    assert "127.0.0.1" in page
    assert not re.search(secret.PATTERN, page)


def test_too_many_requests_are_told_to_wait(people: PortalUnderTest, clock: Clock) -> None:
    ada = Visit(people, ADA)
    robot, text = ada.client, ada.make()
    for left in range(4, -1, -1):
        answer = robot.get("/api/whoami", headers=by(text))
        assert answer.headers["ratelimit-policy"] == '"token";q=60;w=60'
        assert answer.headers["ratelimit"].startswith(f'"token";r={left};t=')
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit"] == '"token";r=0;t=5'
    assert answer.json()["error"]["name"] == "TooManyRequestsError"
    clock.advance(1)
    whoami(robot, text)
    metrics = ada.client.get("/metrics").text  # by the session: no token is counted
    assert 'callboard_bearer_requests_total{result="limited"} 1.0' in metrics
    assert 'callboard_bearer_requests_total{result="taken"} 6.0' in metrics
    assert "ratelimit" not in ada.client.get("/catalog").headers


def test_a_token_may_have_a_rate_of_its_own(people: PortalUnderTest) -> None:
    root = Visit(people, "user:default/root")
    text = root.make(rate="6000")
    assert whoami(Visit(people).client, text)["requestsPerMinute"] == 6000
    ada = Visit(people, ADA)
    assert whoami(ada.client, ada.make(rate="6000"))["requestsPerMinute"] == 60


def test_an_address_with_many_wrong_tokens_is_told_to_wait(
    people: PortalUnderTest, clock: Clock
) -> None:
    good, robot = Visit(people, ADA).make(), Visit(people).client
    for _ in range(3):
        assert robot.get("/api/whoami", headers=by("cbd_bad")).status_code == 401
    answer = robot.get("/api/whoami", headers=by("cbd_bad"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "20"
    whoami(robot, good)  # others behind the same address go on
    clock.advance(20)
    assert robot.get("/api/whoami", headers=by("cbd_bad")).status_code == 401
    # The audit log tells of it once a minute, not each time.
    assert len(actions(people, "portal.token.use")) == 1


def test_to_ask_whether_there_is_one_takes_none(clock: Clock) -> None:
    buckets = Buckets(clock)
    for _ in range(5):
        assert buckets.has("token", 60, 2)
    assert buckets.take("token", 60, 2).remaining == 1
    assert buckets.take("token", 60, 2).allowed
    assert not buckets.has("token", 60, 2)
    assert not buckets.take("token", 60, 2).allowed
    clock.advance(1)
    assert buckets.has("token", 60, 2)
