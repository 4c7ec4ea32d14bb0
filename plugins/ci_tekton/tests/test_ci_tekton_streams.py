"""Recorded watches in any order, with repetitions and losses: the end is the recorded one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from callboard.events import log
from callboard.kubernetes import Resource
from callboard.testing import Clock, absent
from callboard_ci_tekton import models
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS
from callboard_web.testing import PortalUnderTest, portal_under_test

pytestmark = pytest.mark.corpus

WATCH = Path(__file__).parents[4] / "shared/fixtures/tekton/watch"
STREAMS: Mapping[str, tuple[str, ...]] = {
    "cart-success": ("cart-success.pipelinerun", "cart-success.taskruns"),
    "cancelfin": ("watch-cancelfin-hang-build.pipelinerun",),
    "flaky": ("watch-flaky.pipelinerun", "watch-flaky.unit-test.taskrun"),
    "scan-fail": ("watch-scan-fail.pipelinerun",),
    "stopfin": ("watch-stopfin-slow-build.pipelinerun",),
}
ENDS = {
    "cart-success": ("succeeded", ["succeeded"] * 9),
    "cancelfin": ("cancelled", []),
    "flaky": ("succeeded", ["failed", "succeeded"]),
    "scan-fail": ("failed", []),
    "stopfin": ("cancelled", []),
}
"""The state of the run, and those of the attempts of its recorded tasks, at the end."""

RESOURCES = {"PipelineRun": PIPELINE_RUNS, "TaskRun": TASK_RUNS}
OF_THE_PORTAL = {"id", "run_id", "task_id", "cluster", "changed_at", "gone"}
Object = Mapping[str, Any]


@dataclass
class Site:
    """A portal, with a cluster of its own for each time something is told."""

    portal: PortalUnderTest
    streams: Mapping[str, Sequence[Object]]
    numbers: Iterator[int]

    def new_cluster(self) -> str:
        return f"c{next(self.numbers)}"

    def tell(self, cluster: str, objects: Sequence[Object], *, gone: bool = False) -> None:
        """Let a watch see objects at once; of each it keeps the one that came last."""
        for kind, resource in RESOURCES.items():
            folded = {item["metadata"]["uid"]: item for item in objects if item["kind"] == kind}
            if folded:
                self._observe(cluster, resource, list(folded.values()), gone)

    def _observe(
        self, cluster: str, resource: Resource, objects: Sequence[Object], gone: bool
    ) -> None:
        self.portal.observe(cluster, resource, *objects, gone=gone)

    def rows(self, cluster: str) -> dict[str, list[Any]]:
        """Give all that is kept of a cluster, without what differs from one to the next."""
        run, task = models.run, models.task
        queries = {
            "runs": select(run).where(run.c.cluster == cluster),
            "details": select(models.detail).join(run).where(run.c.cluster == cluster),
            "tasks": select(task)
            .where(task.c.cluster == cluster, task.c.run_id.is_not(None))
            .order_by(task.c.uid, task.c.attempt),
            "steps": select(models.step)
            .join(task)
            .where(task.c.cluster == cluster)
            .order_by(task.c.uid, task.c.attempt, models.step.c.position),
        }
        with self.portal.host("ci_tekton").read() as connection:
            return {
                name: [
                    {key: value for key, value in row._mapping.items() if key not in OF_THE_PORTAL}
                    for row in connection.execute(query)
                ]
                for name, query in queries.items()
            }

    def finished(self, cluster: str) -> int:
        """Count how often it was told that the run of a cluster ended."""
        with self.portal.host("ci_tekton").read() as connection:
            number = select(models.run.c.id).where(models.run.c.cluster == cluster)
            subject = str(connection.execute(number).scalar_one())
            told = log.read(connection, 0, ["ci_tekton.run.finished"], limit=100_000)
        return sum(item.subject == subject for item in told)


def recorded(name: str) -> list[Object]:
    path = WATCH / f"{name}.ndjson"
    if not path.exists():
        absent("the corpus is absent")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    return [line["object"] for line in lines if line["type"] != "BOOKMARK"]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, portal_templates: dict[str, Path]
) -> Iterator[Site]:
    streams = {name: [item for part in parts for item in recorded(part)]
               for name, parts in STREAMS.items()}  # fmt: skip
    with portal_under_test(
        tmp_path_factory.mktemp("streams") / "portal",
        plugins=["ci_tekton"],
        settings={},
        clock=Clock(datetime(2026, 3, 2, 8, tzinfo=UTC)),
        templates=portal_templates,
    ) as portal:
        yield Site(portal, streams, count())


def last_of(objects: Sequence[Object]) -> list[Object]:
    """Give what a list of the cluster has at the end."""
    return list({item["metadata"]["uid"]: item for item in objects}.values())


def test_streams_end_as_they_were_recorded(site: Site) -> None:
    plain: dict[str, dict[str, list[Any]]] = {}
    for name, objects in site.streams.items():
        cluster = site.new_cluster()
        for item in objects:
            site.tell(cluster, [item])
        plain[name] = rows = site.rows(cluster)
        (run,) = rows["runs"]
        assert (run["state"], [task["state"] for task in rows["tasks"]]) == ENDS[name]
        assert run["tasks_done"] == len({task["uid"] for task in rows["tasks"]})
        assert site.finished(cluster) == 1

    def batches(name: str) -> st.SearchStrategy[tuple[str, list[list[Object]], list[Object]]]:
        some = st.lists(st.sampled_from(site.streams[name]), min_size=1, max_size=12)
        relist = st.permutations(last_of(site.streams[name]))
        return st.tuples(st.just(name), st.lists(some, max_size=5), relist)

    @settings(max_examples=15, deadline=None, database=None)
    @given(st.sampled_from(sorted(STREAMS)).flatmap(batches))
    def whatever_comes(drawn: tuple[str, list[list[Object]], list[Object]]) -> None:
        name, told, relist = drawn
        cluster = site.new_cluster()
        for part in told:
            site.tell(cluster, part)
        site.tell(cluster, relist)
        assert site.rows(cluster) == plain[name]
        site.tell(cluster, relist, gone=True)
        assert site.rows(cluster) == plain[name]
        assert site.finished(cluster) == 1

    whatever_comes()
