"""Deliveries are taken from those who know a secret, and from nobody else."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import deliveries as sample
import pytest
from deliveries import SECRET, SIGNING, Repository, Sent
from hypothesis import given
from hypothesis import strategies as st

from callboard_scm_hosts import signatures
from callboard_scm_hosts.signatures import NO_SECRET, NO_TIME, TOO_OLD, UNSIGNED, WRONG, WRONG_TOKEN

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
OF = Repository()
GOOD: dict[str, Callable[[], Sent]] = {
    "gitlab": lambda: sample.gitlab(OF),
    "gitlab signed": lambda: sample.gitlab_signed(sample.gitlab(OF), NOW),
    "github": lambda: sample.github(OF),
    "gitea": lambda: sample.gitea(OF),
    "gitee": lambda: sample.gitee(OF, NOW),
    "gitee quoted": lambda: sample.gitee(OF, NOW, quoted=True),
    "gitee password": lambda: sample.gitee(OF, NOW, password=True),
}
PROOFS = ("x-gitlab-token", "webhook-signature", "x-hub-signature-256", "x-gitea-signature",
          "x-gitee-token")  # fmt: skip


def check(which: str, sent: Sent, secrets: list[str] | None = None, now: datetime = NOW) -> object:
    # HTTP reads headers as Latin-1, whatever was sent.
    headers = {name: value.encode().decode("latin-1") for name, value in sent.headers.items()}
    known = [sent.secret] if secrets is None else secrets
    return signatures.verify(which.split()[0], headers, sent.body, known, now)


def without_proof(sent: Sent, value: str | None = None) -> Sent:
    changed = {name.replace("-", "_"): value for name in PROOFS if name in sent.headers}
    return sent.with_headers(**changed)


@pytest.mark.parametrize("which", GOOD)
def test_what_is_signed_is_taken(which: str) -> None:
    sent = GOOD[which]()
    assert check(which, sent) is True
    assert check(which, sent, ["another", sent.secret, ""]) is True, "while a secret is changed"


@pytest.mark.parametrize("which", GOOD)
def test_another_secret_is_refused(which: str) -> None:
    sent = GOOD[which]()
    other = "whsec_" + base64.b64encode(b"another").decode() if "signed" in which else "another"
    assert check(which, sent, [other]) in (WRONG, WRONG_TOKEN)
    assert check(which, sent, []) is NO_SECRET
    assert check(which, sent, [""]) is NO_SECRET


@pytest.mark.parametrize("which", GOOD)
def test_what_is_not_signed_is_refused(which: str) -> None:
    sent = GOOD[which]()
    assert check(which, without_proof(sent)) is UNSIGNED
    assert check(which, without_proof(sent, "")) in (UNSIGNED, WRONG)
    for proof in ("null", "undefined", "0", "sha256=", "v1,", "密码", "\x7f", "a" * 100_000):
        assert check(which, without_proof(sent, proof)) in (WRONG, WRONG_TOKEN)


@pytest.mark.parametrize("which", ["gitlab signed", "github", "gitea"])
def test_a_changed_body_is_refused(which: str) -> None:
    sent = GOOD[which]()
    for body in (sent.body + b" ", sent.body[:-1], b"", sent.body.replace(b"orders", b"ordets")):
        assert check(which, replace(sent, body=body)) is WRONG


def test_other_algorithms_are_refused() -> None:
    sent = sample.github(OF)
    only_sha1 = sent.with_headers(x_hub_signature_256=None)
    assert check("github", only_sha1) is UNSIGNED
    sha1 = sent.headers["x-hub-signature"]
    assert check("github", sent.with_headers(x_hub_signature_256=sha1)) is WRONG
    digits = sent.headers["x-hub-signature-256"].partition("=")[2]
    assert check("github", sent.with_headers(x_hub_signature_256=digits)) is WRONG
    assert check("github", sent.with_headers(x_hub_signature_256=f"sha512={digits}")) is WRONG
    signed = sample.gitlab_signed(sample.gitlab(OF), NOW)
    value = signed.headers["webhook-signature"].partition(",")[2]
    assert check("gitlab", signed.with_headers(webhook_signature=f"v1a,{value}")) is WRONG
    assert check("gitlab", signed.with_headers(webhook_signature=value)) is WRONG


def test_one_of_several_signatures_is_enough() -> None:
    signed = sample.gitlab_signed(sample.gitlab(OF), NOW)
    several = f"v1,AAAA v2,BBBB {signed.headers['webhook-signature']}"
    assert check("gitlab", signed.with_headers(webhook_signature=several)) is True


@pytest.mark.parametrize("which", ["gitlab signed", "gitee", "gitee quoted"])
def test_old_and_future_ones_are_refused(which: str) -> None:
    sent = GOOD[which]()
    limit = signatures.SIGNED_SKEW if "signed" in which else signatures.GITEE_SKEW
    assert check(which, sent, now=NOW + limit) is True
    assert check(which, sent, now=NOW + limit + timedelta(seconds=1)) is TOO_OLD
    assert check(which, sent, now=NOW - limit - timedelta(seconds=1)) is TOO_OLD


@pytest.mark.parametrize("stamp", ["", "yesterday", "-1", "1e9", "٣", "9" * 40, "1772438400.5"])
def test_times_that_are_none_are_refused(stamp: str) -> None:
    signed = sample.gitlab_signed(sample.gitlab(OF), NOW)
    assert check("gitlab", signed.with_headers(webhook_timestamp=stamp)) is NO_TIME
    sent = sample.gitee(OF, NOW)
    assert check("gitee", sent.with_headers(x_gitee_timestamp=stamp)) is WRONG_TOKEN


def test_a_signature_is_for_its_name_and_time() -> None:
    signed = sample.gitlab_signed(sample.gitlab(OF), NOW)
    assert check("gitlab", signed.with_headers(webhook_id="msg_2")) is WRONG
    later = str(int(NOW.timestamp()) + 1)
    assert check("gitlab", signed.with_headers(webhook_timestamp=later)) is WRONG
    sent = sample.gitee(OF, NOW)
    later = str(int(NOW.timestamp() * 1000) + 1)
    assert check("gitee", sent.with_headers(x_gitee_timestamp=later)) is WRONG_TOKEN


def test_a_signing_token_is_no_secret_token() -> None:
    """Who must sign cannot choose to show the key instead."""
    shown = sample.gitlab(OF).with_headers(x_gitlab_token=SIGNING)
    assert check("gitlab", shown, [SIGNING]) is WRONG_TOKEN
    both = sample.gitlab_signed(sample.gitlab(OF), NOW).with_headers(x_gitlab_token=SECRET)
    assert check("gitlab", both, [SIGNING, SECRET]) is True
    assert check("gitlab", both, [SECRET]) is True, "a host that signs and shows its token"


def test_a_signing_token_that_is_no_base64_fits_nothing() -> None:
    signed = sample.gitlab_signed(sample.gitlab(OF), NOW)
    assert check("gitlab", signed, ["whsec_***"]) is WRONG


def test_the_signature_of_one_host_is_none_of_another() -> None:
    sent = sample.github(OF)
    assert check("gitlab", sent) is UNSIGNED
    assert check("gitee", sent) is UNSIGNED
    assert check("folder", sent) is NO_SECRET


@given(st.text(max_size=80), st.text(max_size=80), st.binary(max_size=200))
def test_no_header_breaks_it(token: str, stamp: str, body: bytes) -> None:
    names = (*PROOFS, "webhook-timestamp", "webhook-id", "x-gitee-timestamp")
    headers = dict.fromkeys(names, token) | {"webhook-timestamp": stamp, "x-gitee-timestamp": stamp}
    for kind in ("gitlab", "github", "gitea", "gitee"):
        verdict = signatures.verify(kind, headers, body, [SECRET, SIGNING], NOW)
        assert verdict is not True or token == SECRET


@given(st.text(min_size=1, max_size=40), st.binary(max_size=200))
def test_every_secret_signs_every_body(secret: str, body: bytes) -> None:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    sent = {"x-hub-signature-256": f"sha256={digest}"}
    assert signatures.verify("github", sent, body, [secret], NOW) is True
