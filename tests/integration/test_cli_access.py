"""`callboard access`, as the real program."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # runs whole processes

GIVES = """\
roles:
  - {name: starter, permissions: [catalog.entity.refresh]}
bindings:
  - {role: starter, to: [group:blue]}
"""


def looks(commands: Any) -> list[tuple[str]]:
    """Give whom somebody has looked at, as the audit log has it."""
    with closing(sqlite3.connect(commands.folder / "callboard.sqlite3")) as connection:
        rows = connection.execute(
            "SELECT subject FROM audit_entry WHERE action = 'access.decision.explain' ORDER BY id"
        )
        return list(rows)


def test_files_are_checked_without_a_database(commands: Any) -> None:
    (commands.folder / "policies").mkdir()
    (commands.folder / "policies/a.yaml").write_text(GIVES)
    (commands.folder / "policies/b.csv").write_text("p, team, applications, get, *, allow\n")
    done = commands.run("access", "check", "policies")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 files, 2 roles, 2 bindings, 0 errors.\n"
    assert "policies/b.csv:1: note: Nobody declares a permission" in done.stderr
    (commands.folder / "policies/a.yaml").write_text(GIVES.replace("role: starter", "role: gone"))
    (commands.folder / "policies/b.csv").write_text("p, team, applications, get, *\n")
    failed = commands.run("access", "check", "policies/a.yaml", "policies/b.csv")
    assert failed.returncode == 1
    assert "policies/a.yaml:4: error: There is no role gone." in failed.stderr
    assert "policies/b.csv:1: error: A rule p has five values" in failed.stderr
    assert not (commands.folder / "callboard.sqlite3").exists()
    assert "There is no file" in commands.fails("access", "check", "nowhere.yaml")


def test_policies_are_listed_explained_and_tried(commands: Any) -> None:
    commands.environ["CALLBOARD_ACCESS__ANONYMOUS"] = ""
    commands.write("access:\n  administrators: [user:ada]\n")
    assert commands.run("db", "upgrade").returncode == 0
    listed = commands.run("access", "list", "bindings").stdout
    assert "callboard.yaml:2" in listed
    assert "owned" in listed
    assert "administrator" in commands.run("access", "list", "roles").stdout
    assert "access.policy.change" in commands.run("access", "list", "permissions").stdout
    assert "callboard.yaml" in commands.run("access", "list").stdout
    allowed = commands.run("access", "explain", "user:ada", "access.policy.change")
    assert allowed.returncode == 0, allowed.stderr
    assert allowed.stdout.startswith("allowed\n  allow: Role administrator")
    refused = commands.run(
        "access", "explain", "user:eve", "catalog.entity.refresh", "--entity", "web"
    )
    assert refused.returncode == 1
    assert "not allowed" in refused.stdout
    assert "owned by the one who asks" in refused.stdout
    assert list(looks(commands)) == [("user:ada",), ("user:eve",)]
    (commands.folder / "a.yaml").write_text(GIVES)
    tried = commands.run("access", "dry-run", "a.yaml")
    assert tried.stdout.startswith("0 requests compared")
    assert "expected sources, roles" in commands.fails("access", "list", "things")
    assert "no name of a subject" in commands.fails("access", "explain", "eve", "x.y.z")
