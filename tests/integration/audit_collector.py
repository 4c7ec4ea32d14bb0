"""Takes audit entries as real collectors do: audit_collector.py KIND PORT FILE [OPTIONS].

Kinds are udp, tcp, tls and http. Each message is written to FILE, a line each, before the next is
read; FILE gets an empty line first when the collector listens. With --die-after N it kills itself
by SIGKILL once it has written N messages; with --refuse N it answers the first N requests by 503.
"""

import argparse
import os
import signal
import socket
import socketserver
import ssl
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson


class Store:
    def __init__(self, path: Path, die_after: int) -> None:
        self.file = path.open("ab", buffering=0)
        self.left = die_after
        self.file.write(b"\n")

    def add(self, message: bytes) -> None:
        self.file.write(message + b"\n")
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def datagrams(options: argparse.Namespace, store: Store) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 2**20)
        listener.bind(("127.0.0.1", options.port))
        store.file.write(b"\n")
        while True:
            store.add(listener.recv(65535))


def frames(connection: Any, store: Store) -> None:
    """Read messages by octet counting (RFC 6587, 3.4.1) until the sender ends."""
    reader = connection.makefile("rb")
    while True:
        length = b""
        while (digit := reader.read(1)) not in (b" ", b""):
            length += digit
        if not length:
            return
        store.add(reader.read(int(length)))


def stream(options: argparse.Namespace, store: Store) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if options.certificate is None:
                frames(self.request, store)
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.certificate)
            with context.wrap_socket(self.request, server_side=True) as secured:
                frames(secured, store)
                secured.unwrap()

        def finish(self) -> None:
            self.request.close()

    class Server(socketserver.TCPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", options.port), Handler) as server:
        store.file.write(b"\n")
        server.serve_forever()


def requests(options: argparse.Namespace, store: Store) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if options.refuse:
                options.refuse -= 1
                self.send_response(503)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                store.add(orjson.dumps({"headers": headers, "body": body.decode()}))
                self.send_response(204)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    class Server(HTTPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", options.port), Handler) as server:
        store.file.write(b"\n")
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("udp", "tcp", "tls", "http"))
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--certificate")
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--refuse", type=int, default=0)
    options = parser.parse_args()
    take = {"udp": datagrams, "tcp": stream, "tls": stream, "http": requests}[options.kind]
    take(options, Store(options.file, options.die_after))


if __name__ == "__main__":
    main()
