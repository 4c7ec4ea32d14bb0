"""What a directory may do wrong, and that nobody is lost by it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ldap_site import (
    BASE,
    LIMITED,
    PASSWORD,
    Site,
    Slapd,
    dn_of,
    entry,
    group,
    opened,
    person,
    running,
    server_settings,
)

from callboard.errors import CallboardError, InputError, NotReadyError, UnauthorisedError
from callboard.testing import Clock
from callboard_people_ldap.client import connected
from callboard_people_ldap.reading import read_people
from callboard_people_ldap.settings import ServerSettings

PEOPLE = [person(f"person-{number}") for number in range(120)]
REFERRAL = entry(
    f"cn=elsewhere,ou=people,{BASE}", "referral extensibleObject", cn="elsewhere",
    ref=f"ldap://127.0.0.1:9/ou=people,{BASE}",
)  # fmt: skip


@pytest.fixture(scope="module")
def filled() -> Iterator[Slapd]:
    """Give a server that the tests only read."""
    with running([*PEOPLE, REFERRAL, group("all", [f"person-{n}" for n in range(120)])]) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    with (
        running([*PEOPLE, group("all", ["person-1"])]) as slapd,
        opened(tmp_path, "sqlite:///callboard.sqlite3", clock, [server_settings(slapd)]) as made,
    ):
        yield Site(made, slapd)


def checked(slapd: Slapd, **more: Any) -> ServerSettings:
    return ServerSettings.model_validate(server_settings(slapd, **more))


def fault(slapd: Slapd, **more: Any) -> CallboardError:
    with pytest.raises(CallboardError) as raised:
        read_people(checked(slapd, **more))
    assert PASSWORD not in f"{raised.value} {raised.value.hint}"
    return raised.value


@pytest.mark.parametrize("start_tls", [False, True])
def test_connections_are_encrypted_and_checked(filled: Slapd, start_tls: bool) -> None:
    url = filled.url if start_tls else filled.tls_url
    ca = filled.folder / "ca.pem"
    found = read_people(checked(filled, url=url, start_tls=start_tls, ca=ca))
    assert len(found.users) == 120
    assert len(found.groups[0].members) == 120
    with connected(checked(filled, url=url, start_tls=start_tls, ca=ca)) as directory:
        assert directory._connection.socket.version() in ("TLSv1.2", "TLSv1.3")
    for wrong in (None, filled.folder / "other.pem"):
        error = fault(filled, url=url, start_tls=start_tls, ca=wrong)
        assert "is not trusted" in str(error.message)
    named = url.replace("127.0.0.1", "localhost")
    assert "is not trusted" in str(fault(filled, url=named, start_tls=start_tls, ca=ca).message)
    missing = fault(filled, url=url, start_tls=start_tls, ca=filled.folder / "none.pem")
    assert isinstance(missing, InputError)


def test_a_wrong_password_is_told_without_it(filled: Slapd) -> None:
    assert isinstance(fault(filled, password="wrong"), UnauthorisedError)


def test_nobody_is_asked_in_the_name_of_nobody(filled: Slapd) -> None:
    settings = {"bind_dn": "", "password": None}
    assert isinstance(fault(filled, **settings), UnauthorisedError)


def test_other_servers_are_not_asked(filled: Slapd) -> None:
    assert len(read_people(checked(filled)).users) == 120
    error = fault(filled, users={"base": f"ou=more,cn=elsewhere,ou=people,{BASE}"})
    assert "names another server" in str(error.message)


def test_a_part_is_not_taken(filled: Slapd) -> None:
    error = fault(filled, bind_dn=LIMITED, page_size=5)
    assert "only a part" in str(error.message)


def test_more_than_the_limit_is_an_error(filled: Slapd) -> None:
    assert "more than 100 entries" in str(fault(filled, maximum_entries=100).message)


@pytest.mark.parametrize(
    "users",
    [
        {"base": "ou=nowhere,dc=example,dc=com"},
        {"base": "not a dn"},
        {"base": f"ou=people,{BASE}", "filter": "(uid=(x))"},
        {"base": f"ou=people,{BASE}", "filter": "(&(uid=a)b)"},
    ],
)
def test_a_search_that_cannot_be_is_told(filled: Slapd, users: dict[str, str]) -> None:
    assert fault(filled, users=users).hint


def test_a_server_killed_midway_ends_in_an_error(site: Site) -> None:
    settings = checked(site.slapd, page_size=50)
    with connected(settings) as directory:
        found = directory.search(
            settings.users.base, settings.users.filter, "subtree", ["uid", "entryUUID"]
        )
        first = [next(found) for _number in range(50)]
        site.slapd.kill()
        with pytest.raises(NotReadyError):
            list(found)
    assert len(first) == 50


def test_who_is_known_outlives_a_server_that_is_gone(site: Site) -> None:
    site.read()
    assert len(site.names()) == 120
    site.slapd.kill()
    site.read()
    assert len(site.names()) == 120
    assert "cannot be read" in failure(site)
    site.slapd.start()
    site.read()
    assert failure(site) == ""


@pytest.mark.parametrize("length", [300, 3_000, 9_000])
def test_an_answer_cut_off_loses_nobody(tmp_path: Path, clock: Clock, length: int) -> None:
    with (
        running([*PEOPLE, group("all", ["person-1"])]) as slapd,
        cutting(slapd.port) as (port, limits),
        opened(
            tmp_path, "sqlite:///callboard.sqlite3", clock,
            [server_settings(slapd, url=f"ldap://127.0.0.1:{port}")],
        ) as runtime,
    ):  # fmt: skip
        site = Site(runtime, slapd)
        site.read()
        assert len(site.names()) == 120
        limits.append(length)
        site.read()
        assert len(site.names()) == 120
        assert failure(site)


def test_too_many_missing_at_once_are_refused(site: Site) -> None:
    site.read()
    with site.slapd.changing() as connection:
        for number in range(20, 60):
            connection.delete(dn_of(f"person-{number}"))
    site.read()
    assert len(site.names()) == 120
    assert "Of 120 people of company 40 are missing at once." in failure(site)
    with site.slapd.changing() as connection:
        for number in range(20, 40):
            connection.add(
                dn_of(f"person-{number}"), "inetOrgPerson",
                {"uid": f"person-{number}", "cn": "Again", "sn": "Again"},
            )  # fmt: skip
    site.read()
    assert failure(site) == ""
    assert len(site.names()) == 100


def test_an_empty_answer_is_refused(site: Site) -> None:
    site.read()
    with site.slapd.changing() as connection:
        for number in range(120):
            connection.delete(dn_of(f"person-{number}"))
    site.read()
    assert len(site.names()) == 120
    assert "nobody" in failure(site)


def test_a_loss_may_be_taken_for_true(site: Site, tmp_path: Path, clock: Clock) -> None:
    site.read()
    with site.slapd.changing() as connection:
        for number in range(120):
            connection.delete(dn_of(f"person-{number}"))
    site.runtime.stop()
    servers: list[Mapping[str, Any]] = [server_settings(site.slapd, maximum_loss=1)]
    with opened(tmp_path, "sqlite:///callboard.sqlite3", clock, servers) as runtime:
        again = Site(runtime, site.slapd)
        again.read()
        assert again.names() == []
        assert failure(again) == ""


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(range(256)) * 20,
        b"\x30\x84\x7f\xff\xff\xff" + b"x" * 5000,
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\xff",
        b"",
    ],
)
def test_a_server_that_speaks_no_ldap_is_told(filled: Slapd, said: bytes) -> None:
    with speaking([said]) as port:
        url = f"ldap://127.0.0.1:{port}"
        assert isinstance(fault(filled, url=url, timeout="2s"), NotReadyError)


def test_a_server_that_drips_is_left(filled: Slapd) -> None:
    with speaking([b"\x30\x84\x7f\xff\xff\xff", *[b"x"] * 200]) as port:
        url = f"ldap://127.0.0.1:{port}"
        error = fault(filled, url=url, timeout="1s")
        assert "cannot be read" in str(error.message)


@contextmanager
def speaking(parts: list[bytes]) -> Iterator[int]:
    """Say these bytes to whoever comes, with a little time between them, then be silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            client, _address = listener.accept()
            with client:
                client.recv(4096)
                for part in parts:
                    client.sendall(part)
                    over.wait(0.05)
                over.wait(20)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.close()
        thread.join()


def failure(site: Site) -> str:
    from callboard_catalog import models

    with site.runtime.database.read() as connection:
        row = connection.execute(
            models.source.select().where(models.source.c.name == "people_ldap.company")
        ).one()
    return str(row.error or "")


@contextmanager
def cutting(target: int) -> Iterator[tuple[int, list[int]]]:
    """Pass connections on; where `limits` has a number, end after so many bytes of the answer."""
    limits: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, sink: socket.socket, left: float) -> None:
        with suppress(OSError):
            while left > 0 and (data := source.recv(4096)):
                sink.sendall(data[: int(min(left, len(data)))])
                left -= len(data)
        for side in (source, sink):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def both(client: socket.socket, left: float) -> None:
        with client, socket.create_connection(("127.0.0.1", target)) as server:
            back = threading.Thread(target=copy, args=(server, client, left), daemon=True)
            back.start()
            copy(client, server, float("inf"))
            back.join()

    def serve() -> None:
        while True:
            try:
                client, _address = listener.accept()
            except OSError:
                return
            left = limits[0] if limits else float("inf")
            threading.Thread(target=both, args=(client, left), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], limits
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
