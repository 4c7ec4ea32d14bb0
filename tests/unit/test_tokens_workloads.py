"""Jobs that show a token of their own system: real signatures, keys from a real server.

The claims are those that the three systems put into such tokens, with other names and numbers.
"""

import base64
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.testclient import TestClient

from callboard import audit
from callboard.errors import SettingsError
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.testing import PortalUnderTest
from callboard_web.tokens.workloads import fits

AUDIENCE = "https://portal.example"
NOW = 1772438400  # what the clock of tests shows at first
GITLAB = {
    "namespace_id": "72", "namespace_path": "shop", "project_id": "20",
    "project_path": "shop/cart", "user_id": "1", "user_login": "ada",
    "user_email": "ada@shop.example", "user_access_level": "developer", "pipeline_id": "574",
    "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
    "ref_path": "refs/heads/main", "ref_protected": "true", "runner_id": 1,
    "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
    "project_visibility": "private",
    "ci_config_ref_uri": "git.shop.example/shop/cart//.gitlab-ci.yml@refs/heads/main",
    "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "iat": NOW - 8, "nbf": NOW - 13,
    "exp": NOW + 3592, "sub": "project_path:shop/cart:ref_type:branch:ref:main",
    "aud": AUDIENCE,
}  # fmt: skip
GITHUB = {
    "jti": "example-id", "sub": "repo:shop/cart:environment:prod", "environment": "prod",
    "aud": AUDIENCE, "ref": "refs/heads/main",
    "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "repository": "shop/cart",
    "repository_owner": "shop", "actor_id": "12", "repository_visibility": "private",
    "repository_id": "74", "repository_owner_id": "65", "run_id": "900", "run_number": "10",
    "run_attempt": "2", "runner_environment": "github-hosted", "actor": "ada",
    "workflow": "deploy", "head_ref": "", "base_ref": "", "event_name": "workflow_dispatch",
    "ref_type": "branch", "ref_protected": "true",
    "job_workflow_ref": "shop/actions/.github/workflows/deploy.yml@refs/heads/main",
    "workflow_ref": "shop/cart/.github/workflows/deploy.yml@refs/heads/main", "nbf": NOW - 300,
    "exp": NOW + 300, "iat": NOW,
}  # fmt: skip
KUBERNETES = {
    "aud": [AUDIENCE], "exp": NOW + 3000, "iat": NOW - 600, "nbf": NOW - 600,
    "jti": "e51f1fbc-4733-4b85-a59f-ba80c0523874",
    "kubernetes.io": {
        "namespace": "ci", "node": {"name": "node-1", "uid": "5"},
        "pod": {"name": "build-1", "uid": "6"}, "warnafter": NOW,
        "serviceaccount": {"name": "builder", "uid": "7"},
    },
    "sub": "system:serviceaccount:ci:builder",
}  # fmt: skip


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def plain(header: Mapping[str, Any], claims: Mapping[str, Any], signature: str = "") -> str:
    """Write a token with whatever stands for its signature."""
    parts = [encoded(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, signature])


class Issuer:
    """A server with keys, as a CI system has one, that can be told to fail."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})]
        self.asked: list[tuple[str, str | None]] = []
        self.status = 200
        self.jwks_uri = ""
        handler = type("Handler", (_Handler,), {"issuer": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def document(self, path: str) -> Any:
        if path.endswith("/openid-configuration"):
            return {"issuer": self.url, "jwks_uri": self.jwks_uri or f"{self.url}/jwks"}
        return {"keys": [key.as_dict(private=False) for key in self.keys]}

    def sign(self, claims: Mapping[str, Any], key: Any = None, **header: Any) -> str:
        key = key or self.keys[0]
        algorithm = header.pop("alg", "ES256" if isinstance(key, ECKey) else "RS256")
        full = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}
        text = plain(full, {"iss": self.url, **claims}).rstrip(".")
        # By hand, as the library refuses to sign what these tests need.
        signature = jws.JWSRegistry.algorithms[algorithm].sign(text.encode(), key)
        return f"{text}.{encoded(signature)}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        self.issuer.asked.append((self.path, self.headers.get("authorization")))
        content = json.dumps(self.issuer.document(self.path)).encode()
        self.send_response(self.issuer.status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Issuer]]:
    made = [Issuer() for _ in range(3)]
    yield made
    for issuer in made:
        issuer.close()


@pytest.fixture
def issuers(servers: list[Issuer]) -> list[Issuer]:
    for issuer in servers:
        issuer.keys = issuer.keys[:1]
        issuer.asked.clear()
        issuer.status, issuer.jwks_uri = 200, ""
    return servers


@pytest.fixture
def gitlab(issuers: list[Issuer]) -> Issuer:
    return issuers[0]


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(issuers: list[Issuer], tmp_path: Path) -> Mapping[str, Any]:
    gitlab, github, kubernetes = issuers
    proof = tmp_path / "token"
    proof.write_text("proof-of-the-portal\n")
    shared = {"audience": AUDIENCE, "permissions": ["catalog.*", "portal.metrics.read"]}
    rules = [
        {
            **shared, "name": "releases", "issuer": gitlab.url, "roles": ["maintainer"],
            "claims": {"project_path": "shop/*", "ref_protected": True, "ref": "v*"},
        },
        {
            **shared, "name": "builds", "issuer": gitlab.url, "service": "builder",
            "claims": {"project_path": "shop/*", "ref_protected": True},
            "on": {"kind": ["component"]},
        },
        {
            **shared, "name": "actions", "issuer": github.url,
            "claims": {"repository_owner_id": 65, "sub": ["repo:shop/*:environment:prod"]},
        },
        {
            **shared, "name": "pods", "issuer": kubernetes.url, "bearer_file": str(proof),
            "jwks_url": f"{kubernetes.url}/openid/v1/jwks",
            "claims": {"kubernetes.io": {"namespace": "ci", "serviceaccount": {"name": "builder"}}},
        },
    ]  # fmt: skip
    bindings = [{"role": "maintainer", "to": ["service:builder"]}]
    return {
        "access": {"anonymous": "", "bindings": bindings},
        "tokens": {"workloads": rules, "failures": 100},
    }


@pytest.fixture
def robot(portal: PortalUnderTest) -> TestClient:
    return TestClient(create_app(portal.runtime), client=("127.0.0.1", 50000))


def ask(robot: TestClient, token: str, path: str = "/api/whoami") -> httpx2.Response:
    return robot.get(path, headers={"authorization": f"Bearer {token}"})


def refused(robot: TestClient, token: str) -> str:
    """Give what the header says of a token that is refused."""
    answer = ask(robot, token)
    assert answer.status_code == 401, answer.text
    error = answer.json()["error"]
    assert (error["name"], error["cause"]["name"]) == ("AuthenticationError", "InvalidTokenError")
    told = answer.headers["www-authenticate"]
    assert 'error="invalid_token"' in told
    return told.partition('error_description="')[2].rstrip('"')


def test_jobs_of_the_three_systems_come_in(
    issuers: list[Issuer], robot: TestClient, portal: PortalUnderTest
) -> None:
    gitlab, github, kubernetes = issuers
    told = ask(robot, gitlab.sign(GITLAB)).json()
    assert told["principal"] == {"kind": "workload", "name": "builds"}
    assert told["onBehalfOf"] == {"kind": "workload", "name": "shop/cart main #302"}
    assert told["names"] == ["service:builder"]
    assert told["expiresAt"] == "2026-03-02T08:59:52+00:00"
    names = {item["name"]: item["on"] for item in told["permissions"]}
    assert names["catalog.entity.read"] == "some"
    assert names["portal.metrics.read"] == "everywhere"
    assert "portal.job.read" not in names  # the role has it, the rule does not let it through
    assert (
        ask(robot, github.sign(GITHUB, x5t="abc")).json()["title"]
        == "shop/cart refs/heads/main #900"
    )
    assert ask(robot, kubernetes.sign(KUBERNETES)).json()["principal"]["name"] == "pods"
    assert kubernetes.asked == [("/openid/v1/jwks", "Bearer proof-of-the-portal")]
    with portal.runtime.database.read() as connection:
        entries = audit.entries(connection, action="portal.workload.use")
    claims = {entry.actor: entry.after["claims"] for entry in entries}
    assert claims["workload:builds"]["pipeline_id"] == "574"
    assert claims["workload:actions"]["run_id"] == "900"
    assert "user_email" not in claims["workload:builds"]


def test_the_first_rule_that_fits_wins(gitlab: Issuer, robot: TestClient) -> None:
    told = ask(robot, gitlab.sign({**GITLAB, "ref": "v1.2"})).json()
    assert told["principal"]["name"] == "releases"
    assert told["names"] == []


def test_keys_are_read_once_and_again_when_they_change(
    gitlab: Issuer, robot: TestClient, clock: Clock
) -> None:
    for _ in range(3):
        assert ask(robot, gitlab.sign(GITLAB)).status_code == 200
    assert [path for path, _ in gitlab.asked] == ["/.well-known/openid-configuration", "/jwks"]
    gitlab.keys.append(ECKey.generate_key("P-256", {"kid": "two"}))
    # At once after a question it is not asked again, whatever keys tokens name.
    assert refused(robot, gitlab.sign(GITLAB, gitlab.keys[1])) == "unknown key"
    assert len(gitlab.asked) == 2
    clock.advance(30)
    assert ask(robot, gitlab.sign(GITLAB, gitlab.keys[1])).status_code == 200
    assert ask(robot, gitlab.sign(GITLAB)).status_code == 200
    assert len(gitlab.asked) == 4
    old = gitlab.keys.pop(0)
    clock.advance(timedelta(minutes=10))
    assert refused(robot, gitlab.sign(GITLAB, old)) == "unknown key"
    gitlab.keys.insert(0, old)


def test_an_issuer_that_does_not_answer_is_not_nobody(
    gitlab: Issuer, robot: TestClient, clock: Clock
) -> None:
    gitlab.status = 500
    answer = ask(robot, gitlab.sign(GITLAB))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert gitlab.url in answer.json()["error"]["message"]
    asked = len(gitlab.asked)
    assert ask(robot, gitlab.sign(GITLAB)).status_code == 503
    assert len(gitlab.asked) == asked
    gitlab.status = 200
    clock.advance(30)
    assert ask(robot, gitlab.sign(GITLAB)).status_code == 200
    # Keys that were read go on for an hour, and no longer.
    gitlab.status = 500
    clock.advance(timedelta(minutes=40))
    assert ask(robot, gitlab.sign(GITLAB)).status_code == 200
    clock.advance(timedelta(minutes=19))
    later = {**GITLAB, "exp": NOW + 9000}
    assert ask(robot, gitlab.sign(later)).status_code == 200
    clock.advance(timedelta(minutes=2))
    assert ask(robot, gitlab.sign(later)).status_code == 503


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "https://other.example"}, "wrong audience"),
        ({"aud": ["a", "b"]}, "wrong audience"),
        ({"aud": None}, "wrong audience"),
        ({"iss": "https://gitlab.example"}, "unknown issuer"),
        ({"iss": 7}, "bad signature"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": NOW + 90_000, "iat": NOW}, "too long-lived"),
        ({"exp": "never"}, "no exp or iat"),
        ({"exp": None}, "no exp or iat"),
        ({"iat": None}, "no exp or iat"),
        ({"nbf": NOW + 61}, "not yet valid"),
        ({"iat": NOW + 61, "nbf": NOW}, "not yet valid"),
        ({"nbf": "soon"}, "no exp or iat"),
        ({"project_path": "shopping/cart"}, "no rule fits"),
        ({"project_path": ["other/x"]}, "no rule fits"),
        ({"ref_protected": "false"}, "no rule fits"),
        ({"ref_protected": 1}, "no rule fits"),
        ({"project_path": None}, "no rule fits"),
        ({"nonce": "n-0S6"}, "not a token of a job"),
        (
            {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
            "not a token of a job",
        ),
    ],
)
def test_claims_that_do_not_fit_are_refused(
    gitlab: Issuer, robot: TestClient, claims: dict[str, Any], said: str
) -> None:
    assert refused(robot, gitlab.sign({**GITLAB, **claims})) == said


def test_clocks_may_differ_by_a_minute(gitlab: Issuer, robot: TestClient) -> None:
    for claims in ({"exp": NOW - 59}, {"nbf": NOW + 60}, {"iat": NOW + 60}):
        assert ask(robot, gitlab.sign({**GITLAB, **claims})).status_code == 200


def test_forged_tokens_are_refused(gitlab: Issuer, robot: TestClient) -> None:
    claims = {"iss": gitlab.url, **GITLAB}
    good = gitlab.sign(GITLAB)
    head, body, signature = good.split(".")
    other = plain({}, {**claims, "project_path": "shop/other"}).split(".")[1]
    assert refused(robot, f"{head}.{other}.{signature}") == "bad signature"
    assert refused(robot, f"{head}.{body}.{signature[:-8]}AAAAAAAA") == "bad signature"
    assert refused(robot, f"{head}.{body}.") == "bad signature"
    names: list[Any] = ["none", "None", "NONE", "", "HS256", "ES256K", 5, None, ["RS256"], {}]
    for name in names:
        text = plain({"alg": name, "kid": "one"}, claims, "AAAA")
        assert refused(robot, text) == "unsupported algorithm"
    # The public key as a shared secret: the signature counts for nothing where HS256 is not taken,
    # and calling it RS256 makes it none.
    public = gitlab.keys[0].as_pem(private=False)
    for algorithm, said in (("HS256", "unsupported algorithm"), ("RS256", "bad signature")):
        text = plain({"alg": algorithm, "kid": "one"}, claims).rstrip(".")
        keyed = hmac.digest(public, text.encode(), "sha256")
        assert refused(robot, f"{text}.{encoded(keyed)}") == said
    assert refused(robot, gitlab.sign(GITLAB, typ="logout+jwt")) == "not a token of a job"
    # An algorithm of another kind of key than the issuer has under that name.
    assert refused(robot, plain({"alg": "ES256", "kid": "one"}, claims, "AAAA")) == "bad signature"


def test_what_a_token_says_of_keys_is_not_looked_at(
    issuers: list[Issuer], robot: TestClient
) -> None:
    gitlab, evil = issuers[0], issuers[1]
    own = RSAKey.generate_key(2048, {"kid": "one"})
    jwk = own.as_dict(private=False)
    for header in (
        {"jku": f"{evil.url}/jwks"},
        {"x5u": f"{evil.url}/certificate"},
        {"jwk": jwk},
        {"x5c": ["MIIB"]},
    ):
        assert refused(robot, gitlab.sign(GITLAB, own, **header)) == "bad signature"
    for kid in ("../../../../etc/passwd", "one' OR '1'='1", "two\u0000", "x" * 3000):
        token = gitlab.sign(GITLAB, own, kid=kid)
        assert refused(robot, token) == "unknown key"
    assert refused(robot, gitlab.sign(GITLAB, own, crit=["exp"])) == "bad signature"
    assert evil.asked == []
    # Keys of one issuer are not those of another.
    assert refused(robot, evil.sign({**GITHUB, "iss": gitlab.url})) == "bad signature"


def test_huge_and_broken_tokens_are_refused_before_anything_is_asked(
    gitlab: Issuer, robot: TestClient
) -> None:
    huge = gitlab.sign({**GITLAB, "filler": "x" * 20_000})
    assert refused(robot, huge) == "too long"
    for broken in ("eyJ.eyJ.x", "eyJhbGciOiJSUzI1NiJ9.W10.AA", "eyJ!.e30.AA", "eyJbW10.e30.AA"):
        assert refused(robot, broken) == "bad signature"
    deep = "eyJ" + base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
    assert refused(robot, f"{deep}.e30.AA") == "bad signature"
    assert gitlab.asked == []


def test_discovery_that_names_another_issuer_or_place_is_refused(
    issuers: list[Issuer], robot: TestClient, clock: Clock
) -> None:
    gitlab = issuers[0]
    for address in ("http://169.254.169.254/latest", "file:///etc/passwd", "http://10.0.0.1/keys"):
        gitlab.jwks_uri = address
        assert ask(robot, gitlab.sign(GITLAB)).status_code == 503
        clock.advance(30)


def test_keys_that_are_no_public_signing_keys_are_left_out(
    gitlab: Issuer, robot: TestClient
) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    sealing = RSAKey.generate_key(2048, {"kid": "sealing"})
    sealed = RSAKey.import_key({**sealing.as_dict(private=True), "use": "enc"})
    gitlab.keys += [shared, sealed]
    assert refused(robot, gitlab.sign(GITLAB, sealing)) == "unknown key"
    assert (
        refused(robot, plain({"alg": "RS256", "kid": "shared"}, {"iss": gitlab.url}, "AA"))
        == "unknown key"
    )


def test_closing_the_service_account_ends_its_jobs(gitlab: Issuer, robot: TestClient) -> None:
    token = gitlab.sign(GITLAB)
    assert ask(robot, token).status_code == 200
    accounts = robot.app.state.machines.accounts  # type: ignore[attr-defined]
    accounts.make("builder", "", None)
    accounts.close("builder")
    assert refused(robot, token) == "account closed"


@pytest.mark.parametrize("claims", ["{}", "{sub: '*'}", "{sub: ['a', '**']}", "{a: {b: '*'}}"])
def test_rules_that_let_everyone_in_are_refused(tmp_path: Path, claims: str) -> None:
    config = tmp_path / "callboard.yaml"
    config.write_text(
        "tokens: {workloads: [{name: all, issuer: 'https://gitlab.com', audience: x, "
        f"permissions: ['*'], claims: {claims}}}]}}"
    )
    with pytest.raises(SettingsError, match="not just wildcards"):
        Runtime.open(config, {"CALLBOARD_PLUGINS": ""})


@pytest.mark.parametrize(
    ("wanted", "found", "fit"),
    [
        ("shop/*", "shop/a/b", True),
        ("shop/*", "xshop/a", False),
        ("Shop", "shop", False),
        (["a", "b"], "b", True),
        ("b", ["a", "b"], True),
        (True, True, True),
        (True, "true", True),
        (True, "True", False),
        (False, None, False),
        (65, "65", True),
        (1, True, False),
        ("1", 1, False),
        ({"a": {"b": "x*"}}, {"a": {"b": "xy", "c": 1}}, True),
        ({"a": {"b": "x"}}, {"a": "b"}, False),
    ],
)
def test_claims_fit_by_pattern_alternative_and_part(wanted: Any, found: Any, fit: bool) -> None:
    assert fits(wanted, found) is fit
