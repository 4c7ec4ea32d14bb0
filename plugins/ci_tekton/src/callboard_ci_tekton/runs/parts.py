"""What runs add to the portal beside their pages: what is followed, kept, measured and allowed."""

from datetime import timedelta
from typing import Final

from callboard.contributions import ClusterRule, Job, Metric, Permission
from callboard.i18n import Translator
from callboard_ci_tekton import metrics
from callboard_ci_tekton.following import watches
from callboard_ci_tekton.parts import Part
from callboard_ci_tekton.retention import run_prune
from callboard_ci_tekton.stuck import run_look

_ = Translator("ci_tekton")

RULES: Final = (
    ClusterRule(
        name="read",
        group="tekton.dev",
        resources=("pipelineruns", "taskruns", "customruns", "pipelines", "tasks"),
        verbs=("get", "list", "watch"),
        why=_("Shows runs, their tasks and steps on the pages of services."),
    ),
    ClusterRule(
        name="pods",
        group="",
        resources=("pods",),
        verbs=("get",),
        why=_("Says why a task does not begin: its pod is read."),
        optional=True,
    ),
    ClusterRule(
        name="events",
        group="",
        resources=("events",),
        verbs=("list",),
        why=_("Says why a task does not begin: the warnings about its pod are read."),
        optional=True,
    ),
)
JOBS: Final = (
    Job(
        name="look",
        title=_("Find out why tasks do not begin"),
        run=run_look,
        every=timedelta(seconds=15),
        timeout=timedelta(minutes=2),
        attempts=1,
        quiet=True,
    ),
    Job(
        name="prune",
        title=_("Delete runs that are kept no longer"),
        run=run_prune,
        every=timedelta(days=1),
        timeout=timedelta(hours=1),
    ),
)
METRICS: Final = (
    Metric(
        name="open_runs",
        help="Runs that have not ended, by cluster and state.",
        read=metrics.count_open,
        labels=("cluster", "state"),
    ),
    Metric(
        name="oldest_open_seconds",
        help="Age of the oldest run that has not ended, by cluster and state.",
        read=metrics.tell_oldest,
        labels=("cluster", "state"),
    ),
    Metric(
        name="finished_runs",
        help="Runs of the last day that ended, without those that were cancelled.",
        read=metrics.tell_finished,
        labels=("pipeline",),
    ),
    Metric(
        name="success_ratio",
        help="Share of the runs of the last day that succeeded.",
        read=metrics.tell_finished,
        labels=("pipeline",),
    ),
    Metric(
        name="duration_seconds",
        help="Median duration of the runs of the last day.",
        read=metrics.tell_finished,
        labels=("pipeline",),
    ),
    Metric(
        name="queue_seconds",
        help="Median time until the first step of the runs of the last day.",
        read=metrics.tell_finished,
        labels=("pipeline",),
    ),
)
PERMISSIONS: Final = (
    Permission(
        name="ci_tekton.run.read",
        title=_("See the pipeline runs of entities"),
        role="viewer",
        about="entity",
    ),
)
PART: Final = Part(
    cluster_watches=tuple(watches()),
    cluster_rules=RULES,
    jobs=JOBS,
    metrics=METRICS,
    permissions=PERMISSIONS,
)
