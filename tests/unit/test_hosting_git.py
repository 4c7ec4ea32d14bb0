"""Plugins read repositories of hosts that somebody has configured, and of no other."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callboard.database import Database
from callboard.entities import Catalog
from callboard.errors import NotAllowedError
from callboard.hosting import Services
from callboard.plugin_host import PluginHost
from callboard.settings import CORE_SECTIONS, load_settings
from callboard.testing import Clock


def host(tmp_path: Path, git: str = "{}", configured: tuple[str, ...] = ()) -> PluginHost:
    file = tmp_path / "callboard.yaml"
    file.write_text(f"git: {git}\n")
    services = Services(
        load_settings(file, {}, CORE_SECTIONS),
        cast(Database, SimpleNamespace()),
        cast(Catalog, SimpleNamespace()),
        base=tmp_path,
        clock=Clock(cast(Any, None)),
        configured_repositories=configured,
    )
    return PluginHost("hello", services)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/a/b.git",
        "https://user:secret@git.example.com:8443/a/b",
        "git@git.example.com:a/b.git",
        "ssh://git@GIT.example.com/a/b",
    ],
)
def test_a_host_nobody_named_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotAllowedError, match=r"git\.example\.com") as refused:
        host(tmp_path).git(url)
    assert "secret" not in str(refused.value)
    assert "git.allow_hosts" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("git", "configured"),
    [
        ("{allow_hosts: [git.example.com]}", ()),
        ("{allow_hosts: ['*.example.com']}", ()),
        ("{credentials: [{host: 'git.example.com:8443', token: t0ken}]}", ()),
        ("{}", ("https://git.example.com/other/repository",)),
        ("{}", ("git@git.example.com:other/repository",)),
    ],
)
def test_a_host_that_is_named_is_read(
    tmp_path: Path, git: str, configured: tuple[str, ...]
) -> None:
    assert host(tmp_path, git, configured).git("https://git.example.com/a/b").url


def test_a_pattern_does_not_allow_hosts_that_only_end_alike(tmp_path: Path) -> None:
    with pytest.raises(NotAllowedError):
        host(tmp_path, "{allow_hosts: ['*.example.com']}").git("https://badexample.com/a")
