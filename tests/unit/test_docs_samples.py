"""The samples of the guide for plugin authors are files, and the files work."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest

from callboard.contributions import FileSource, SourceContext, Sources
from callboard.doctor import contributed_checks, examine
from callboard.plugins import Guard, PluginRecord, Plugins, PluginState

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs/plugin-authors"
SAMPLES = GUIDE / "samples"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)\n```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")

BLOCKS = [
    pytest.param(name, code, id=f"{page.name}:{number}:{name}")
    for page in sorted(GUIDE.glob("*.md"))
    for number, (name, code) in enumerate(BLOCK.findall(page.read_text("utf-8")), 1)
]


@pytest.mark.parametrize(("name", "code"), BLOCKS)
def test_a_named_block_is_part_of_its_file(name: str, code: str) -> None:
    lines = (SAMPLES / name).read_text("utf-8").rstrip("\n").split("\n")
    shown = code.split("\n")
    starts = range(len(lines) - len(shown) + 1)
    assert any(lines[start : start + len(shown)] == shown for start in starts)


def test_every_block_of_code_in_the_tutorial_is_named() -> None:
    text = (GUIDE / "tutorial.md").read_text("utf-8")
    fences = re.findall(r"^```\w+.*$", text, re.MULTILINE)
    assert len(fences) == len(BLOCK.findall(text)) > 5


@pytest.mark.parametrize("page", sorted(GUIDE.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("#")]
    missing = [link for link in links if not (GUIDE / unquote(link.partition("#")[0])).exists()]
    assert missing == []


def test_the_first_sample_is_a_plugin() -> None:
    plugins = load(SAMPLES / "first/callboard_oncall.py", "oncall")
    assert [card.key for card in plugins.contributions.entity_cards] == ["oncall.oncall"]


def test_the_sample_of_files_gives_annotations_and_checks(tmp_path: Path) -> None:
    plugins = load(SAMPLES / "files/callboard_shelf.py", "shelf")
    file = tmp_path / "shop/orders/catalog-info.yaml"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"kind: Component")
    host = SimpleNamespace(settings=SimpleNamespace(path=tmp_path))
    (contributed,) = plugins.contributions.entity_sources
    assert isinstance(contributed.value, Sources)
    (source,) = contributed.value.sources(host)
    assert isinstance(source, FileSource)
    context = SourceContext(host=host)
    (found,) = source.list(context)
    assert found.annotations == {"shelf.example.com/project-slug": "shop/orders"}
    assert list(source.read(context, [found])) == [(found.path, b"kind: Component")]
    for status in ("ok", "bad"):
        checks = contributed_checks(plugins.contributions.checks, lambda plugin: host)
        assert [item.status for item in examine(checks)] == [status]
        host.settings.path = tmp_path / "gone"


def load(path: Path, name: str) -> Plugins:
    found = importlib.util.spec_from_file_location(f"callboard_{name}_sample", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    plugins = Plugins(Guard())
    record = PluginRecord(name=name)
    plugins.add(record, module)
    plugins.finish()
    assert record.state is PluginState.LOADED, record.reason
    return plugins


@pytest.mark.slow
def test_the_plugin_of_the_tutorial_installs_and_passes_its_tests(tmp_path: Path) -> None:
    sample, target = SAMPLES / "callboard-oncall", tmp_path / "installed"
    install = ("install", "--no-deps", "--no-build-isolation", "--no-index", "--target", target)
    run("pip", "--disable-pip-version-check", "-q", *install, sample, path=target)
    options = (
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
        "-c",
        os.devnull,
    )
    assert "2 passed" in run("pytest", *options, sample / "tests", path=target)


def run(*arguments: str | Path, path: Path) -> str:
    ours = ("PYTEST", "COV_", "PYTHONPATH", "CALLBOARD_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=path.parent, env=environ | {"PYTHONPATH": str(path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
