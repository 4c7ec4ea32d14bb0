"""How a process is put together from its settings and plugins."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from callboard.errors import InputError, SettingsError
from callboard.plugins import PluginRecord, PluginState
from callboard.settings import GitSettings
from callboard_web.app import PAGES, create_app
from callboard_web.loading import RESERVED
from callboard_web.runtime import Runtime


class Installs(Protocol):
    def install(self, name: str, source: str, **options: str) -> None: ...


Open = Callable[..., Runtime]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "portal"
    path.mkdir()
    return path


@pytest.fixture
def open_runtime(folder: Path) -> Iterator[Open]:
    """Give a function that opens a runtime on settings; all are stopped at the end."""
    made: list[Runtime] = []

    def open_one(settings: str = "", plugins: str | None = "", **options: Any) -> Runtime:
        config = folder / "callboard.yaml"
        config.write_text(settings)
        environ = {"CALLBOARD_ACCESS__ANONYMOUS": "administrator"}
        environ |= {} if plugins is None else {"CALLBOARD_PLUGINS": plugins}
        made.append(Runtime.open(config, environ, **options))
        return made[-1]

    yield open_one
    for runtime in made:
        runtime.stop()


HEAD = """
from pathlib import Path
from callboard import hookimpl
from callboard.contributions import *
from pydantic import BaseModel
"""


def test_without_a_file_everything_has_a_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    runtime = Runtime.open(None, {"CALLBOARD_PLUGINS": ""})
    with closing(runtime.database):
        assert runtime.database.path == folder / "callboard.sqlite3"
        assert runtime.base == folder
        states = [state.state for state in runtime.upgrade()]
        assert set(states) == {"empty"}
        runtime.start(worker=False, serve=False)
        runtime.stop()


def test_a_database_that_is_behind_is_refused(open_runtime: Open) -> None:
    runtime = open_runtime()
    with pytest.raises(SettingsError, match="Run: callboard db upgrade"):
        runtime.start(worker=False, serve=False)


def test_a_newer_database_is_refused(open_runtime: Open) -> None:
    runtime = open_runtime()
    runtime.upgrade()
    with runtime.database.write() as connection:
        connection.execute(text("UPDATE alembic_version_core SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="tables of core are at revision 9999, which"):
        runtime.start(worker=False, serve=True)
    with pytest.raises(SettingsError, match="Nothing was changed"):
        runtime.upgrade()


def test_a_half_migrated_database_is_refused_until_it_is_upgraded(open_runtime: Open) -> None:
    runtime = open_runtime()
    runtime.upgrade()
    with runtime.database.write() as connection:
        connection.execute(text("INSERT INTO callboard_upgrade VALUES ('catalog')"))
    with pytest.raises(SettingsError, match="upgrade of the tables of catalog did not finish"):
        runtime.start(worker=False, serve=True)
    runtime.stop()
    runtime = open_runtime()
    runtime.upgrade()
    runtime.start(worker=False, serve=True)


# Paths


def make_repository(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: crew}\n"
        "spec: {type: team, children: []}\n"
    )
    name = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*name, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=path, check=True)


def test_relative_paths_begin_at_the_settings_file(open_runtime: Open, folder: Path) -> None:
    settings = """
database:
  url: sqlite:///data/portal.sqlite3
git:
  directory: copies
  allow_local: [repositories]
  credentials:
    - {host: git.example.com, ssh_key: keys/id, known_hosts: keys/hosts}
jobs:
  queue_file: queue.sqlite3
catalog:
  sources:
    - {name: here, type: folder, path: descriptors}
    - {name: code, type: git, url: REPOSITORY}
"""
    (folder / "data").mkdir()
    repository = folder / "repositories" / "a"
    make_repository(repository)
    runtime = open_runtime(settings.replace("REPOSITORY", str(repository)))
    assert runtime.database.path == folder / "data" / "portal.sqlite3"
    assert runtime.engine.configured["here"].address == str(folder / "descriptors")
    with pytest.raises(InputError):
        runtime.services.repository(str(folder / "data"))
    entry = runtime.services._credentials(
        runtime.settings.section(GitSettings), "git@git.example.com:a/b"
    )
    assert entry is not None
    assert (entry.ssh_key, entry.known_hosts) == (folder / "keys/id", folder / "keys/hosts")
    runtime.upgrade()
    runtime.engine.register()
    assert len(runtime.engine.read("code").changes.created) == 1
    assert list((folder / "copies").iterdir())
    runtime.jobs.submit(None, "catalog", "look")
    assert (folder / "queue.sqlite3").exists()


def test_the_queue_lies_beside_the_database(open_runtime: Open, folder: Path) -> None:
    (folder / "data").mkdir()
    runtime = open_runtime("database: {url: 'sqlite:///data/portal.sqlite3'}")
    runtime.upgrade()
    runtime.jobs.submit(None, "catalog", "look")
    assert (folder / "data/callboard-queue.sqlite3").exists()
    assert not (folder / "callboard-queue.sqlite3").exists()


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////{0}/a.sqlite3", "a.sqlite3"),
        ("sqlite+pysqlite:///b.sqlite3", "b.sqlite3"),
        ("sqlite:///./c.sqlite3?timeout=3", "c.sqlite3"),
    ],
)
def test_the_file_of_the_database(open_runtime: Open, folder: Path, url: str, file: str) -> None:
    runtime = open_runtime(f"database:\n  url: {url.format(str(folder)[1:])}\n")
    assert runtime.database.path == folder / file


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://", "mysql://a/b", "no-url"])
def test_a_database_that_cannot_be_is_told(open_runtime: Open, url: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.url"):
        open_runtime(f"database:\n  url: '{url}'\n")


# Plugins

SETTINGS = f"""{HEAD}
class Settings(BaseModel):
    greeting: str = "Hello"
    times: int = 1

@hookimpl
def callboard_settings():
    return Settings

@hookimpl
def callboard_navigation():
    return [NavItem(name="a", title="A", path="/a")]
"""


def record(runtime: Runtime, name: str) -> PluginRecord:
    return runtime.plugins.records[name]


def test_a_plugin_is_given_its_settings(open_runtime: Open, site: Installs) -> None:
    site.install("hello", SETTINGS)
    runtime = open_runtime("plugins: {settings: {hello: {times: 3}}}", plugins="hello")
    assert runtime.host("hello").settings.times == 3
    assert runtime.host("hello").plugin == "hello"


def test_faulty_settings_of_a_plugin_take_out_that_plugin_alone(
    open_runtime: Open, site: Installs, folder: Path
) -> None:
    site.install("hello", SETTINGS)
    site.install("other", SETTINGS)
    settings = """
plugins:
  settings:
    hello:
      times: many
      greting: Hi
    other:
      times: 2
"""
    runtime = open_runtime(settings, plugins="hello other")
    bad = record(runtime, "hello")
    assert bad.state is PluginState.FAILED
    config = folder / "callboard.yaml"
    assert bad.reason.startswith(f"Its settings have faults: {config}:5: plugins.settings.hello")
    assert f"{config}:6: plugins.settings.hello.greting" in bad.reason
    assert "greeting" in bad.reason
    assert record(runtime, "other").state is PluginState.LOADED
    assert [item.key for item in runtime.plugins.contributions.navigation if item.value.name == "a"]
    assert "hello" not in {item.plugin for item in runtime.plugins.contributions.navigation}
    assert runtime.host("other").settings.times == 2
    with pytest.raises(SettingsError, match="2 faults"):
        open_runtime(settings, plugins="hello other", strict=True)


def test_a_secret_that_is_missing_takes_out_its_plugin_alone(
    open_runtime: Open, site: Installs
) -> None:
    site.install("hello", SETTINGS)
    settings = "plugins: {settings: {hello: {greeting: '${env:NOT_SET_ANYWHERE}'}}}"
    runtime = open_runtime(settings, plugins="hello")
    assert record(runtime, "hello").state is PluginState.FAILED
    assert "NOT_SET_ANYWHERE" in record(runtime, "hello").reason


def test_faults_of_the_host_are_told_with_those_of_plugins(
    open_runtime: Open, site: Installs
) -> None:
    site.install("hello", SETTINGS)
    settings = """
plugins:
  settings:
    hello: {times: many}
    helo: {}
"""
    with pytest.raises(SettingsError) as told:
        open_runtime(settings, plugins="hello")
    assert [fault.line for fault in told.value.faults] == [4, 5]


def test_every_fault_is_told_at_once(open_runtime: Open, folder: Path) -> None:
    settings = """
database: {url: ''}
portal: {titel: X, listen: nowhere}
catalog: {sources: [{name: 'A B', type: folder, path: x}]}
jobs: {workers: many}
unknown: 1
"""
    with pytest.raises(SettingsError) as told:
        open_runtime(settings)
    assert [fault.line for fault in told.value.faults] == [2, 3, 3, 4, 5, 6]
    assert all(fault.file == str(folder / "callboard.yaml") for fault in told.value.faults)


STARTS_BADLY = f"""{HEAD}
@hookimpl
def callboard_startup(host):
    raise ValueError("no")

@hookimpl
def callboard_entity_sources():
    return [EntitySource(name="things", title="Things", read=lambda context: [])]

@hookimpl
def callboard_jobs():
    return [Job(name="work", title="Work", run=print)]
"""


def test_a_plugin_that_does_not_start_leaves_nothing_behind(
    open_runtime: Open, site: Installs
) -> None:
    site.install("bad", STARTS_BADLY)
    runtime = open_runtime(plugins="bad")
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    assert record(runtime, "bad").reason == "callboard_startup: ValueError: no"
    assert "bad.things" not in runtime.engine.sources
    assert ("bad", "work") not in runtime.jobs.known


def test_a_kind_that_is_taken_takes_out_its_plugin(open_runtime: Open, site: Installs) -> None:
    source = f"""{HEAD}
@hookimpl
def callboard_kinds():
    return [Kind(name="Component", api_versions=("backstage.io/v1alpha1",), title="Mine")]
"""
    site.install("bad", source)
    runtime = open_runtime(plugins="bad")
    assert record(runtime, "bad").state is PluginState.FAILED
    assert "There is a kind Component" in record(runtime, "bad").reason
    assert runtime.engine.registry.kinds()


def test_a_migration_of_a_plugin_that_fails_names_it(
    open_runtime: Open, site: Installs, tmp_path: Path
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "0001.py").write_text(
        "revision = '0001'\ndown_revision = branch_labels = depends_on = None\n"
        "def upgrade():\n    raise ValueError('no')\n"
    )
    site.install(
        "bad", f"{HEAD}@hookimpl\ndef callboard_migrations():\n    return Path({str(migrations)!r})"
    )
    runtime = open_runtime(plugins="bad")
    with pytest.raises(SettingsError, match="tables of bad failed and was undone: ValueError: no"):
        runtime.upgrade()
    # Everything else is ready: the portal runs without the plugin.
    open_runtime(plugins="").start(worker=False, serve=False)


def test_no_address_of_the_portal_can_be_a_plugin_s() -> None:
    own = {"catalog", "portal", "core"}
    first = {
        route.path.split("/")[1].partition("{")[0].partition(".")[0]
        for module in PAGES
        for route in module.ROUTES
    }
    assert first - {"", "favicon"} <= RESERVED | own


def test_a_portal_can_be_started_again_in_one_process(open_runtime: Open) -> None:
    runtime = open_runtime()
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    runtime.stop()
    open_runtime().start(worker=False, serve=True)


@pytest.mark.parametrize(
    "path", ["{name:unknown}", "{a}/{a}", "{not a name}", "/deep/{name}/", "a b", ""]
)
def test_no_page_of_a_plugin_keeps_the_portal_from_starting(
    open_runtime: Open, site: Installs, path: str
) -> None:
    page = f'Page(name="page", title="Page", path={path!r}, render=lambda context: None)'
    site.install("hello", f"{HEAD}@hookimpl\ndef callboard_pages():\n    return [{page}]\n")
    runtime = open_runtime(plugins="hello")
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    assert TestClient(create_app(runtime)).get("/").status_code == 200
