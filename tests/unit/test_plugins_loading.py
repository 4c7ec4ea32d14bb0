"""How installed plugins are found and loaded, and what becomes of those that are faulty."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from callboard.plugins import (
    Guard,
    PluginRecord,
    Plugins,
    PluginState,
    load_plugins,
    plugin_names_from,
)


class Installs(Protocol):
    path: Path

    def install(self, name: str, source: str, **options: str) -> None: ...


HEAD = """
from callboard import hookimpl
from callboard.contributions import *
"""
GOOD = f"""{HEAD}
@hookimpl
def callboard_navigation():
    return [NavItem(name="b", title="B", path="/b"), NavItem(name="a", title="A", path="/a")]
"""


def load(*names: str, **options: Any) -> Plugins:
    return load_plugins(builtin={}, only=frozenset(names), **options)


def failed(site: Installs, source: str) -> PluginRecord:
    """Install a faulty plugin beside a good one, and give its record."""
    site.install("bad", textwrap.dedent(source))
    site.install("good", GOOD)
    plugins = load("bad", "good")
    assert plugins.records["good"].state is PluginState.LOADED
    assert [item.key for item in plugins.contributions.navigation] == ["good.a", "good.b"]
    record = plugins.records["bad"]
    assert record.state is not PluginState.LOADED
    return record


# States


def test_a_plugin_is_found_by_its_entry_point(site: Installs) -> None:
    site.install("good", GOOD, version="4.5")
    record = load("good").records["good"]
    assert record.state is PluginState.LOADED
    assert (record.distribution, record.version) == ("callboard-good", "4.5")
    assert record.summary == "The plugin good"
    assert record.hooks == ("callboard_navigation",)
    assert record.reason == ""
    assert 0 < record.seconds < 5


def test_all_plugins_are_loaded_unless_told_otherwise(site: Installs) -> None:
    site.install("one", GOOD)
    site.install("two", GOOD)
    states = load_plugins(builtin={}).records
    assert states["one"].state is states["two"].state is PluginState.LOADED


CANARY = """
from pathlib import Path
Path(__file__).with_suffix(".imported").touch()
"""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"only": frozenset()}, "CALLBOARD_PLUGINS does not name it."),
        ({"only": frozenset({"other"})}, "CALLBOARD_PLUGINS does not name it."),
        ({"disable": ["canary"]}, "It is listed under plugins.disable in callboard.yaml."),
        ({"enable": []}, "It is not listed under plugins.enable in callboard.yaml."),
        (
            {"enable": ["canary"], "disable": ["canary"]},
            "It is listed under plugins.disable in callboard.yaml.",
        ),
    ],
)
def test_a_disabled_plugin_is_never_imported(
    site: Installs, options: dict[str, Any], reason: str
) -> None:
    site.install("canary", CANARY)
    record = load_plugins(builtin={}, **options).records["canary"]
    assert (record.state, record.reason) == (PluginState.DISABLED, reason)
    assert (record.distribution, record.version) == ("callboard-canary", "1.2")
    assert record.seconds == 0
    assert not list(site.path.glob("*.imported"))
    assert load("canary").records["canary"].state is PluginState.LOADED
    assert list(site.path.glob("*.imported"))


def test_the_environment_overrules_the_settings(site: Installs) -> None:
    site.install("one", GOOD)
    found = load("one", enable=[], disable=["one"])
    assert found.records["one"].state is PluginState.LOADED


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, None), ("", set()), (" ", set()), ("a", {"a"}), (" a, b,,c d ", {"a", "b", "c", "d"})],
)
def test_names_are_read_from_the_environment(value: str | None, names: set[str] | None) -> None:
    assert plugin_names_from(value) == names


def test_a_name_that_is_not_installed_is_told(site: Installs) -> None:
    site.install("one", GOOD)
    asked = load("onne").records["onne"]
    assert asked.state is PluginState.FAILED
    assert asked.reason == "CALLBOARD_PLUGINS names it, but no installed distribution has it."
    enabled = load_plugins(builtin={}, enable=["onne", "one"]).records
    assert enabled["onne"].reason.startswith("plugins.enable in callboard.yaml names it")
    assert enabled["one"].state is PluginState.LOADED


# Faults


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import not_installed_anywhere", "ModuleNotFoundError: No module named"),
        ("def broken(:", "SyntaxError: "),
        (
            """
            class Silent(Exception):
                def __str__(self): raise ValueError
            raise Silent
            """,
            "Silent: its message cannot be written",
        ),
        ("CALLBOARD_CONTRACT = 0", "It was written for contract 0; this host speaks contract 1."),
        ("CALLBOARD_CONTRACT = 2", "It was written for contract 2; this host speaks contract 1."),
        ("CALLBOARD_CONTRACT = '1'", "It was written for contract 1; this host"),
    ],
)
def test_a_plugin_that_cannot_be_imported_costs_no_other(
    site: Installs, source: str, reason: str
) -> None:
    record = failed(site, source)
    assert record.reason.startswith(reason)
    expected = PluginState.INCOMPATIBLE if "CONTRACT" in source else PluginState.FAILED
    assert record.state is expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('no')", "ValueError: no"),
        ("raise SystemExit", "SystemExit"),
        ("return 5", "callboard_navigation gave int, expected a list."),
        ("return 'text'", "callboard_navigation gave str, expected a list."),
        ("return {'a': 1}", "callboard_navigation gave dict, expected a list."),
        ("return [None]", "callboard_navigation gave NoneType, expected NavItem."),
        ("return [NavItem]", "callboard_navigation gave type, expected NavItem."),
        ("return [Sample(value=1)]", "callboard_navigation gave Sample, expected NavItem."),
        ("return [item(), item()]", "callboard_navigation gave two named 'a'."),
        ("return [item(order='first')]", "NavItem 'a' with order str, expected int."),
        ("return [item(title=None)]", "NavItem 'a' with title NoneType, expected str or Message."),
        ("return [item(section='top')]", "with section 'top', expected main or deliver or assure"),
        ("return [item(name='a/b')]", "NavItem 'a/b', expected a name of letters"),
        ("return [item(name='')]", "NavItem '', expected a name of letters"),
        ("return [item(name=5)]", "NavItem 5 with name int, expected str."),
        ("yield item()\n    raise KeyError('late')", "KeyError: 'late'"),
    ],
)
def test_a_plugin_whose_hook_gives_what_it_should_not_fails_alone(
    site: Installs, body: str, reason: str
) -> None:
    source = f"""{HEAD}
def item(**values):
    return NavItem(**{{"name": "a", "title": "A", "path": "/a", **values}})

@hookimpl
def callboard_kinds():
    return [Kind(name="Robot", api_versions=("a/v1",), title="Robot")]

@hookimpl
def callboard_navigation():
    {body}
"""
    record = failed(site, source)
    assert reason in record.reason
    assert record.state is PluginState.FAILED


@pytest.mark.parametrize("body", ["return None", "pass", "return []", "return ()", "yield from ()"])
def test_hooks_may_give_nothing(site: Installs, body: str) -> None:
    site.install("empty", f"{HEAD}@hookimpl\ndef callboard_pages():\n    {body}\n")
    plugins = load("empty")
    assert plugins.records["empty"].state is PluginState.LOADED
    assert plugins.contributions.pages == ()


def test_a_generator_is_read(site: Installs) -> None:
    site.install("lazy", GOOD.replace("return [", "yield from ["))
    assert len(load("lazy").contributions.navigation) == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("@hookimpl\ndef callboard_navigtion(): ...", "callboard_navigtion is not a hook of"),
        ("@hookimpl\ndef draw(): ...", "draw is not a hook of contract 1."),
        ("def callboard_pages(): ...", "callboard_pages is not marked with @hookimpl."),
        ("@hookimpl\ndef callboard_pages(page): ...", "PluginValidationError"),
        ("@hookimpl\ndef callboard_startup(hots): ...", "hots"),
        ("@hookimpl\ndef callboard_settings(): return dict", "expected a pydantic model"),
        ("@hookimpl\ndef callboard_settings(): return 5", "callboard_settings gave 5, expected"),
        ("@hookimpl\ndef callboard_templates(): return 'here'", "gave str, expected a pathlib"),
        ("@hookimpl\ndef callboard_migrations(): return 5", "gave int, expected a pathlib"),
    ],
)
def test_hooks_that_are_none_are_refused(site: Installs, source: str, reason: str) -> None:
    assert reason in failed(site, f"{HEAD}{source}\n").reason


def test_an_entry_point_must_name_a_module(site: Installs) -> None:
    site.install("object", GOOD, entry="installed_callboard_object:hookimpl")
    record = load("object").records["object"]
    assert "does not name a module" in record.reason


def test_a_name_that_is_none_is_refused(site: Installs) -> None:
    site.install("Bad-Name", GOOD, distribution="callboard-odd")
    plugins = load_plugins(builtin={}, enable=["Bad-Name"])
    record = plugins.records["Bad-Name (callboard-odd)"]
    assert record.state is PluginState.FAILED
    assert "lower-case letters, digits and underscores" in record.reason


def test_of_two_plugins_with_one_name_the_second_is_refused(site: Installs) -> None:
    site.install("twin", GOOD, distribution="z-last")
    site.install("twin", CANARY, distribution="a-first")
    plugins = load("twin")
    assert plugins.records["twin"].distribution == "a-first"
    refused = plugins.records["twin (z-last)"]
    assert refused.state is PluginState.FAILED
    assert refused.reason == "a-first has a plugin of the same name. Uninstall one of the two."
    assert plugins.contributions.navigation == ()


def test_the_host_s_names_are_taken(site: Installs) -> None:
    site.install("portal", CANARY)
    site.install("static", CANARY)
    own: Any = type("Own", (), {})()
    plugins = load_plugins(builtin={"portal": own}, reserved={"static"})
    assert plugins.records["portal"].builtin
    for name in ("portal", "static"):
        refused = plugins.records[f"{name} (callboard-{name})"]
        assert refused.reason == "The portal uses this name itself. The plugin needs another one."
    assert not list(site.path.glob("*.imported"))


@pytest.mark.parametrize("text", ["[callboard.plugins]\nno equals sign\n", "no section = 5\n"])
def test_a_distribution_that_cannot_be_read_costs_no_other(site: Installs, text: str) -> None:
    site.install("good", GOOD)
    site.install("odd", GOOD)
    (site.path / "callboard_odd-1.2.dist-info" / "entry_points.txt").write_text(text)
    (site.path / "left_behind-1.0.dist-info").mkdir()
    plugins = load("good")
    assert plugins.records["good"].state is PluginState.LOADED
    assert "odd" not in plugins.records


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise ValueError('no')", ValueError),
        (f"{HEAD}@hookimpl\ndef callboard_pages():\n    return 5\n", TypeError),
    ],
)
def test_strict_mode_raises(site: Installs, source: str, error: type[Exception]) -> None:
    site.install("bad", source)
    with pytest.raises(error):
        load("bad", guard=Guard(strict=True))


def test_ctrl_c_while_a_plugin_is_imported_ends_the_process(site: Installs) -> None:
    site.install("bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load("bad")


# Order, lifecycle


def test_contributions_are_in_a_stable_order(site: Installs) -> None:
    source = f"""{HEAD}
@hookimpl
def callboard_home_cards():
    cards = [("late", 200), ("b", 100), ("a", 100), ("early", 5)]
    return [
        HomeCard(name=name, title=name, render=lambda context: None, order=order)
        for name, order in cards
    ]
"""
    site.install("two", source)
    site.install("one", source)
    expected = [
        "one.early", "two.early", "one.a", "one.b", "two.a", "two.b", "one.late", "two.late",
    ]  # fmt: skip
    for names in (("one", "two"), ("two", "one")):
        cards = load(*names).contributions.home_cards
        assert [card.key for card in cards] == expected


LIFE = f"""{HEAD}
notes = []

@hookimpl
def callboard_startup(host):
    notes.append(("start", host))

@hookimpl
def callboard_shutdown(host):
    notes.append(("stop", host))
"""


def test_plugins_are_told_of_start_and_end(site: Installs) -> None:
    site.install("life", LIFE)
    plugins = load("life")
    make_host: Callable[[str], Any] = "host of {}".format
    plugins.start(make_host)
    plugins.stop(make_host)
    module: Any = plugins.records["life"].module
    assert module.notes == [("start", "host of life"), ("stop", "host of life")]


@pytest.mark.parametrize("raised", ["ValueError('no')", "SystemExit('no')"])
def test_a_plugin_that_does_not_start_is_withdrawn(site: Installs, raised: str) -> None:
    site.install("bad", f"{GOOD}\n@hookimpl\ndef callboard_startup(host):\n    raise {raised}\n")
    site.install("life", LIFE)
    plugins = load("bad", "life")
    assert plugins.contributions.navigation
    host: Any = object()
    plugins.start(lambda name: host)
    record = plugins.records["bad"]
    assert record.state is PluginState.FAILED
    assert record.reason == f"callboard_startup: {raised.replace('(', ': ').translate(_NO_MARKS)}"
    assert plugins.contributions.navigation == ()
    module: Any = plugins.records["life"].module
    assert module.notes == [("start", host)]


_NO_MARKS = str.maketrans("", "", "')")


def test_strict_mode_raises_what_a_start_raises(site: Installs) -> None:
    site.install("bad", f"{HEAD}@hookimpl\ndef callboard_startup(host):\n    raise KeyError\n")
    plugins = load("bad", guard=Guard(strict=True))
    host: Any = object()
    with pytest.raises(KeyError):
        plugins.start(lambda name: host)


@pytest.mark.parametrize("body", ["raise ValueError", "raise SystemExit", "time.sleep(60)"])
def test_the_end_comes_although_a_plugin_does_not_want_it(site: Installs, body: str) -> None:
    source = f"import time\n{HEAD}@hookimpl\ndef callboard_shutdown(host):\n    {body}\n"
    site.install("bad", source)
    site.install("life", LIFE)
    plugins = load("bad", "life")
    host: Any = object()
    plugins.stop(lambda name: host)
    module: Any = plugins.records["life"].module
    assert module.notes == [("stop", host)]


def test_a_record_can_be_copied() -> None:
    assert replace(PluginRecord(name="a"), name="b").name == "b"


# In a process of its own, through pip


def run(arguments: Sequence[str | Path], **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, capture_output=True, text=True, check=True, env={**os.environ, **environ}
    )


@pytest.mark.slow
def test_a_distribution_installed_by_pip_is_found(tmp_path: Path) -> None:
    project, target = tmp_path / "project", tmp_path / "target"
    (project / "installed_hello").mkdir(parents=True)
    (project / "installed_hello" / "__init__.py").write_text(GOOD)
    (project / "pyproject.toml").write_text(
        """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "callboard-hello-there"
version = "3.1"
[project.entry-points."callboard.plugins"]
hello_there = "installed_hello"
[tool.hatch.build.targets.wheel]
packages = ["installed_hello"]
"""
    )
    run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", target, project]
    )  # fmt: skip
    script = (
        "import json; from callboard.plugins import load_plugins;"
        "plugins = load_plugins(builtin={}, only=frozenset(['hello_there']));"
        "record = plugins.records['hello_there'];"
        "print(json.dumps([record.state, record.distribution, record.version,"
        " [item.key for item in plugins.contributions.navigation]]))"
    )
    said = run([sys.executable, "-c", script], PYTHONPATH=str(target)).stdout
    assert json.loads(said) == [
        "loaded", "callboard-hello-there", "3.1", ["hello_there.a", "hello_there.b"],
    ]  # fmt: skip
