"""Secrets by reference, and that no secret is ever shown."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, field_validator

from callboard.settings import (
    CORE_SECTIONS,
    DatabaseSettings,
    GitSettings,
    PluginsSettings,
    Settings,
    SettingsError,
    load_settings,
)
from callboard_web.settings import PortalSettings

SECRET = "h7Qz-geheim-41"
SECTIONS: Mapping[str, type[BaseModel]] = {**CORE_SECTIONS, "portal": PortalSettings}


class Vault(BaseModel):
    token: SecretStr | None = None
    port: int = 1
    code: str = ""

    @field_validator("code", "token")
    @classmethod
    def _quotes(cls, value: object) -> object:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text:
            raise ValueError(f"{text} is not a code")
        return value


def read(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load_settings(file, environ, SECTIONS, plugin_sections={"vault": Vault, "off": None})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "callboard.yaml"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_references_are_filled_in(file: Path, tmp_path: Path, ending: str) -> None:
    secret = tmp_path / "token"
    secret.write_bytes(f"{SECRET}{ending}".encode())
    found = read(
        file,
        "database: {url: 'postgresql://callboard:${env:PASSWORD}@db/callboard'}\n"
        f"git: {{credentials: [{{host: a, token: '${{file:{secret}}}'}}]}}\n"
        "portal: {title: 'A $${plain} title', organisation: '${env:CALLBOARD_MY_NAME}'}\n",
        PASSWORD="swordfish",
        CALLBOARD_MY_NAME="Acme",
    )
    assert found.section(DatabaseSettings).url == "postgresql://callboard:swordfish@db/callboard"
    token = found.section(GitSettings).credentials[0].token
    assert token is not None
    assert token.get_secret_value() == SECRET
    assert found.section(PortalSettings).title == "A ${plain} title"
    assert set(found.secrets()) == {"swordfish", SECRET, "Acme"}
    shown = str(found.redacted())
    assert "swordfish" not in shown
    assert SECRET not in shown
    assert "Acme" not in shown
    assert "${env:CALLBOARD_MY_NAME}" in shown
    assert "swordfish" not in repr(found.section(PluginsSettings))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            "${env:NOT_THERE}",
            "refers to ${env:NOT_THERE}, but that environment variable is not set",
        ),
        (
            "${env:EMPTY}",
            "refers to ${env:EMPTY}, but that environment variable is not set or empty",
        ),
        ("${file:/no/such/file}", "refers to ${file:/no/such/file}, but there is no such file."),
        ("${file:/dev/zero}", "refers to ${file:/dev/zero}, but there is no such file."),
        ("${file:relative}", "has a reference that cannot be read; expected ${env:NAME} or"),
        (f"${{vault:{SECRET}}}", "has a reference that cannot be read; expected"),
        (f"${{{SECRET}", "has a reference that cannot be read; expected"),
        ("${env:A B}", "has a reference that cannot be read; expected"),
        ("${}", "has a reference that cannot be read; expected"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_fault(
    file: Path, reference: str, expected: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(file, f"portal:\n  title: '{reference}'", EMPTY="")
    [fault] = caught.value.faults
    assert fault.line == 2
    assert fault.message.startswith(f"portal.title {expected}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"x" * 70_000, "larger than 64 KiB"),
        (b"\xff\xfe", "not UTF-8"),
        (b"\n", "which is empty"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_a_fault(
    file: Path, tmp_path: Path, content: bytes, expected: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    with pytest.raises(SettingsError, match=expected):
        read(file, f"portal: {{title: '${{file:{secret}}}'}}")


@pytest.mark.parametrize(
    "text",
    [
        "jobs: {workers: '${env:SECRET}'}",
        "jobs: {queue: 'x${env:SECRET}y'}",
        "jobs: {lease: ['${env:SECRET}']}",
        f"portal: {{cookie_secret: {SECRET}}}",
        f"portal: {{cookie_secret: [{SECRET}]}}",
        f"portal: {{cookie_secrt: {SECRET}}}",
        f"git: {{credentials: [{{host: a, token: {SECRET}, ssh_key: /k}}]}}",
        f"git: {{credentials: [{{token: {SECRET}}}]}}",
        f"git: {{credentials: {{token: {SECRET}}}}}",
        f"http: {{proxy: 'ftp://user:{SECRET}@proxy'}}",
        f"http: {{timeout: 'postgresql://user:{SECRET}@proxy'}}",
        f"plugins: {{settings: {{vault: {{token: {SECRET}}}}}}}",
        "plugins: {settings: {vault: {code: '${env:SECRET}'}}}",
        "plugins: {settings: {vault: {port: '${env:SECRET}'}}}",
        f"plugins: {{settings: {{off: {SECRET}}}}}",
        f"plugins: {{settings: {{vault: {{tokn: {SECRET}}}}}}}",
        f"portal: {{cookie_secret: *{SECRET}}}",
        f"portal: {{cookie_secret: '{SECRET}}}",
        f"portal: {{cookie_secret: @{SECRET}}}",
        f"portal: {{cookie_secret: !{SECRET} x}}",
        f"portal: {{cookie_secret: &{SECRET} [a], x: &{SECRET} b}}",
    ],
)
def test_no_fault_gives_a_secret_away(file: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(file, text, SECRET=SECRET)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.faults)
    assert caught.value.__cause__ is None


def test_a_variable_in_fault_is_not_shown_when_it_is_secret(file: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(file, "", CALLBOARD_PORTAL__COOKIE_SECRET=SECRET)
    assert SECRET not in str(caught.value)
    assert "CALLBOARD_PORTAL__COOKIE_SECRET" in str(caught.value)


def test_secrets_written_plainly_are_hidden_too(file: Path) -> None:
    found = read(
        file,
        f"""
database: {{url: "postgresql://u:p%40ss@db/x?password={SECRET}"}}
git: {{credentials: [{{host: a, token: plain-token}}]}}
plugins: {{settings: {{off: {{anything: unknown-secret}}}}}}
""",
    )
    assert set(found.secrets()) == {"p%40ss", "p@ss", SECRET, "plain-token"}
    shown = str(found.redacted())
    for secret in (*found.secrets(), "unknown-secret"):
        assert secret not in shown


def test_a_missing_secret_of_a_plugin_that_rests_is_no_fault(file: Path) -> None:
    read(file, "plugins: {settings: {off: {token: '${env:NOT_THERE}'}}}")
