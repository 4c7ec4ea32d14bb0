"""The fixtures that authors of plugins test with, used as they would."""

import sys
from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from callboard.testing import Clock

PLUGIN = """
from datetime import timedelta
from pathlib import Path
from callboard import hookimpl
from callboard.contributions import *
from pydantic import BaseModel

class Settings(BaseModel):
    greeting: str

@hookimpl
def callboard_settings():
    return Settings

@hookimpl
def callboard_entity_cards():
    return [EntityCard(name="hello", title="Greeting", render=draw)]

def draw(context):
    text = f"{context.host.settings.greeting}, {context.entity.title}"
    return Fragment(source="<p>{{ text }}</p>", context={"text": text})

runs = []

@hookimpl
def callboard_jobs():
    return [
        Job(name="now", title="Now", run=lambda context: runs.append("now")),
        Job(name="often", title="Often", run=lambda context: runs.append("often"),
            every=timedelta(hours=1)),
    ]
"""
ORDERS = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders, title: <Orders>}
spec: {type: service, lifecycle: production, owner: shop}
"""


class Installs(Protocol):
    def install(self, name: str, source: str, **options: str) -> None: ...


@pytest.fixture
def portal_plugins(site: Installs) -> list[str]:
    site.install("greeter", PLUGIN)
    return ["greeter"]


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    return {"plugins": {"settings": {"greeter": {"greeting": "Good morning"}}}}


@pytest.mark.parametrize("turn", [1, 2])
def test_a_card_is_seen_on_its_page(portal: Any, turn: int) -> None:
    assert portal.client.get("/catalog/default/component/orders").status_code == 404
    portal.catalog_add(ORDERS)
    page = portal.client.get("/catalog/default/component/orders")
    assert "<p>Good morning, &lt;Orders&gt;</p>" in page.text
    portal.catalog_add(ORDERS.replace("orders", f"more-{turn}"))
    assert portal.client.get(f"/catalog/default/component/more-{turn}").status_code == 200
    assert portal.client.get("/catalog/default/component/orders").status_code == 200


def test_a_document_that_is_rejected_fails_the_test(portal: Any) -> None:
    with pytest.raises(ValueError, match=r"line \d+: .*"):
        portal.catalog_add(ORDERS.replace("name: orders", "name: 'no name'"))


def test_jobs_run_by_the_clock(portal: Any, clock: Clock) -> None:
    runs = sys.modules["installed_callboard_greeter"].runs
    portal.host("greeter").submit("now")
    portal.run_jobs()
    assert runs.count("now") == 1
    before = runs.count("often")
    portal.run_jobs()
    assert runs.count("often") == before
    clock.advance(2 * 3600)
    portal.run_jobs()
    assert runs.count("often") == before + 1


class TestFaulty:
    @pytest.fixture
    def portal_plugins(self, site: Installs) -> list[str]:
        site.install("faulty", "raise LookupError('no')")
        return ["faulty"]

    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {}

    def test_a_plugin_that_fails_fails_the_test(self, request: pytest.FixtureRequest) -> None:
        with pytest.raises(LookupError):
            request.getfixturevalue("portal")
