"""What a settings file and an environment give."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr, field_validator

from callboard.settings import (
    CORE_SECTIONS,
    DatabaseSettings,
    GitSettings,
    HttpSettings,
    JobsSettings,
    LogSettings,
    NoSettings,
    PluginsSettings,
    Settings,
    SettingsError,
    SettingsFault,
    ShownSetting,
    load_settings,
)
from callboard_catalog.settings import CatalogSettings, FolderSource, GitSource
from callboard_web.settings import PortalSettings

SECTIONS: Mapping[str, type[BaseModel]] = {
    **CORE_SECTIONS,
    "catalog": CatalogSettings,
    "portal": PortalSettings,
}


class Cluster(BaseModel):
    name: str
    token: SecretStr | None = None


class Greeter(BaseModel):
    """A plugin's model, which does not forbid unknown keys by itself."""

    greeting: str = "Hello"
    times: int = 1
    token: SecretStr | None = None
    clusters: list[Cluster] = []

    @field_validator("times")
    @classmethod
    def _is_not_seven(cls, times: int) -> int:
        if times == 7:
            raise KeyError("seven")
        return times


PLUGINS: Mapping[str, type[BaseModel] | None] = {
    "hello": Greeter,
    "plain": NoSettings,
    "resting": None,
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "callboard.yaml"


def read(file: Path | None, text: str | bytes = "", **environ: str) -> Settings:
    if file is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_settings(file, environ, SECTIONS, plugin_sections=PLUGINS)


def faults(file: Path, text: str | bytes, **environ: str) -> list[SettingsFault]:
    with pytest.raises(SettingsError) as caught:
        read(file, text, **environ)
    assert all(str(fault) in str(caught.value) for fault in caught.value.faults)
    return list(caught.value.faults)


def only(file: Path, text: str | bytes, **environ: str) -> str:
    found = faults(file, text, **environ)
    assert len(found) == 1, found
    return str(found[0]).removeprefix(str(file))


def test_without_file_and_environment_there_are_defaults() -> None:
    found = read(None)
    assert found.section(DatabaseSettings).url == "sqlite:///callboard.sqlite3"
    assert found.section(PluginsSettings).time_limit == timedelta(seconds=2)
    assert found.section(PortalSettings).port == 8000
    assert found.plugin("hello") == Greeter()
    assert found.plugin("plain") is None
    assert found.secrets() == ()
    with pytest.raises(LookupError):
        found.section(Cluster)


def test_a_file_is_read(file: Path) -> None:
    text = """\
    \ufeffportal: {title: "2024", listen: "[::1]:9000", default_language: zh-CN}
    catalog:
      sources:
        - {type: folder, name: here, path: /srv/catalog}
        - {type: git, name: orders, url: "https://git.example/orders.git", schedule: 1h, depth: 1}
      kinds:
        - {name: Robot, api_versions: [example.com/v1], title: Robot}
    http: {maximum_bytes: 1MiB, timeout: 1.5s}
    log:
    plugins:
      strict: on
      settings: {hello: {greeting: off, clusters: [{name: a}]}, plain: null}
    """
    found = read(file, "\n".join(line.removeprefix("    ") for line in text.splitlines()))
    portal, catalog = found.section(PortalSettings), found.section(CatalogSettings)
    assert (portal.title, portal.host, portal.port) == ("2024", "::1", 9000)
    folder, git = catalog.sources
    assert isinstance(folder, FolderSource)
    assert folder.paths == ("catalog-info.yaml", "catalog-info.yml")
    assert isinstance(git, GitSource)
    assert git.schedule == timedelta(hours=1)
    assert catalog.kinds[0].api_versions == ("example.com/v1",)
    assert found.section(HttpSettings).maximum_bytes == 1024**2
    assert found.section(LogSettings) == LogSettings()
    assert found.section(PluginsSettings).strict
    assert found.plugin("hello") == Greeter(greeting="off", clusters=[Cluster(name="a")])


@pytest.mark.parametrize("text", ["", "\n", "---\n", "# nothing\n", "{}", "null", "\ufeff"])
def test_an_empty_file_is_no_fault(file: Path, text: str) -> None:
    assert read(file, text).section(JobsSettings) == JobsSettings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("database:\n  pool_size: many", ":2: database.pool_size is 'many'; expected a whole"),
        ("database:\n  pool_size: 0", ":2: database.pool_size is 0; expected at least 1."),
        ("portal: {title: 2024}", ":1: portal.title is 2024; expected text (put it in quotes)."),
        ("portal:\n  title:\n", ":2: portal.title has no value; expected text."),
        ("database: 5", ":1: database is 5; expected a mapping of keys to values."),
        ("database: []", ":1: database is an empty list; expected a mapping of keys to values."),
        ("jobs: {queue: redis}", ":1: jobs.queue is 'redis'; expected 'auto', 'sqlite' or"),
        ("jobs: {lease: 0s}", ":1: jobs.lease is '0s'; expected more than 0s."),
        ("jobs: {lease: 5}", ":1: jobs.lease is 5; expected a duration such as 30s, 5m, 2h or 1d."),
        ("http: {maximum_bytes: x}", ":1: http.maximum_bytes is 'x'; expected a size such as"),
        ("log: {level: yes}", ":1: log.level is 'yes'; expected 'debug', 'info', 'warning' or"),
        ("plugins: {disable: hello}", ":1: plugins.disable is 'hello'; expected a list such as"),
        ("catalog: {sorces: []}", ":1: catalog.sorces is not a setting; did you mean catalog.sou"),
        ("catlog: {}", ":1: catlog is not a setting; did you mean catalog?"),
        ("log: {zzz: 1}", ":1: log.zzz is not a setting; known there: format, level."),
        (
            "catalog:\n sources:\n - {name: a}",
            ":3: catalog.sources[0].type is missing; expected fol",
        ),
        (
            "catalog: {sources: [{type: svn}]}",
            ":1: catalog.sources[0].type is 'svn'; expected folder",
        ),
        (
            "catalog:\n  sources:\n  - type: git\n    name: b\n    url: v\n    brunch: main",
            ":6: catalog.sources[0].brunch is not a setting; did you mean catalog.sources[0].br",
        ),
        (
            "catalog: {sources: [{type: git, name: A_b, url: u}]}",
            ":1: catalog.sources[0].name is 'A_b'; expected 1 to 63 lower-case letters, digits",
        ),
        (
            "catalog: {sources: [{type: git, name: a, url: u}, {type: git, name: a, url: u}]}",
            ":1: catalog.sources is a list; expected every source to have a name of its own; used",
        ),
        ("catalog: {kinds: [{name: A, api_versions: [b], title: 5}]}", "expected text (put it in"),
        ("catalog: {kinds: [{nam: A, api_versions: [b], title: C, name: D}]}", "did you mean"),
        ("git: {credentials: [{host: a}]}", ":1: git.credentials[0]: expected either token or ssh"),
        ("portal: {time_zone: ../etc}", "expected a time zone such as UTC or Asia/Shanghai."),
        ("portal: {listen: '1.2.3.4:99999'}", "expected an address and a port such as 127.0.0.1"),
        ("portal: {default_language: fr}", ":1: portal: expected default_language to be auto or"),
        ("portal: {base_url: https://a/}", "expected a URL such as https://portal.example without"),
        (
            "plugins: {settings: {helo: {}}}",
            "plugins.settings.helo is not an installed plugin; did",
        ),
        (
            "plugins: {settings: {plain: {a: 1}}}",
            "plain.a is not a setting; nothing can be set the",
        ),
        ("plugins: {settings: {hello: {clusters: [{}]}}}", "hello.clusters[0].name is missing; ex"),
        (
            "plugins: {settings: {hello: {times: 7}}}",
            "hello cannot be checked by its own model: Ke",
        ),
        ("plugins: {settings: []}", "plugins.settings is an empty list; expected a mapping"),
        ("plugins: 5", ":1: plugins is 5; expected a mapping of keys to values."),
        ("- a", "The file is not a mapping; expected sections such as database: or catalog:."),
        (
            "log:\n  level: info\n  level: error",
            ":3: log.level is set twice, first in line 2; keep",
        ),
        ("log: {level: !secret x}", ":1: log.level has a YAML tag that settings do not use; remov"),
        ("log: {level: !!int x}", ":1: log.level cannot be read as a YAML int."),
        ("[" * 100_000, ":1: More than 32 levels of nesting."),
        ("{}\n---\n{}", ":2: A second document begins here; expected one document in the file."),
        ("log: {level: @x}", ":1: The file is not YAML: found character that cannot start any tok"),
        ("log: [", "The file is not YAML: "),
        (b"log:\n  level: \xff", ":2: The text is not UTF-8; save the file in that encoding."),
        ("log:\n  level: \x01", ":2: The file is not YAML: control characters are not allowed."),
        ("? [a]\n: b", ":1: a key is a list or a mapping; expected text."),
        ("# " + "x" * 1024**2, "The file is larger than 1024 KiB; expected a settings file."),
    ],
)
def test_a_fault_is_told_in_a_sentence(file: Path, text: str | bytes, expected: str) -> None:
    found = only(file, text)
    assert found.startswith(expected) if expected.startswith(":") else expected in found


def test_an_alias_within_itself_is_a_fault(file: Path) -> None:
    found = faults(file, "catalog: {sources: &a [*a]}")
    assert any("more than 32 levels of nesting" in fault.message for fault in found)


def test_all_faults_are_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    text = "log:\n  level: loud\n  colour: red\ngit:\n  timeout: soon\n"
    text += "plugins:\n  settings:\n    x: {}"
    found = faults(file, text, CALLBOARD_JOBS__WORKERS="none", CALLBOARD_LOG__LEVL="info")
    places = [(fault.file, fault.line, fault.key) for fault in found]
    assert places == [
        (str(file), 2, "log.level"),
        (str(file), 3, "log.colour"),
        (str(file), 5, "git.timeout"),
        (str(file), 8, "plugins.settings.x"),
        ("environment", 0, "CALLBOARD_LOG__LEVL"),
        ("environment CALLBOARD_JOBS__WORKERS", 0, "jobs.workers"),
    ]


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_file_that_cannot_be_read_is_a_fault(tmp_path: Path, kind: str) -> None:
    path = tmp_path if kind == "folder" else tmp_path / "no.yaml"
    with pytest.raises(SettingsError, match=r"cannot be read: (it is not a|there is no such) file"):
        load_settings(path, {}, SECTIONS)


def test_the_environment_outranks_the_file(file: Path) -> None:
    found = read(
        file,
        "database: {url: 'sqlite:///a.sqlite3', pool_size: 3}\nlog: {level: error}",
        CALLBOARD_DATABASE__URL="sqlite:///b.sqlite3",
        CALLBOARD_PLUGINS__DISABLE="[a, b]",
        CALLBOARD_PLUGINS__STRICT="true",
        CALLBOARD_PLUGINS__SETTINGS__HELLO__GREETING="123",
        CALLBOARD_PLUGINS__SETTINGS__RESTING__WAKE="false",
        CALLBOARD_CATALOG__LIMITS__DEPTH="20",
        CALLBOARD_JOBS__LEASE="5m",
        CALLBOARD_HTTP__MAXIMUM_BYTES="1MiB",
        CALLBOARD_HTTP__PROXY="",
        CALLBOARD_PORTAL__TITLE="null: # [x",
        CALLBOARD_CONFIG="elsewhere.yaml",
        CALLBOARD_PLUGINS="hello",
        HOME="/",
    )
    database, plugins = found.section(DatabaseSettings), found.section(PluginsSettings)
    assert (database.url, database.pool_size) == ("sqlite:///b.sqlite3", 3)
    assert plugins.disable == ["a", "b"]
    assert plugins.strict
    assert plugins.settings["resting"] == {"wake": False}
    assert found.plugin("hello") == Greeter(greeting="123")
    assert found.section(CatalogSettings).limits.depth == 20
    assert found.section(JobsSettings).lease == timedelta(minutes=5)
    assert found.section(HttpSettings).maximum_bytes == 1024**2
    assert found.section(HttpSettings).proxy is None
    assert found.section(PortalSettings).title == "null: # [x"
    assert found.section(LogSettings).level == "error"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "CALLBOARD_DATABSE__URL",
            "did you mean CALLBOARD_DATABASE__URL, which sets database.url?",
        ),
        ("CALLBOARD_CONFG", "did you mean CALLBOARD_CONFIG?"),
        ("CALLBOARD_DATABASE", "matches no setting"),
        ("CALLBOARD_QQQ", "Remove it, or write CALLBOARD_SECTION__KEY."),
        ("CALLBOARD_", "matches no setting"),
        ("CALLBOARD___", "matches no setting"),
        ("CALLBOARD_DATABASE__URL__X", "matches no setting"),
        ("CALLBOARD_PORTAL_PORT", "matches no setting"),
    ],
)
def test_an_unknown_variable_is_a_fault(file: Path, name: str, expected: str) -> None:
    assert expected in only(file, "", **{name: "geheim-1234"})


def test_variables_that_kubernetes_sets_are_no_settings(file: Path) -> None:
    read(
        file,
        CALLBOARD_SERVICE_HOST="10.0.0.1",
        CALLBOARD_WEB_SERVICE_PORT_HTTP="80",
        CALLBOARD_PORT="tcp://10.0.0.1:80",
        CALLBOARD_PORT_80_TCP_ADDR="10.0.0.1",
    )


def test_before_plugins_are_loaded_their_settings_are_not_checked(file: Path) -> None:
    file.write_text("plugins: {disable: [a], settings: {any: {thing: '${env:NOT_THERE}'}}}")
    found = load_settings(file, {"CALLBOARD_PLUGINS__SETTINGS__OTHER__KEY": "1"}, SECTIONS)
    assert found.section(PluginsSettings).disable == ["a"]


def test_every_value_is_shown_with_its_source(file: Path) -> None:
    found = read(
        file,
        "database:\n  pool_size: 3\ncatalog:\n  sources:\n  - {type: git, name: a, url: u}\n",
        CALLBOARD_LOG__LEVEL="debug",
    ).redacted()
    assert found["database"]["pool_size"] == ShownSetting(3, f"{file}:2")
    assert found["database"]["url"].source == "default"
    assert found["catalog"]["sources"][0]["name"] == ShownSetting("a", f"{file}:5")
    assert found["catalog"]["sources"][0]["schedule"] == ShownSetting("5m", "default")
    assert found["log"]["level"] == ShownSetting("debug", "environment CALLBOARD_LOG__LEVEL")
    assert found["plugins"]["settings"]["hello"]["times"] == ShownSetting(1, "default")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
@example(b"{a: " * 100_000)
@example(b"- " * 100_000)
@example(b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b]")
@example(b"? ? a\n: b\n: c")
@example(b"portal: {title: 0x, listen: .inf, time_zone: 1e999}\njobs: {workers: 1e999}")
@example(b"jobs: {workers: " + b"9" * 5000 + b"}")
def test_no_bytes_raise_anything_else(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with suppress(SettingsError):
        load_settings(file, {}, SECTIONS, plugin_sections=PLUGINS)


YAML_TEXT = st.text(alphabet=" \n\t:-[]{}&*!|>'\"%@`#,?ab1.~${}env", max_size=60)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SECTIONS)), YAML_TEXT, YAML_TEXT)
def test_no_text_raises_anything_else(file: Path, section: str, text: str, variable: str) -> None:
    file.write_text(f"{section}: {text}\n", encoding="utf-8")
    environ = {"CALLBOARD_CATALOG__SOURCES": variable, "CALLBOARD_HTTP__PROXY": variable}
    with suppress(SettingsError):
        load_settings(file, environ, SECTIONS, plugin_sections=PLUGINS).redacted()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "url", "path", "host", "token", "hello", "git", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(
        [
            ("catalog", "sources"),
            ("catalog", "kinds"),
            ("git", "credentials"),
            ("plugins", "settings"),
        ]
    ),
    JSON,
)
def test_no_structure_raises_anything_else(
    file: Path, place: tuple[str, str], value: object
) -> None:
    file.write_text(json.dumps({place[0]: {place[1]: value}}), encoding="utf-8")
    with suppress(SettingsError):
        load_settings(file, {}, SECTIONS, plugin_sections=PLUGINS).redacted()


def test_git_credentials_take_a_token_or_a_key(file: Path) -> None:
    found = read(file, "git: {credentials: [{host: a, token: abc}, {host: b, ssh_key: /key}]}")
    first, second = found.section(GitSettings).credentials
    assert first.token is not None
    assert second.ssh_key == Path("/key")
