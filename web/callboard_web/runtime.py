"""Puts the parts of a process together: settings, plugins, database, catalog, jobs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

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
from callboard.hosting import Services
from callboard.identity import facts_of_references
from callboard.kinds import EntityField, Kind
from callboard.kubernetes.rules import asked_rules
from callboard.kubernetes.settings import KubernetesSettings
from callboard.plugin_host import PluginHost
from callboard.plugins import Contributed, Contributions, Plugins
from callboard.settings import DatabaseSettings, JobsSettings, Settings, load_settings
from callboard_catalog.builtin import CatalogPlugin
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.locations.service import RegisteredLocations
from callboard_catalog.service import CatalogService
from callboard_catalog.settings import CatalogSettings, GitSource
from callboard_catalog.warming import Warmer
from callboard_web import builtin
from callboard_web.loading import SECTIONS, load
from callboard_web.lock import lock_database
from callboard_web.settings import PortalSettings
from callboard_web.sign_in.settings import SignInSettings
from callboard_web.usage.recorder import UsageRecorder
from callboard_web.usage.settings import UsageSettings
from callboard_web.webhooks.receiving import Receiver
from callboard_web.webhooks.settings import WebhooksSettings
from callboard_web.webhooks.working import delivered, tidy_job, webhook_jobs
from callboard_web.words import relation_titles

if TYPE_CHECKING:
    from callboard.jobs import Jobs
    from callboard.kubernetes.supervising import Watching
    from callboard_web.translations import TranslationStore

JOBS_STOP_SECONDS: Final = 2.0
"""How long running jobs may take to end; later ones are run again at the next start."""

WATCHES_STOP_SECONDS: Final = 2.0
"""How long it may take to write what clusters told; the rest is asked for again."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


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
        core, catalog_plugin = _core_plugin(first, base), CatalogPlugin()
        own = {"core": core, "catalog": catalog_plugin, "portal": builtin}
        plugins, settings = load(first, config, environ, own, clock, strict)
        database = _open_database(settings, plugins, base)
        catalog = catalog_plugin.service = CatalogService(database)
        services = core.services = Services(
            settings,
            database,
            catalog,
            base=base,
            clock=clock,
            configured_repositories=_repositories(settings),
        )
        _connect(services, catalog, plugins)
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
            check_repository=self.services.check_repository,
            now=self.clock,
            report=self.plugins.note,
        )
        self._catalog_plugin.engine = engine
        return engine

    def _contributions(self) -> Contributions:
        """Give what plugins contribute, with the people who signed in where people can."""
        contributions = self.plugins.contributions
        chosen = self.settings.section(SignInSettings)
        users, groups = chosen.makes_people, bool(chosen.providers) and chosen.make_groups
        if not (users or groups):
            return contributions
        from callboard_web.sign_in.people import people_source

        people = Contributed("portal", people_source(users=users, groups=groups))
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
            [
                *contributions.jobs,
                *webhook_jobs(contributions.webhooks),
                Contributed("portal", tidy_job(self.settings.section(WebhooksSettings))),
            ],
            self.host,
            located,
            self.clock,
            event_handlers=contributions.event_handlers,
        )
        self.services.jobs = jobs
        return jobs

    @cached_property
    def watching(self) -> "Watching":
        """What watches clusters; made when it is first asked for, with the plugins of then."""
        from callboard.kubernetes.supervising import Watching

        clusters = self.services.clusters
        return Watching(
            self.database,
            clusters.settings,
            self.plugins.contributions.cluster_watches,
            source=clusters.get,
            host=self.host,
            clock=self.clock,
            note=self.plugins.guard.note,
        )

    @cached_property
    def receiver(self) -> Receiver:
        """What takes the deliveries of other systems."""
        return Receiver(self)

    @cached_property
    def locations(self) -> RegisteredLocations:
        """The addresses that people and clients registered."""
        return RegisteredLocations(
            self.database,
            source=self.engine.registered,
            addresses=self.engine.addresses,
            submit=lambda connection, name, payload, key: self.jobs.submit(
                connection, "catalog", name, payload, key
            ),
            now=self.clock,
        )

    @cached_property
    def usage(self) -> UsageRecorder:
        """What counts looks at entities, where that is switched on."""
        return UsageRecorder(self.database, self.settings.section(UsageSettings), self.clock)

    @cached_property
    def warmer(self) -> Warmer:
        return Warmer(self.catalog)

    @cached_property
    def translations(self) -> "TranslationStore":
        from callboard_web.translations import TranslationStore

        directories = self.plugins.directories("callboard_translations")
        store = TranslationStore({"callboard": Path(__file__).parent / "locales", **directories})
        store.relations = relation_titles(self.kinds)
        return store

    @property
    def kinds(self) -> list[Kind]:
        """The kinds of plugins and of the settings, beside those that are built in."""
        given = [item.value for item in self.plugins.contributions.kinds]
        own = self.settings.section(CatalogSettings).kinds
        return [kind for kind in (*given, *own) if isinstance(kind, Kind)]

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

    def start(self, *, worker: bool, serve: bool, alone: bool | None = None) -> None:
        """Check the tables, tell the plugins, and begin what runs beside requests.

        Only one `serve` may run on a SQLite file; a second one is refused with `SettingsError`.
        `alone` says whether this process is the one that is locked in and told of in the audit
        log: it is by default where it serves, and is not where it does so under a parent.
        """
        alone = serve if alone is None else alone
        if alone and self.database.path is not None:
            self._lock = lock_database(self.database.path)
        self.check_schema()
        self.plugins.start(self.host)
        # From here on the contributions are those of the plugins that did start.
        self._started = True
        self.engine.register()
        self.services.sources = lambda: self.engine.sources
        jobs = self.jobs
        if serve:
            self.events.start()
            self.warmer.start()
            self.services.recorder.start()
            self.usage.start()
        if self._lock is not None:
            jobs.take_over()
        if serve or worker:
            self._start_audit("serve" if alone else "" if serve else "worker")
        if worker:
            jobs.start_worker()
            jobs.submit(None, "catalog", "look")
            jobs.submit(None, "catalog", "forget")
            self._start_watching()

    def _start_watching(self) -> None:
        """Watch clusters beside the jobs; a process that runs none leaves it to others."""
        if self.workers and self.settings.section(KubernetesSettings).clusters:
            self.watching.start(alone=self._lock is not None)

    def _start_audit(self, role: str) -> None:
        from callboard.audit.forward import register
        from callboard.audit.jobs import ask_to_forward

        chosen = self.settings.section(AuditSettings)
        versions = {record.name: record.version for record in self.plugins.loaded()}
        if role:
            with self.database.write() as connection:
                register(connection, chosen.forward)
                shown = self.settings.redacted()
                note_settings(connection, shown, versions, role=role, at=self.now())
        self.sealer = Sealer(
            self.database,
            lambda connection: ask_to_forward(connection, chosen, self.host("core")),
            self._settle,
        )
        self.sealer.start()

    def _settle(self, everything: bool) -> None:
        """Write down what is counted in memory."""
        self.services.audit.settle(everything)
        self.receiver.refusals.settle(everything)
        self.services.settle_clusters()

    def stop(self) -> None:
        """End everything in good order."""
        if self._started:
            self.events.stop()
            self.warmer.stop()
            self.services.recorder.stop()
            self.usage.stop()
            if "watching" in self.__dict__:
                self.watching.stop(WATCHES_STOP_SECONDS)
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


def _core_plugin(first: Settings, base: Path) -> CorePlugin:
    return CorePlugin(
        first.section(JobsSettings).keep,
        first.section(AccessSettings),
        first.section(AuditSettings),
        first.section(KubernetesSettings),
        base,
    )


def _open_database(settings: Settings, plugins: Plugins, base: Path) -> Database:
    chosen = settings.section(DatabaseSettings)
    database = Database(_located(chosen.url, base), pool_size=chosen.pool_size)
    plugins.guard.before_waiting = database.release
    return database


def _connect(services: Services, catalog: CatalogService, plugins: Plugins) -> None:
    """Tell services and catalog whom they ask: each other, and what plugins contribute."""
    settings = services.settings
    services.permissions = lambda: [item.value for item in plugins.contributions.permissions]
    services.cluster_rules = lambda: asked_rules(
        plugins.contributions.cluster_rules, lambda plugin: PluginHost(plugin, services)
    )
    services.code_hosts = lambda: plugins.contributions.code_hosts
    services.address = settings.section(PortalSettings).base_url
    services.delivery = lambda number: delivered(services, number)
    services.strict = plugins.guard.strict
    services.deciders = Deciders(
        plugins,
        lambda plugin: PluginHost(plugin, services),
        settings.section(AccessSettings).deciders,
    )
    services.facts = catalog.facts_of
    services.facts_of_several = lambda refs: {**facts_of_references(refs), **catalog.facts(refs)}
    catalog.entity_fields = _entity_fields(settings, plugins)
    catalog.readable = lambda subject: services.access.filter(subject)
    catalog.permitted = lambda subject, permission: services.access.filter(subject, permission)
    catalog.reads_sources = lambda subject: (
        services.access.decide(subject, "catalog.source.read").allowed
    )


def _entity_fields(settings: Settings, plugins: Plugins) -> list[EntityField]:
    """Give the fields that plugins and the settings add to entities."""
    given = [item.value for item in plugins.contributions.kinds]
    own = settings.section(CatalogSettings).fields
    return [field for field in (*given, *own) if isinstance(field, EntityField)]


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
