"""What the page of a run reads: a fixed number of statements, however large the run is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, Select, select

from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.kubernetes import ClusterState
from callboard_ci_tekton.models import detail, finding, match, run, step, task
from callboard_ci_tekton.runs.states import UNFINISHED

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

READ: Final = "ci_tekton.run.read"
READ_UNMATCHED: Final = "ci_tekton.unmatched.read"
EARLIER: Final = 30
"""Good runs before this one that are looked at: for the usual duration and for comparison."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a task, a row of `ci_tekton_task`, with its steps in order, sidecars last."""

    row: Row[Any]
    steps: Sequence[Row[Any]]

    @property
    def is_current(self) -> bool:
        """Whether no later attempt took its place."""
        return bool(self.row.current)


@dataclass(frozen=True, slots=True)
class Whole:
    """A run with all that its page shows of it."""

    row: Row[Any]
    detail: Mapping[str, Any]
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Found:
    """What the page of a run is drawn from.

    `usual` is the median of the durations of good runs before it, in seconds; `good` is the last
    of them, on the same branch where there is one. `findings` are rows by the number of a task.
    """

    run: Whole
    entities: Mapping[EntityRef, str]
    usual: float | None
    good: Whole | None
    findings: Mapping[int, Row[Any]]
    nested: Mapping[str, Row[Any]]
    cluster: ClusterState | None


def find_run(host: "Host", number: int | str) -> Row[Any]:
    """Give the row of a run that the one who asks may see.

    They may where they may see the runs of any entity it belongs to; one that belongs to none
    needs `ci_tekton.unmatched.read`. Raises `NotFoundError` for all others, as for one that is not
    there: whether it is must not be told.

    Ask it outside of `host.read()`: many who hold one connection each, and wait for another to
    have their permission looked up, would wait for each other.
    """
    return _find(host, number)[0]


def _find(host: "Host", number: int | str) -> tuple[Row[Any], list[EntityRef]]:
    with host.read() as connection:
        found = _row(connection, number)
        of = match.c.run_id == (found.id if found else 0)
        wanted = select(match.c.entity).where(of).order_by(match.c.entity)
        refs = [EntityRef.parse(ref) for ref in connection.execute(wanted).scalars()]
    if found is not None:
        if any(host.allows(READ, ref) for ref in refs):
            return found, refs
        if not refs and host.allows(READ_UNMATCHED):
            return found, refs
    raise NotFoundError(_("There is no such run, or you may not see it."))


def _row(connection: Connection, number: int | str) -> Row[Any] | None:
    given = str(number)
    if not (given.isascii() and given.isdecimal()) or len(given) > 10 or int(given) >= 2**31:
        return None
    return connection.execute(select(run).where(run.c.id == int(given))).one_or_none()


def load(host: "Host", number: int | str) -> Found:
    """Read a run and what its page shows beside it. Raises `NotFoundError` as `find_run` does."""
    row, refs = _find(host, number)
    with host.read() as connection:
        earlier = _earlier(connection, row, refs)
        good = _chosen(earlier, row)
        numbers = [row.id, *([good.id] if good is not None else ())]
        details, attempts = _details(connection, numbers), _attempts(connection, numbers)
        findings = {
            found.task_id: found
            for found in connection.execute(
                select(finding).join(task, task.c.id == finding.c.task_id)
                .where(task.c.run_id == row.id)
            )
        }  # fmt: skip
        durations = [item.duration for item in earlier if item.duration is not None]
        whole = Whole(row, details.get(row.id, NO_DETAIL), attempts.get(row.id, ()))
        nested = _nested(connection, whole)
        cluster = _cluster(host, connection, row)
    return Found(
        run=whole,
        entities=dict(sorted(host.catalog.titles(refs).items())),
        usual=float(median(durations)) if durations else None,
        good=None if good is None else Whole(
            good, details.get(good.id, NO_DETAIL), attempts.get(good.id, ())),
        findings=findings,
        nested=nested,
        cluster=cluster,
    )  # fmt: skip


NO_DETAIL: Final[Mapping[str, Any]] = {
    "parameters": (), "results": (), "workspaces": (), "skipped": (), "graph": None,
}  # fmt: skip


def _earlier(
    connection: Connection, row: Row[Any], refs: Sequence[EntityRef]
) -> Sequence[Row[Any]]:
    """Give the good runs before this one, of the same pipeline and entity, the newest first."""
    same: Select[Any] = select(run).where(
        run.c.cluster == row.cluster, run.c.namespace == row.namespace,
        run.c.pipeline == row.pipeline, run.c.state == "succeeded",
    )  # fmt: skip
    if refs:
        same = same.join(match, match.c.run_id == run.c.id).where(
            match.c.entity == str(refs[0]), match.c.created_at < row.created_at
        )
        same = same.order_by(match.c.created_at.desc(), match.c.run_id.desc())
    else:
        same = same.where(run.c.created_at < row.created_at)
        same = same.order_by(run.c.created_at.desc(), run.c.id.desc())
    return connection.execute(same.limit(EARLIER)).all()


def _chosen(earlier: Sequence[Row[Any]], row: Row[Any]) -> Row[Any] | None:
    """Give the good run to compare with: of the same branch, else the last one of all."""
    same = (item for item in earlier if item.branch == row.branch)
    return next(same, earlier[0] if earlier else None)


def _details(connection: Connection, numbers: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    wanted = (detail.c.run_id, *(detail.c[name] for name in NO_DETAIL))
    query = select(*wanted).where(detail.c.run_id.in_(numbers))
    return {row["run_id"]: dict(row) for row in connection.execute(query).mappings()}


def _attempts(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Attempt]]:
    steps: dict[int, list[Row[Any]]] = {}
    query = select(step).join(task, task.c.id == step.c.task_id).where(task.c.run_id.in_(numbers))
    for row in connection.execute(query.order_by(step.c.task_id, step.c.position)):
        steps.setdefault(row.task_id, []).append(row)
    found: dict[int, list[Attempt]] = {}
    tasks = select(task).where(task.c.run_id.in_(numbers))
    for row in connection.execute(tasks.order_by(task.c.created_at, task.c.id)):
        found.setdefault(row.run_id, []).append(Attempt(row, steps.get(row.id, ())))
    return found


def _nested(connection: Connection, whole: Whole) -> dict[str, Row[Any]]:
    """Give the runs that tasks of this one are, where a pipeline runs pipelines."""
    import zlib

    import orjson

    from callboard_ci_tekton.runs.values import items, mapping, text

    nodes = (whole.detail["graph"] or {}).get("nodes", ())
    is_nested = any(node["kind"] == "pipeline" for node in nodes)
    if whole.row.source != "tekton" or not is_nested:
        return {}
    packed = connection.execute(
        select(detail.c.body).where(detail.c.run_id == whole.row.id)
    ).scalar_one()
    children = {
        text(item, "name"): text(item, "pipelineTaskName")
        for item in items(mapping(orjson.loads(zlib.decompress(packed)), "status"),
                          "childReferences")
        if item.get("kind") == "PipelineRun"
    }  # fmt: skip
    query = select(run).where(
        run.c.cluster == whole.row.cluster, run.c.namespace == whole.row.namespace,
        run.c.name.in_(list(children)[:500]),
    )  # fmt: skip
    return {children[row.name]: row for row in connection.execute(query)}


def _cluster(host: "Host", connection: Connection, row: Row[Any]) -> ClusterState | None:
    """Say how the cluster fares, where it matters: while the run has not ended."""
    if row.source != "tekton" or row.state not in UNFINISHED:
        return None
    states = host.clusters.states(connection)
    return next((state for state in states if state.name == row.cluster), None)
