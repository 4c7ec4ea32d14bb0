"""Whose address an entry has: what a stranger writes into a header is never believed."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard import audit
from callboard_web.app import create_app
from callboard_web.identity.address import TrustedProxies
from callboard_web.settings import PortalSettings
from callboard_web.testing import PortalUnderTest

PROXIES = ("10.0.0.0/8", "fd00::/8", "192.0.2.7")


def asked(peer: str, *headers: str) -> HTTPConnection:
    return HTTPConnection(
        {"type": "http", "client": (peer, 1) if peer else None,
         "headers": [(b"x-forwarded-for", header.encode("latin-1")) for header in headers]}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["<script>", "' OR 1=1"], "10.0.0.1"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_last_one_who_is_not_trusted_is_the_client(
    peer: str, headers: list[str], expected: str
) -> None:
    assert TrustedProxies(PROXIES).client(asked(peer, *headers)) == expected


def test_nobody_is_trusted_unless_named() -> None:
    assert TrustedProxies([]).client(asked("127.0.0.1", "198.51.100.1")) == "127.0.0.1"


@given(st.lists(st.text(alphabet=st.characters(max_codepoint=255), max_size=60), max_size=60))
def test_any_header_gives_an_address(headers: list[str]) -> None:
    found = TrustedProxies(PROXIES).client(asked("10.0.0.1", *headers))
    assert set(found) <= set("0123456789abcdef.:")
    assert len(found) <= 45


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValidationError):
        PortalSettings(trusted_proxies=("the proxy",))


class TestAuditLog:
    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {"portal": {"trusted_proxies": ["192.0.2.0/24"]}}

    def test_entries_have_the_address_of_the_client(self, portal: PortalUnderTest) -> None:
        app = create_app(portal.runtime)
        for peer, expected in (("192.0.2.1", "198.51.100.1"), ("203.0.113.9", "203.0.113.9")):
            client = TestClient(app, client=(peer, 1))
            answer = client.post(
                "/sources/test/refresh", headers={"x-forwarded-for": "198.51.100.1"}
            )
            assert answer.status_code == 403  # no token of a form: refused, and recorded
            with portal.runtime.database.read() as connection:
                addresses = [entry.address for entry in audit.entries(connection, limit=5)]
            assert expected in addresses
