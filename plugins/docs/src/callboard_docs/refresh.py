"""The jobs: which entities have documentation, and reading it where it has changed."""

import fnmatch
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, select, update

from callboard.contributions import EventContext, JobContext
from callboard.entities import Catalog, Entity, EntityRef
from callboard.errors import CallboardError, InputError, NotReadyError
from callboard.i18n import Translator, to_data
from callboard.repositories import default_branch
from callboard_docs import store
from callboard_docs.addresses import ANNOTATIONS, Address, has_docs
from callboard_docs.models import entity, file, page, rendition, site
from callboard_docs.reading.outcome import Outcome, commits_as_changes, put_together
from callboard_docs.reading.site import (
    Layout,
    Limits,
    Order,
    Source,
    arrange,
    collect_sources,
    read_layout,
)
from callboard_docs.rendering import VERSION
from callboard_docs.rendering.processes import Renderers

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.host import Host

_ = Translator("docs")

log = logging.getLogger(__name__)

PAGE: Final = 500
RENDERED_AT_ONCE: Final = 100
MOST_COMMITS: Final = 20_000
MOST_TOLD: Final = 20
Progress = Callable[[int, int, str], None]


def _quiet(_done: int, _total: int, _what: str) -> None:
    return None


def find_entities(catalog: Catalog) -> dict[EntityRef, Entity]:
    """Give every entity that says where its documentation is."""
    found: dict[EntityRef, Entity] = {}
    for annotation in ANNOTATIONS:
        after: EntityRef | None = None
        while some := catalog.find(annotation=annotation, after=after, limit=PAGE):
            found.update((item.ref, item) for item in some if has_docs(item))
            after = some[-1].ref
    return found


def run_refresh(context: JobContext) -> None:
    """The scheduled job: every site that an entity shows, those of the last names too."""
    host = context.host
    found = find_entities(host.catalog)
    with host.write() as connection:
        store.write_entities(connection, found.values(), host.now())
        known = connection.scalars(select(entity.c.ref)).all()
        store.forget_entities(
            connection, [ref for ref in known if EntityRef.parse(ref) not in found]
        )
        store.forget_unused(connection, host.now(), host.settings.versions.kept)
        numbers = connection.scalars(select(site.c.id).order_by(site.c.id)).all()
    with ThreadPoolExecutor(host.settings.readers, thread_name_prefix="docs") as pool:
        for done, _result in enumerate(pool.map(lambda number: read_site(host, number), numbers)):
            context.progress(done + 1, len(numbers), "")


def run_read(context: JobContext) -> None:
    """The job that is asked for: one site, tried again where it does not answer."""
    number = context.payload.get("site")
    version = context.payload.get("version", "")
    if not isinstance(number, int) or not isinstance(version, str):
        raise InputError("The job docs.read was given no site; expected its number.")
    if version:
        made = _version_site(context.host, number, version)
        if made is None:
            return
        number = made
    error = read_site(context.host, number, context.progress)
    if error is not None:
        raise error


def _version_site(host: "Host", number: int, version: str) -> int | None:
    """Give the site of a version that readers may choose."""
    with host.write() as connection:
        main = connection.execute(select(site).where(site.c.id == number)).first()
        if main is None or version not in main.versions:
            return None
        address = Address(main.url, main.folder, main.reference)
        return store.register_site(connection, address, host.now(), version)


def on_entities(context: EventContext) -> None:
    """Have the documentation of new and changed entities read, each site once."""
    host = context.host
    refs = {EntityRef.parse(event.subject) for event in context.events}
    present = host.catalog.get_many(refs)
    wanted = [item for item in present.values() if has_docs(item)]
    names = {str(ref) for ref in refs} - {str(item.ref) for item in wanted}
    with host.read() as connection:
        gone = connection.scalars(select(entity.c.ref).where(entity.c.ref.in_(names))).all()
    if not wanted and not gone:
        return
    with host.write() as connection:
        sites = store.write_entities(connection, wanted, host.now())
        store.forget_entities(connection, gone)
        for number in sorted(sites):
            host.submit("read", {"site": number}, key=str(number), connection=connection)


def read_site(host: "Host", number: int, progress: Progress = _quiet) -> CallboardError | None:
    """Read one site where it has changed; a fault is noted in its row and given back."""
    with host.read() as connection:
        row = connection.execute(select(site).where(site.c.id == number)).first()
    if row is None:
        return None
    try:
        _Reading(host, row, progress).run()
    except CallboardError as error:
        return _failed(host, number, error)
    except Exception as error:
        log.exception("Reading the documentation in %s failed.", row.url)
        text = _("%(name)s while it was read; the log has more.", name=type(error).__name__)
        return _failed(host, number, NotReadyError(text))
    return None


def _failed(host: "Host", number: int, error: CallboardError) -> CallboardError:
    with host.write() as connection:
        store.mark_failing(connection, number, store.said(error), host.now())
    return error


@dataclass(frozen=True, slots=True)
class _Known:
    """What the last reading left: pages as sources, and who changed them."""

    sources: dict[str, Source]
    changes: dict[str, tuple[str, str, datetime | None]]


class _Reading:
    """One reading of one site."""

    def __init__(self, host: "Host", row: Row[Any], progress: Progress) -> None:
        self.host = host
        self.row = row
        self.progress = progress
        chosen = host.settings
        self.limits = Limits(
            page=chosen.maximum_page_bytes,
            file=chosen.maximum_file_bytes,
            site=chosen.maximum_site_bytes,
            pages=chosen.maximum_pages,
        )

    def run(self) -> None:
        row = self.row
        git = self.host.git(row.url)
        commit = git.fetch(row.version or row.reference or None, all_references=True)
        branch = row.reference or default_branch(commit, git.branches())
        versions = [] if row.version else offered_versions(git, self.host.settings.versions)
        state = self._state(commit)
        if state == row.state:
            with self.host.write() as connection:
                store.mark_reachable(connection, row.id, self.host.now(), versions)
            return
        known = self._load_known()
        layout = read_layout(git, commit, row.folder, self.limits)
        sources = self._render(git, layout, known)
        titles, links = self._load_made(sources)
        order = arrange(layout, titles)
        changes = self._changes(git, commit, layout, known)
        outcome = put_together(layout, order, sources, links, changes, self.limits)
        contents = self._new_files(git, outcome)
        values = {
            "state": state,
            "head": commit,
            "branch": row.version or branch,
            "title": layout.title,
            "docs": layout.docs,
            "pages": len(outcome.pages),
            "problems": len(outcome.problems),
            "versions": versions,
            "changed_at": outcome.changed_at,
            "read_at": self.host.now(),
            "failing_since": None,
            "error": "",
        }
        self._write(values, layout, order, outcome, contents)

    def _state(self, commit: str) -> str:
        """Give a digest of all that decides what is written."""
        parts = (VERSION, commit, repr(self.limits), self.row.folder)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _load_known(self) -> _Known:
        columns = (
            page.c.path, page.c.blob, page.c.includes, page.c.digest, page.c.author, page.c.commit,
            page.c.changed_at,
        )  # fmt: skip
        query = (
            select(*columns)
            .join(rendition, rendition.c.digest == page.c.digest)
            .where(page.c.site_id == self.row.id)
        )
        with self.host.read() as connection:
            rows = connection.execute(query).all()
        sources = {
            row.path: Source(row.path, row.blob, row.digest, "", row.includes) for row in rows
        }
        if self._state(self.row.head) != self.row.state:
            sources = {}  # rendered by another version, or within other limits
        changes = {row.path: (row.author, row.commit, row.changed_at) for row in rows if row.commit}
        return _Known(sources, changes)

    def _render(self, git: "GitRepository", layout: Layout, known: _Known) -> dict[str, Source]:
        chosen = self.host.settings
        sources: dict[str, Source] = {}
        pending: list[Source] = []
        with Renderers(chosen.renderers, int(chosen.page_timeout.total_seconds())) as renderers:
            for source in collect_sources(git, layout, self.row.folder, known.sources, self.limits):
                sources[source.path] = source
                if source.text is not None:
                    pending.append(source)
                if len(pending) >= RENDERED_AT_ONCE:
                    self._render_some(renderers, pending)
                    pending = []
                self.progress(len(sources), len(layout.pages), source.path)
            self._render_some(renderers, pending)
        return sources

    def _render_some(self, renderers: Renderers, sources: list[Source]) -> None:
        """Render what was never rendered, and keep it at once: a killed run loses little."""
        digests = {source.digest for source in sources}
        with self.host.read() as connection:
            query = select(rendition.c.digest).where(rendition.c.digest.in_(digests))
            there = set(connection.scalars(query))
        texts = {item.digest: item.text or "" for item in sources if item.digest not in there}
        made = dict(zip(texts, renderers.render(texts.values()), strict=True))
        good = {digest: answer for digest, answer in made.items() if answer is not None}
        if good:
            with self.host.write() as connection:
                store.write_renditions(connection, good, self.host.now())
        for source in sources:
            source.text = None
            if source.digest not in there and source.digest not in good:
                source.digest, source.fault = "", "slow"

    def _load_made(
        self, sources: Mapping[str, Source]
    ) -> tuple[dict[str, tuple[str, str]], dict[str, list[str]]]:
        """Give titles by path and links by digest."""
        found: dict[str, Any] = {}
        digests = sorted({source.digest for source in sources.values() if source.digest})
        with self.host.read() as connection:
            for some in _chunks(digests):
                query = select(
                    rendition.c.digest, rendition.c.title, rendition.c.heading, rendition.c.links
                ).where(rendition.c.digest.in_(some))
                found.update((row.digest, row) for row in connection.execute(query))
        if len(found) < len(digests):
            raise NotReadyError(_("Pages were taken away while they were read; it is tried again."))
        titles = {
            path: (found[item.digest].title, found[item.digest].heading)
            for path, item in sources.items()
            if item.digest
        }
        return titles, {digest: row.links for digest, row in found.items()}

    def _changes(
        self, git: "GitRepository", commit: str, layout: Layout, known: _Known
    ) -> dict[str, tuple[str, str, datetime | None]]:
        def walk(after: str) -> dict[str, tuple[str, str, datetime | None]]:
            commits = git.last_changes(commit, folder=layout.docs, after=after, limit=MOST_COMMITS)
            return commits_as_changes(commits, known.changes)

        changes = walk(self.row.head if known.changes else "")
        # Pages that were there before but outside of the folder are not among the new commits.
        is_complete = not known.changes or all(path in changes for path in layout.pages)
        return changes if is_complete else walk("")

    def _new_files(self, git: "GitRepository", outcome: Outcome) -> dict[str, bytes]:
        with self.host.read() as connection:
            there = set(
                connection.scalars(select(file.c.hash).where(file.c.site_id == self.row.id))
            )
        return dict(git.read(sorted(set(outcome.files.values()) - there)))

    def _write(
        self,
        values: dict[str, Any],
        layout: Layout,
        order: Order,
        outcome: Outcome,
        contents: Mapping[str, bytes],
    ) -> None:
        number, now = self.row.id, self.host.now()
        notes = [to_data(note) for note in (*layout.notes, *order.notes)]
        with self.host.write() as connection:
            # The site's own row first: whoever reads the same site waits here.
            own = update(site).where(site.c.id == number).values(values)
            if connection.execute(own).rowcount == 0:
                return
            changed = store.write_pages(connection, number, outcome.pages)
            store.write_files(connection, number, outcome.files, contents, now)
            store.write_rest(connection, number, order.nodes, notes, outcome.problems)
            self._tell(connection, changed, len(outcome.pages))

    def _tell(self, connection: Connection, changed: int, pages: int) -> None:
        if self.row.version:
            shown = select(site.c.id).where(
                site.c.url == self.row.url,
                site.c.folder == self.row.folder,
                site.c.reference == self.row.reference,
                site.c.version == "",
            )
        else:
            shown = select(site.c.id).where(site.c.id == self.row.id)
        query = select(entity.c.ref).where(entity.c.site_id.in_(shown)).order_by(entity.c.ref)
        for ref in connection.scalars(query.limit(MOST_TOLD)).all():
            data = {"pages": pages, "changed": changed, "version": self.row.version}
            self.host.publish(connection, "docs.site.read", ref, data)


def _chunks(items: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), PAGE):
        yield items[start : start + PAGE]


def offered_versions(git: "GitRepository", chosen: Any) -> list[str]:
    """Give the tags, the newest first, and the branches that readers may choose."""

    def matches(name: str, patterns: list[str]) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)

    tags = [tag.name for tag in git.tags() if matches(tag.name, chosen.tags)][: chosen.newest]
    branches = [item.name for item in git.branches() if matches(item.name, chosen.branches)]
    return list(dict.fromkeys([*tags, *branches[: chosen.newest]]))
