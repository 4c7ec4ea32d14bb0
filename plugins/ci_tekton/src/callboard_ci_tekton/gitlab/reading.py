"""Reads what changed in a project: bounded, in the order it changed, and again after a kill.

The list of pipelines is asked for by the time they changed, from the last one that was taken in;
a pipeline that is kept as it is costs nothing more. Pages of an order that moves on while it is
read are no safe cursor, so each part begins at the last change of the one before.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Row, select, update

from callboard.contributions import JobContext
from callboard.errors import (
    CallboardError,
    InputError,
    NotFoundError,
    NotReadyError,
    UnauthorisedError,
)
from callboard.i18n import Translator
from callboard.repositories.hosts import CodeHost
from callboard_ci_tekton.gitlab.graph import needs_of
from callboard_ci_tekton.gitlab.keeping import hold_project, keep_pipeline, note_gone
from callboard_ci_tekton.gitlab.parsing import (
    Parsed,
    change_of,
    number_of,
    parse_pipeline,
    version_of,
)
from callboard_ci_tekton.gitlab.projects import (
    DAILY,
    host_of,
    load_project,
    note_failure,
    note_read,
)
from callboard_ci_tekton.models import project, run
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.runs.values import mapping, moment, text
from callboard_ci_tekton.store import known_runs

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

MOST: Final = 50
"""Pipelines that one pass reads; the next one goes on."""
NEWEST: Final = 20
"""Pipelines that are read first of a project that is new, before those of long ago."""
PAGE: Final = 100
MOST_PAGES: Final = 20
MOST_LISTS: Final = 100
"""Requests for a part of the list in one pass."""
MOST_OPEN: Final = 20
KEPT_NEEDS: Final = 5
OVERLAP: Final = timedelta(minutes=1)
"""Changes may become visible a little after the time they bear."""


def run_project(context: JobContext) -> None:
    """The job that reads what changed in one project."""
    found = _project_of(context)
    # One that took long may have been asked for again meanwhile.
    if found is not None and found.row.due_at <= context.host.now():
        found.read_changed()


def run_pipeline(context: JobContext) -> None:
    """The job that reads one pipeline, of which its host told."""
    found = _project_of(context)
    if found is not None:
        found.read_told(int(context.payload["pipeline"]))


def _project_of(context: JobContext) -> "_Project | None":
    """Give the project a job is about, None where it is followed no more."""
    host = context.host
    row = load_project(host, int(context.payload["project"]))
    code = host_of(host, row.address) if row is not None else None
    if row is None or code is None or not host.settings.gitlab.enabled:
        return None
    return _Project(host, code, row)


class _NoCiError(Exception):
    """CI/CD is switched off in the project."""


class _Project:
    def __init__(self, host: "Host", code: CodeHost, row: Row[Any]) -> None:
        self.host, self.code, self.row = host, code, row
        self.path = f"/projects/{quote(row.path, safe='')}"
        self.branch = row.branch
        self.looked_at = row.looked_at
        self.needs: dict[str, Any] = dict(row.needs)
        self.branches: dict[int, str] = {}
        self.done: set[int] = set()
        self.more = False

    def read_changed(self) -> None:
        """Read what changed since the last time, and what has not ended."""

        def all_of_it() -> None:
            self._read_list()
            self._read_open()

        self._guarded(all_of_it)

    def read_told(self, number: int) -> None:
        """Read one pipeline."""
        self._guarded(lambda: self._read(number), told=True)

    def _guarded(self, read: Callable[[], None], *, told: bool = False) -> None:
        """Read, and note in the project's row how it went."""
        host, settings = self.host, self.host.settings.gitlab
        off = False
        try:
            if self.looked_at is None or host.now() - self.looked_at >= DAILY:
                self._look()
            try:
                read()
            except UnauthorisedError:
                # GitLab refuses the same way where there is no CI and where the token is wrong.
                self._look()
                raise
        except _NoCiError:
            off = True
        except CallboardError as error:
            note_failure(host, self.row, error)
            return
        due = host.now() + (DAILY if off else settings.every)
        if self.more:
            due = host.now()
        elif not off and self._has_open():
            due = host.now() + min(settings.while_running, settings.every)
        if told and not self.more:
            # The schedule stays; only what runs is looked at soon.
            due = min(due, self.row.due_at)
        values = {"branch": self.branch, "looked_at": self.looked_at, "needs": self.needs}
        note_read(host, self.row, due, off=off, **values)

    def _look(self) -> None:
        """Ask for the project itself: its default branch, and whether it has CI at all."""
        found = self.code.get(self.path)
        self.branch = text(found, "default_branch", 250)
        self.looked_at = self.host.now()
        access = text(found, "builds_access_level", 20)
        if access == "disabled" or mapping(found).get("jobs_enabled") is False:
            raise _NoCiError

    # The list

    def _read_list(self) -> None:
        first = self.row.read_until is None
        since = self.row.read_until or self.host.now() - self.host.settings.gitlab.since
        if first:
            newest = self._listed({"per_page": NEWEST})
            settled = self._settled(newest)
            for item in newest:
                is_recent = (moment(item, "updated_at") or since) >= since
                if is_recent and number_of(item) not in settled:
                    self._read(number_of(item))
        asked, left, page, size = since - OVERLAP, MOST, 1, PAGE
        latest = self.host.now() + DAILY
        for _number in range(MOST_LISTS):
            items = self._listed(
                {"updated_after": _written(asked), "order_by": "updated_at", "sort": "asc",
                 "per_page": size, "page": page}
            )  # fmt: skip
            settled = self._settled(items)
            for item in items:
                number = number_of(item)
                if number not in settled and number not in self.done:
                    if not left:
                        self.more = True
                        self._note_until(since)
                        return
                    self._read(number)
                    left -= 1
                since = max(since, min(moment(item, "updated_at") or since, latest))
            self._note_until(since)
            if len(items) < size:
                return
            asked, page = (since, 1) if since > asked else (asked, page + 1)

    def _listed(self, query: Mapping[str, str | int]) -> list[Mapping[str, Any]]:
        return _list_of(self.code.get(f"{self.path}/pipelines", query))

    def _settled(self, items: list[Mapping[str, Any]]) -> set[int]:
        """Give the pipelines that are kept as they are, and need not be read."""
        uids = {str(number_of(item)): item for item in items}
        with self.host.read() as connection:
            known = known_runs(connection, self.row.host, uids)
        return {
            int(uid)
            for uid, kept in known.items()
            if kept.version == version_of(uids[uid]) and kept.state in FINISHED
        }

    def _note_until(self, since: datetime) -> None:
        if since != self.row.read_until:
            with self.host.write() as connection:
                connection.execute(
                    update(project).where(project.c.id == self.row.id).values(read_until=since)
                )
                self.host.publish(connection, "ci_tekton.project.read", self.row.address)

    # What has not ended

    def _open(self) -> list[int]:
        """Give the pipelines whose jobs may have changed, though they themselves did not."""
        recently = self.host.now() - DAILY
        query = (
            select(run.c.uid)
            .where(
                run.c.cluster == self.row.host, run.c.namespace == self.row.path,
                run.c.source == "gitlab", run.c.state.in_(("waiting", "running", "stopping")),
                run.c.created_at >= recently,
            )
            .order_by(run.c.created_at.desc())
            .limit(MOST_OPEN)
        )  # fmt: skip
        with self.host.read() as connection:
            return [int(uid) for uid in connection.execute(query).scalars()]

    def _has_open(self) -> bool:
        return bool(self._open())

    def _read_open(self) -> None:
        for number in self._open():
            if number not in self.done:
                self._read(number)

    # One pipeline

    def _read(self, number: int) -> None:
        if not number or number in self.done:
            return
        self.done.add(number)
        try:
            parsed = self._asked(number)
        except NotFoundError:
            # Where the project itself is not to be seen any more, that is the fault.
            self._look()
            with self.host.write() as connection:
                note_gone(self.host, connection, self.row.host, str(number))
            return
        if parsed is None:
            return
        with self.host.write() as connection:
            if hold_project(connection, self.row.id):
                keep_pipeline(self.host, connection, self.row.host, parsed)

    def _asked(self, number: int) -> Parsed | None:
        """Ask for a pipeline and its jobs; None for a child, which its parent's page leads to."""
        address = f"{self.path}/pipelines/{number}"
        pipeline = self.code.get(address)
        if number_of(pipeline) != number:
            raise InputError(_("GitLab answered with something else than the pipeline."))
        if text(pipeline, "source", 40) == "parent_pipeline":
            return None
        jobs = list(self._paged(f"{address}/jobs", {"include_retried": "true"}))
        bridges = list(self._paged(f"{address}/bridges", {}))
        return parse_pipeline(
            pipeline, jobs, bridges, path=self.row.path,
            repository=f"{self.code.web}/{self.row.path}", main=self.branch,
            branch=self._branch_of(change_of(pipeline)),
            needs=self._needs_of(text(pipeline, "sha", 64)) if jobs else {},
        )  # fmt: skip

    def _paged(self, address: str, query: Mapping[str, str | int]) -> Iterator[Mapping[str, Any]]:
        pages = self.code.pages(address, {**query, "per_page": PAGE})
        for number, data in enumerate(pages, 1):
            yield from _list_of(data)
            if number == MOST_PAGES:
                return

    def _needs_of(self, commit: str) -> Mapping[str, Any]:
        """Give what needs what in a commit; its configuration is asked for once."""
        if not self.host.settings.gitlab.needs or not commit:
            return {}
        if commit not in self.needs:
            query: dict[str, str | int] = {"sha": commit, "include_jobs": "true"}
            try:
                found = needs_of(self.code.get(f"{self.path}/ci/lint", query))
            except NotReadyError:
                return {}
            except CallboardError:
                # The token may read pipelines, but not this: the graph shows stages.
                found = {}
            self.needs[commit] = found
            for old in list(self.needs)[:-KEPT_NEEDS]:
                del self.needs[old]
        kept: Mapping[str, Any] = self.needs[commit]
        return kept

    def _branch_of(self, change: int) -> str:
        """Give the source branch of a merge request, which its pipelines do not name."""
        if change and change not in self.branches:
            try:
                found = self.code.get(f"{self.path}/merge_requests/{change}")
                self.branches[change] = text(found, "source_branch", 250)
            except (NotFoundError, UnauthorisedError):
                self.branches[change] = ""
        return self.branches.get(change, "")


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _list_of(data: Any) -> list[Mapping[str, Any]]:
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise InputError(_("GitLab answered with something else than a list."))
    return data
