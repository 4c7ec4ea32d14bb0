"""The audit log sent to real collectors, which are killed midway and come back."""

import hashlib
import hmac
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from callboard.audit import entries, record
from callboard.audit.canonical import beginning, canonical, link, pieces
from callboard.audit.forward import LONGEST_PAUSE, Forwarding, forwardings
from callboard.audit.models import audit_destination
from callboard.audit.seal import head_of, seal_all
from callboard.audit.settings import AuditSettings
from callboard.audit.webhook import signature
from callboard.identity import Principal
from callboard.testing import Clock, new_database
from callboard_web.testing import PortalUnderTest, portal_under_test

LI = Principal(kind="person", name="user:default/li")
SECRET = "a secret of thirty-two characters"
MESSAGE = re.compile(
    rb"<(?P<priority>\d+)>1 (?P<at>\S+) (?P<host>\S+) callboard (?P<process>\d+) audit "
    rb'\[callboard@32473(?P<data>( [a-z_]+="([^"\\\]]|\\.)*")+)\] (?P<text>.*)'
)

COLLECTOR = Path(__file__).with_name("audit_collector.py")

Portal = Callable[..., PortalUnderTest]
Start = Callable[..., "Collector"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


class Collector:
    """A collector as a process of its own, and what it has written."""

    def __init__(self, process: subprocess.Popen[str], file: Path) -> None:
        self.process = process
        self.file = file

    def lines(self) -> list[bytes]:
        return [line for line in self.file.read_bytes().split(b"\n") if line]

    def about(self, action: str) -> list[bytes]:
        return [line for line in self.lines() if f' action="{action}"'.encode() in line]

    def entries(self) -> list[dict[str, Any]]:
        found = []
        for line in self.lines():
            match = MESSAGE.fullmatch(line)
            assert match, line
            found.append(orjson.loads(match["text"]))
        return found


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a collector, on a file that it goes on with."""
    with ExitStack() as stack:

        def begin(kind: str, port: int, *options: str, name: str = "taken") -> Collector:
            file = tmp_path / name
            file.touch()
            before = file.stat().st_size
            command = [sys.executable, str(COLLECTOR), kind, str(port), str(file), *options]
            process = subprocess.Popen(command, text=True)
            stack.callback(kill, process)
            wait_until(lambda: file.stat().st_size >= before + 2 or process.poll() is not None)
            assert process.poll() is None
            return Collector(process, file)

        yield begin


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def portal_with(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Portal]:
    """Give a function that makes a portal which sends its audit log, on each database."""
    with ExitStack() as stack:

        def make(**destination: Any) -> PortalUnderTest:
            settings: dict[str, Any] = {
                "audit": {"forward": [{"name": "siem", "from_start": True, **destination}]},
                "http": {"allow_hosts": ["127.0.0.1"]},
            }
            settings["database"] = {
                "url": stack.enter_context(new_database(request, request.param))
            }
            made = portal_under_test(
                tmp_path / "portal", plugins=[], settings=settings, clock=clock, templates={}
            )
            return stack.enter_context(made)

        yield make


def fill(portal: PortalUnderTest, number: int) -> None:
    with portal.runtime.database.write() as connection:
        for index in range(number):
            record(
                connection, "catalog.source.refresh", f'source "{index}" ]\\ \n 中文', actor=LI,
                before={"state": "failing"}, after={"state": "ok", "run": index},
                result=("ok", "denied", "failed")[index % 3], address="192.0.2.1",
                at=portal.runtime.now(),
            )  # fmt: skip
    seal_all(portal.runtime.database)


def send(portal: PortalUnderTest, clock: Clock) -> Forwarding:
    """Let the job run after any pause."""
    clock.advance(LONGEST_PAUSE * 2)
    portal.run_jobs()
    seal_all(portal.runtime.database)
    with portal.runtime.database.read() as connection:
        chosen = portal.runtime.settings.section(AuditSettings)
        [found] = forwardings(connection, chosen, clock())
    return found


def check_chain(portal: PortalUnderTest, found: list[dict[str, Any]], last: int) -> None:
    """Verify what was taken as its receiver would: nothing is missing, all is in the chain."""
    with portal.runtime.database.read() as connection:
        hash_ = beginning(head_of(connection).chain)
    taken = {entry["position"]: entry for entry in found}
    assert sorted(taken) == list(range(1, len(taken) + 1))
    assert len(taken) >= last
    for position in sorted(taken):
        hash_ = link(hash_, canonical(pieces(taken[position])))
        assert hash_ == taken[position]["hash"]


def certificate(folder: Path) -> Path:
    """Write a certificate for 127.0.0.1 that signs itself, with its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "collector")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "collector.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def syslog(transport: str, port: int, **more: Any) -> dict[str, Any]:
    return {"type": "syslog", "host": "127.0.0.1", "port": port, "transport": transport, **more}


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_every_entry_is_sent_in_order(
    portal_with: Portal, start: Start, clock: Clock, tmp_path: Path, transport: str
) -> None:
    port, options, more = free_port(), [], {}
    if transport == "tls":
        path = str(certificate(tmp_path))
        options, more = ["--certificate", path], {"ca_bundle": path}
    portal = portal_with(**syslog(transport, port, **more))
    collector = start(transport, port, *options)
    fill(portal, 250)
    fares = send(portal, clock)
    assert fares.failures == 0, fares.error
    wait_until(lambda: len(collector.lines()) >= 250)
    found = collector.entries()
    assert [entry["position"] for entry in found] == list(range(1, len(found) + 1))
    check_chain(portal, found, 250)


def test_a_message_is_what_the_standard_says(
    portal_with: Portal, start: Start, clock: Clock
) -> None:
    port = free_port()
    portal = portal_with(**syslog("tcp", port, facility="local3"))
    collector = start("tcp", port)
    fill(portal, 3)
    assert send(portal, clock).failures == 0
    first, second, third = collector.about("catalog.source.refresh")
    matches = [MESSAGE.fullmatch(line) for line in (first, second, third)]
    assert [int(match["priority"]) for match in matches if match] == [157, 156, 155]
    assert matches[0]
    assert matches[0]["at"] == b"2026-03-02T08:00:00.000000Z"
    data = matches[0]["data"].decode()
    assert ' actor="person:user:default/li"' in data
    assert ' result="ok"' in data
    # The line end, which may stand there, would be a second message to many collectors.
    assert ' subject="source \\"0\\" \\]\\\\   中文"' in data
    assert matches[0]["text"].isascii()
    assert orjson.loads(matches[0]["text"])["subject"] == 'source "0" ]\\ \n 中文'


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_collector_killed_midway_gets_the_rest_when_it_is_back(
    portal_with: Portal, start: Start, clock: Clock, tmp_path: Path, transport: str
) -> None:
    port, options, more = free_port(), [], {}
    if transport == "tls":
        path = str(certificate(tmp_path))
        options, more = ["--certificate", path], {"ca_bundle": path}
    portal = portal_with(**syslog(transport, port, **more))
    fill(portal, 700)
    for limit in (30, 333):
        collector = start(transport, port, *options, "--die-after", str(limit))
        fares = send(portal, clock)
        assert collector.process.wait(20) == -9
        assert fares.failures > 0
        assert fares.failing_since is not None
        assert fares.behind > 0
        assert fares.retry_at
        assert fares.retry_at > clock()
    collector = start(transport, port, *options)
    fares = send(portal, clock)
    assert (fares.failures, fares.error, fares.failing_since) == (0, "", None)
    check_chain(portal, collector.entries(), 700)


def test_what_is_not_there_is_asked_less_and_less_and_told_of_once(
    portal_with: Portal, start: Start, clock: Clock
) -> None:
    port = free_port()
    portal = portal_with(**syslog("tcp", port))
    fill(portal, 1)
    pauses = []
    for _ in range(9):
        fares = send(portal, clock)
        assert fares.retry_at
        pauses.append((fares.retry_at - clock()).total_seconds())
    assert fares.failures == 9
    assert fares.late > timedelta(minutes=30)
    assert pauses[0] < 3
    assert pauses[-1] > 200
    assert pauses == sorted(pauses)
    portal.run_jobs()  # within the pause it is left alone
    with portal.runtime.database.read() as connection:
        rows = connection.execute(select(audit_destination.c.failures)).scalars().all()
        told = entries(connection, action="audit.entry.forward")
    assert rows == [9]
    assert [entry.result for entry in told] == ["failed"]
    start("tcp", port)
    assert send(portal, clock).failures == 0
    with portal.runtime.database.read() as connection:
        told = entries(connection, action="audit.entry.forward")
    assert [entry.result for entry in told] == ["ok", "failed"]


def test_a_certificate_of_somebody_else_is_not_trusted(
    portal_with: Portal, start: Start, clock: Clock, tmp_path: Path
) -> None:
    port = free_port()
    portal = portal_with(**syslog("tls", port))
    collector = start("tls", port, "--certificate", str(certificate(tmp_path)))
    fill(portal, 1)
    fares = send(portal, clock)
    assert "certificate verify failed" in fares.error
    assert collector.lines() == []


def test_a_long_message_leaves_out_what_was_changed(
    portal_with: Portal, start: Start, clock: Clock
) -> None:
    port = free_port()
    portal = portal_with(**syslog("tcp", port, maximum_size=2048))
    collector = start("tcp", port)
    with portal.runtime.database.write() as connection:
        record(connection, "a.b.c", "x", actor=LI, after={"text": "y" * 3000}, at=clock())
        record(connection, "a.b.c", "中" * 300, actor=LI, address="z" * 64, at=clock())
    seal_all(portal.runtime.database)
    send(portal, clock)
    lines = collector.about("a.b.c")
    assert len(lines) == 2
    assert all(len(line) <= 2048 for line in lines)
    assert b' cut="true"' in lines[0]
    assert orjson.loads(MESSAGE.fullmatch(lines[0])["text"])["after"] is None  # type: ignore[index]


def batches(collector: Collector) -> list[Mapping[str, Any]]:
    return [orjson.loads(line) for line in collector.lines()]


def test_a_webhook_takes_signed_batches(portal_with: Portal, start: Start, clock: Clock) -> None:
    port = free_port()
    portal = portal_with(
        type="webhook", url=f"http://127.0.0.1:{port}/audit", secret=SECRET, batch=100
    )
    fill(portal, 250)
    fares = send(portal, clock)
    assert fares.failures == 1  # nobody listens yet
    collector = start("http", port, "--refuse", "1")
    fares = send(portal, clock)
    assert fares.failures == 2
    assert "answered 503" in fares.error
    fares = send(portal, clock)
    assert (fares.failures, fares.behind) == (0, 0)
    found: list[dict[str, Any]] = []
    for item in batches(collector):
        headers, body = item["headers"], item["body"].encode()
        signed = headers["x-callboard-timestamp"].encode() + b"." + body
        expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        assert headers["x-callboard-signature"] == f"sha256={expected}"
        given = orjson.loads(body)["entries"]
        assert headers["x-callboard-delivery"] == f"{given[0]['position']}-{given[-1]['position']}"
        assert len(given) <= 100
        found += given
    assert [entry["position"] for entry in found] == list(range(1, len(found) + 1))
    check_chain(portal, found, 250)


def test_a_webhook_killed_midway_gets_all(portal_with: Portal, start: Start, clock: Clock) -> None:
    port = free_port()
    portal = portal_with(
        type="webhook", url=f"http://127.0.0.1:{port}/audit", secret=SECRET, batch=50
    )
    fill(portal, 300)
    collector = start("http", port, "--die-after", "3")
    assert send(portal, clock).failures == 1
    assert collector.process.wait(20) == -9
    collector = start("http", port)
    assert send(portal, clock).failures == 0
    found = [
        entry for item in batches(collector) for entry in orjson.loads(item["body"])["entries"]
    ]
    check_chain(portal, found, 300)


def test_a_private_address_must_be_allowed(portal_with: Portal, clock: Clock) -> None:
    portal = portal_with(type="webhook", url=f"http://localhost:{free_port()}/", secret=SECRET)
    fill(portal, 1)
    assert "refused" in send(portal, clock).error


def test_the_signature_is_over_time_and_body() -> None:
    assert signature("key", "1", b"{}") == signature("key", "1", b"{}")
    assert signature("key", "1", b"{}") != signature("key", "2", b"{}")
    assert signature("key", "1", b"{}") != signature("other", "1", b"{}")


@pytest.mark.slow
def test_nothing_is_lost_when_the_portal_is_killed(commands: Any, start: Start) -> None:
    port = free_port()
    commands.write(
        "audit:\n  forward:\n    - {name: siem, type: syslog, host: 127.0.0.1, "
        f"port: {port}, transport: tcp, from_start: true}}\njobs: {{lease: 2s}}\n"
    )
    served = commands.serve()
    for _ in range(3):
        assert commands.run("maintenance", "off").returncode == 0
    served.process.kill()
    served.process.wait()
    assert commands.run("maintenance", "on").returncode == 0
    collector = start("tcp", port)
    again = commands.serve()

    def all_there() -> bool:
        found = {entry["position"]: entry["action"] for entry in collector.entries()}
        switched = [name for name in found.values() if name == "portal.maintenance.switch"]
        return len(switched) == 4 and sorted(found) == list(range(1, len(found) + 1))

    wait_until(all_there, 90)
    assert again.end() == 0
