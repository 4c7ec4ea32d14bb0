"""Pushes read the sources of their repository and branch, and plugins ask for sources of theirs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from callboard.contributions import EventContext
from callboard.errors import NotFoundError
from callboard.events import read
from callboard.jobs import runs
from callboard.repositories.pushed import KIND, Pushed, publish
from callboard_web.testing import PortalUnderTest

ORDERS = "https://git.example.org/shop/orders.git"


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    def git(name: str, url: str, **more: str) -> dict[str, str]:
        return {"name": name, "type": "git", "url": url, "schedule": "1d", **more}

    return {
        "catalog": {
            "sources": [
                git("plain", ORDERS),
                git("over-ssh", "git@GIT.example.org:shop/orders"),
                git("main", ORDERS, branch="main"),
                git("release", ORDERS, branch="release/1"),
                git("others", "https://git.example.org/shop/stock.git"),
                {"name": "page", "type": "url", "url": "https://git.example.org/shop/orders"},
            ]
        }
    }


def asked(portal: PortalUnderTest, pushed: Pushed) -> set[str]:
    """Publish a push, let the catalog hear of it, and give the sources it asked to be read."""
    host = portal.host("core")
    with host.write() as connection:
        publish(host, connection, pushed)
    [handler] = [
        item for item in portal.runtime.plugins.contributions.event_handlers
        if item.key == "catalog.pushed"
    ]  # fmt: skip
    with host.read() as connection:
        found = read(connection, 0, (KIND,))[-1:]
    handler.value.handle(EventContext(host=portal.host("catalog"), events=found))
    with host.read() as connection:
        waiting = runs(connection, state="waiting", plugin="catalog", name="refresh")
    return {run.key for run in waiting}


def test_the_default_branch(portal: PortalUnderTest) -> None:
    pushed = Pushed(addresses=(ORDERS,), branch="main", commit="1", is_default=True)
    assert asked(portal, pushed) == {"plain", "over-ssh", "main"}


def test_another_branch(portal: PortalUnderTest) -> None:
    pushed = Pushed(addresses=(ORDERS,), branch="release/1", commit="1", is_default=False)
    assert asked(portal, pushed) == {"release"}


def test_a_branch_that_nobody_reads(portal: PortalUnderTest) -> None:
    pushed = Pushed(addresses=(ORDERS,), branch="feature", commit="1", is_default=False)
    assert asked(portal, pushed) == set()


def test_another_repository(portal: PortalUnderTest) -> None:
    pushed = Pushed(addresses=("https://git.example.org/shop/others.git",), branch="main")
    assert asked(portal, pushed) == set()


def test_any_of_its_addresses_is_enough(portal: PortalUnderTest) -> None:
    known = ("https://mirror.example.org/a/b.git", "ssh://git@git.example.org:2222/shop/stock.git")
    assert asked(portal, Pushed(addresses=known, branch="trunk", is_default=True)) == {"others"}


def test_a_plugin_asks_for_a_source_of_its_own_only(portal: PortalUnderTest) -> None:
    with pytest.raises(NotFoundError):
        portal.host("catalog").refresh("plain")
    with pytest.raises(NotFoundError):
        portal.host("portal").refresh("people")


class TestOfItsOwn:
    @pytest.fixture
    def portal_plugins(self) -> list[str]:
        return ["scm_hosts"]

    @pytest.fixture
    def portal_settings(self, tmp_path: Path) -> Mapping[str, Any]:
        host = {"name": "here", "type": "folder", "path": str(tmp_path)}
        found = {"name": "all", "host": "here"}
        return {"plugins": {"settings": {"scm_hosts": {"hosts": [host], "discover": [found]}}}}

    def test_it_is_read_once_however_often_it_asks(self, portal: PortalUnderTest) -> None:
        host = portal.host("scm_hosts")
        first = host.refresh("all")
        with host.write() as connection:
            assert host.refresh("all", connection=connection) == first
        with host.read() as connection:
            [run] = runs(connection, state="waiting", plugin="catalog", name="refresh")
        assert run.payload == {"source": "scm_hosts.all"}
