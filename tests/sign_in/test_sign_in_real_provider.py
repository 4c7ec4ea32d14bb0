"""Whole round trips through Chromium with a certified provider of OpenID Connect."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from browsing import served
from playwright.sync_api import Browser, BrowserContext, Page, expect
from real_provider import RealProvider, client_at, free_port, real_provider
from sqlalchemy import select

from callboard.entities import EntityRef
from callboard.testing import PostgresServer
from callboard_web.runtime import Runtime
from callboard_web.sessions.store import ACCOUNT
from callboard_web.sign_in.recheck import check_again

pytestmark = pytest.mark.browser

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: payments-core, title: Payments Core}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: ledger}
spec: {type: service, lifecycle: production, owner: payments-core}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: website}
spec: {type: website, lifecycle: production, owner: group:default/marketing}
"""
ADA = {
    "name": "Ada Lovelace", "preferred_username": "ada", "email": "ada@example.com",
    "email_verified": True, "groups": ["/payments/core", "developers"],
}  # fmt: skip
STRANGER = {"name": "Ada Other", "preferred_username": "ada", "groups": ["guests"]}
BOB = {"name": "Bob", "preferred_username": "bob", "groups": ["guests"]}


@dataclass
class Stage:
    """A portal that people reach at `address`, and its providers."""

    runtime: Runtime
    address: str
    company: RealProvider
    partner: RealProvider
    moved: list[timedelta]

    def later(self, **time: float) -> None:
        """Let time pass for the portal."""
        self.moved.append(timedelta(**time))

    def check(self) -> None:
        """Ask the providers again, as the job does every two minutes."""
        check_again(self.runtime.host("portal"))

    def visitor(self, browser: Browser) -> Page:
        context: BrowserContext = browser.new_context(base_url=self.address)
        page = context.new_page()
        page.set_default_timeout(15_000)
        return page


def provider_settings(name: str, port: int) -> dict[str, object]:
    return {
        "name": name,
        "title": name.title(),
        "issuer": f"http://localhost:{port}",
        "client_id": "callboard",
        "client_secret": "a secret: with +/%",
        "scopes": ["openid", "profile", "email", "groups", "offline_access"],
        "parameters": {"prompt": "consent"},
    }


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    ports = free_port(), free_port()
    folder = tmp_path_factory.mktemp("portal")
    (folder / "shop").mkdir()
    (folder / "shop" / "catalog-info.yaml").write_text(CATALOG)
    moved: list[timedelta] = []
    settings = {
        "access": {
            "anonymous": "",
            "defaults": False,
            "bindings": [
                {
                    "role": "viewer",
                    "to": ["group:default/payments-core"],
                    "on": {"owner": ["group:default/payments-core"]},
                },
                {"role": "viewer", "to": ["provider-group:guests"]},
            ],
        },
        "catalog": {"sources": [{"name": "shop", "type": "folder", "path": str(folder / "shop")}]},
        "sign_in": {
            "providers": [
                provider_settings("company", ports[0]),
                provider_settings("partner", ports[1]),
            ]
        },
    }
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("schema_branches"))
        settings["database"] = {"url": server.url(name)}
    config = folder / "callboard.yaml"
    config.write_text(yaml.safe_dump(settings))

    def now() -> datetime:
        return datetime.now(UTC) + sum(moved, timedelta(0))

    with ExitStack() as stack:
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""}, clock=now)
        runtime.upgrade()
        runtime.start(worker=False, serve=True)
        stack.callback(runtime.stop)
        runtime.jobs.submit(None, "catalog", "refresh", {"source": "shop"}, key="shop")
        runtime.jobs.run_once()
        address = stack.enter_context(served(runtime))
        people: Sequence[Mapping[str, Any]] = ({"ada": ADA, "bob": BOB}, {"ada": STRANGER})
        providers = [
            stack.enter_context(real_provider(port, [client_at(address, name)], known))
            for name, port, known in zip(("company", "partner"), ports, people, strict=True)
        ]
        yield Stage(runtime, address, providers[0], providers[1], moved)


@pytest.fixture(autouse=True)
def as_before(stage: Stage) -> Iterator[None]:
    """Let no test change the time or the people for the next."""
    yield
    stage.moved.clear()
    stage.company.person("ada", ADA)


def sign_in(page: Page, name: str, account: str, wanted: str = "/me/sessions") -> None:
    page.goto(f"/sign-in?next={wanted}")
    page.get_by_role("button", name=f"Continue with {name}").click()
    page.get_by_role("button", name=account, exact=True).click()
    page.wait_for_url(lambda url: url.endswith(wanted))


def is_signed_in(page: Page) -> bool:
    answer = page.request.get("/me/session").json()
    return bool(answer["left"] > 0)


def sees(page: Page, component: str) -> bool:
    answer = page.request.get(f"/catalog/default/component/{component}", max_redirects=0)
    return answer.status == 200


def test_signing_in_leads_to_the_page_that_was_wanted(stage: Stage, browser: Browser) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada", "/catalog/default/component/ledger")
    expect(page.locator("h1")).to_have_text(re.compile("ledger"))
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(stage.address)}
    session = cookies["callboard_session"]
    assert session["httpOnly"]
    assert session["sameSite"] == "Lax"
    assert len(session["value"]) < 100
    page.context.close()


def test_groups_decide_what_is_seen(stage: Stage, browser: Browser) -> None:
    ada, bob = stage.visitor(browser), stage.visitor(browser)
    assert not sees(ada, "ledger")
    sign_in(ada, "Company", "ada")
    sign_in(bob, "Company", "bob")
    # A Group of the catalog, by a path of the provider; and a group known to bindings alone.
    assert (sees(ada, "ledger"), sees(ada, "website")) == (True, False)
    assert (sees(bob, "ledger"), sees(bob, "website")) == (True, True)
    ada.context.close()
    bob.context.close()


def test_a_person_without_a_user_is_in_the_catalog_after_the_first_sign_in(
    stage: Stage, browser: Browser
) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada")
    stage.runtime.jobs.run_once()
    user = stage.runtime.catalog.get(EntityRef.parse("user:default/ada"))
    assert user is not None
    assert user.title == "Ada Lovelace"
    assert [str(ref) for ref in user.related("memberOf")] == ["group:default/payments-core"]
    page.context.close()


def test_signing_out_signs_out_at_the_provider(stage: Stage, browser: Browser) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada")
    page.goto("/sign-out")
    page.locator("main").get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign out of the provider")
    page.get_by_role("button", name="Yes").click()
    page.wait_for_url(re.compile(re.escape(f"{stage.address}/sign-in")))
    assert not is_signed_in(page)
    # The provider's own session is over as well: it asks who it is.
    page.get_by_role("button", name="Continue with Company").click()
    expect(page.locator("h1")).to_have_text("Sign in at the provider")
    page.context.close()


def test_signing_out_elsewhere_ends_the_session(stage: Stage, browser: Browser) -> None:
    here, other = stage.visitor(browser), stage.visitor(browser)
    sign_in(here, "Company", "ada")
    sign_in(other, "Company", "ada")
    # At the provider, past the portal, which is told by the provider alone.
    here.goto(f"{stage.company.issuer}/session/end")
    here.get_by_role("button", name="Yes").click()
    expect(here.locator("h1")).to_have_text("Signed out of the provider")
    assert not is_signed_in(here)
    assert is_signed_in(other)
    here.context.close()
    other.context.close()


def test_keys_change(stage: Stage, browser: Browser) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada")
    before = stage.company.control("asked")["/jwks"]
    stage.company.rotate()
    other = stage.visitor(browser)
    sign_in(other, "Company", "bob")
    assert is_signed_in(other)
    assert stage.company.control("asked")["/jwks"] == before + 1
    page.context.close()
    other.context.close()


def test_two_providers_at_once(stage: Stage, browser: Browser) -> None:
    page = stage.visitor(browser)
    second = page.context.new_page()
    page.goto("/sign-in?next=/me/sessions")
    page.get_by_role("button", name="Continue with Company").click()
    second.goto("/sign-in?next=/me/sessions")
    second.get_by_role("button", name="Continue with Partner").click()
    second.get_by_role("button", name="ada", exact=True).click()
    second.wait_for_url(lambda url: url.endswith("/me/sessions"))
    assert (sees(second, "ledger"), sees(second, "website")) == (True, True)
    # The one begun first is completed last, in the same browser.
    page.get_by_role("button", name="ada", exact=True).click()
    page.wait_for_url(lambda url: url.endswith("/me/sessions"))
    assert (sees(page, "ledger"), sees(page, "website")) == (True, False)
    # Of the same name at two providers, they are two people.
    with stage.runtime.database.read() as connection:
        found = connection.execute(select(ACCOUNT.c.method, ACCOUNT.c.ref)).all()
    refs = {row.method: row.ref for row in found if "/ada" in row.ref}
    assert refs["company"] == "user:default/ada"
    assert re.fullmatch(r"user:default/ada-[0-9a-f]{8}", refs["partner"])
    page.context.close()


def test_changed_groups_count_after_the_next_check(stage: Stage, browser: Browser) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada")
    stage.company.person("ada", {**ADA, "groups": ["guests"]})
    stage.check()
    assert not sees(page, "website")
    stage.later(minutes=11)
    stage.check()
    assert sees(page, "website")
    # The refresh token was replaced by the check: the next one works as well.
    stage.company.person("ada", ADA)
    stage.later(minutes=11)
    stage.check()
    assert (sees(page, "ledger"), sees(page, "website")) == (True, False)
    page.context.close()


def test_a_deactivated_person_is_signed_out_within_a_quarter_of_an_hour(
    stage: Stage, browser: Browser
) -> None:
    page = stage.visitor(browser)
    sign_in(page, "Company", "ada")
    stage.company.person("ada", None)
    stage.later(minutes=15)
    stage.check()
    assert not is_signed_in(page)
    page.context.close()
