"""`callboard migrate backstage`: settings that load, comments for the rest, no secret anywhere."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from callboard.errors import InputError
from callboard.settings import Settings, load_settings
from callboard_catalog.settings import CatalogSettings
from callboard_catalog.testing import descriptor
from callboard_people_ldap.settings import PeopleLdapSettings
from callboard_scm_hosts.settings import ScmHostsSettings
from callboard_web.loading import SECTIONS
from callboard_web.migrating.backstage import converted
from callboard_web.migrating.reading import read_files
from callboard_web.migrating.values import duration, glob_of
from callboard_web.settings import PortalSettings
from callboard_web.sign_in.settings import SignInSettings

SAMPLES = Path(__file__).with_name("app_config")
PLUGINS = ("scm_hosts", "people_ldap")
BASE, PRODUCTION = SAMPLES / "app-config.yaml", SAMPLES / "app-config.production.yaml"
VARIABLES = {
    name: f"value-of-{name.lower()}"
    for name in (
        "GITHUB_TOKEN", "GITLAB_ACME_EXAMPLE_TOKEN", "BITBUCKET_PASSWORD", "POSTGRES_HOST",
        "POSTGRES_USER", "POSTGRES_PASSWORD", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET",
        "GITHUB_CLIENT_SECRET", "GITLAB_CLIENT_SECRET", "GHE_TOKEN", "GITLAB_TOKEN", "LDAP_SECRET",
        "LDAP_AD_PASSWORD", "LDAP_DEFAULT_PASSWORD",
    )
}  # fmt: skip


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    """Give a copy of the samples in which the included file names a secret that is there."""
    for path in SAMPLES.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "gitea-password.txt").write_text("secret-in-a-file\n")
    return tmp_path


def words_of(text: str) -> str:
    """Give the text on one line, as if comments were not broken into lines."""
    return " ".join(text.replace("#", " ").split())


def load(text: str, folder: Path) -> Settings:
    config = folder / "callboard.yaml"
    config.write_text(text)
    sections: dict[str, type[BaseModel] | None] = {
        "scm_hosts": ScmHostsSettings,
        "people_ldap": PeopleLdapSettings,
    }
    return load_settings(config, VARIABLES, SECTIONS, plugin_sections=sections)


def test_what_is_printed_loads_and_says_the_same(secret_file: Path) -> None:
    text = converted(read_files([secret_file / BASE.name, secret_file / PRODUCTION.name]), *PLUGINS)
    assert "plain-" not in text
    assert "secret-in-a-file" not in text
    assert "AKIA" not in text
    settings = load(text, secret_file)
    portal = settings.section(PortalSettings)
    assert (portal.title, portal.organisation) == ("Acme Portal", "Acme Shop")
    assert (portal.base_url, portal.listen) == ("https://portal.acme.example", "0.0.0.0:7007")
    data: Mapping[str, Any] = yaml.safe_load(text)
    assert data["database"]["url"] == (
        "postgresql://${env:POSTGRES_USER}:${env:POSTGRES_PASSWORD}@${env:POSTGRES_HOST}:5432"
        "/callboard"
    )
    assert [
        {key: item[key] for key in ("type", "path", "url", "branch", "paths") if key in item}
        for item in data["catalog"]["sources"]
    ] == [
        {"type": "folder", "path": "../../examples", "paths": ["entities.yaml"]},
        {"type": "folder", "path": "../../examples", "paths": ["org.yaml"]},
        {"type": "folder", "path": "/srv/descriptors", "paths": ["**/catalog-info.yaml"]},
        {
            "type": "git",
            "url": "https://github.com/acme/shop.git",
            "branch": "main",
            "paths": ["catalog-info.yaml", "services/*/catalog-info.yaml"],
        },
        {
            "type": "git",
            "url": "https://gitlab.acme.example/shop/orders.git",
            "paths": ["catalog-info.yaml"],
        },
        {"type": "url", "url": "https://files.acme.example/all.yaml"},
    ]
    assert len(settings.section(CatalogSettings).sources) == 6
    credentials = {item["host"]: item for item in data["git"]["credentials"]}
    assert credentials["github.com"]["token"] == "${env:GITHUB_TOKEN}"
    assert credentials["gitlab.acme.example"]["token"] == "${env:GITLAB_ACME_EXAMPLE_TOKEN}"
    assert credentials["gitea.acme.example"]["token"].startswith("${file:/")
    assert credentials["bitbucket.org"]["username"] == "robot"
    assert data["http"]["allow_hosts"] == ["*.static.acme.example", "files.acme.example"]


def test_what_is_discovered(secret_file: Path) -> None:
    text = converted(read_files([secret_file / BASE.name]), *PLUGINS)
    load(text, secret_file)
    hosts = yaml.safe_load(text)["plugins"]["settings"]["scm_hosts"]
    by_name = {item["name"]: item for item in hosts["hosts"]}
    assert by_name["github-com"]["token"] == "${env:GITHUB_TOKEN}"
    acme, everything, own = hosts["discover"]
    assert acme == {
        "name": "acme", "host": "github-com", "organisation": "acme", "topics": ["backstage"],
        "forks": True, "branch": "main", "paths": ["catalog-info.yaml"], "every": "30m",
        "include": ["acme/service-*"],
    }  # fmt: skip
    assert everything["group"] == "shop"
    assert "include" not in everything
    assert "forks" not in everything
    assert everything["every"] == "60m"
    assert (own["organisation"], own["every"]) == ("tools", "15m")
    for said in (
        "topic.exclude", "ldapOrg", "awsS3", "kubernetes", "proxy", "techdocs", "catalog.rules",
        "permission", "guest", "password and is left out", "gcs",
    ):  # fmt: skip
        assert said in words_of(text), said


def test_users_and_groups_come_from_where_they_came(tmp_path: Path) -> None:
    text = converted(read_files([SAMPLES / "organisations.yaml"]), *PLUGINS)
    assert "plain-" not in text
    ldap = load(text, tmp_path).plugin("people_ldap")
    assert isinstance(ldap, PeopleLdapSettings)
    data = yaml.safe_load(text)["plugins"]["settings"]
    assert data["scm_hosts"]["people"] == [
        {"name": "teams-people", "host": "gitlab-com", "group": "org/teams",
         "group_name": "{below}", "inherited": True, "every": "120m"},
        {"name": "org-a-people", "host": "github-com", "organisation": "org-a",
         "namespace": "org-a", "every": "60m"},
        {"name": "org-b-people", "host": "github-com", "organisation": "Org-B",
         "namespace": "org-b", "every": "60m"},
        {"name": "internal-people", "host": "ghe-example-net", "organisation": "internal",
         "every": "1m"},
    ]  # fmt: skip
    assert {item["name"] for item in data["scm_hosts"]["hosts"]} == {
        "gitlab-com", "github-com", "ghe-example-net",
    }  # fmt: skip
    default, directory = ldap.servers
    assert default.url == "ldaps://ds.example.net"
    assert default.password
    assert default.password.get_secret_value() == "value-of-ldap_secret"
    assert (default.users.base, default.users.scope) == ("ou=example,dc=example,dc=net", "subtree")
    assert default.users.filter == "(|(uid=*)(objectClass=*))"
    assert (default.users.map.name, default.users.map.title) == ("uid", "cn")
    assert default.groups
    assert default.groups.filter == "(&(objectClass=some-class)(!(groupType=email)))"
    assert (default.groups.members, default.groups.map.description) == ("member", "l")
    assert data["people_ldap"]["servers"][0]["every"] == "60m"
    assert (directory.id, directory.start_tls) == ("objectGUID", True)
    assert directory.users.map.name == "sAMAccountName"
    assert directory.groups is None
    for said in ("userPattern", "certificates", "unencrypted", "`set`", "microsoftGraphOrg",
                 "namespace of their organisation", "LDAP_AD_PASSWORD"):  # fmt: skip
        assert said.lower() in words_of(text).lower(), said
    without = converted(read_files([SAMPLES / "organisations.yaml"]))
    assert yaml.safe_load(without).get("plugins") is None
    for kind in ("githubOrg", "orgEnabled", "ldapOrg"):
        assert kind in words_of(without)


def test_people_sign_in_with_the_same_providers(secret_file: Path) -> None:
    text = converted(read_files([secret_file / BASE.name, secret_file / PRODUCTION.name]), *PLUGINS)
    found = {item.name: item for item in load(text, secret_file).section(SignInSettings).providers}
    assert found.keys() == {"oidc", "github", "gitlab"}
    assert found["oidc"].type == "keycloak"
    assert found["oidc"].issuer == "https://login.acme.example/realms/acme"
    assert found["oidc"].resolve == ("email",)
    assert found["github"].allowed_groups == ("acme",)
    assert found["gitlab"].issuer == "https://gitlab.acme.example"
    for said in ("emailLocalPart", "saml", "ci-pipeline", "tokens.workloads", "session.secret"):
        assert said in words_of(text), said


def test_later_files_win_and_lists_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("app: {title: A, baseUrl: 'https://a'}\nx: [1, 2]\n")
    (tmp_path / "b.yaml").write_text("app: {title: B, support: null}\nx: [3]\n")
    merged = read_files([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert merged == {"app": {"title": "B", "baseUrl": "https://a"}, "x": [3]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "${env:NAME}"),
        ("a ${ NAME } b", "a ${env:NAME} b"),
        ("${NAME:-usual}", "usual"),
        ("$${NAME}", "$${NAME}"),
        ("$NAME", "$NAME"),
    ],
)
def test_variables_become_references(tmp_path: Path, text: str, value: str) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"key": text}))
    assert read_files([tmp_path / "a.yaml"])["key"] == value


@pytest.mark.parametrize(
    "content", ["- a\n", "a: [\n", "a: !!python/object:os.system x\n", "\0", "$include: a.yaml\n"]
)
def test_files_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(InputError):
        read_files([tmp_path / "a.yaml"])
    with pytest.raises(InputError):
        read_files([tmp_path / "none.yaml"])


PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
KEYS = st.sampled_from(
    ("app", "backend", "catalog", "integrations", "auth", "providers", "locations", "database",
     "github", "gitlab", "oidc", "type", "target", "host", "token", "connection", "client",
     "listen", "title", "baseUrl", "schedule", "frequency", "filters", "organization",
     "clientSecret", "password", "x", "ldapOrg", "githubOrg", "orgs", "orgEnabled", "group",
     "users", "groups", "dn", "bind", "secret", "map", "options")
)  # fmt: skip


@given(
    st.dictionaries(
        KEYS,
        st.recursive(
            PLAIN,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
            max_leaves=20,
        ),
        max_size=5,
    )
)
def test_whatever_is_given_yaml_comes_out(settings: dict[str, Any]) -> None:
    assert isinstance(yaml.safe_load(converted(settings, "finder", "directory")), dict | None)


def test_small_values() -> None:
    assert [duration(value) for value in ({"minutes": 90}, "PT30M", "20s", "1d", "* * * * *")] == [
        "90m", "30m", "20s", "1440m", "",
    ]  # fmt: skip
    assert glob_of("^service-.*$") == "service-*"
    assert glob_of("(a|b)") is None


@pytest.mark.slow
def test_the_command_prints_settings_that_the_program_takes(
    commands: Any, secret_file: Path
) -> None:
    done = commands.run("migrate", "backstage", str(secret_file / PRODUCTION.name))
    assert done.returncode == 0, done.stderr
    commands.write(done.stdout)
    # Only the shape is asked for here: no server of the samples is there.
    commands.environ = {**VARIABLES, "CALLBOARD_DATABASE__URL": "sqlite:///x.sqlite3"}
    listed = commands.run("catalog", "validate", str(secret_file / BASE.name))
    assert "settings" not in listed.stderr, listed.stderr
    assert "cannot be read" in commands.fails("migrate", "backstage", "none.yaml")


def documented(language: str) -> list[str]:
    """Give the samples of the page for operators, without the indent of its lists."""
    page = Path(__file__).parents[2] / "docs/migrate-from-backstage.md"
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(), re.M | re.S)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


@pytest.mark.slow
def test_the_documented_steps_work_one_after_the_other(commands: Any, secret_file: Path) -> None:
    folder = commands.folder
    (folder / "catalog-info.yaml").write_text(descriptor("orders"))
    (folder / "app-config.yaml").write_text(
        "app: {title: Acme, baseUrl: 'http://localhost:3000'}\n"
        "backend: {database: {client: better-sqlite3, connection: ':memory:'}}\n"
        "catalog: {locations: [{type: file, target: ./catalog-info.yaml}]}\n"
    )
    (folder / "app-config.production.yaml").write_text("app: {title: Acme Portal}\n")
    (folder / "callboard.yaml").unlink()
    program = folder / "bin" / "callboard"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m callboard_web "$@"\n')
    program.chmod(0o755)
    environment = {**commands.environment(), "PATH": f"{program.parent}:{os.environ['PATH']}"}

    def run(script: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", script], cwd=folder, env=environment, timeout=120,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (script, done.stderr)
        return done.stdout

    mine = [text for text in documented("sh") if text.startswith("callboard ")]
    convert, read, validate, token = mine
    run(convert)
    assert "1 created" in run(read)
    run(validate)
    (bindings,) = documented("yaml")
    with (folder / "callboard.yaml").open("a") as settings:
        settings.write(bindings)
    secret = run(token).strip()
    served = commands.serve()
    (ask,) = [text for text in documented("sh") if text.startswith("curl") and "by-query" in text]
    environment |= {"TOKEN": secret, "PORTAL": served.address}
    assert '"name":"orders"' in run(ask)
