"""Service accounts: who makes and manages them, and what their tokens may do."""

import pytest
from token_visits import (
    ADA,
    CATALOG,
    DATABASES,
    Visit,
    by,
    token_settings,
    whoami,
)

from callboard_web.testing import PortalUnderTest, sign_in_as

portal_settings = pytest.fixture(token_settings, params=DATABASES, name="portal_settings")


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(CATALOG)
    return portal


def test_a_group_makes_service_accounts_and_their_tokens(people: PortalUnderTest) -> None:
    ada, grace, robot = (
        Visit(people, ADA),
        Visit(people, "user:default/grace"),
        Visit(people).client,
    )
    made = ada.send("/service-accounts/new", name="deployer", purpose="Deploys",
                    owner="group:default/engines")  # fmt: skip
    assert "deployer" in made.text
    text = grace.make(
        "/service-accounts/deployer/tokens/new",
        permission=["catalog.entity.read", "portal.job.read"],
    )
    told = whoami(robot, text)
    assert told["names"] == ["service:deployer"]
    assert told["onBehalfOf"] is None
    assert told["owns"] == []
    # It may do what everyone signed in may, as far as it was chosen: there is no binding.
    assert [item["name"] for item in told["permissions"]] == ["catalog.entity.read"]
    outsider = Visit(people, "user:default/root")
    sign_in_as(outsider.client, "user:default/root")
    assert outsider.client.get("/service-accounts/deployer").status_code == 200
    ada.send("/service-accounts/deployer/close", page="/service-accounts/deployer", confirmed="yes")
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "closed" in answer.json()["error"]["message"]
    ada.send("/service-accounts/deployer/open", page="/service-accounts/deployer")
    whoami(robot, text)


def test_nobody_takes_a_name_that_bindings_know(people: PortalUnderTest) -> None:
    ada, root = Visit(people, ADA), Visit(people, "user:default/root")
    owner = "group:default/engines"
    refused = ada.send("/service-accounts/new", name="builder", owner=owner)
    assert refused.status_code == 422
    assert "an administrator must make the account" in refused.text
    assert root.send("/service-accounts/new", name="builder", owner=owner).status_code == 200
    text = ada.make("/service-accounts/builder/tokens/new", permission=["portal.job.read"])
    assert Visit(people).client.get("/jobs", headers=by(text)).status_code == 200
    again = root.send("/service-accounts/new", name="builder", owner=owner)
    assert "There is a service account of this name" in again.text


def test_strangers_to_a_group_do_not_manage_its_accounts(people: PortalUnderTest) -> None:
    people.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: eve}\nspec: {memberOf: []}"
    )
    Visit(people, ADA).send("/service-accounts/new", name="deployer", owner="group:default/engines")
    eve = Visit(people, "user:default/eve")
    assert eve.client.get("/service-accounts/deployer").status_code == 403
    assert eve.client.get("/service-accounts/deployer/tokens/new").status_code == 403
    assert "deployer" not in eve.client.get("/service-accounts").text
    refused = eve.send("/service-accounts/new", page="/service-accounts", name="mine",
                       owner="group:default/engines")  # fmt: skip
    assert refused.status_code == 403
