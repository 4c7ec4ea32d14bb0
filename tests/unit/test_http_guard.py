import socket

import pytest

from callboard.errors import InputError, NotReadyError
from callboard.http.guard import Guard

REFUSED = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fc00::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refuses_addresses_that_are_not_public(address: str) -> None:
    with pytest.raises(InputError, match="refused"):
        Guard().check("example.com", [address])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_lets_public_addresses_through(address: str) -> None:
    Guard().check("example.com", [address])


def test_one_bad_address_of_several_is_enough() -> None:
    with pytest.raises(InputError):
        Guard().check("example.com", ["93.184.215.14", "127.0.0.1"])


def test_private_networks_may_be_allowed_but_never_metadata() -> None:
    guard = Guard(allow_private=True)
    guard.check("gitlab", ["10.0.0.1", "127.0.0.1", "fd12::1"])
    for address in ("169.254.169.254", "100.100.100.200", "fd00:ec2::254", "::ffff:169.254.1.1"):
        with pytest.raises(InputError, match="metadata"):
            guard.check("gitlab", [address])


def test_listed_hosts_may_be_anywhere() -> None:
    guard = Guard(allow_hosts=("Git.Internal", "*.svc.local"))
    guard.check("git.internal", ["10.0.0.1"])
    guard.check("GIT.internal.", ["10.0.0.1"])
    guard.check("a.svc.local", ["10.0.0.1"])
    for host in ("evil-git.internal", "svc.local", "git.internal.evil.com", "xsvc.local"):
        with pytest.raises(InputError):
            guard.check(host, ["10.0.0.1"])


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost"])
def test_every_spelling_of_loopback_is_resolved_and_refused(host: str) -> None:
    with pytest.raises(InputError, match="refused"):
        Guard().resolve(host, 80)


def test_unknown_name_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NotReadyError, match=r"missing\.example"):
        Guard().resolve("missing.example", 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "a.localhost", "10.0.0.1"])
def test_literal_addresses_are_refused_behind_a_proxy(host: str) -> None:
    with pytest.raises(InputError):
        Guard().check_literal(host)


def test_names_are_left_to_the_proxy() -> None:
    Guard().check_literal("example.com")
