"""`callboard push` against a portal that is served: what a pipeline sees of it."""

import json
from pathlib import Path
from typing import Any, Protocol

import pytest

from callboard_catalog.testing import descriptor

pytestmark = pytest.mark.slow  # runs whole processes

SETTINGS = """
access:
  anonymous: viewer
  bindings: [{role: maintainer, to: ["service:ci", "service:other"]}]
"""


class Commands(Protocol):
    folder: Path
    environ: dict[str, str]

    def write(self, settings: str) -> None: ...
    def run(self, *arguments: str, **options: Any) -> Any: ...
    def serve(self, **options: Any) -> Any: ...


@pytest.fixture
def served(commands: Commands) -> Any:
    commands.environ["CALLBOARD_ACCESS__ANONYMOUS"] = "viewer"
    commands.write(SETTINGS)
    served = commands.serve()
    for account in ("ci", "other"):
        made = commands.run(
            "token", "make", account, "--name", "pipeline", "--permission", "catalog.entity.push"
        )
        assert made.returncode == 0, made.stderr
        (commands.folder / account).write_text(made.stdout)
    return served


def test_a_pipeline(commands: Commands, served: Any) -> None:
    files = commands.folder / "files"
    files.mkdir()
    (files / ".git").mkdir()
    api = {"type": "openapi", "lifecycle": "production", "owner": "team",
           "definition": {"$text": "./api.txt"}}  # fmt: skip
    text = descriptor("a") + "---\n" + descriptor("a-api", "API", spec=api)
    (files / "catalog-info.yaml").write_text(text)
    (files / "api.txt").write_text("openapi: 3.0.0\n")

    def push(*more: str, token: str = "ci") -> Any:
        return commands.run(
            "push", str(files), "--source", "pipeline", "--url", served.address,
            "--token-file", token, *more,
        )  # fmt: skip

    dry = push("--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "Dry run: 2 created.\n")
    done = push()
    assert done.returncode == 0, done.stderr
    assert "created component:default/a\n" in done.stdout
    found = json.loads(served.get("/api/catalog/entities/by-name/api/default/a-api").content)
    assert found["spec"]["definition"] == "openapi: 3.0.0\n"
    again = push()
    assert (again.stdout, again.stderr) == ("", "2 unchanged.\n")

    # A broken file is told with its line, hides nothing and takes nothing out.
    broken = descriptor("b", title="B").replace('"lifecycle"', '"lifecycles"')
    (files / "catalog-info.yaml").write_text(descriptor("a") + "---\na: [\n---\n" + broken)
    bad = push()
    assert bad.returncode == 1
    assert f"{files}/catalog-info.yaml:4: rejected:" in bad.stdout
    assert "rejected component:default/b: spec.lifecycle is missing" in bad.stdout
    assert "Nothing was taken out" in bad.stderr
    assert served.get("/api/catalog/entities/by-name/api/default/a-api").status_code == 200

    (files / "catalog-info.yaml").write_text(descriptor("a"))
    gone = push()
    assert (gone.returncode, gone.stdout) == (0, "removed api:default/a-api\n")
    removed = push("--delta", "--removed", "component:a", "--removed", "component:none")
    assert removed.returncode == 2
    assert "given and removed" in removed.stderr

    other = push(token="other")
    assert other.returncode == 2
    assert "belongs to service:ci" in other.stderr


def test_what_does_not_arrive(commands: Commands, served: Any) -> None:
    (commands.folder / "one.yaml").write_text(descriptor("a"))
    (commands.folder / "bad").write_text("cb_nonsense")
    usual = ("push", "one.yaml", "--source", "pipeline")
    here, nowhere = ("--url", served.address), ("--url", "http://127.0.0.1:9")
    for arguments, said in (
        ((*usual, *here), "There is no token."),
        ((*usual, *here, "--token-file", "bad"), "refused the push (401)"),
        ((*usual, *here, "--token-file", "none"), "cannot be read"),
        ((*usual, *nowhere, "--token-file", "ci"), "does not answer"),
        ((*usual[:-1], "No Name", *here, "--token-file", "ci"), "lower-case letters"),
    ):
        done = commands.run(*arguments)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
