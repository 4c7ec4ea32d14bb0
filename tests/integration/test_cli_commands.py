"""Commands of the `callboard` program: what they say, and that they say it without a traceback."""

import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

pytestmark = pytest.mark.slow  # runs whole processes

BAD_SETTINGS = """
portal: {titel: X}
jobs: {workers: many}
"""
COMMAND_PLUGIN = """
import typer
from callboard import hookimpl
from callboard.contributions import Command, Job
from pydantic import BaseModel

class Settings(BaseModel):
    greeting: str = "Hello"

@hookimpl
def callboard_settings():
    return Settings

@hookimpl
def callboard_jobs():
    return [Job(name="work", title="Work", run=print)]

def load():
    app = typer.Typer()

    @app.command()
    def greet(context: typer.Context, name: str) -> None:
        host = context.obj
        with host.read() as connection:
            number = connection.exec_driver_sql("SELECT count(*) FROM job_run").scalar()
        run = host.submit("work")
        print(host.plugin, host.settings.greeting, name, number, run)

    return app

@hookimpl
def callboard_commands():
    return [
        Command(name="hello", help="Say hello.", load=load),
        Command(name="broken", help="Fail.", load=lambda: 1 / 0),
        Command(name="serve", help="Take the host's place.", load=load),
    ]
"""


class Installs(Protocol):
    path: Path

    def install(self, name: str, source: str, **options: str) -> None: ...


def with_plugins(commands: Any, site: Installs, *names: str) -> Any:
    commands.environ = {"PYTHONPATH": str(site.path), "CALLBOARD_PLUGINS": " ".join(names)}
    return commands


# Help and settings


def test_help_is_quick(commands: Any) -> None:
    begin = time.monotonic()
    done = commands.run("--help")
    assert time.monotonic() - begin < 5
    assert done.returncode == 0
    for name in ("serve", "worker", "demo", "doctor", "db", "catalog", "plugins", "jobs"):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)
    assert not list(commands.folder.glob("*.sqlite3"))


def test_help_works_with_faulty_settings(commands: Any) -> None:
    commands.write(BAD_SETTINGS)
    done = commands.run("--help")
    assert done.returncode == 0
    assert "serve" in done.stdout
    assert "Commands of plugins cannot be listed. The settings have 2 faults" in done.stderr
    assert commands.run("serve", "--help").returncode == 0
    assert commands.run("--version").returncode == 0


@pytest.mark.parametrize(
    "arguments", ["serve", "worker", "db upgrade", "db status", "plugins list", "catalog sources"]
)
def test_every_fault_of_the_settings_is_told_with_its_line(commands: Any, arguments: str) -> None:
    commands.write(BAD_SETTINGS)
    said = commands.fails(*arguments.split())
    assert said.startswith("The settings have 2 faults:\n")
    assert re.search(r"callboard\.yaml:2: portal\.titel .*title", said)
    assert re.search(r"callboard\.yaml:3: jobs\.workers ", said)


def test_settings_that_are_missing_are_told(commands: Any) -> None:
    said = commands.fails("--config", "missing.yaml", "db", "status")
    assert "missing.yaml: The settings file cannot be read: there is no such file." in said


def test_a_command_that_is_none_is_told(commands: Any) -> None:
    done = commands.run("srve")
    assert done.returncode == 2
    assert "No such command 'srve'" in done.stderr
    commands.write(BAD_SETTINGS)
    assert "The settings have 2 faults" in commands.fails("hello")


# Tables


def test_tables_are_brought_up_to_date(commands: Any) -> None:
    before = commands.run("db", "status")
    assert before.returncode == 1
    assert re.search(r"^core +- +\d+ +empty$", before.stdout, re.MULTILINE)
    done = commands.run("db", "upgrade")
    assert re.search(r"^core: brought to \d+$", done.stdout, re.MULTILINE)
    assert "core: is current" in commands.run("db", "upgrade").stdout
    assert commands.run("db", "status").returncode == 0


def test_sources_are_read_and_listed(commands: Any) -> None:
    commands.write(
        "catalog:\n  sources:\n    - {name: here, type: folder, path: .}\n"
        "    - {name: gone, type: folder, path: nowhere}\n"
    )
    (commands.folder / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: crew}\n"
        "spec: {type: team, children: []}\n"
    )
    commands.run("db", "upgrade")
    done = commands.run("catalog", "refresh")
    assert done.returncode == 1
    assert "here: 1 created" in done.stdout
    assert re.search(r"gone: .*nowhere", done.stdout + done.stderr)
    assert "There is no source" in commands.run("catalog", "refresh", "none").stderr
    listed = commands.run("catalog", "sources").stdout
    assert re.search(r"^here +folder +ok +1 +0", listed, re.MULTILINE)
    assert re.search(r"^gone +folder +failing +0 +0", listed, re.MULTILINE)


# Plugins


def test_plugins_are_listed_with_their_reasons(commands: Any, site: Installs) -> None:
    site.install("hello", COMMAND_PLUGIN)
    site.install("bad", "raise ValueError('several\\nlines')")
    site.install("old", "CALLBOARD_CONTRACT = 0")
    site.install("off", "")
    with_plugins(commands, site, "hello", "bad", "old")
    commands.write("plugins: {settings: {hello: {greting: Hi}}}\n")
    done = commands.run("plugins", "list")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    lines = {line.split()[0]: " ".join(line.split()) for line in done.stdout.splitlines()}
    assert lines["portal"].split()[2] == "loaded"
    assert lines["hello"].startswith("hello 1.2 failed")
    assert "callboard.yaml:1: plugins.settings.hello.greting" in lines["hello"]
    assert lines["bad"].endswith("ValueError: several lines")
    assert "old 1.2 incompatible" in lines["old"]
    assert lines["off"].endswith("CALLBOARD_PLUGINS does not name it.")


def test_commands_of_plugins_are_given_their_host(commands: Any, site: Installs) -> None:
    site.install("hello", COMMAND_PLUGIN)
    with_plugins(commands, site, "hello")
    assert re.search(r"^  hello +Say hello\.$", commands.run("--help").stdout, re.MULTILINE)
    assert commands.run("--help").stdout.count(" serve ") == 1
    assert "greet" in commands.run("hello", "--help").stdout
    said = commands.fails("hello", "greet", "Ada")
    assert "Run: callboard db upgrade" in said
    commands.run("db", "upgrade")
    done = commands.run("hello", "greet", "Ada")
    assert done.stdout == "hello Hello Ada 0 1\n", done.stderr
    other = commands.folder / "other.yaml"
    other.write_text("plugins: {settings: {hello: {greeting: Hi}}}\n")
    done = commands.run("--config", "other.yaml", "hello", "greet", "Ada")
    assert done.stdout == "hello Hi Ada 1 1\n", done.stderr


def test_a_command_that_cannot_be_loaded_is_told(commands: Any, site: Installs) -> None:
    site.install("hello", COMMAND_PLUGIN)
    said = with_plugins(commands, site, "hello").fails("broken", "now")
    expected = (
        "The command broken of the plugin hello cannot be loaded: "
        "ZeroDivisionError: division by zero\nCorrect or update the plugin.\n"
    )
    assert said == expected


def test_help_works_with_a_plugin_that_is_broken(commands: Any, site: Installs) -> None:
    site.install("bad", "raise SystemExit(9)")
    done = with_plugins(commands, site, "bad").run("--help")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Plugin bad failed: SystemExit: 9" in done.stderr


# Doctor


def doctor(commands: Any, code: int) -> str:
    done = commands.run("doctor")
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return str(done.stdout)


def test_the_doctor_finds_a_healthy_portal(commands: Any) -> None:
    commands.write("catalog: {sources: [{name: here, type: folder, path: .}]}\n")
    before = doctor(commands, 0)
    assert "will be made" in before
    commands.run("db", "upgrade")
    said = doctor(commands, 0)
    for words in ("Settings: read from", "Packages fit", "git version", "SQLite 3", "Tables",
                  "Plugins: 3 loaded", "Source here answers."):  # fmt: skip
        assert f"ok    {words}" in said
    assert said.splitlines()[-1].endswith("0 bad")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("portal: {titel: X}", "Settings: callboard.yaml, line 1"),
        ("database: {url: 'mysql://a/b'}", "database.url names 'mysql', which is not supported."),
        ("database: {url: 'sqlite:///none/a.sqlite3'}", "The folder of the database is missing"),
        ("database: {url: 'postgresql://me:geheim12@127.0.0.1:9/a'}", "does not answer"),
        (
            "catalog: {sources: [{name: gone, type: folder, path: nowhere}]}",
            "Source gone cannot be read.",
        ),
        ("plugins: {enable: [missing]}", "Plugin missing is failed"),
    ],
)
def test_the_doctor_finds_what_is_bad(commands: Any, settings: str, found: str) -> None:
    commands.write(settings)
    if "enable" in settings:
        commands.environ = {"CALLBOARD_PLUGINS": "missing"}
    said = doctor(commands, 1)
    assert found in said.replace(f"{commands.folder}/", "")
    assert "BAD " in said
    assert "geheim12" not in said


def test_the_doctor_finds_faulty_settings_of_a_plugin(commands: Any, site: Installs) -> None:
    site.install("hello", COMMAND_PLUGIN)
    with_plugins(commands, site, "hello")
    commands.write("plugins: {settings: {hello: {greting: Hi}}}\n")
    said = " ".join(doctor(commands, 1).split())
    assert "Plugin hello 1.2 is failed" in said
    assert "plugins.settings.hello.greting" in said
    assert "add hello to plugins.disable" in said


def test_the_doctor_finds_tables_that_are_behind(commands: Any) -> None:
    commands.run("db", "upgrade")
    database = commands.folder / "callboard.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version_core SET version_num = '9999'")
        connection.commit()
    assert "Tables of core: newer" in doctor(commands, 1)
