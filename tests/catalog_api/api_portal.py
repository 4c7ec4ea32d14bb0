"""A portal with a catalog in it for tests of its API, and answers held against its description."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Match
from starlette.testclient import TestClient

from callboard.testing import new_database
from callboard_web.app import create_app
from callboard_web.catalog_api.model import MOUNT, Endpoint
from callboard_web.catalog_api.openapi import path_of
from callboard_web.catalog_api.routes import ENDPOINTS
from callboard_web.routing import GuardedRoute
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

DATABASES: Final = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]

CATALOG: Final = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: Svc-One
  title: First service
  description: Takes orders
  tags: [java, tier-1]
  labels: {example.com/tier: gold}
  annotations: {example.com/id: "17"}
spec:
  type: service
  lifecycle: production
  owner: team-a
  system: shop
  dependsOn: [component:svc-two]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: svc-two, tags: [python]}
spec: {type: Service, lifecycle: experimental, owner: team-b, system: shop}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: web-app, title: Web}
spec: {type: website, lifecycle: production, owner: user:ada}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: orders-api, title: Orders}
spec: {type: openapi, lifecycle: production, owner: team-a, definition: "openapi: 3.1.0"}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: shop, title: Shop}
spec: {owner: team-a}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team-a}
spec: {type: team, children: [team-b]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team-b}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada}
spec: {profile: {displayName: Ada Lovelace}, memberOf: [team-a]}
"""

PEOPLE: Final = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: root}
spec: {memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: vera}
spec: {memberOf: []}
"""

BAD_AMONG_GOOD: Final = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: sibling, namespace: other}
spec: {type: library, lifecycle: production, owner: team-a}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: bad-tag, namespace: other, tags: ["Not a tag"]}
spec: {type: library, lifecycle: production, owner: team-a}
"""


class Described:
    """Asks the API, and holds every answer against the description that it publishes."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str, **more: Any) -> httpx2.Response:
        return self.ask("GET", path, **more)

    def post(self, path: str, content: Any = None, **more: Any) -> httpx2.Response:
        return self.ask("POST", path, json=content, **more)

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        answer = self.client.request(method, f"{MOUNT}{path}", **more)
        self._check(method, urlsplit(path).path, answer)
        return answer

    def all(self, path: str, **more: Any) -> Any:
        """Give the content of an answer that is good."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, path: str, **more: Any) -> list[str]:
        """Give the names of the entities in an answer."""
        content = self.all(path, **more)
        items = content if isinstance(content, list) else content["items"]
        return [item["metadata"]["name"] for item in items]

    @cached_property
    def description(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.client.get(f"{MOUNT}/openapi.json").json()
        return found

    def _check(self, method: str, path: str, answer: httpx2.Response) -> None:
        described = endpoint_of(method, path)
        if described is None:
            return
        operation = self.description["paths"][path_of(described)][method.lower()]
        status = str(answer.status_code)
        assert status in operation["responses"], f"{method} {path}: {status} is not described"
        content = operation["responses"][status].get("content")
        if not content:
            assert not answer.content, f"{method} {path}: {status} is described as empty"
            return
        schema = content["application/json"]["schema"]
        whole = {**schema, "components": self.description["components"]}
        Draft202012Validator(whole).validate(answer.json())


def csrf(api: Described) -> dict[str, str]:
    """Give the header with which a browser proves that a page of the portal sends."""
    shown = api.client.get("/navigation").text
    return {"x-csrf-token": shown.partition('name="csrf_token" value="')[2].partition('"')[0]}


def endpoint_of(method: str, path: str) -> Endpoint | None:
    """Find the endpoint that answers an address."""
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    for item in ENDPOINTS:
        route = GuardedRoute(item.path, lambda request: None, methods=[item.method])
        if route.matches(scope)[0] is Match.FULL:
            return item
    return None


@dataclass
class ApiPortal:
    """A portal, and who asks it: an administrator that needs no name unless one is given."""

    portal: PortalUnderTest

    @cached_property
    def api(self) -> Described:
        return Described(self.client())

    def client(self, user: str = "", **more: Any) -> TestClient:
        client = TestClient(
            create_app(self.portal.runtime), base_url="https://testserver",
            raise_server_exceptions=False, **more,
        )  # fmt: skip
        if user:
            sign_in_as(client, user)
        return client


@contextmanager
def api_portal_at(
    request: pytest.FixtureRequest, folder: Path, settings: Mapping[str, Any] | None = None
) -> Iterator[ApiPortal]:
    """Start a portal with the catalog above; the fixture's parameter names the database."""
    with (
        new_database(request, request.param) as url,
        portal_under_test(
            folder / "portal", plugins=[], settings={**(settings or {}), "database": {"url": url}},
            clock=lambda: datetime.now(UTC), templates={},
        ) as made,
    ):  # fmt: skip
        made.catalog_add(CATALOG)
        yield ApiPortal(made)


def open_portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiPortal]:
    """Give one that everyone administers and that may read URLs of this machine."""
    settings = {"http": {"allow_private": True, "retries": 0}}
    with api_portal_at(request, tmp_path_factory.mktemp("api"), settings) as made:
        yield made


@dataclass
class Files:
    """Files that are served on a port of this machine; what is not there is a 404."""

    address: str
    contents: dict[str, str]


@contextmanager
def files_served() -> Iterator[Files]:
    contents: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = contents.get(self.path)
            self.send_response(404 if found is None else 200)
            self.end_headers()
            self.wfile.write((found or "").encode())

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Files(f"http://127.0.0.1:{server.server_port}", contents)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
