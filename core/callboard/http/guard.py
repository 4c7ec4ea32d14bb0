"""Which addresses a request may reach, so that a URL from outside cannot reach inside (SSRF).

Names are resolved and checked at the moment of connecting, and the checked address is the one
connected to: a name that changes its address in between (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from callboard.errors import InputError, NotReadyError
from callboard.i18n import Message, Translator

_ = Translator("callboard")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
# Metadata services of cloud machines; the others are link-local.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Decides by address. Hosts in `allow_hosts` (exact, or `*.example.com`) may be anywhere.

    `allow_private` opens private and loopback networks to every URL, but never link-local and
    metadata addresses: those only a host named in `allow_hosts` may have.
    """

    allow_hosts: tuple[str, ...] = ()
    allow_private: bool = False

    def resolve(self, host: str, port: int) -> list[str]:
        """Give the addresses of a host that may be connected to.

        Raises `InputError` when any address of the host is off limits, `NotReadyError` when the
        name cannot be resolved.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotReadyError(
                _("The host name %(host)s could not be resolved.", host=repr(host[:200])),
                hint=_("Check the address and the name service; it is tried again later."),
            ) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        self.check(host, addresses)
        return addresses

    def check(self, host: str, addresses: Iterable[str]) -> None:
        """Raise `InputError` when the host may not be reached at any one of the addresses."""
        if self.is_listed(host):
            return
        for text in addresses:
            reason = self._objection(_plain(ipaddress.ip_address(text.partition("%")[0])))
            if reason:
                raise InputError(
                    _(
                        "The host %(host)s is refused: its address is %(reason)s.",
                        host=repr(host[:200]),
                        reason=reason,
                    ),
                    hint=_(
                        "If it is meant, list the host among the allowed hosts of the settings."
                    ),
                )

    def check_literal(self, host: str) -> None:
        """Check a host whose name a proxy will resolve: all that can be told from here."""
        name = host.strip("[]").rstrip(".").lower()
        try:
            self.check(host, [str(ipaddress.ip_address(name))])
        except ValueError:
            if name == "localhost" or name.endswith(".localhost"):
                self.check(host, ["127.0.0.1"])

    def is_listed(self, host: str) -> bool:
        """Whether the settings name the host."""
        name = host.rstrip(".").lower()
        return any(
            name == entry.lower() or (entry.startswith("*.") and name.endswith(entry[1:].lower()))
            for entry in self.allow_hosts
        )

    def _objection(self, address: IpAddress) -> Message | None:
        if address in _METADATA or address.is_link_local:
            return _("a link-local or metadata address")
        if address.is_multicast or address.is_unspecified or address.is_reserved:
            return _("no address of a host")
        if not address.is_global and not self.allow_private:
            return _("in a private or loopback network")
        return None


def _plain(address: IpAddress) -> IpAddress:
    """Give the IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or _compatible(address)


def _compatible(address: ipaddress.IPv6Address) -> IpAddress:
    """Decode `::a.b.c.d` (RFC 4291, 2.5.5.1); `::` and `::1` stay what they are."""
    value = int(address)
    return ipaddress.IPv4Address(value) if 1 < value <= 0xFFFFFFFF else address
