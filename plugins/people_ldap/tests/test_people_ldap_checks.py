"""What `callboard doctor` says of directories."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ldap_site import (
    BASE,
    PASSWORD,
    Slapd,
    group,
    opened,
    person,
    running,
    server_settings,
)

from callboard.doctor import Finding, contributed_checks, examine
from callboard.testing import Clock

PEOPLE = [person(f"person-{number}") for number in range(7)]


@pytest.fixture(scope="module")
def directory() -> Iterator[Slapd]:
    with running([*PEOPLE, group("all", ["person-1"])]) as made:
        yield made


def said(folder: Path, clock: Clock, *servers: dict[str, Any]) -> list[Finding]:
    with opened(folder, "sqlite:///callboard.sqlite3", clock, list(servers)) as runtime:
        checks = contributed_checks(runtime.plugins.contributions.checks, runtime.host)
        found = examine(checks, secrets=runtime.settings.secrets())
    assert PASSWORD not in str(found)
    return found


def test_a_directory_that_lets_the_portal_in_is_counted(
    directory: Slapd, tmp_path: Path, clock: Clock
) -> None:
    found = said(tmp_path, clock, server_settings(directory))
    assert [(item.status, item.title) for item in found] == [
        ("ok", "Directory company lets the portal in."),
        ("ok", "Directory company: 7 people"),
        ("ok", "Directory company: 1 groups"),
    ]
    assert f"ou=people,{BASE}" in found[1].detail


def test_what_is_wrong_is_told_of_each_server(
    directory: Slapd, tmp_path: Path, clock: Clock
) -> None:
    def named(name: str, **more: Any) -> dict[str, Any]:
        return {**server_settings(directory, **more), "name": name}

    nowhere = {"base": f"ou=nowhere,{BASE}"}
    nobody = {"base": f"ou=people,{BASE}", "filter": "(objectClass=device)"}
    unnamed = {"base": f"ou=people,{BASE}", "map": {"name": "telephoneNumber"}}
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens there
        found = said(
            tmp_path, clock,
            named("refused", bind_dn=f"cn=stranger,{BASE}"),
            named("away", url=f"ldap://127.0.0.1:{held.getsockname()[1]}"),
            named("nowhere", users=nowhere),
            named("empty", users=nobody, groups=None),
            named("unnamed", users=unnamed, groups=None),
        )  # fmt: skip
    titles = {item.title: item for item in found if item.status != "ok"}
    assert "refuses the account" in titles["Directory refused cannot be read."].detail
    assert "cannot be read" in titles["Directory away cannot be read."].detail
    assert f"has no ou=nowhere,{BASE}" in titles["Directory nowhere cannot be read."].detail
    assert titles["Directory empty: 0 people"].status == "warn"
    assert "7 without telephoneNumber" in titles["Directory unnamed: 7 people"].detail
    assert all(item.next_step for item in titles.values())
