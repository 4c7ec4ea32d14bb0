"""Puts the parts of a process together: settings, plugins, database, catalog, jobs."""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from pydantic import BaseModel
from sqlalchemy.exc import DatabaseError

from callboard.builtin import CorePlugin
from callboard.database import Branch, Database, inspect_schema, upgrade
from callboard.database.upgrade import SchemaState
from callboard.errors import SettingsError
from callboard.events import EventStream
from callboard.host import Host
from callboard.hosting import PluginHost, Services
from callboard.plugins import Guard, Plugins, PluginState, load_plugins, plugin_names_from
from callboard.settings import (
    CORE_SECTIONS,
    DatabaseSettings,
    JobsSettings,
    NoSettings,
    PluginsSettings,
    Settings,
    load_settings,
)
from callboard_catalog.builtin import CatalogPlugin
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.service import CatalogService
from callboard_catalog.settings import CatalogSettings
from callboard_web import builtin
from callboard_web.settings import PortalSettings

if TYPE_CHECKING:
    from callboard.jobs import Jobs
    from callboard_web.translations import TranslationStore

log = logging.getLogger(__name__)

SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    **CORE_SECTIONS,
    "catalog": CatalogSettings,
    "portal": PortalSettings,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def find_config(environ: Mapping[str, str]) -> Path | None:
    """Give the settings file: `CALLBOARD_CONFIG`, or `callboard.yaml` here if there is one."""
    named = environ.get("CALLBOARD_CONFIG")
    if named:
        return Path(named)
    here = Path("callboard.yaml")
    return here if here.exists() else None


@dataclass
class Runtime:
    """The parts of one process. `open` makes one; `start` begins the work; `stop` ends it."""

    settings: Settings
    plugins: Plugins
    database: Database
    services: Services
    catalog: CatalogService
    engine: CatalogEngine
    base: Path
    clock: Callable[[], datetime]
    events: EventStream
    _lock: IO[bytes] | None = field(default=None, repr=False)
    _started: bool = field(default=False, repr=False)

    @classmethod
    def open(
        cls,
        config: Path | None,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], datetime] = _utc_now,
        strict: bool | None = None,
    ) -> Self:
        """Read the settings, load the plugins and open the database; nothing runs yet.

        Raises `SettingsError` with every fault of the settings. The database is not asked.
        """
        first = load_settings(config, environ, SECTIONS)
        catalog_plugin = CatalogPlugin()
        own = {
            "core": CorePlugin(first.section(JobsSettings).keep),
            "catalog": catalog_plugin,
            "portal": builtin,
        }
        plugins = _load(first.section(PluginsSettings), environ, own, clock, strict)
        settings = load_settings(
            config, environ, SECTIONS, plugin_sections=_plugin_sections(plugins)
        )
        base = config.parent.resolve() if config else Path.cwd()
        chosen = settings.section(DatabaseSettings)
        database = Database(_located(chosen.url, base), pool_size=chosen.pool_size)
        catalog = CatalogService(database)
        services = Services(settings, database, catalog, base=base, clock=clock)

        def host_for(plugin: str) -> Host:
            return PluginHost(plugin, services)

        engine = CatalogEngine(
            database,
            settings.section(CatalogSettings),
            plugins.contributions,
            base=base,
            host_for=host_for,
            open_repository=services.repository,
            http=services.http,
            now=clock,
        )
        catalog_plugin.engine, catalog_plugin.service = engine, catalog
        return cls(
            settings=settings,
            plugins=plugins,
            database=database,
            services=services,
            catalog=catalog,
            engine=engine,
            base=base,
            clock=clock,
            events=EventStream(database),
        )

    # What others ask for

    @property
    def portal(self) -> PortalSettings:
        return self.settings.section(PortalSettings)

    @cached_property
    def jobs(self) -> "Jobs":
        from callboard.jobs import Jobs

        chosen = self.settings.section(JobsSettings)
        located = chosen.model_copy(update={"queue_file": self.base / chosen.queue_file})
        contributions = self.plugins.contributions
        jobs = Jobs(
            self.database,
            contributions.jobs,
            self.host,
            located,
            self.clock,
            event_handlers=contributions.event_handlers,
        )
        self.services.jobs = jobs
        return jobs

    @cached_property
    def translations(self) -> "TranslationStore":
        from callboard_web.translations import TranslationStore

        directories = self.plugins.directories("callboard_translations")
        return TranslationStore({"callboard": Path(__file__).parent / "locales", **directories})

    def host(self, plugin: str) -> Host:
        """Give the host as one plugin sees it."""
        return PluginHost(plugin, self.services)

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return self.clock()

    # The schema

    def branches(self) -> list[Branch]:
        """Give the lines of schema revisions of every loaded plugin, the host's own among them."""
        directories = self.plugins.directories("callboard_migrations")
        return [Branch(name, path) for name, path in directories.items()]

    def upgrade(self) -> list[SchemaState]:
        """Bring the tables to this version; see `callboard.database.upgrade`."""
        with _explained(self.database):
            return upgrade(self.database, self.branches())

    def check_schema(self) -> None:
        """Raise `SettingsError` where the tables are not those of this version."""
        with _explained(self.database):
            problems = [state.problem() for state in inspect_schema(self.database, self.branches())]
        found = [problem for problem in problems if problem]
        if found:
            raise SettingsError("\n".join(found))

    # Running

    def start(self, *, worker: bool, serve: bool) -> None:
        """Check the tables, tell the plugins, and begin what runs beside requests.

        Only one `serve` may run on a SQLite file; a second one is refused with `SettingsError`.
        """
        if serve and self.database.path is not None:
            self._lock = _lock_file(self.database.path)
        self.check_schema()
        with _explained(self.database):
            self.engine.register()
        self.plugins.start(self.host)
        jobs = self.jobs
        self._started = True
        if serve:
            self.events.start()
        if self._lock is not None:
            jobs.take_over()
        if worker:
            jobs.start_worker()
            jobs.submit(None, "catalog", "look")
            jobs.submit(None, "catalog", "forget")

    def stop(self) -> None:
        """End everything in good order."""
        if self._started:
            self.jobs.stop()
            self.events.stop()
            self.plugins.stop(self.host)
        self.services.close()
        self.database.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _load(
    chosen: PluginsSettings,
    environ: Mapping[str, str],
    own: Mapping[str, object],
    clock: Callable[[], datetime],
    strict: bool | None,
) -> Plugins:
    guard = Guard(
        time_limit=chosen.time_limit,
        strict=chosen.strict if strict is None else strict,
        now=clock,
    )
    return load_plugins(
        builtin=own,
        only=plugin_names_from(environ.get("CALLBOARD_PLUGINS")),
        enable=chosen.enable,
        disable=chosen.disable,
        guard=guard,
    )


def _plugin_sections(plugins: Plugins) -> dict[str, type[BaseModel] | None]:
    models = plugins.settings_models()
    return {
        record.name: models.get(record.name, NoSettings)
        if record.state is PluginState.LOADED
        else None
        for record in plugins.records.values()
    }


def _located(url: str, base: Path) -> str:
    """Let the file of a SQLite database begin at the folder of the settings file."""
    prefix = "sqlite:///"
    if not url.startswith(prefix) or url.startswith(f"{prefix}/"):
        return url
    return f"{prefix}{base / url.removeprefix(prefix)}"


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    """Turn what a driver says of a database that cannot be used into a message for people."""
    try:
        yield
    except DatabaseError as error:
        place = str(database.path or database.url.render_as_string(hide_password=True))
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "unknown"
        raise SettingsError(
            f"The database {place} cannot be used: {reason}.",
            hint="Check database.url, free space and permissions; then: callboard doctor",
        ) from error


def _lock_file(database: Path) -> IO[bytes]:
    path = database.with_name(f"{database.name}.lock")
    try:
        # Held open for as long as the process lives.
        handle = path.open("ab+")
    except OSError as error:
        raise SettingsError(
            f"The folder {path.parent} cannot be written: {error.strerror}.",
            hint="Check its permissions and free space.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        owner = handle.read(20).decode(errors="replace").strip()
        handle.close()
        raise SettingsError(
            f"Another `callboard serve` (process {owner or 'unknown'}) runs on {database}.",
            hint="Stop it, or name another database; several processes need PostgreSQL.",
        ) from None
    with suppress(OSError):
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
        handle.flush()
    return handle
