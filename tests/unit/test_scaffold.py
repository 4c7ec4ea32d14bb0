"""`callboard plugins new`: what it writes works, and it overwrites nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from callboard.errors import ConflictError, InputError
from callboard_web.scaffold import new_plugin


def run(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    ours = ("PYTEST", "COV_", "PYTHONPATH", "CALLBOARD_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if path is not None:
        environ["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_plugin_installs_and_passes_its_test(tmp_path: Path) -> None:
    made = tmp_path / "callboard-cost-report"
    new_plugin("cost_report", made)
    target = tmp_path / "installed"
    run(
        "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--target", target, made, cwd=tmp_path,
    )  # fmt: skip
    assert "1 passed" in run("pytest", "-q", "-p", "no:cacheprovider", cwd=made, path=target)
    run("ruff", "check", "--isolated", "--line-length", "100", ".", cwd=made)
    run("ruff", "format", "--isolated", "--line-length", "100", "--check", ".", cwd=made)


def test_it_gives_the_files_it_wrote(tmp_path: Path) -> None:
    made = tmp_path / "deep" / "folder"
    written = new_plugin("cost", made)
    assert sorted(written) == sorted(path for path in made.rglob("*") if path.is_file())
    assert made / "src/callboard_cost/__init__.py" in written
    assert list(made.parent.iterdir()) == [made]
    assert not any("$" in path.read_text() for path in written)


@pytest.mark.parametrize(
    "name", ["", "Cost", "cost-report", "1cost", "../cost", "c" * 41, "class", "portal", "catalog"]
)
def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        new_plugin(name, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_an_installed_plugin_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="installed already"):
        new_plugin("scm_git", tmp_path / "new")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder, file, link = tmp_path / "folder", tmp_path / "file", tmp_path / "link"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    file.write_text("mine")
    link.symlink_to(tmp_path / "elsewhere")
    for taken in (folder, file, link):
        with pytest.raises(ConflictError):
            new_plugin("cost", taken)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "link"]
    assert (folder / "notes.txt").read_text() == file.read_text() == "mine"


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert new_plugin("cost", tmp_path / "empty")
