"""Groups that are made of claims."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from browsers import Browser
from python_provider import PythonProvider, python_provider

from callboard.audit import entries
from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.testing import Clock
from callboard_web.sessions.store import ACCOUNT
from callboard_web.sign_in.claimed_groups import ClaimedGroups
from callboard_web.sign_in.groups import GroupMatch
from callboard_web.sign_in.recheck import check_again

DESCRIBED = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: platform}
spec: {type: team, children: []}
"""
USER = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: lovelace}
spec: {profile: {email: ada@example.com}, memberOf: []}
"""


@pytest.fixture
def server(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: PythonProvider) -> Mapping[str, Any]:
    provider = {
        "name": "company", "issuer": server.issuer, "client_id": server.client_id,
        "client_secret": server.client_secret,
    }  # fmt: skip
    return {
        "access": {"anonymous": ""},
        "sign_in": {"make_groups": True, "providers": [provider]},
    }


def group(portal: Any, name: str) -> Entity | None:
    found: Entity | None = portal.runtime.catalog.get(EntityRef("group", "default", name))
    return found


def sign_in(
    portal: Any, server: PythonProvider, clock: Clock, *groups: str, **more: Any
) -> Browser:
    server.claims = {"groups": list(groups), **more}
    server.userinfo = {"sub": more.get("sub", "7")}
    clock.advance(60)
    browser = Browser(portal)
    browser.sign_in(server)
    portal.run_jobs()
    return browser


def test_groups_nobody_described_are_made(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    portal.catalog_add(DESCRIBED)
    sign_in(portal, server, clock, "/platform", "/Shop Team", "//")
    made = group(portal, "shop-team")
    assert made is not None
    assert made.spec["members"] == ["user:default/ada"]
    assert made.spec["profile"]["displayName"] == "/Shop Team"
    assert group(portal, "platform").spec.get("members") is None  # type: ignore[union-attr]
    user = portal.runtime.catalog.get(EntityRef.parse("user:default/ada"))
    assert user.spec["memberOf"] == ["group:default/platform", "group:default/shop-team"]
    with portal.runtime.database.read() as connection:
        [account] = connection.execute(ACCOUNT.select()).all()
        audited = [item.action for item in entries(connection)]
    assert account.groups == ["group:default/platform", "group:default/shop-team"]
    assert audited.count("portal.group.made") == 1


def test_they_have_everybody_known_and_go_with_the_last(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    portal.catalog_add(USER)
    email = {"email": "ada@example.com", "email_verified": True}
    sign_in(portal, server, clock, "shop", "ops", **email)
    sign_in(portal, server, clock, "shop", sub="8", preferred_username="grace")
    made = group(portal, "shop")
    assert made is not None
    assert len(made.spec["members"]) == 2
    assert "user:default/lovelace" in made.spec["members"]
    # One leaves both: the second group has nobody any more.
    sign_in(portal, server, clock, **email)
    made = group(portal, "shop")
    assert made is not None
    assert "user:default/lovelace" not in made.spec["members"]
    assert group(portal, "ops") is None
    sign_in(portal, server, clock, sub="8", preferred_username="grace")
    assert group(portal, "shop") is None


def test_a_provider_asked_again_changes_them(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    server.tokens = {"refresh_token": "refresh-1"}
    sign_in(portal, server, clock, "shop")
    server.claims = {"groups": ["ops"], "nonce": None}
    clock.advance(700)
    check_again(portal.host("portal"))
    portal.run_jobs()
    assert group(portal, "shop") is None
    made = group(portal, "ops")
    assert made is not None
    assert made.spec["members"] == ["user:default/ada"]


def test_the_same_again_writes_nothing(portal: Any, server: PythonProvider, clock: Clock) -> None:
    sign_in(portal, server, clock, "shop")
    sign_in(portal, server, clock, "shop")
    with portal.runtime.database.read() as connection:
        audited = [item.action for item in entries(connection)]
    assert audited.count("portal.group.made") == 1
    made = group(portal, "shop")
    assert made is not None


def test_members_are_kept_in_both_databases(database: Database, clock: Clock) -> None:
    kept = ClaimedGroups(database)
    shop = EntityRef("group", "default", "shop")
    matches = [GroupMatch(name="Shop", missing=(shop,)), GroupMatch(name="none")]
    assert kept.wanted(matches) == {shop: "Shop"}
    user = EntityRef("user", "default", "ada")
    assert kept.settle("company", "7", {shop: "Shop"}, user, clock())
    assert not kept.settle("company", "7", {shop: "Shop"}, user, clock())
    assert kept.settle("company", "8", {shop: "Shop"}, None, clock())
    # Now it is found in the catalog, and still made.
    assert kept.wanted([GroupMatch(name="Shop", group=shop, rule=1)]) == {shop: "Shop"}
    assert kept.settle("company", "7", {}, user, clock())
    assert kept.settle("company", "8", {}, None, clock())
    assert kept.wanted([GroupMatch(name="Shop", group=shop, rule=1)]) == {}
