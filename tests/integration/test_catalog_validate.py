"""`callboard catalog validate`: what it prints, and how it ends."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callboard_catalog.testing import descriptor
from callboard_web.cli import app

API = {"type": "openapi", "lifecycle": "production", "owner": "team"}
BAD = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: not a name
spec:
  type: service
  owner: team
---
a: [
---
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def validate(*paths: str) -> Result:
    result = CliRunner().invoke(app, ["catalog", "validate", *paths])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_good_files() -> None:
    put("a.yaml", descriptor("a") + "---\n" + descriptor("b"))
    result = validate("a.yaml")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "2 documents, 0 faults.\n"


def test_every_fault_with_its_line() -> None:
    put("x/a.yaml", BAD + descriptor("good"))
    result = validate("x/a.yaml")
    assert result.exit_code == 1
    places = [line.split(": ")[0] for line in result.stdout.splitlines()]
    assert places == ["x/a.yaml:4", "x/a.yaml:5", "x/a.yaml:10"]
    assert "lifecycle" in result.stdout
    assert result.stderr == "3 documents, 3 faults.\n"


def test_the_command_speaks_english_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.yaml", "kind: Component\n")
    english = validate("a.yaml").stdout
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "a.yaml:1: metadata is missing; it needs a name" in english
    assert validate("a.yaml").stdout == english


def test_warnings_are_no_faults() -> None:
    put("a.yaml", descriptor("a", spec={"owner": "a b"}))
    result = validate("a.yaml")
    assert result.exit_code == 0
    assert result.stdout.startswith("a.yaml:1: warning: spec.owner ")


def test_folders_have_their_usual_files_checked() -> None:
    put("r/catalog-info.yaml", descriptor("a"))
    put("r/x/catalog-info.yml", BAD)
    put("r/x/other.yaml", BAD)
    put("r/node_modules/catalog-info.yaml", BAD)
    result = validate("r")
    assert result.exit_code == 1
    assert {line.split(":")[0] for line in result.stdout.splitlines()} == {"r/x/catalog-info.yml"}
    # What the folder itself lies in does not count.
    put("node_modules/mine/catalog-info.yaml", descriptor("a"))
    assert validate("node_modules/mine").exit_code == 0


def test_placeholders() -> None:
    text = descriptor("a", "API", spec={**API, "definition": {"$text": "../api.txt"}})
    put("outside.txt", "x")
    put("r/s/catalog-info.yaml", text)
    result = validate("r")
    assert result.exit_code == 1
    assert "there is no 'api.txt'" in result.stdout.replace('"', "'")
    put("r/api.txt", "openapi: 3.1.0")
    assert validate("r").exit_code == 0
    # Within a repository it may lead to where a part of it is checked from, and no further.
    assert validate("r/s").exit_code == 1
    Path("r/.git").mkdir()
    assert validate("r/s").exit_code == 0
    assert validate("r/s/catalog-info.yaml").exit_code == 0
    Path("r/link.txt").symlink_to("../outside.txt")
    put("r/s/catalog-info.yaml", text.replace("../api.txt", "../link.txt"))
    assert "leads out of" in validate("r").stdout
    put("r/s/catalog-info.yaml", text.replace("../api.txt", "https://example.com/api"))
    assert "URLs are not read" in validate("r").stdout


def test_what_cannot_be_checked() -> None:
    result = validate("gone.yaml")
    assert result.exit_code == 1
    assert result.stdout == "gone.yaml:1: cannot be read: No such file or directory\n"
    Path("empty").mkdir()
    result = validate("empty")
    assert (result.exit_code, result.stderr) == (1, "0 documents, 0 faults.\n")


def test_kinds_and_limits_of_the_settings() -> None:
    put("callboard.yaml", "catalog:\n  limits: {file_size: 1000}\n  kinds:\n"
        "    - {name: Cluster, api_versions: [example.com/v1], title: Cluster}\n")  # fmt: skip
    put("c.yaml", descriptor("c", "Cluster").replace("backstage.io/v1alpha1", "example.com/v1"))
    assert validate("c.yaml").exit_code == 0
    put("big.yaml", descriptor("c", description="x" * 2000))
    assert "at most 1000" in validate("big.yaml").stdout
