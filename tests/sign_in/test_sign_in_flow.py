"""Signing in with a provider that does what it should."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from browsers import Browser
from python_provider import PythonProvider, python_provider

from callboard.testing import Clock


@pytest.fixture
def server(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: PythonProvider) -> Mapping[str, Any]:
    return {
        "access": {"anonymous": ""},
        "sign_in": {
            "providers": [
                {
                    "name": "company", "title": "Company", "issuer": server.issuer,
                    "client_id": server.client_id, "client_secret": server.client_secret,
                }
            ]
        },
    }  # fmt: skip


def test_signing_in(portal: Any, server: PythonProvider) -> None:
    browser = Browser(portal)
    answer = browser.sign_in(server, wanted="/catalog?kind=api")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/catalog?kind=api"
    assert browser.signed_in
