"""The client of Backstage, unmodified, as a process of its own against a running portal."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from api_portal import BAD_AMONG_GOOD, CATALOG, files_served

from callboard.testing import absent

SCRIPT: Final = Path(__file__).parents[1] / "catalog_api" / "client.mjs"
SETTINGS: Final = """
access: {bindings: [{role: administrator, to: ['service:mover']}]}
http: {allow_private: true, retries: 0}
catalog: {sources: [{name: shop, type: folder, path: shop}]}
"""
FIRST: Final = "component:default/svc-one"
COMPONENT: Final = [{"value": "Component", "count": 3}]

EXPECTED: Final[dict[str, Any]] = {
    "getEntities": [
        "Svc-One", "ada", "orders-api", "shop", "svc-two", "team-a", "team-b", "web-app",
    ],
    "getEntities filtered": ["Svc-One", "orders-api", "ada"],
    "getEntitiesByRefs": ["svc-two", None],
    "getEntitiesByRefs filtered": [None, "Svc-One"],
    "getEntitiesByRefs queried": ["svc-two", None],
    "getEntitiesByRefs in chunks": [2101, "Svc-One"],
    "queryEntities": [["Svc-One", "svc-two"], 3, ["nextCursor"]],
    "queryEntities next": [[{"metadata": {"name": "web-app"}}], 3, ["prevCursor"]],
    "queryEntities back": ["Svc-One", "svc-two"],
    "queryEntities text": ["svc-two", "Svc-One"],
    "queryEntities predicate": [["Svc-One", "svc-two"], ["web-app"], 3],
    "streamEntities": [
        ["ada", "orders-api", "shop"], ["Svc-One", "svc-two", "team-a"], ["team-b", "web-app"],
    ],
    "getEntityByRef": ["Svc-One", "Component", True],
    "getEntityByRef of nothing": None,
    "getEntityByName": "Svc-One",
    "getEntityAncestors": [FIRST, ["Svc-One"], []],
    "getEntityAncestors of nothing": {
        "name": "ResponseError", "status": 404, "body": "NotFoundError",
    },
    "getEntityFacets": {
        "kind": COMPONENT,
        "spec.lifecycle": [
            {"value": "experimental", "count": 1}, {"value": "production", "count": 2},
        ],
    },
    "getEntityFacets predicate": {"kind": COMPONENT},
    "refreshEntity": None,
    "refreshEntity of nothing": {"name": "ResponseError", "status": 404, "body": "NotFoundError"},
    "validateEntity": {"valid": True},
    "validateEntity bad": [False, True, True],
    "analyzeLocation": [1, True],
    "addLocation tried": [False, True],
    "addLocation": ["url", True],
    "addLocation again": {"name": "ResponseError", "status": 409, "body": "ConflictError"},
    "addLocation refreshed": True,
    "getLocations": [True],
    "getLocationByRef": True,
    "queryLocations": [1, 1, {}],
    "streamLocations": [1],
    "getLocationById": True,
    "getLocationById of nothing": None,
    "getLocationByEntity of a file": None,
    "getLocationByEntity": True,
    "updateLocation": [True, True],
    "removeLocationById": None,
    "removeLocationById again": {"name": "ResponseError", "status": 404, "body": "NotFoundError"},
    "removeEntityByUid": None,
    "without a token": {"name": "ResponseError", "status": 401, "body": "AuthenticationError"},
    "with a bad token": {"name": "ResponseError", "status": 401, "body": "AuthenticationError"},
}  # fmt: skip


def folder() -> Path:
    """Find where it is installed; its absence skips a test, and fails one in CI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("CALLBOARD_CATALOG_CLIENT")
    found = Path(named) if named else cache / "callboard" / "catalog-client"
    installed = (found / "node_modules" / "@backstage" / "catalog-client").exists()
    if not installed or not shutil.which("node"):
        absent("No catalog client: run tools/install_catalog_client.sh, which needs Node.js.")
    return found


def uid_of(served: Any, token: str, name: str) -> str:
    headers = {"authorization": f"Bearer {token}"}
    answer = served.get(f"/api/catalog/entities/by-name/component/default/{name}", headers=headers)
    return str(answer.json()["metadata"]["uid"]) if answer.status_code == 200 else ""


@pytest.mark.slow
def test_every_method_of_the_unmodified_client(commands: Any) -> None:
    installed = folder()
    commands.write(SETTINGS)
    commands.environ["CALLBOARD_ACCESS__ANONYMOUS"] = ""
    shop = commands.folder / "shop"
    shop.mkdir()
    (shop / "catalog-info.yaml").write_text(CATALOG, encoding="utf-8")
    served = commands.serve()
    made = commands.run("token", "make", "mover", "--name", "move", "--permission", "catalog.*")
    (token,) = re.findall(r"^cbd_\w+$", made.stdout, re.MULTILINE)
    commands.wait_until(lambda: uid_of(served, token, "web-app"))
    with files_served() as files:
        files.contents["/one.yaml"] = BAD_AMONG_GOOD.partition("---")[0]
        settings = {
            "address": served.address, "token": token, "uid": uid_of(served, token, "web-app"),
            "target": f"{files.address}/one.yaml", "moved": f"{files.address}/two.yaml",
        }  # fmt: skip
        done = subprocess.run(
            ["node", SCRIPT, installed, json.dumps(settings)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    answers = {line["method"]: line.get("got", line.get("error")) for line in lines}
    methods = answers.pop("")
    wrong = {
        name: (answers.get(name), expected)
        for name, expected in EXPECTED.items()
        if name not in answers or answers[name] != expected
    }
    assert not wrong
    assert answers.keys() == EXPECTED.keys()
    assert set(methods) == {name.split()[0] for name in EXPECTED if not name.startswith("with")}
