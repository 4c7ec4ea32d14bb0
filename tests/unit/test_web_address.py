"""The client's address: the peer's, unless a trusted proxy tells of another."""

import pytest
from starlette.requests import HTTPConnection

from callboard_web.identity.address import TrustedProxies

PROXIES = ("10.0.0.0/8", "2001:db8::1", "192.0.2.7")


def request(peer: str | None, *headers: str) -> HTTPConnection:
    return HTTPConnection(
        {
            "type": "http",
            "client": (peer, 5000) if peer is not None else None,
            "headers": [(b"x-forwarded-for", text.encode("latin-1")) for text in headers],
        }
    )


@pytest.mark.parametrize(
    ("peer", "headers", "client"),
    [
        ("203.0.113.5", (), "203.0.113.5"),
        ("203.0.113.5", ("198.51.100.1",), "203.0.113.5"),
        ("10.1.2.3", (), "10.1.2.3"),
        ("10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("10.1.2.3", ("198.51.100.1:5123",), "198.51.100.1"),
        ("10.1.2.3", ("[2001:db8::2]:5123",), "2001:db8::2"),
        ("10.1.2.3", ("2001:db8::2",), "2001:db8::2"),
        ("10.1.2.3", ("1.1.1.1, 198.51.100.1, 10.9.9.9",), "198.51.100.1"),
        ("10.1.2.3", ("1.1.1.1", "198.51.100.1, 192.0.2.7"), "198.51.100.1"),
        ("10.1.2.3", ("10.0.0.1, 10.0.0.2",), "10.0.0.1"),
        ("10.1.2.3", ("198.51.100.1, <script>, 10.9.9.9",), "10.9.9.9"),
        ("10.1.2.3", ("nonsense",), "10.1.2.3"),
        ("::ffff:10.1.2.3", ("198.51.100.1",), "198.51.100.1"),
        ("2001:db8::1", ("198.51.100.1",), "198.51.100.1"),
        ("testclient", ("198.51.100.1",), "testclient"),
        (None, ("198.51.100.1",), ""),
    ],
)
def test_the_header_is_read_from_the_right(
    peer: str | None, headers: tuple[str, ...], client: str
) -> None:
    assert TrustedProxies(PROXIES).client(request(peer, *headers)) == client


def test_without_the_setting_the_header_is_passed_over() -> None:
    assert TrustedProxies(()).client(request("10.1.2.3", "198.51.100.1")) == "10.1.2.3"
