import io
import logging

import pytest

from callboard.redaction import RedactingFilter, redact

SECRET = "S3cr3tValue0123456789"


@pytest.mark.parametrize(
    "text",
    [
        f"fatal: unable to access 'https://user:{SECRET}@git.example.com/a.git'",
        f"https://{SECRET}@git.example.com/a.git",
        f"https://user:p@{SECRET}@git.example.com/a.git",
        f"Authorization: Basic {SECRET}",
        f"authorization = {SECRET}",
        f"(b'Authorization', b'Bearer {SECRET}')",
        f"Set-Cookie: session={SECRET}; Path=/",
        f"Private-Token: {SECRET}",
        f'{{"client_secret": "{SECRET}", "name": "x"}}',
        f"GET /hook?a=1&access_token={SECRET}&b=2",
        f"GET /hook?password={SECRET}",
        f"?X-Amz-Signature={SECRET}",
        f"ghp_{SECRET}",
        f"github_pat_{SECRET}",
        f"glpat-{SECRET}",
        f"cbd_{SECRET}",
        f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.{SECRET}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}",
    ],
)
def test_hides_what_looks_like_a_secret(text: str) -> None:
    assert SECRET not in redact(text)
    assert "***" in redact(text)


def test_hides_access_key_of_amazon() -> None:
    assert redact("key AKIAIOSFODNN7EXAMPLE used") == "key *** used"


def test_keeps_what_surrounds_a_secret() -> None:
    assert redact("GET /x?token=abc&page=2 of https://u:p@host/path") == (
        "GET /x?token=***&page=2 of https://***@host/path"
    )


@pytest.mark.parametrize(
    "text",
    [
        "ssh://git@github.com/team/repository.git",
        "git@github.com:team/repository.git",
        "https://example.com/a@b?page=2#token",
        "Tokenizer reads 12 files",
        "plain text, nothing secret",
    ],
)
def test_leaves_plain_text_alone(text: str) -> None:
    assert redact(text) == text


def test_hides_given_secrets_in_every_form() -> None:
    secret = "pä ss/wörd"
    forms = "pä ss/wörd p%C3%A4%20ss/w%C3%B6rd p%C3%A4%20ss%2Fw%C3%B6rd cMOkIHNzL3fDtnJk"
    assert redact(forms, [secret]) == "*** *** *** ***"


def test_long_hostile_text_takes_linear_time() -> None:
    for text in ("token" * 20_000, "a://" * 20_000, "eyJ" * 20_000, "authorization:" * 10_000):
        redact(text)


def test_filter_redacts_message_arguments_and_traceback() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter([SECRET]))
    logger = logging.Logger("redaction")
    logger.addHandler(handler)
    try:
        raise ValueError(f"https://user:{SECRET}@host")
    except ValueError:
        logger.exception("failed for %s", f"token={SECRET}")
    assert SECRET not in stream.getvalue()
    assert "failed for token=***" in stream.getvalue()
    assert "ValueError: https://***@host" in stream.getvalue()
