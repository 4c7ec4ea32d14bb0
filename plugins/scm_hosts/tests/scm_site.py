"""A portal that finds repositories on one of the small servers, for the tests of this plugin."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_hosts import HOSTS, TOKEN, FakeHost, serving
from sqlalchemy import event, select
from starlette.testclient import TestClient

from callboard.entities import Entity, EntityRef
from callboard.host import Host
from callboard.testing import Clock, new_database
from callboard_scm_hosts.models import discovery, repository
from callboard_scm_hosts.scan import Outcome, Scan
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec: {{type: service, lifecycle: production, owner: team}}
"""


def component(name: str) -> bytes:
    return COMPONENT.format(name=name).encode()


OWN_DATABASE = "sqlite:///callboard.sqlite3"
_TEMPLATES: dict[str, bytes] = {}
"""A migrated SQLite database, so that only the first is migrated."""


class Site:
    """A running portal, the server it asks, and what to look at after a scan."""

    def __init__(self, runtime: Runtime, server: FakeHost | None, clock: Clock) -> None:
        self.runtime = runtime
        self.server_or_none = server
        self.clock = clock
        self.host: Host = runtime.host("scm_hosts")
        self.writes: list[str] = []
        engine = runtime.database.engine
        event.listen(engine, "before_cursor_execute", self._watch)

    def _watch(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            self.writes.append(statement)

    @property
    def server(self) -> FakeHost:
        assert self.server_or_none is not None
        return self.server_or_none

    @property
    def client(self) -> TestClient:
        return TestClient(create_app(self.runtime))

    def scan(self, name: str = "shop", *, touched_only: bool = False) -> Outcome:
        """Scan as the job does, and let the catalog take in what came of it."""
        found = self.host.settings.discovery(name)
        assert found is not None
        outcome = Scan(self.host, found).run(lambda *_: None, touched_only=touched_only)
        self.runtime.engine.read(f"scm_hosts.{name}")
        return outcome

    def scan_until(self, number: int, end: type[BaseException]) -> None:
        """Scan, and end in the middle of things when so many repositories were read."""

        def progress(done: int, _total: int, _what: str) -> None:
            if done == number:
                raise end

        found = self.host.settings.discovery("shop")
        assert found is not None
        with pytest.raises(end):
            Scan(self.host, found).run(progress)

    def names(self) -> list[str]:
        found = self.runtime.catalog.find(kind="component", limit=2000)
        return sorted(entity.ref.name for entity in found)

    def entity(self, name: str, kind: str = "component") -> Entity:
        found = self.runtime.catalog.get(EntityRef(kind, "default", name))
        assert found is not None
        return found

    def rows(self) -> dict[str, Any]:
        with self.host.read() as connection:
            return {row.path: row for row in connection.execute(select(repository))}

    def states(self) -> dict[str, str]:
        return {path: row.state for path, row in sorted(self.rows().items())}

    def discovery(self, name: str = "shop") -> Any:
        query = select(discovery).where(discovery.c.name == name)
        with self.host.read() as connection:
            return connection.execute(query).one()


@contextmanager
def opened(
    folder: Path, settings: Mapping[str, Any], database: str, clock: Clock, **more: Any
) -> Iterator[Runtime]:
    """Open a portal with this plugin's settings."""
    config = folder / "callboard.yaml"
    document = {
        "access": {"anonymous": "administrator"},
        "database": {"url": database},
        "http": {"allow_hosts": ["127.0.0.1", "localhost"], "retries": 0},
        "plugins": {"settings": {"scm_hosts": dict(settings)}},
        **more,
    }
    config.write_text(yaml.safe_dump(document))
    environment = {"CALLBOARD_PLUGINS": "scm_hosts", "SCM_TOKEN": TOKEN}
    file = folder / "callboard.sqlite3"
    template = _TEMPLATES.get("sqlite")
    own = database == OWN_DATABASE
    if template is not None and own and not file.exists():
        file.write_bytes(template)
    made = Runtime.open(config, environment, clock=clock, strict=True)
    made.upgrade()
    if template is None and own:
        with sqlite3.connect(file) as connection:
            _TEMPLATES["sqlite"] = connection.serialize()
        connection.close()
    made.start(worker=False, serve=False)
    try:
        yield made
    finally:
        made.stop()


def settings_for(
    kind: str, base: str, host: Mapping[str, Any] | None = None, **discover: Any
) -> dict[str, Any]:
    """Give the settings of one host and one discovery of `shop` on it."""
    scope = {"group" if kind == "gitlab" else "organisation": "shop"}
    return {
        "hosts": [{"name": "code", "type": kind, "url": base, "token": "${env:SCM_TOKEN}",
                   **(host or {})}],
        "discover": [{"name": "shop", "host": "code", **scope, **discover}],
    }  # fmt: skip


@contextmanager
def database_of(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    """Give the address of a database; that on SQLite is in the folder of its portal."""
    if kind == "sqlite":
        yield OWN_DATABASE
        return
    with new_database(request, kind) as url:
        yield url


@contextmanager
def site_of(
    folder: Path, kind: str, database: str, clock: Clock, host: Mapping[str, Any] | None = None,
    **discover: Any,
) -> Iterator[Site]:  # fmt: skip
    """Give a portal and a server of a type with three repositories, one without a descriptor."""
    with serving(HOSTS[kind]()) as server:
        server.add("shop/orders", 11, files={"catalog-info.yaml": component("orders")})
        server.add("shop/stock", 12, files={"catalog-info.yaml": component("stock"),
                                            "README.md": b"# Stock\n"})  # fmt: skip
        server.add("shop/tools", 13, files={"README.md": b"# Tools\n"})
        settings = settings_for(kind, server.base, host, **discover)
        with opened(folder, settings, database, clock) as runtime:
            yield Site(runtime, server, clock)
