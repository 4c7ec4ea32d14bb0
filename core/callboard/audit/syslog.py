"""Syslog: messages (RFC 5424) over UDP (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425)."""

import json
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final

from callboard.audit.delivery import Sent
from callboard.audit.settings import SyslogDestination
from callboard.errors import SettingsError, reason_of

APPLICATION: Final = "callboard"
MESSAGE_ID: Final = "audit"
PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}
BATCH: Final = 200

FACILITIES: Final = {
    "auth": 4, "authpriv": 10, "audit": 13, **{f"local{n}": 16 + n for n in range(8)}
}  # fmt: skip
SEVERITIES: Final = {"ok": 5, "denied": 4, "failed": 3}
"""Notice, warning and error, by the result of an entry; RFC 5424, 6.2.1."""

PARAMETERS: Final = (
    "position", "id", "action", "result", "actor", "on_behalf_of", "subject", "address",
    "request_id", "hash",
)  # fmt: skip


class SyslogCarrier:
    """Carries entries to one collector, with a connection for each batch.

    Syslog has no receipts. Over TCP and TLS a batch counts as taken once the collector has ended
    the connection in good order after us: one that was killed, or has not read all, does not.
    """

    batch = BATCH

    def __init__(self, settings: SyslogDestination, base: Path) -> None:
        self._settings = settings
        self._base = base
        self._port = settings.port or PORTS[settings.transport]
        self._timeout = settings.timeout.total_seconds()

    def deliver(self, chain: str, entries: list[Sent]) -> None:
        messages = [message(self._settings, entry, chain) for entry in entries]
        if self._settings.transport == "udp":
            self._send_datagrams(messages)
        else:
            self._send_stream(b"".join(b"%d %b" % (len(item), item) for item in messages))

    def _send_datagrams(self, messages: list[bytes]) -> None:
        host = self._settings.host
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, self._port, type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as datagrams:
            # Connected, so that the answer of a machine on which nobody listens is heard.
            datagrams.connect(address)
            for item in messages:
                datagrams.send(item)

    def _send_stream(self, content: bytes) -> None:
        address = (self._settings.host, self._port)
        with socket.create_connection(address, self._timeout) as connection:
            if self._settings.transport == "tls":
                self._send_tls(connection, content)
            else:
                connection.sendall(content)
                connection.shutdown(socket.SHUT_WR)
                _wait_for_end(connection)

    def _send_tls(self, connection: socket.socket, content: bytes) -> None:
        context = self._context()
        with context.wrap_socket(connection, server_hostname=self._settings.host) as secured:
            secured.sendall(content)
            # The alert of RFC 5425, 4.4, says that all was read. An end without it says nothing:
            # the system closes connections of a collector that was killed in the same way.
            with suppress(ssl.SSLZeroReturnError):
                secured.unwrap()

    def _context(self) -> ssl.SSLContext:
        chosen = self._settings
        try:
            context = ssl.create_default_context()
            if chosen.ca_bundle:
                context.load_verify_locations(self._base / chosen.ca_bundle)
            if chosen.certificate:
                context.load_cert_chain(self._base / chosen.certificate)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"The certificates of the destination {chosen.name} cannot be used: "
                f"{reason_of(error)}.",
                hint="Expected files in PEM form.",
            ) from error
        return context


def _wait_for_end(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def message(settings: SyslogDestination, entry: Sent, chain: str) -> bytes:
    """Write an entry as a message; the text is the whole entry as JSON in ASCII.

    Where it would be too long, the text leaves out what was changed, and then what remains.
    """
    priority = FACILITIES[settings.facility] * 8 + SEVERITIES.get(entry["result"], 5)
    host = _header(socket.gethostname(), 255)
    head = f"<{priority}>1 {entry['at']} {host} {APPLICATION} {os.getpid()} {MESSAGE_ID}"
    values = {"chain": chain, **{name: entry[name] for name in PARAMETERS}}
    for shortened, text in (
        ({}, _text(entry)),
        ({"cut": "true"}, _text({**entry, "before": None, "after": None})),
        ({"cut": "true"}, ""),
    ):
        data = _structured(settings.structured_data, {**values, **shortened})
        written = f"{head} {data} {text}".rstrip().encode()
        if len(written) <= settings.maximum_size:
            break
    return written


def _header(text: str, longest: int) -> str:
    return "".join(character for character in text if "!" <= character <= "~")[:longest] or "-"


def _structured(name: str, values: dict[str, object]) -> str:
    pairs = (f'{key}="{_escaped(str(value))}"' for key, value in values.items() if value != "")
    return f"[{name} {' '.join(pairs)}]"


def _escaped(text: str) -> str:
    for special in ("\\", '"', "]"):
        text = text.replace(special, f"\\{special}")
    # Line ends and the like are allowed there, but most collectors make a second message of them.
    return "".join(character if character.isprintable() else " " for character in text)


def _text(entry: Sent) -> str:
    return json.dumps(dict(entry), separators=(",", ":"), sort_keys=True)
