"""`callboard token`, as a process: what it prints, what it keeps, and who it says did it."""

import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # runs whole processes

SETTINGS = "access: {bindings: [{role: maintainer, to: ['service:deployer']}]}\n"
MAKE = ("token", "make", "deployer", "--name", "nightly")


def test_an_operator_makes_lists_and_revokes_tokens(commands: Any) -> None:
    commands.write(SETTINGS)
    served = commands.serve()
    made = commands.run(
        *MAKE, "--permission", "portal.job.*", "--permission", "catalog.*", "--on", "system=shop",
        "--purpose", "Reads jobs",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (text,) = re.findall(r"^cbd_1_\w{43}_\w{6}$", made.stdout, re.MULTILINE)
    assert made.stdout.strip() == text
    told = served.get("/api/whoami", headers={"authorization": f"Bearer {text}"}).json()
    assert told["names"] == ["service:deployer"]
    assert {"name": "portal.job.read", "on": "everywhere"} in told["permissions"]
    assert {"name": "catalog.entity.read", "on": "some"} in told["permissions"]
    listed = commands.run("token", "list").stdout
    assert re.search(r"^1 +nightly +service:deployer +Good ", listed, re.MULTILINE)
    assert text not in listed
    assert "is revoked" in commands.run("token", "revoke", "1").stdout
    assert "revoked before" in commands.run("token", "revoke", "1").stdout
    answer = served.get("/api/whoami", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == 401
    with closing(sqlite3.connect(commands.folder / "callboard.sqlite3")) as connection:
        rows = connection.execute(
            "SELECT action, actor, on_behalf_of, after FROM audit_entry WHERE action LIKE "
            "'portal.token.%' OR action LIKE 'portal.service%' ORDER BY id"
        ).fetchall()
    actions = [row[0] for row in rows]
    assert actions[:3] == [
        "portal.service_account.write", "portal.token.make", "portal.token.revoke",
    ]  # fmt: skip
    assert {row[1] for row in rows[:3]} == {"system:callboard"}
    assert all(row[2].startswith("system:operator ") for row in rows[:3])
    assert json.loads(rows[1][3])["on"] == {"system": ["system:default/shop"]}


def test_what_cannot_be_is_said_in_words(commands: Any) -> None:
    commands.run("db", "upgrade")
    said = commands.fails(*MAKE, "--permission", "portal.token.make")
    assert "No token can have the permission 'portal.token.make'" in said
    said = commands.fails(*MAKE, "--permission", "catalog.*", "--on", "shape=round")
    assert "--on 'shape=round' cannot be read" in said
    assert "Expected one of entity, system" in said
    said = commands.fails("token", "make", "Not A Name", "--name", "x", "--permission", "catalog.*")
    assert "lower-case letters" in said
    assert "There is no token 7" in commands.fails("token", "revoke", "7")
