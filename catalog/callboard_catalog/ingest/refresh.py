"""Reads one source and brings the tables up to it."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, Row, exists, select, update

from callboard.contributions import EntityProcessor, ProcessorContext, SourceTrouble
from callboard.database import Database
from callboard.errors import CallboardError, NotFoundError, reason_of
from callboard.events import publish
from callboard.host import Host
from callboard.i18n import Text, Translator, storable
from callboard.plugins import Contributed
from callboard_catalog import models
from callboard_catalog.descriptors import KindRegistry, Limits, Origin
from callboard_catalog.ingest.parse import ParsedFile, Parser, Report
from callboard_catalog.ingest.walk import KnownFile, Walk
from callboard_catalog.ingest.write import Changes, Writer
from callboard_catalog.sources import ChangeCommit, Snapshot, Source
from callboard_catalog.sources.addresses import Addresses, most_addresses
from callboard_catalog.sources.base import CONTRIBUTED
from callboard_catalog.store.addresses import keep_addresses, known_addresses
from callboard_catalog.store.bulk import grow_generation, update_statistics

_ = Translator("callboard")

log = logging.getLogger(__name__)

FORMAT: Final = "1"
"""Changed when the same files would give other rows, so that all of them are read again."""

ENTITIES_AT_ONCE: Final = 1_000
FILES_AT_ONCE: Final = 1_000
COMMITS_ASKED: Final = 50
"""Changed files of one read whose commits are looked up, for the history of entities."""

STATISTICS_AFTER: Final = 1_000
"""New entities after which the planner's statistics are renewed; again at four times as many."""


@dataclass(slots=True)
class RefreshResult:
    """What reading a source did. `error` says in English why it could not be read; the old state is
    kept."""

    source: str
    version: str = ""
    files: int = 0
    changes: Changes = field(default_factory=Changes)
    error: str = ""

    @property
    def unchanged(self) -> bool:
        changes = self.changes
        return not (self.error or self.files or changes.deleted)


class Refresh:
    """Reads sources. Only one run at a time for each source, which the job's key sees to."""

    def __init__(
        self,
        database: Database,
        *,
        registry: KindRegistry,
        limits: Limits,
        processors: Sequence[Contributed[EntityProcessor]],
        host_for: Callable[[str], Host],
        addresses: Addresses,
        now: Callable[[], datetime],
        report: Report,
    ) -> None:
        self.report = report
        self.database = database
        self.registry = registry
        self.limits = limits
        self.processors = processors
        self.host_for = host_for
        self.addresses = addresses
        self.now = now

    def run(
        self,
        source: Source,
        *,
        progress: Callable[[int, int, str], None] = lambda done, total, what: None,
    ) -> RefreshResult:
        """Read what changed. A source that cannot be read is noted with its time and reason."""
        row = self._row(source.name)
        result = RefreshResult(source.name, row.head)
        fingerprint = self._fingerprint(source)
        try:
            version = source.reader.version(row.head)
            current = version == row.head and version and fingerprint == row.fingerprint
            well = not row.error or row.partial
            if current and well and not self._has_remote(row.id):
                return result
            snapshot = source.reader.snapshot(version)
            self._read(source, row, snapshot, fingerprint, result, progress)
        except CallboardError as error:
            self._failed(row, error.message, error.hint, result)
        except OSError as error:
            message = _("%(reason)s: %(path)s", reason=reason_of(error), path=str(error.filename))
            self._failed(row, message, "", result)
        except Exception as error:
            # A plugin's source may raise anything; the last good state is kept all the same.
            if source.type != "plugin":
                raise
            # The number is that of the failure, not of the time: one that goes on is told once.
            said = f"{type(error).__name__}: {error}"[:900]
            digest = hashlib.sha256(f"{source.name}\0{said}".encode(errors="replace"))
            number = f"e-{digest.hexdigest()[:8]}"
            self.report(source.address, f"entity source {source.name} ({number})", error)
            message = _("The plugin failed: %(error)s (%(id)s)", error=said, id=number)
            self._failed(row, message, _("Look at the log for the error id."), result)
        return result

    def is_stale(self, source: Source, row: Row[Any]) -> bool:
        """Ask a source whether it must be read, by the row of it in the tables.

        One `with_remote_files` must be read in any case.
        """
        if self._fingerprint(source) != row.fingerprint:
            return True
        version = source.reader.version(row.head)
        return not version or bool(version != row.head)

    def _read(
        self,
        source: Source,
        row: Row[Any],
        snapshot: Snapshot,
        fingerprint: str,
        result: RefreshResult,
        progress: Callable[[int, int, str], None],
    ) -> None:
        if not snapshot.files and source.type != "plugin":
            raise NotFoundError(
                _("%(address)s is empty.", address=source.address),
                hint=_("The last good state is served meanwhile."),
            )
        known = self._known(row.id)
        with self.database.read() as connection:
            addresses = known_addresses(connection, row.id)
        visit = self.addresses.visit(addresses, most=most_addresses(source.type))
        walk = Walk(snapshot, known, visit=visit, everything=fingerprint != row.fingerprint)
        writer = Writer(
            self.database,
            source_id=row.id,
            source_name=source.name,
            is_gone=lambda path: path not in snapshot.files,
            now=self.now,
            version=snapshot.version,
            commit_of=_commits(snapshot, COMMITS_ASKED if row.head else 0),
            first=not row.head,
        )
        analysed = 0
        for batch in _batches(walk.changed(self.parser(source, snapshot, walk))):
            result.changes.add(writer.apply(batch))
            result.files += len(batch)
            progress(result.files, len(walk.visited), source.name)
            if len(result.changes.created) >= max(STATISTICS_AFTER, 4 * analysed):
                analysed = len(result.changes.created)
                with self.database.write() as connection:
                    update_statistics(connection)
        result.changes.add(writer.remove(sorted(known.keys() - walk.visited)))
        keep_addresses(self.database, row.id, addresses, visit.learned)
        result.version = snapshot.version
        # A plugin may well have nothing to give; paths that match nothing are a mistake.
        found = snapshot.roots or source.type == CONTRIBUTED
        trouble = source.trouble() if source.trouble else None
        if not found:
            trouble = SourceTrouble(
                text=_("No file of this source matches its paths."),
                hint=_("Check `paths` of this source."),
                whole=True,
            )
        self._succeeded(row, snapshot.version, fingerprint, trouble, result)

    def parser(self, source: Source, snapshot: Snapshot, walk: Walk) -> Parser:
        """Give the parser of a source's files."""

        def origin_of(path: str) -> Origin:
            root = walk.origins.get(path)
            if root is not None:
                web = walk.visit.web(path)
                return Origin(
                    location=f"url:{path}",
                    origin=snapshot.location(root),
                    view_url=web.view,
                    edit_url=web.edit,
                    source_location=f"url:{web.source}" if web.source else "",
                )
            web = snapshot.web(path)
            return Origin(
                location=snapshot.location(path),
                view_url=web.view,
                edit_url=web.edit,
                source_location=f"url:{web.source}" if web.source else "",
                more=web.annotations,
            )

        def context_for(plugin: str, path: str) -> ProcessorContext:
            return ProcessorContext(host=self.host_for(plugin), source=source.name, path=path)

        return Parser(
            registry=self.registry,
            limits=self.limits,
            origin_of=origin_of,
            read=walk.read,
            blob_of=walk.blob_of,
            processors=self.processors,
            context_for=context_for,
            report=self.report,
        )

    def _fingerprint(self, source: Source) -> str:
        return self.rules(source.fingerprint)

    def rules(self, own: str = "") -> str:
        """Give what changes when the same files would give other rows; `own` is the source's."""
        return hashlib.sha256(f"{FORMAT}\0{own}\0{self._common_rules}".encode()).hexdigest()

    @cached_property
    def _common_rules(self) -> str:
        processors = [f"{item.key}={item.value.version}" for item in self.processors]
        kinds = [repr(kind) for kind in (*self.registry.kinds(), *self.registry.entity_fields())]
        return "\0".join([repr(self.limits), *processors, *kinds])

    # Rows

    def _row(self, name: str) -> Row[Any]:
        with self.database.read() as connection:
            row = connection.execute(
                select(models.source).where(models.source.c.name == name)
            ).one_or_none()
        if row is None:
            raise NotFoundError(_("There is no source %(name)s.", name=repr(name)))
        return row

    def _known(self, source_id: int) -> dict[str, KnownFile]:
        table = models.source_file
        statement = select(table.c.path, table.c.blob, table.c.targets, table.c.reads)
        with self.database.read() as connection:
            rows = connection.execute(statement.where(table.c.source_id == source_id))
            return {row.path: KnownFile(row.blob, row.targets, row.reads) for row in rows}

    def _has_remote(self, source_id: int) -> bool:
        table = models.source_file
        statement = select(exists().where(table.c.source_id == source_id, table.c.remote))
        with self.database.read() as connection:
            return bool(connection.scalar(statement))

    def _succeeded(
        self,
        row: Row[Any],
        version: str,
        fingerprint: str,
        trouble: SourceTrouble | None,
        result: RefreshResult,
    ) -> None:
        note = storable(trouble.text) if trouble else ""
        moved = (version, fingerprint, note) != (row.head, row.fingerprint, row.error)
        if not moved and result.unchanged:
            return
        now = self.now()
        whole = trouble is not None and trouble.whole
        event = "catalog.source.read"
        told = {"version": version}
        if whole:
            result.error = str(note)
            log.warning("Source %s: %s", row.name, note)
            event = "catalog.source.failed"
            told = {"error": str(note)}
        elif row.error and (not note or not row.partial):
            event = "catalog.source.recovered"
        self._write(
            row,
            event,
            told,
            head=version,
            fingerprint=fingerprint,
            last_read_at=now,
            last_success_at=row.last_success_at if whole else now,
            failing_since=(row.failing_since or now) if note else None,
            error=note,
            hint=storable(trouble.hint) if trouble else "",
            partial=trouble is not None and not whole,
            details=trouble.path if trouble else "",
        )

    def _failed(self, row: Row[Any], message: Text, hint: Text, result: RefreshResult) -> None:
        result.error = str(message)
        log.warning("Source %s: %s", row.name, message)
        if row.error == storable(message):
            return
        now = self.now()
        self._write(
            row,
            "catalog.source.failed",
            {"error": str(message)},
            last_read_at=now,
            failing_since=row.failing_since or now,
            error=message,
            hint=hint,
            partial=False,
            details="",
        )

    def _write(self, row: Row[Any], event: str, data: dict[str, str], **values: Any) -> None:
        with self.database.write() as connection:
            table = models.source
            connection.execute(update(table).where(table.c.id == row.id).values(**values))
            grow_generation(connection)
            publish(connection, event, row.name, data, at=self.now())


def with_remote_files(connection: Connection) -> set[int]:
    """Give the ids of sources that must be read although they have not moved: see `source_file`."""
    table = models.source_file
    return set(connection.scalars(select(table.c.source_id).where(table.c.remote).distinct()))


def _commits(snapshot: Snapshot, most: int) -> Callable[[Sequence[str]], ChangeCommit | None]:
    """Give the question which commit changed files last; after `most` times it has no answer."""
    asked = 0

    def commit_of(paths: Sequence[str]) -> ChangeCommit | None:
        nonlocal asked
        asked += 1
        return snapshot.commit(paths) if asked <= most else None

    return commit_of


def _batches(files: Iterator[ParsedFile]) -> Iterator[list[ParsedFile]]:
    batch: list[ParsedFile] = []
    entities = 0
    for file in files:
        batch.append(file)
        entities += len(file.candidates)
        if entities >= ENTITIES_AT_ONCE or len(batch) >= FILES_AT_ONCE:
            yield batch
            batch, entities = [], 0
    if batch:
        yield batch
