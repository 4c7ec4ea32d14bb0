"""What a provider could put into its answer, and the fault that is found in it."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import OctKey, RSAKey
from python_provider import PythonProvider, half_hash, other_key

Change = Callable[[PythonProvider], None]


def with_claims(**claims: Any) -> Change:
    def change(server: PythonProvider) -> None:
        now = int(server.now())
        moved = {
            name: now + value if isinstance(value, int) and name in ("exp", "iat", "nbf") else value
            for name, value in claims.items()
        }
        server.claims.update(moved)

    return change


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _none_algorithm(server: PythonProvider) -> None:
    parts = [{"alg": "none"}, server.standard_claims()]
    server.id_token = ".".join([*(_encoded(json.dumps(part).encode()) for part in parts), ""])


def _secret_of_public_key(server: PythonProvider) -> None:
    """The classic confusion: a signature by HMAC whose secret is the published key."""
    assert isinstance(server.key, RSAKey)
    parts = [{"alg": "HS256", "kid": server.key.kid}, server.standard_claims()]
    text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
    secret = server.key.as_pem(private=False)
    server.id_token = f"{text}.{_encoded(hmac.digest(secret, text.encode(), 'sha256'))}"


def _client_secret(server: PythonProvider) -> None:
    server.id_token = jws.serialize_compact(
        {"alg": "HS256"}, json.dumps(server.standard_claims()),
        OctKey.import_key(server.client_secret), algorithms=["HS256"],
    )  # fmt: skip


def _unknown_key(server: PythonProvider) -> None:
    published, server.key = server.key, other_key("RSA", "unknown")
    server.published = [published]


def _same_number(server: PythonProvider) -> None:
    published, server.key = server.key, other_key("RSA", "one")
    server.published = [published]


def _key_in_header(server: PythonProvider) -> None:
    published, server.key = server.key, other_key("RSA", "one")
    server.published = [published]
    server.id_token = server.sign(server.standard_claims(), jwk=server.key.as_dict(private=False))


def _key_of_another_kind(server: PythonProvider) -> None:
    server.published = [other_key("EC", "one")]


def _changed_after_signing(server: PythonProvider) -> None:
    header, _payload, signature = server.sign(server.standard_claims()).split(".")
    claims = json.dumps({**server.standard_claims(), "sub": "1"}).encode()
    payload = urlsafe_b64encode(claims).rstrip(b"=").decode()
    server.id_token = f"{header}.{payload}.{signature}"


def _token(text: str) -> Change:
    def change(server: PythonProvider) -> None:
        server.id_token = text

    return change


def _tokens(**values: Any) -> Change:
    return lambda server: server.tokens.update(values)


def with_header(**header: Any) -> Change:
    def change(server: PythonProvider) -> None:
        server.id_token = server.sign(server.standard_claims(), **header)

    return change


def _userinfo(told: dict[str, Any]) -> Change:
    def change(server: PythonProvider) -> None:
        server.userinfo = told

    return change


TOKENS: Mapping[str, tuple[Change, str]] = {
    "wrong nonce": (with_claims(nonce="of another sign-in"), "nonce"),
    "no nonce": (with_claims(nonce=None), "nonce"),
    "alg none": (_none_algorithm, "alg"),
    "HS256 with the public key": (_secret_of_public_key, "alg"),
    "HS256 with the client secret": (_client_secret, "alg"),
    "other audience": (with_claims(aud="another-application"), "aud"),
    "several audiences without azp": (with_claims(aud=["callboard", "another"]), "azp"),
    "azp of another": (with_claims(azp="another-application"), "azp"),
    "no audience": (with_claims(aud=None), "aud"),
    "other issuer": (with_claims(iss="https://evil.example"), "iss"),
    "issuer with a slash": (with_claims(iss="/"), "iss"),
    "expired": (with_claims(exp=-61), "exp"),
    "no expiry": (with_claims(exp=None), "exp"),
    "issued in the future": (with_claims(iat=120), "iat"),
    "not issued": (with_claims(iat=None), "iat"),
    "not yet": (with_claims(nbf=120), "nbf"),
    "expiry is no number": (with_claims(exp="9999999999"), "exp"),
    "no subject": (with_claims(sub=None), "sub"),
    "empty subject": (with_claims(sub=""), "sub"),
    "long subject": (with_claims(sub="x" * 256), "sub"),
    "subject is a list": (with_claims(sub=["7"]), "sub"),
    "subject with a line break": (with_claims(sub="7\r\nx"), "sub"),
    "at_hash of another token": (with_claims(at_hash=half_hash("another")), "at_hash"),
    "unknown key": (_unknown_key, "kid"),
    "other key of the same number": (_same_number, "signature"),
    "key in the header": (_key_in_header, "signature"),
    "key of another kind": (_key_of_another_kind, "kid"),
    "changed after signing": (_changed_after_signing, "signature"),
    "a logout token": (with_header(typ="logout+jwt"), "token"),
    "critical extension": (with_header(crit=["exp"], exp=1), "token"),
    "garbage": (_token("garbage"), "token"),
    "empty parts": (_token(".."), "token"),
    "five parts": (_token("a.b.c.d.e"), "token"),
    "not ASCII": (_token("é.é.é"), "token"),
    "nested": (_token("W1tb." * 2 + "x"), "token"),
    "huge": (_token("a" * 300_000 + ".b.c"), "token"),
    "no ID token": (_tokens(id_token=None), "token"),
    "ID token is a number": (_tokens(id_token=7), "token"),
    "no access token": (_tokens(access_token=""), "exchange"),
    "token of another type": (_tokens(token_type="mac"), "exchange"),
    "userinfo of another": (_userinfo({"sub": "8", "name": "Bob"}), "userinfo"),
    "userinfo without subject": (_userinfo({"name": "Bob"}), "userinfo"),
}
