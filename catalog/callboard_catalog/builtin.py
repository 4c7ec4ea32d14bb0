"""The catalog's own contributions, registered like those of any plugin."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Final

from callboard import hookimpl
from callboard.contributions import EventHandler, Job, JobContext, Metric, Permission, Sample
from callboard.host import Host
from callboard.i18n import Translator
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.service import CatalogService
from callboard_catalog.sources import pushed

_: Final = Translator("callboard")

LOOK_EVERY: Final = timedelta(seconds=10)
FINISH_EVERY: Final = timedelta(seconds=10)


class CatalogPlugin:
    """The plugin `catalog`. `engine` and `service` are set before the portal starts."""

    engine: CatalogEngine
    service: CatalogService

    @hookimpl
    def callboard_migrations(self) -> Path:
        return Path(__file__).parent / "migrations"

    @hookimpl
    def callboard_jobs(self) -> Iterable[Job]:
        return [
            Job(
                name="look",
                title=_("Look for sources that have moved"),
                run=self._look,
                every=LOOK_EVERY,
                attempts=1,
                quiet=True,
            ),
            Job(
                name="refresh",
                title=_("Read a source"),
                run=self._refresh,
                timeout=timedelta(hours=1),
            ),
            Job(
                name="forget",
                title=_("Take out removed sources"),
                run=self._forget,
                timeout=timedelta(hours=1),
            ),
            Job(
                name="index",
                title=_("Index what plugins let search find"),
                run=self._index,
                every=timedelta(minutes=1),
                quiet=True,
            ),
            Job(
                name="finish-relations",
                title=_("Work out relations as the API sends them"),
                run=self._finish_relations,
                every=FINISH_EVERY,
                attempts=1,
                quiet=True,
            ),
            Job(
                name="prune",
                title=_("Delete the old history of entities"),
                run=self._prune,
                every=timedelta(hours=12),
                timeout=timedelta(hours=1),
                quiet=True,
            ),
            Job(
                name="forget-deleted",
                title=_("Forget old deletions of entities that no source gives"),
                run=self._forget_deleted,
                every=timedelta(hours=12),
                quiet=True,
            ),
        ]

    @hookimpl
    def callboard_event_handlers(self) -> Iterable[EventHandler]:
        return [pushed.handler(lambda: self.engine.sources.values())]

    @hookimpl
    def callboard_permissions(self) -> Iterable[Permission]:
        return [
            Permission(
                name="catalog.entity.read", title=_("See entities"), role="viewer", about="entity"
            ),
            Permission(
                name="catalog.entity.refresh",
                title=_("Read an entity's source again"),
                role="developer",
                about="entity",
            ),
            Permission(
                name="catalog.entity.delete",
                title=_("Delete an entity, and undo that"),
                role="developer",
                about="entity",
            ),
            Permission(
                name="catalog.entity.push",
                title=_("Push entities to a source of one's own"),
                role="maintainer",
            ),
            Permission(
                name="catalog.source.write",
                title=_("Push to and remove pushed sources of others"),
            ),
            Permission(
                name="catalog.location.read", title=_("See registered locations"), role="viewer"
            ),
            Permission(
                name="catalog.location.create",
                title=_("Register and change locations"),
                role="maintainer",
            ),
            Permission(
                name="catalog.location.delete", title=_("Remove locations"), role="maintainer"
            ),
            Permission(
                name="catalog.source.read", title=_("See sources and problems"), role="viewer"
            ),
            Permission(
                name="catalog.source.refresh", title=_("Read a source again"), role="maintainer"
            ),
        ]

    @hookimpl
    def callboard_metrics(self) -> Iterable[Metric]:
        return [
            Metric(
                name="entities",
                help="Entities served, by kind.",
                labels=("kind",),
                read=lambda host: [
                    Sample(value=count, labels={"kind": kind})
                    for kind, count in self.service.counts().items()
                ],
            ),
            Metric(
                name="problems",
                help="Rejected documents, conflicts, dangling relations, stale entities, warnings.",
                labels=("kind",),
                read=lambda host: [
                    Sample(value=count, labels={"kind": kind})
                    for kind, count in self.service.problem_counts().items()
                ],
            ),
            Metric(
                name="sources_failing",
                help="Sources whose last read failed.",
                read=self._failing,
            ),
        ]

    def _failing(self, host: Host) -> Iterable[Sample]:
        failing = sum(source.state == "failing" for source in self.service.sources())
        return [Sample(value=failing)]

    def _look(self, context: JobContext) -> None:
        for name in self.engine.moved():
            context.host.submit("refresh", {"source": name}, key=name)

    def _refresh(self, context: JobContext) -> None:
        self.engine.read(str(context.payload["source"]), progress=context.progress)

    def _forget(self, context: JobContext) -> None:
        self.engine.forget()

    def _index(self, context: JobContext) -> None:
        self.engine.index_search()

    def _finish_relations(self, context: JobContext) -> None:
        self.engine.finisher.run()

    def _forget_deleted(self, context: JobContext) -> None:
        self.engine.deletions.forget()

    def _prune(self, context: JobContext) -> None:
        self.engine.prune_history()
