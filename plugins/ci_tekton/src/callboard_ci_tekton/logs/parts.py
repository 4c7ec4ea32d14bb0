"""What logs add to the portal: how they are read, kept, measured and deleted."""

from datetime import timedelta
from typing import Final

from callboard.contributions import ClusterRule, Job, Metric
from callboard.i18n import Translator
from callboard_ci_tekton.logs import metrics
from callboard_ci_tekton.logs.asking import SAVE_JOB
from callboard_ci_tekton.logs.keeping import run_keep
from callboard_ci_tekton.logs.retention import run_prune_logs
from callboard_ci_tekton.logs.saving import EVERY, run_save
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")

RULES: Final = (
    ClusterRule(
        name="logs",
        group="",
        resources=("pods/log",),
        verbs=("get",),
        why=_("Shows the logs of steps, and keeps them."),
    ),
)
JOBS: Final = (
    Job(
        name="keep_logs",
        title=_("Keep the logs of steps that have ended"),
        run=run_keep,
        every=timedelta(minutes=1),
        timeout=timedelta(minutes=15),
        quiet=True,
    ),
    Job(
        name=SAVE_JOB,
        title=_("Save the logs of steps that are about to be ended"),
        run=run_save,
        every=EVERY,
        attempts=1,
        quiet=True,
    ),
    Job(
        name="prune_logs",
        title=_("Delete logs that are kept no longer"),
        run=run_prune_logs,
        every=timedelta(hours=6),
        timeout=timedelta(hours=1),
    ),
)
METRICS: Final = (
    Metric(name="log_bytes", help="Bytes that kept logs take.", read=metrics.tell_bytes),
    Metric(
        name="logs", help="Logs of steps, by state.", read=metrics.count_logs, labels=("state",)
    ),
    Metric(
        name="logs_failing",
        help="Logs that could not be kept yet, though it was tried.",
        read=metrics.count_failing,
    ),
    Metric(
        name="logs_followed",
        help="Logs that this process follows.",
        read=metrics.count_followed,
    ),
    Metric(
        name="log_readers",
        help="Readers of the logs that this process follows.",
        read=metrics.count_readers,
    ),
)
PART: Final = Part(cluster_rules=RULES, jobs=JOBS, metrics=METRICS)
