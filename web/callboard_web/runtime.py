"""Puts the parts of a process together: settings, plugins, database, catalog, jobs."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from pydantic import BaseModel
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from callboard.access import AccessSettings
from callboard.access.deciders import Deciders
from callboard.audit import record
from callboard.audit.changes import note_settings
from callboard.audit.sealer import Sealer
from callboard.audit.settings import AuditSettings
from callboard.builtin import CorePlugin
from callboard.database import Branch, Database, inspect_schema, upgrade
from callboard.database.upgrade import SchemaState
from callboard.errors import SettingsError
from callboard.events import EventStream
from callboard.host import Host
from callboard.hosting import PluginHost, Services
from callboard.identity import facts_of_references
from callboard.plugins import (
    Contributed,
    Contributions,
    Guard,
    Plugins,
    PluginState,
    describe,
    load_plugins,
    plugin_names_from,
)
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
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.service import CatalogService
from callboard_catalog.settings import CatalogSettings, GitSource
from callboard_catalog.warming import Warmer
from callboard_web import builtin
from callboard_web.lock import lock_database
from callboard_web.sessions.settings import SessionsSettings
from callboard_web.settings import PortalSettings
from callboard_web.sign_in.settings import SignInSettings
from callboard_web.tokens.settings import TokensSettings
from callboard_web.webhooks import webhook_jobs

if TYPE_CHECKING:
    from callboard.jobs import Jobs
    from callboard_web.translations import TranslationStore

log = logging.getLogger(__name__)

SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    **CORE_SECTIONS,
    "access": AccessSettings,
    "audit": AuditSettings,
    "catalog": CatalogSettings,
    "portal": PortalSettings,
    "tokens": TokensSettings,
    "sessions": SessionsSettings,
    "sign_in": SignInSettings,
}

RESERVED: Final = frozenset(
    (
        "access",
        "about", "activity", "announcements", "api", "audit", "badge", "badges", "callboard",
        "cards", "domains", "export", "flash", "health", "healthz", "history", "hooks", "jobs",
        "live", "maintenance", "me", "metrics", "navigation", "ownership", "people", "plugins",
        "preferences", "problems", "raw", "readyz", "refresh", "relations", "search",
        "service-accounts", "sessions", "settings", "sign-in", "sign-ins", "sign-out", "sources",
        "static", "systems", "tags", "teams", "tokens", "types", "vendor", "views", "watchers",
    )
)  # fmt: skip
"""Parts of the portal's own addresses: a plugin's pages are at `/<plugin>/`, its tab of the same
name ends in `/<plugin>`, its files are below `/static/<plugin>/`."""

JOBS_STOP_SECONDS: Final = 2.0
"""How long running jobs may take to end; later ones are run again at the next start."""


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
    base: Path
    clock: Callable[[], datetime]
    events: EventStream
    workers: int
    listener: str = field(default="", init=False)
    """The address it listens on, once it does, where that is not the one of the settings."""
    _catalog_plugin: CatalogPlugin = field(repr=False)
    sealer: Sealer | None = None
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
        prepare: Callable[[Settings], None] = lambda settings: None,
    ) -> Self:
        """Read the settings, load the plugins and open the database; nothing runs yet.

        `prepare` is given the host's settings before any plugin is imported. Raises
        `SettingsError` with every fault of the settings; those of one plugin's own settings take
        out that plugin alone, unless `strict`. The database is not asked.
        """
        first = load_settings(config, environ, SECTIONS)
        prepare(first)
        base = config.parent.resolve() if config else Path.cwd()
        core = CorePlugin(
            first.section(JobsSettings).keep,
            first.section(AccessSettings),
            first.section(AuditSettings),
            base,
        )
        catalog_plugin = CatalogPlugin()
        own = {
            "core": core,
            "catalog": catalog_plugin,
            "portal": builtin,
        }
        plugins = _load(first.section(PluginsSettings), environ, own, clock, strict)
        _refuse_taken_kinds(plugins)
        settings = _settle(config, environ, plugins)
        plugins.guard.secrets = settings.secrets()
        chosen = settings.section(DatabaseSettings)
        database = Database(_located(chosen.url, base), pool_size=chosen.pool_size)
        plugins.guard.before_waiting = database.release
        catalog = CatalogService(database)
        catalog_plugin.service = catalog
        services = Services(
            settings,
            database,
            catalog,
            base=base,
            clock=clock,
            configured_repositories=_repositories(settings),
        )
        services.permissions = lambda: [item.value for item in plugins.contributions.permissions]
        core.services = services
        services.strict = plugins.guard.strict
        services.deciders = Deciders(
            plugins,
            lambda plugin: PluginHost(plugin, services),
            settings.section(AccessSettings).deciders,
        )
        services.facts = catalog.facts_of
        services.facts_of_several = lambda refs: {
            **facts_of_references(refs),
            **catalog.facts(refs),
        }
        catalog.readable = lambda subject: services.access.filter(subject)
        catalog.reads_sources = lambda subject: (
            services.access.decide(subject, "catalog.source.read").allowed
        )
        return cls(
            settings=settings,
            plugins=plugins,
            database=database,
            services=services,
            catalog=catalog,
            base=base,
            clock=clock,
            events=EventStream(database),
            workers=settings.section(JobsSettings).workers,
            _catalog_plugin=catalog_plugin,
        )

    # What others ask for

    @property
    def portal(self) -> PortalSettings:
        return self.settings.section(PortalSettings)

    @cached_property
    def engine(self) -> CatalogEngine:
        """What reads the sources; made when it is first asked for, with the plugins of then."""
        engine = CatalogEngine(
            self.database,
            self.settings.section(CatalogSettings),
            self._contributions(),
            base=self.base,
            host_for=self.host,
            open_repository=self.services.repository,
            http=self.services.http,
            now=self.clock,
            report=self.plugins.note,
        )
        self._catalog_plugin.engine = engine
        return engine

    def _contributions(self) -> Contributions:
        """Give what plugins contribute, with the people who signed in where people can."""
        contributions = self.plugins.contributions
        if not self.settings.section(SignInSettings).makes_people:
            return contributions
        from callboard_web.sign_in.people import people_source

        people = Contributed("portal", people_source())
        return replace(contributions, entity_sources=(*contributions.entity_sources, people))

    @cached_property
    def jobs(self) -> "Jobs":
        from callboard.jobs import Jobs

        chosen = self.settings.section(JobsSettings)
        queue_file = None if chosen.queue_file is None else self.base / chosen.queue_file
        located = chosen.model_copy(update={"queue_file": queue_file, "workers": self.workers})
        contributions = self.plugins.contributions
        jobs = Jobs(
            self.database,
            [*contributions.jobs, *webhook_jobs(contributions.webhooks)],
            self.host,
            located,
            self.clock,
            event_handlers=contributions.event_handlers,
        )
        self.services.jobs = jobs
        return jobs

    @cached_property
    def warmer(self) -> Warmer:
        return Warmer(self.catalog)

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
        before = upgrade(self.database, self.branches())
        changed = [state for state in before if state.current != state.head]
        # The first tables of a new database are the beginning of the log, not a change in it.
        if changed and any(state.current for state in before):
            with self.database.write() as connection:
                record(
                    connection,
                    "portal.database.upgrade",
                    "database",
                    before={state.branch: state.current for state in changed},
                    after={state.branch: state.head for state in changed},
                    at=self.now(),
                )
        return before

    def check_schema(self) -> None:
        """Raise `SettingsError` where the tables are not those of this version."""
        states = inspect_schema(self.database, self.branches())
        problems = [state.problem() for state in states if state.problem()]
        if problems:
            raise SettingsError("\n".join(problems))

    # Running

    def start(self, *, worker: bool, serve: bool) -> None:
        """Check the tables, tell the plugins, and begin what runs beside requests.

        Only one `serve` may run on a SQLite file; a second one is refused with `SettingsError`.
        """
        if serve and self.database.path is not None:
            self._lock = lock_database(self.database.path)
        self.check_schema()
        self.plugins.start(self.host)
        # From here on the contributions are those of the plugins that did start.
        self._started = True
        self.engine.register()
        jobs = self.jobs
        if serve:
            self.events.start()
            self.warmer.start()
            self.services.recorder.start()
        if self._lock is not None:
            jobs.take_over()
        if serve or worker:
            self._start_audit("serve" if serve else "worker")
        if worker:
            jobs.start_worker()
            jobs.submit(None, "catalog", "look")
            jobs.submit(None, "catalog", "forget")

    def _start_audit(self, role: str) -> None:
        from callboard.audit.forward import register
        from callboard.audit.jobs import ask_to_forward

        chosen = self.settings.section(AuditSettings)
        versions = {record.name: record.version for record in self.plugins.loaded()}
        with self.database.write() as connection:
            register(connection, chosen.forward)
            shown = self.settings.redacted()
            note_settings(connection, shown, versions, role=role, at=self.now())
        self.sealer = Sealer(
            self.database,
            lambda connection: ask_to_forward(connection, chosen, self.host("core")),
            self.services.audit.settle,
        )
        self.sealer.start()

    def stop(self) -> None:
        """End everything in good order."""
        if self._started:
            self.events.stop()
            self.warmer.stop()
            self.services.recorder.stop()
            self.jobs.stop(JOBS_STOP_SECONDS)
            if self.sealer is not None:
                self.sealer.stop()
            self.plugins.stop(self.host)
        self.plugins.guard.close()
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
        reserved=RESERVED,
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


def _settle(config: Path | None, environ: Mapping[str, str], plugins: Plugins) -> Settings:
    """Read the settings with those of the plugins; faulty ones take out their plugin alone."""
    while True:
        sections = _plugin_sections(plugins)
        try:
            return load_settings(config, environ, SECTIONS, plugin_sections=sections)
        except SettingsError as error:
            if plugins.guard.strict or not _take_out_faulty(plugins, error):
                raise


def _take_out_faulty(plugins: Plugins, error: SettingsError) -> bool:
    """Fail the plugins whose own settings have faults; False where others have one as well."""
    found: dict[str, list[str]] = {}
    for fault in error.faults:
        owner = _plugin_of(fault.key)
        record = plugins.records.get(owner)
        if record is None or record.state is not PluginState.LOADED:
            return False
        found.setdefault(owner, []).append(str(fault))
    for name, faults in found.items():
        plugins.fail(name, "Its settings have faults: " + "; ".join(faults))
    return bool(found)


def _plugin_of(key: str) -> str:
    """Give the plugin a key such as `plugins.settings.<plugin>.<key>` belongs to, or nothing."""
    match = re.match(r"plugins\.settings\.([a-z0-9_]+)(?=[.\[]|$)", key)
    return match[1] if match else ""


def _refuse_taken_kinds(plugins: Plugins) -> None:
    """Take out plugins with a kind that is none, or that is there already."""
    registry = KindRegistry(BUILT_IN_KINDS)
    for item in plugins.contributions.kinds:
        try:
            registry.add(item.value)
        except Exception as error:
            if plugins.guard.strict:
                raise
            plugins.fail(item.plugin, f"callboard_kinds: {describe(error)}")


def _located(url: str, base: Path) -> str:
    """Let the file of a SQLite database begin at the folder of the settings file."""
    try:
        parts = make_url(url)
    except ArgumentError:
        return url  # `Database` says what is wrong with it
    file = parts.database or ""
    if not parts.drivername.startswith("sqlite") or file in ("", ":memory:"):
        return url
    return parts.set(database=str(base / file)).render_as_string(hide_password=False)


def _repositories(settings: Settings) -> list[str]:
    sources = settings.section(CatalogSettings).sources
    return [source.url for source in sources if isinstance(source, GitSource)]
