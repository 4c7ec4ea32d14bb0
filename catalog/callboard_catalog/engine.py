"""The catalog's work: watching sources, reading them, indexing what plugins let search find."""

import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callboard import events
from callboard.contributions import SearchSource
from callboard.database import Database
from callboard.errors import CallboardError, NotFoundError
from callboard.host import Host
from callboard.plugins import Contributions
from callboard.threads import DaemonPool
from callboard_catalog import models
from callboard_catalog.deletions import Deletions
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry, Limits
from callboard_catalog.history import prune
from callboard_catalog.indexing import (
    forget_search_sources,
    index_entities_again,
    index_search_source,
    mark_index,
)
from callboard_catalog.ingest.parse import Report
from callboard_catalog.ingest.refresh import Refresh, RefreshResult, with_remote_files
from callboard_catalog.locations.service import all_locations, has_locations
from callboard_catalog.locations.source import registered_source
from callboard_catalog.pushing import Pusher
from callboard_catalog.registration import forget_sources, register_sources
from callboard_catalog.settings import REGISTERED, CatalogSettings
from callboard_catalog.sources import Source, configured_sources, contributed_sources
from callboard_catalog.sources.addresses import Addresses
from callboard_catalog.store.finished import Finisher

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.http import HttpClient

log = logging.getLogger(__name__)
LOOKS_AT_ONCE: Final = 8
REST: Final = 20
"""A search source rests so many times as long as reading it took."""

Progress = Callable[[int, int, str], None]


class CatalogEngine:
    """Everything that changes the catalog. Its calls may take long: jobs and commands make them."""

    def __init__(
        self,
        database: Database,
        settings: CatalogSettings,
        contributions: Contributions,
        *,
        base: Path,
        host_for: Callable[[str], Host],
        open_repository: "Callable[[str, int | None], GitRepository]",
        http: "Callable[[], HttpClient]",
        check_repository: Callable[[str], None],
        now: Callable[[], datetime],
        report: Report,
    ) -> None:
        self.database = database
        self.now = now
        self.report = report
        self.contributions = contributions
        self.host_for = host_for
        configured = configured_sources(
            settings, base=base, open_repository=open_repository, http=http
        )
        contributed = contributed_sources(
            contributions.entity_sources, host_for, settings.limits.file_size
        )
        self.addresses = Addresses(
            http=http,
            open_repository=open_repository,
            check_repository=check_repository,
            maximum_bytes=settings.limits.file_size,
        )
        self.registered = registered_source(
            lambda: all_locations(database), self.addresses, settings.locations.schedule
        )
        self.configured: Mapping[str, Source] = {
            source.name: source for source in (*configured, *contributed)
        }
        self.registry = make_registry(settings, contributions)
        self.limits = make_limits(settings)
        self.history = settings.history
        self.refresh = Refresh(
            database,
            registry=self.registry,
            limits=self.limits,
            processors=contributions.entity_processors,
            host_for=host_for,
            addresses=self.addresses,
            now=now,
            report=report,
        )
        self.deletions = Deletions(
            database, registry=self.registry, keep=settings.deleted.keep, now=now
        )
        self.finisher = Finisher(database)
        self.pusher = Pusher(database, self.refresh, most=settings.push.entities, now=now)
        self._looked: dict[str, datetime] = {}
        self._indexed: dict[str, _Indexed] = {}

    @property
    def sources(self) -> Mapping[str, Source]:
        """Every source by its name: those `configured` or contributed, which asks no database, and
        that of registered locations where there are any."""
        if not has_locations(self.database):
            return self.configured
        return {**self.configured, REGISTERED: self.registered}

    def register(self) -> None:
        """Make the table of sources equal to the settings."""
        register_sources(self.database, list(self.sources.values()), now=self.now)
        mark_index(self.database)

    def read(
        self, name: str, *, progress: Progress = lambda done, total, what: None
    ) -> RefreshResult:
        """Read one source; raises `NotFoundError` for one that is not there."""
        source = self.sources.get(name)
        if source is None and name == REGISTERED:
            # The last location was removed while this was waiting.
            self.forget()
            return RefreshResult(name)
        if source is None:
            raise NotFoundError(
                f"There is no source {name!r}.", hint="The sources page lists them."
            )
        self._looked[name] = self.now()
        return self.refresh.run(source, progress=progress)

    def kept(self, source: str, path: str, blob: str) -> bytes | None:
        """Give a file as it was read, where it is kept; asks nobody else."""
        known = self.sources.get(source)
        if known is None:
            return self.pusher.kept(source, path, blob)
        return known.reader.kept(path, blob) if blob else None

    def forget(self) -> None:
        """Take out what sources gave that are no longer there."""
        forget_sources(self.database, now=self.now)

    def prune_history(self) -> int:
        """Delete changes that are too old, or too many for one entity, and give how many."""
        before = self.now() - self.history.keep
        return prune(self.database, before=before, most=self.history.versions)

    def moved(self) -> list[str]:
        """Look at each source whose time has come and name those that must be read.

        A look costs a source one cheap question (for Git, its references) and no row.
        """
        now = self.now()
        due = [
            source
            for source in self.sources.values()
            if source.name not in self._looked or now - self._looked[source.name] >= source.every
        ]
        if not due:
            return []
        with self.database.read() as connection:
            known = {row.name: row for row in connection.execute(select(models.source))}
            remote = with_remote_files(connection)
        pool = DaemonPool(LOOKS_AT_ONCE, "look")
        looks = [pool.submit(partial(self._has_moved, source, known, remote)) for source in due]
        pool.close()
        answers = [look.result() for look in looks]
        self._looked.update((source.name, now) for source in due)
        return [source.name for source, moved in zip(due, answers, strict=True) if moved]

    def _has_moved(self, source: Source, known: Mapping[str, Any], remote: Container[int]) -> bool:
        row = known.get(source.name)
        failing = row is not None and row.error and not row.partial
        if row is None or not row.head or failing or row.id in remote:
            return True
        try:
            return self.refresh.is_stale(source, row)
        except CallboardError:
            # Reading it will fail likewise, and note why and since when.
            return True
        except Exception:
            log.exception("Looking at source %s failed.", source.name)
            return True

    def index_search(self) -> Sequence[str]:
        """Read the search sources of plugins whose time has come; give the names of those read.

        After an upgrade that indexes other words, entities are indexed again first.
        """
        index_entities_again(self.database)
        done = []
        sources = self.contributions.search_sources
        forget_search_sources(self.database, {contributed.key for contributed in sources})
        for contributed in sources:
            began = self.now()
            last = self._indexed.get(contributed.key)
            if last is not None and not self._is_due(contributed.value, last, began):
                continue
            with self.database.read() as connection:
                event = events.newest(connection)
            try:
                host = self.host_for(contributed.plugin)
                index_search_source(self.database, contributed.key, contributed.value.read(host))
                done.append(contributed.key)
            except Exception as error:
                self.report(contributed.plugin, f"search source {contributed.value.name}", error)
            self._indexed[contributed.key] = _Indexed(began, self.now() - began, event)
        return done

    def _is_due(self, source: SearchSource, last: "_Indexed", now: datetime) -> bool:
        if now - last.at >= source.every:
            return True
        if not source.changed_by or now - last.at < last.took * REST:
            return False
        with self.database.read() as connection:
            return bool(events.read(connection, last.event, source.changed_by, limit=1))


@dataclass(frozen=True, slots=True)
class _Indexed:
    """When a search source was last read, how long that took, and the newest event before it."""

    at: datetime
    took: timedelta
    event: int


def make_registry(settings: CatalogSettings, contributions: Contributions) -> KindRegistry:
    """Give all kinds: those built in, those of plugins, those of the settings."""
    registry = KindRegistry(BUILT_IN_KINDS)
    given = [item.value for item in contributions.kinds]
    for declared in (*given, *settings.kinds, *settings.fields):
        registry.declare(declared)
    return registry


def make_limits(settings: CatalogSettings) -> Limits:
    """Give the limits of the settings."""
    limits = settings.limits
    return Limits(file_size=limits.file_size, documents=limits.documents, depth=limits.depth)
