"""A catalog for tests, of the host's and of plugins' own: real sources, real tables, no portal."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.hosting import Services
from callboard.plugin_host import PluginHost
from callboard.plugins import Contributions
from callboard.settings import CORE_SECTIONS, load_settings
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.ingest.refresh import RefreshResult
from callboard_catalog.locations.service import RegisteredLocations
from callboard_catalog.service import CatalogService
from callboard_catalog.settings import CatalogSettings

SECTIONS: Mapping[str, type[BaseModel]] = {**CORE_SECTIONS, "catalog": CatalogSettings}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CatalogSite:
    """A catalog over a database with its tables; sources are read when it is told to.

    `base` is the folder that relative sources begin at; Git repositories below it (or below
    `local`) may be read, and private addresses may be asked over HTTP, without a second attempt;
    `git` and `http` are further settings of these. `close` ends connections to other hosts.
    """

    def __init__(
        self,
        database: Database,
        base: Path,
        *,
        sources: Sequence[Mapping[str, Any]] = (),
        contributions: Contributions | None = None,
        now: Callable[[], datetime] = _utc_now,
        local: Path | None = None,
        git: Mapping[str, Any] | None = None,
        http: Mapping[str, Any] | None = None,
        **catalog: Any,
    ) -> None:
        self.database = database
        self.base = base
        self.now = now
        self.local = local or base
        self._git, self._http = git or {}, http or {}
        self.contributions = contributions or Contributions()
        self.service = CatalogService(database)
        self.reported: list[tuple[str, str, BaseException]] = []
        self._catalog: dict[str, Any] = {"sources": list(sources), **catalog}
        self.configure()

    def configure(self, *, contributions: Contributions | None = None, **catalog: Any) -> None:
        """Start anew with other settings or contributions, on the same tables."""
        self._catalog.update(catalog)
        self.contributions = contributions or self.contributions
        config = self.base / "callboard.yaml"
        config.write_bytes(
            orjson.dumps(
                {
                    "catalog": self._catalog,
                    "git": {"allow_local": [str(self.local)], **self._git},
                    "http": {"allow_private": True, "retries": 0, **self._http},
                }
            )
        )
        settings = load_settings(config, {}, SECTIONS)
        services = Services(settings, self.database, self.service, base=self.base, clock=self.now)
        self.close = services.close
        self.engine = CatalogEngine(
            self.database,
            settings.section(CatalogSettings),
            self.contributions,
            base=self.base,
            host_for=lambda plugin: PluginHost(plugin, services),
            open_repository=services.repository,
            http=services.http,
            check_repository=services.check_repository,
            now=self.now,
            report=lambda plugin, place, error: self.reported.append((plugin, place, error)),
        )
        self.engine.register()
        self.locations = RegisteredLocations(
            self.database,
            source=self.engine.registered,
            addresses=self.engine.addresses,
            submit=lambda connection, name, payload, key: None,
            now=self.now,
        )

    def read(self, *names: str) -> RefreshResult:
        """Read sources, all without names, and give the last result."""
        results = [self.engine.read(name) for name in names or sorted(self.engine.sources)]
        return results[-1]

    def get(self, ref: str) -> Entity | None:
        """Give an entity by its reference as text."""
        return self.service.get(EntityRef.parse(ref))


def descriptor(name: str, kind: str = "Component", *, spec: Any = None, **metadata: Any) -> str:
    """Give a descriptor of one document; a Component's and a Group's `spec` is filled in."""
    defaults: dict[str, dict[str, Any]] = {
        "Component": {"type": "service", "lifecycle": "production", "owner": "team"},
        "Group": {"type": "team", "children": []},
    }
    document = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, **metadata},
        "spec": {**defaults.get(kind, {}), **(spec or {})},
    }
    return orjson.dumps(document).decode() + "\n"
