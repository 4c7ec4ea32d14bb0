"""What tests of tokens share: a catalog, settings, and browsers that send forms."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from callboard import audit
from callboard.testing import new_database
from callboard_web.app import create_app
from callboard_web.testing import PortalUnderTest, sign_in_as
from callboard_web.tokens import secret
from callboard_web.tokens.machines import Machines

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada, title: Ada Lovelace}
spec: {profile: {displayName: Ada Lovelace}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: grace}
spec: {profile: {displayName: Grace Hopper}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: root}
spec: {memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: engines}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mill}
spec: {type: service, lifecycle: production, owner: engines}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: loom}
spec: {type: service, lifecycle: production, owner: group:default/others}
"""
ADA = "user:default/ada"
LOCAL = "http://127.0.0.1:8000"


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


def token_settings(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Any]]:
    """Give the settings of a portal on one of `DATABASES`: made a fixture by those who use it."""
    settings: dict[str, Any] = {
        "access": {
            "anonymous": "",
            "administrators": ["user:default/root"],
            "roles": [{"name": "gauge", "permissions": ["portal.metrics.read"]}],
            "bindings": [
                {"role": "maintainer", "to": ["service:builder"]},
                {"role": "gauge", "to": ["group:default/engines"]},
            ],
        },
        "tokens": {"rate": 60, "burst": 5, "failures": 3},
    }
    with new_database(request, request.param) as url:
        yield {**settings, "database": {"url": url}}


class Visit:
    """Somebody's browser, and the forms they send with it."""

    def __init__(self, people: PortalUnderTest, user: str = "") -> None:
        self.client = TestClient(
            create_app(people.runtime), base_url=LOCAL, client=("127.0.0.1", 50000),
            raise_server_exceptions=False,
        )  # fmt: skip
        if user:
            sign_in_as(self.client, user)

    @property
    def machines(self) -> Machines:
        return self.client.app.state.machines  # type: ignore[attr-defined, no-any-return]

    def send(self, path: str, page: str = "", **fields: Any) -> httpx2.Response:
        shown = self.client.get(page or path).text
        token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = re.search(r'name="form" value="([\w-]+)"', shown)
        rotations = re.search(r'name="rotations" value="(\d+)"', shown)
        more = {"form": form[1]} if form else {"rotations": rotations[1]} if rotations else {}
        return self.client.post(path, data={"csrf_token": token, **more, **fields})

    def make(self, path: str = "/me/tokens/new", **fields: Any) -> str:
        """Make a token by the form, and give its text."""
        given = {
            "name": "nightly",
            "days": "30",
            "where": "all",
            "permission": ["catalog.entity.read"],
        }
        answer = self.send(path, **{**given, **fields})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return text_in(answer.text)


def text_in(page: str) -> str:
    found = re.findall(secret.PATTERN, page)
    assert len(set(found)) == 1
    return str(found[0])


def by(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def whoami(client: TestClient, text: str) -> Any:
    answer = client.get("/api/whoami", headers=by(text))
    assert answer.status_code == 200, answer.text
    return answer.json()


def rewrite(people: PortalUnderTest, text: str) -> None:
    """Write another text over what was added to the catalog first."""
    (people.runtime.base / "catalog" / "0001.yaml").write_text(text, encoding="utf-8")
    people.runtime.engine.read("test")


def actions(people: PortalUnderTest, action: str) -> list[audit.AuditEntry]:
    with people.runtime.database.read() as connection:
        return audit.entries(connection, action=action)
