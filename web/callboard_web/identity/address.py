"""The address a request comes from: the peer's, or what trusted proxies say of it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from starlette.requests import HTTPConnection

MOST_HOPS: Final = 50
"""Addresses of a header that are looked at; proxies that trust each other are few."""


class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is believed, as addresses and networks."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(item, strict=False) for item in networks]

    def client(self, connection: HTTPConnection) -> str:
        """Give the client's address; empty where it is not known.

        Each proxy appends the address of its own peer to the header, so it is read from the right
        for as long as the one who wrote is trusted: what stands further left anyone may write.
        """
        peer = connection.client.host if connection.client else ""
        if not self._networks or not self._trusts(peer):
            return peer[:64]
        written = ",".join(connection.headers.getlist("x-forwarded-for"))
        found = peer
        for item in reversed(written.split(",")[-MOST_HOPS:]):
            hop = _address(item)
            if hop is None:
                break
            found = str(hop)
            if not self._trusts(found):
                break
        return found

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; some proxies write the port with it, or IPv6 in brackets."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
