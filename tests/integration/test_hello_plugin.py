"""The example plugin, installed into an environment of its own as a stranger would, and removed."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/callboard-hello"
PIP = ("-m", "pip", "--disable-pip-version-check", "-q")


class Environment:
    """A virtual environment with the host and libraries of the one that runs the tests."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._call(sys.executable, "-m", "venv", "--without-pip", directory)
        (packages,) = directory.glob("lib/python*/site-packages")
        ours = sysconfig.get_paths()["purelib"]
        (packages / "host.pth").write_text(f"import site; site.addsitedir({ours!r})\n")

    def run(self, *arguments: str | Path) -> str:
        return self._call(self.directory / "bin/python", *arguments)

    def _call(self, *command: str | Path) -> str:
        ours = ("PYTEST", "COV_", "PYTHONPATH", "CALLBOARD_")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        done = subprocess.run(
            command,
            cwd=self.directory if self.directory.exists() else None,
            env=environ, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def test_it_is_installed_seen_on_the_pages_and_removed(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "environment")
    listed = ("-m", "callboard_web", "plugins", "list")
    assert "hello" not in environment.run(*listed)

    install = ("install", "--no-deps", "--no-build-isolation", "--no-index")
    environment.run(*PIP, *install, EXAMPLE)
    (line,) = [text for text in environment.run(*listed).splitlines() if "hello" in text]
    assert "loaded" in line
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests")
    assert "5 passed" in tested
    upgraded = environment.run("-m", "callboard_web", "db", "upgrade")
    assert "hello" in upgraded

    environment.run(*PIP, "uninstall", "-y", "callboard-hello")
    assert "hello" not in environment.run(*listed)
    # Its table stays where it is, unharmed, and is in nobody's way.
    environment.run("-m", "callboard_web", "db", "upgrade")
