"""A provider of OpenID Connect that says whatever a test wants, right or wrong.

It signs real tokens with keys of its own. What each endpoint answers can be replaced, so that it
can do what no real provider would.
"""

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Answer = tuple[int, Mapping[str, str], bytes]
Handler = Callable[["Asked"], Answer]


class Anything(JWSRegistry):
    """Signs whatever it is told to."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]

    def check_header(self, header: Any) -> None:
        """Accept it."""


@dataclass
class Asked:
    """A request to the provider."""

    method: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]


def as_json(value: object, status: int = 200) -> Answer:
    return status, {"content-type": "application/json"}, json.dumps(value).encode()


@dataclass
class PythonProvider:
    """The provider. `claims` go into the next ID token; `answers` replace whole endpoints."""

    address: str
    now: Callable[[], float]
    client_id: str = "callboard"
    client_secret: str = "a secret: with +/%"
    key: Key = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    tokens: dict[str, Any] = field(default_factory=dict)
    published: list[Key] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    id_token: str | None = None
    nonce: str = ""

    @property
    def issuer(self) -> str:
        return self.address

    def described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks",
            "userinfo_endpoint": f"{self.address}/userinfo",
            "end_session_endpoint": f"{self.address}/end",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.metadata,
        }

    def standard_claims(self) -> dict[str, Any]:
        now = int(self.now())
        return {
            "iss": self.issuer, "aud": self.client_id, "sub": "7", "iat": now, "exp": now + 300,
            "nonce": self.nonce, "name": "Ada Lovelace", "preferred_username": "ada",
        }  # fmt: skip

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        kept = {"alg": self.algorithm, "kid": self.key.kid, **header}
        return jwt.encode(
            {name: value for name, value in kept.items() if value is not None},
            {name: value for name, value in claims.items() if value is not None},
            self.key,
            registry=Anything(),
        )

    def handle(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        path = urlsplit(asked.path).path
        if path in self.answers:
            return self.answers[path](asked)
        if path == "/.well-known/openid-configuration":
            return as_json(self.described())
        if path == "/jwks":
            keys = [self.key] if self.published is None else self.published
            return as_json(KeySet(keys).as_dict(private=False))
        if path == "/token":
            return self._token(asked)
        if path == "/userinfo" and asked.headers.get("authorization") == "Bearer access-1":
            return as_json({"sub": "7"} if self.userinfo is None else self.userinfo)
        return as_json({"error": "not_found"}, 404)

    def _token(self, asked: Asked) -> Answer:
        token = self.id_token or self.sign({**self.standard_claims(), **self.claims})
        return as_json(
            {
                "access_token": "access-1", "token_type": "Bearer", "expires_in": 60,
                "id_token": token, **self.tokens,
            }
        )  # fmt: skip


def half_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def other_key(kind: str, kid: str) -> Key:
    if kind == "EC":
        return ECKey.generate_key("P-256", {"kid": kid})
    if kind == "OKP":
        return OKPKey.generate_key("Ed25519", {"kid": kid})
    return RSAKey.generate_key(2048, {"kid": kid})


@contextmanager
def python_provider(now: Callable[[], float], **chosen: Any) -> Iterator[PythonProvider]:
    """Run a provider on a free port of this machine."""
    with serving(lambda address: PythonProvider(address, now, **chosen)) as made:
        yield made


@contextmanager
def serving(make: Callable[[str], Any]) -> Iterator[Any]:
    """Serve what `make` gives for an address: it has a `handle`."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length).decode() if length else ""
            asked = Asked(
                self.command,
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                {name: values[0] for name, values in parse_qs(body).items()},
            )
            status, headers, content = made.handle(asked)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the name is the server's

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    made = make(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
