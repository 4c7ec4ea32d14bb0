"""The secrets that a run was given: values of parameters whose names say so."""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callboard.kubernetes import ClusterError, Resource, named_secrets
from callboard_ci_tekton.models import run

if TYPE_CHECKING:
    from callboard.host import Host

SHORTEST: Final = 6
"""Characters of a value that is hidden: `true` and `main` stand in every log."""

PIPELINE_RUNS: Final = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")
TASK_RUNS: Final = Resource("tekton.dev", "v1", "taskruns", "TaskRun")


def secrets_of(host: "Host", task: Any) -> list[str]:
    """Give what has to be hidden in the logs of a task: the secrets of it and of its run.

    The cluster is asked, for no table has them; of what it has deleted nothing is known. Raises
    `ClusterError` where it does not answer: a log is not shown before it is known what to hide.
    """
    if task.kind != "TaskRun":
        return []
    with host.read() as connection:
        name = connection.execute(select(run.c.name).where(run.c.id == task.run_id)).scalar()
    cluster = host.clusters.get(task.cluster)
    values: set[str] = set()
    for resource, named in ((TASK_RUNS, task.name), (PIPELINE_RUNS, name)):
        if named:
            try:
                values |= named_secrets(cluster.get(resource, task.namespace, named))
            except ClusterError as error:
                if error.state not in ("missing", "absent"):
                    raise
    return [value for value in values if len(value) >= SHORTEST]
