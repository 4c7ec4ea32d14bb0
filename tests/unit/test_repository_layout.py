"""The rules of this repository that no other tool knows."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "core": ROOT / "core/callboard",
    "catalog": ROOT / "catalog/callboard_catalog",
    "web": ROOT / "web/callboard_web",
}
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
STATIC = ROOT / "web/callboard_web/static"
HEAVY = ("fastapi", "sqlalchemy", "jinja2", "git", "kubernetes", "httpx", "psycopg")
LOCAL_PATH = re.compile(r"/(work|farm)/|/tmp/(bash_jobs|studio)")
REGISTRY = re.compile(r"pypi\.org|python[h]osted|npmjs\.org|deb\.debian\.org")


def _tracked() -> list[Path]:
    """Give the files that are committed, or will be: those that Git neither ignores nor lacks."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout, so it is not known which files belong to it")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    return [path for name in sorted(filter(None, listed)) if (path := ROOT / name).is_file()]


def _texts() -> Iterator[tuple[str, str]]:
    for path in _tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            yield str(path.relative_to(ROOT)), content.decode("utf-8")


def _python_files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.py"))


def _imports(path: Path) -> set[str]:
    """Give the top-level names a file imports anywhere, functions and type checking included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _manifest(directory: Path) -> dict[str, Any]:
    return tomllib.loads((directory / "pyproject.toml").read_text("utf-8"))


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(item.name): str(item.specifier) for item in requirements}


def test_imports_go_one_way() -> None:
    forbidden = {
        "core": {"callboard_catalog", "callboard_web"},
        "catalog": {"callboard_web"},
    }
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for part, names in forbidden.items()
        for path in _python_files(PACKAGES[part])
        for name in sorted(_imports(path) & names)
    ]
    assert wrong == []


def test_plugins_import_only_the_contract() -> None:
    packages = {f"callboard_{path.name}" for path in PLUGINS}
    wrong = []
    for plugin in PLUGINS:
        others = packages - {f"callboard_{plugin.name}"} | {"callboard_web", "callboard_catalog"}
        for path in _python_files(plugin / "src"):
            names = sorted(_imports(path) & others)
            wrong += [f"{path.relative_to(ROOT)} imports {name}" for name in names]
    assert wrong == []


@pytest.mark.parametrize("directory", [ROOT, *PLUGINS], ids=lambda path: path.name)
def test_what_is_imported_is_declared(directory: Path) -> None:
    project = _manifest(directory)["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    folders = PACKAGES.values() if directory == ROOT else [directory / "src"]
    ours = {"callboard", "callboard_catalog", "callboard_web", f"callboard_{directory.name}"}
    known = sys.stdlib_module_names | ours
    providers = packages_distributions()
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for folder in folders
        for path in _python_files(folder)
        if path != PACKAGES["core"] / "testing.py"  # pytest itself loads it
        for name in sorted(_imports(path) - known)
        if not declared & {canonicalize_name(item) for item in providers.get(name, [])}
    ]
    assert wrong == []


def test_the_host_names_no_plugin() -> None:
    if not PLUGINS:
        pytest.skip("there is no plugin yet")
    names = "|".join(re.escape(path.name) for path in PLUGINS)
    # A name may be an everyday word as well: what counts is the package, or the name as a value.
    # Names of icons are values of the host's own.
    icons = set(re.findall(r'id="([\w-]+)"', (STATIC / "icons.svg").read_text("utf-8")))
    values = "|".join(re.escape(path.name) for path in PLUGINS if path.name not in icons)
    mention = re.compile(rf"\bcallboard_({names})\b|[\"']({values or '(?!)'})[\"'.]")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for package in PACKAGES.values()
        for path in _python_files(package)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if mention.search(line)
    ]
    assert wrong == []


ABOUT_CHECKOUTS = {
    "test_repository_layout.py", "test_security_documents.py", "test_supply_chain.py",
    "test_web_translations.py", "test_wheels.py",
}  # fmt: skip
"""Tests that have nothing to look at where the sources come without their repository."""


def test_what_is_absent_fails_in_ci() -> None:
    """Where a test needs a program or recorded files, `callboard.testing.absent` decides."""
    tests = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("plugins/*/tests/*.py")]
    assert tests
    wrong = [
        str(path.relative_to(ROOT))
        for path in tests
        if path.name not in ABOUT_CHECKOUTS
        and re.search(r"pytest\.(skip|importorskip)\(|mark\.skip\(", path.read_text("utf-8"))
    ]
    assert wrong == []


def test_folders_of_packages_are_no_packages() -> None:
    folders = ["core", "catalog", "web", "plugins", "examples", "tools", "bench"]
    tests = [path for path in ROOT.glob("tests/**/") if path.name != "__pycache__"]
    tests += [path / "tests" for path in PLUGINS]
    wrong = [path for path in [*(ROOT / name for name in folders), *tests]
             if (path / "__init__.py").exists()]  # fmt: skip
    assert wrong == []


def test_test_files_have_unique_names() -> None:
    seen: dict[str, Path] = {}
    for path in _tracked():
        if re.fullmatch(r"test_.*\.py", path.name):
            assert path.name not in seen, f"{path} and {seen[path.name]}"
            seen[path.name] = path
    assert Path(__file__).name in seen


def test_plugins_have_no_conftest() -> None:
    assert [str(path) for path in ROOT.glob("plugins/*/tests/**/conftest.py")] == []


@pytest.mark.parametrize("package", [
    *PACKAGES.values(), *(path / f"src/callboard_{path.name}" for path in PLUGINS)
], ids=lambda path: path.name)  # fmt: skip
def test_packages_say_that_they_are_typed(package: Path) -> None:
    assert (package / "py.typed").is_file()


def test_importing_the_contract_is_cheap() -> None:
    code = (
        "import sys, callboard, callboard.hookspecs, callboard.contributions, callboard.entities\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.split() == []


def test_requirements_list_every_plugin() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    assert lines == [
        "-c constraints.txt", "-e .[dev]", *(f"-e ./plugins/{path.name}" for path in PLUGINS)
    ]  # fmt: skip


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugins_are_named_alike(plugin: Path) -> None:
    manifest = _manifest(plugin)
    assert manifest["project"]["name"] == f"callboard-{plugin.name.replace('_', '-')}"
    entry_points = manifest["project"]["entry-points"]["callboard.plugins"]
    assert plugin.name in entry_points
    assert manifest["project"]["license"] == "Apache-2.0"


def test_everything_that_is_needed_is_pinned() -> None:
    """Walks from the requirements of host and plugins to all that they bring along."""
    pins = _pins()
    host = _manifest(ROOT)["project"]
    waiting = [*host["dependencies"], *host["optional-dependencies"]["dev"]]
    for plugin in PLUGINS:
        waiting += _manifest(plugin)["project"]["dependencies"]
    ours = {"callboard", *(f"callboard-{path.name.replace('_', '-')}" for path in PLUGINS)}
    seen: set[tuple[str, frozenset[str]]] = set()
    wrong = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or name in ours:
            continue
        seen.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            wrong.add(f"{name} is not installed")
            continue
        if pins.get(name) != f"=={installed.version}":
            wrong.add(f"{name} {installed.version} is installed, pinned is {pins.get(name)}")
        waiting += [
            text for text in installed.requires or []
            if (marker := Requirement(text).marker) is None
            or any(marker.evaluate({"extra": extra}) for extra in {"", *extras})
        ]  # fmt: skip
    assert wrong == set(), "`make constraints` renews the pins"
    if sys.version_info[:2] == (3, 11):
        assert set(pins) - {name for name, _ in seen} == set(), "nothing needs these any more"


def test_text_files_end_with_one_newline() -> None:
    wrong = [
        name for name, text in _texts()
        if text and "/vendor/" not in name
        and (not text.endswith("\n") or text.endswith("\n\n") or "\r" in text)
    ]  # fmt: skip
    assert wrong == []


def test_nothing_of_the_machine_is_committed() -> None:
    wrong = [
        f"{name}:{number}: {match[0]}"
        for name, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := LOCAL_PATH.search(line) or REGISTRY.search(line))
    ]
    assert wrong == []
