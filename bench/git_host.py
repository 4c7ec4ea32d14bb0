"""A Git server over https: `git http-backend`, but references are told without a process.

Real hosts tell them from memory, too; and what a process costs here would be counted as theirs.
"""

import http.server
import os
import ssl
import subprocess
import sys
from pathlib import Path

SERVICE = "git-upload-pack"
OFFER = (
    b"000eversion 2\n" + b"000cls-refs\n" + b"0012fetch=shallow\n" + b"0017object-format=sha1\n0000"
)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    root = Path()

    def do_GET(self) -> None:
        self.body = b""
        if self.headers.get("Git-Protocol") == "version=2" and self.path.endswith(SERVICE):
            self.answer(f"application/x-{SERVICE}-advertisement", OFFER)
        else:
            self.backend()

    def do_POST(self) -> None:
        self.body = self.read_body()
        if self.body.startswith(b"0014command=ls-refs"):
            repository = self.root / self.path.split("/")[1]
            commit = (repository / "refs/heads/main").read_text().strip()
            lines = (
                f"{commit} HEAD symref-target:refs/heads/main\n",
                f"{commit} refs/heads/main\n",
            )
            told = "".join(f"{len(line) + 4:04x}{line}" for line in lines) + "0000"
            self.answer(f"application/x-{SERVICE}-result", told.encode())
        else:
            self.backend()

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, kind: str, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def backend(self) -> None:
        path, _, query = self.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(self.body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=self.body, env=environment, check=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(fields.get("Status", "200").split()[0])
        self.answer(fields.get("Content-Type", "text/plain"), body, status)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    root, directory = map(Path, sys.argv[1:])
    Handler.root = root
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
