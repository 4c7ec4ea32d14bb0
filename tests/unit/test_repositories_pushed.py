"""The event `repository.pushed`: what it says, and whom it concerns."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.contributions import Event
from callboard.repositories.pushed import (
    KIND,
    MOST_ADDRESSES,
    MOST_FILES,
    Pushed,
    comparable,
    publish,
)
from callboard_catalog.sources.pushed import of_events

ORDERS = "git.example.org/shop/orders"


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example.org/shop/orders.git",
        "https://git.example.org/shop/orders",
        "https://Git.Example.ORG/shop/orders/",
        "https://user:secret@git.example.org:443/shop/orders.git",
        "http://git.example.org:80/shop/orders.git",
        "ssh://git@git.example.org/shop/orders.git",
        "ssh://git@git.example.org:2222/shop/orders.git",
        "git://git.example.org:9418/shop/orders.git",
        "git@git.example.org:shop/orders.git",
        "git.example.org:shop/orders.git",
        " https://git.example.org/shop/orders.git ",
        "https://git.example.org/shop/orders.git/",
        "https://git.example.org/shop/%6Frders.git",
    ],
)
def test_one_repository_whichever_way_it_is_written(address: str) -> None:
    assert comparable(address) == ORDERS


@pytest.mark.parametrize(
    "address",
    [
        "https://git.example.org/shop/Orders.git",
        "https://git.example.org/shop/orders-api.git",
        "https://git.example.org:8443/shop/orders.git",
        "https://example.org/shop/orders.git",
        "https://git.example.org/shop",
        "/shop/orders.git",
    ],
)
def test_others_are_others(address: str) -> None:
    assert comparable(address) not in ("", ORDERS)


@pytest.mark.parametrize(
    "address", ["", "  ", "https://", "https:///orders", "http://[::1", "x" * 2000]
)
def test_what_is_no_address_is_none(address: str) -> None:
    assert comparable(address) == ""
    assert not Pushed(addresses=("",), branch="main").is_of(address)


def test_paths_of_this_machine() -> None:
    assert comparable("/srv/git/orders.git") == comparable("file:///srv/git/orders.git/")


@given(st.text(max_size=200))
def test_no_address_breaks_it(address: str) -> None:
    assert comparable(comparable(address)) is not None


def test_branches() -> None:
    default = Pushed(addresses=(f"https://{ORDERS}.git",), branch="main", is_default=True)
    assert default.is_of(f"git@{ORDERS.replace('/', ':', 1)}")
    assert default.is_of(f"https://{ORDERS}", "main")
    assert not default.is_of(f"https://{ORDERS}", "release")
    other = Pushed(addresses=default.addresses, branch="release", is_default=False)
    assert not other.is_of(f"https://{ORDERS}")
    assert other.is_of(f"https://{ORDERS}", "release")
    unknown = Pushed(addresses=default.addresses, branch="main")
    assert unknown.is_of(f"https://{ORDERS}"), "it may be the default branch"


def _publish(pushed: Pushed) -> tuple[str, dict[str, Any]]:
    told: list[tuple[str, dict[str, Any]]] = []
    host: Any = SimpleNamespace(
        publish=lambda connection, kind, subject, data: told.append((subject, data))
    )
    publish(host, None, pushed)  # type: ignore[arg-type]
    return told[0]


def test_it_is_read_as_it_was_published() -> None:
    pushed = Pushed(
        addresses=(f"https://{ORDERS}.git", f"https://{ORDERS}"), branch="main", commit="4f2a",
        is_default=True, files=("a/b.yaml",),
    )  # fmt: skip
    subject, data = _publish(pushed)
    assert subject == ORDERS
    assert Pushed.of(data) == pushed


def test_it_is_bounded() -> None:
    many = Pushed(
        addresses=tuple(f"https://git.example.org/{n}" for n in range(100)), branch="b" * 5000,
        files=tuple(str(n) for n in range(MOST_FILES + 1)),
    )  # fmt: skip
    found = Pushed.of(_publish(many)[1])
    assert len(found.addresses) == MOST_ADDRESSES
    assert len(found.branch) == 1000
    assert found.files is None, "not all of them"


@pytest.mark.parametrize(
    "data",
    [{}, {"addresses": "x", "branch": "main"}, {"addresses": [1], "branch": "main"},
     {"addresses": [], "branch": ""}, {"addresses": [], "branch": 1},
     {"addresses": [], "branch": "main", "commit": None},
     {"addresses": [], "branch": "main", "default": "yes"},
     {"addresses": [], "branch": "main", "files": "a"}],
)  # fmt: skip
def test_what_is_none_of_its_kind_is_refused(data: dict[str, Any], clock: Any) -> None:
    with pytest.raises(ValueError, match=KIND.replace(".", r"\.")):
        Pushed.of(data)
    event = Event(id=1, kind=KIND, subject="", data=data, at=clock(), actor="system:callboard")
    assert of_events([], [event]) == [], "and nobody waits for it"
