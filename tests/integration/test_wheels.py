"""The wheels of host and plugins: complete, and good for the host's own tests."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
HOST = {"callboard": "core", "callboard_catalog": "catalog", "callboard_web": "web"}

# Runs the tests, then tells which modules of the host did not come from the wheel.
RUN_TESTS = """
import sys, pytest
code = pytest.main(sys.argv[2:])
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] in {"callboard", "callboard_catalog", "callboard_web"}:
        if not str(module.__file__).startswith(sys.argv[1]):
            print("from elsewhere:", name, module.__file__)
            code = 1
sys.exit(code)
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheels, and the libraries of the one that runs the tests."""

    directory: Path
    wheels: dict[str, Path]

    @property
    def packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.directory / "lib" / version / "site-packages"

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return _run(self.directory / "bin/python", *arguments, cwd=self.directory)


def _run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    ours = ("PYTEST", "COV_", "PYTHONPATH", "CALLBOARD_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    result = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=500, check=False
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-8000:]}\n{result.stderr[-8000:]}"
    return result


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    directory = tmp_path_factory.mktemp("wheels")
    wheels, clean = directory / "dist", directory / "clean"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    _run(*pip, "wheel", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
         "--wheel-dir", wheels, ROOT, *PLUGINS)  # fmt: skip
    _run(sys.executable, "-m", "venv", "--without-pip", clean)
    built = {path.name.partition("-")[0]: path for path in wheels.glob("*.whl")}
    _run(*pip, "--python", clean / "bin/python", "install", "--quiet", "--no-index", "--no-deps",
         *built.values())  # fmt: skip
    environment = Environment(clean, built)
    # A folder named in a .pth file comes last on the path, and .pth files in it are not followed:
    # its libraries are there, the host that is installed in it by reference is not.
    libraries = dict.fromkeys(sysconfig.get_paths()[name] for name in ("purelib", "platlib"))
    (environment.packages / "libraries.pth").write_text("\n".join(libraries) + "\n", "utf-8")
    return environment


def _files_of(folder: Path) -> set[str]:
    """Give the files of the repository in a folder, as paths from there."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout, so it is not known which files belong to it")
    listed = _run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=folder)
    return {name for name in listed.stdout.split("\0") if name and (folder / name).is_file()}


def _packaged(wheel: Path, package: str) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith(f"{package}/")}


@pytest.mark.parametrize("package", HOST)
def test_the_wheel_of_the_host_has_every_file(environment: Environment, package: str) -> None:
    expected = {name for name in _files_of(ROOT / HOST[package]) if name.startswith(f"{package}/")}
    assert _packaged(environment.wheels["callboard"], package) == expected
    assert f"{package}/py.typed" in expected


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_the_wheel_of_a_plugin_has_every_file(environment: Environment, plugin: Path) -> None:
    package = f"callboard_{plugin.name}"
    expected = _files_of(plugin / "src")
    assert _packaged(environment.wheels[package], package) == expected
    assert f"{package}/py.typed" in expected


@pytest.mark.parametrize("pattern", [
    "callboard/migrations/versions/*.py",
    "callboard_web/templates/*.html",
    "callboard_web/static/**/*.css",
    "callboard_web/static/**/*.js",
    "callboard_web/locales/*.po",
    "callboard_web/demo/repositories/*/catalog-info.yaml",
    "callboard-*.dist-info/licenses/LICENSE",
])  # fmt: skip
def test_what_is_no_code_is_installed_too(environment: Environment, pattern: str) -> None:
    assert next(environment.packages.glob(pattern), None) is not None


def test_the_command_is_installed(environment: Environment) -> None:
    result = _run(environment.directory / "bin/callboard", "--help", cwd=environment.directory)
    assert "serve" in result.stdout


def test_the_tests_of_the_host_pass_on_the_wheel(environment: Environment) -> None:
    result = environment.run(
        "-c", RUN_TESTS, environment.directory,
        "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", f"--rootdir={ROOT}",
        "-m", "not corpus and not postgres and not slow", ROOT / "tests/unit",
        # These are about the repository, not about what is installed.
        f"--ignore={ROOT / 'tests/unit/test_repository_layout.py'}",
        f"--ignore={ROOT / 'tests/unit/test_documentation.py'}",
    )  # fmt: skip
    assert " passed" in result.stdout
