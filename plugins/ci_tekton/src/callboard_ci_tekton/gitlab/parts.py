"""What the pipelines of GitLab add to the portal."""

from datetime import timedelta
from typing import Final

from callboard.contributions import EventHandler, Job, Metric, Page, Permission
from callboard.i18n import Translator
from callboard_ci_tekton.gitlab.metrics import count_failing
from callboard_ci_tekton.gitlab.projects import on_pipelines, run_due, run_find
from callboard_ci_tekton.gitlab.reading import run_pipeline, run_project
from callboard_ci_tekton.gitlab.views import PERMISSION, draw_projects
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")

JOBS: Final = (
    Job(
        name="gitlab_find",
        title=_("Find the GitLab projects of entities"),
        run=run_find,
        every=timedelta(minutes=5),
        quiet=True,
    ),
    Job(
        name="gitlab_look",
        title=_("Look which GitLab projects must be read"),
        run=run_due,
        every=timedelta(seconds=30),
        quiet=True,
    ),
    Job(
        name="gitlab_project",
        title=_("Read what changed in a GitLab project"),
        run=run_project,
        timeout=timedelta(minutes=30),
        quiet=True,
    ),
    Job(
        name="gitlab_pipeline",
        title=_("Read a pipeline that GitLab told of"),
        run=run_pipeline,
        quiet=True,
    ),
)
PAGES: Final = (
    Page(
        name="gitlab",
        title=_("GitLab projects"),
        path="gitlab",
        render=draw_projects,
        permission=PERMISSION,
    ),
)
METRICS: Final = (
    Metric(
        name="failing_projects",
        help="GitLab projects whose pipelines could not be read the last time.",
        read=count_failing,
        labels=("host",),
    ),
)
PERMISSIONS: Final = (
    Permission(
        name=PERMISSION,
        title=_("See the GitLab projects whose pipelines are read"),
        role="maintainer",
    ),
)
PART: Final = Part(
    pages=PAGES,
    jobs=JOBS,
    event_handlers=(
        EventHandler(name="gitlab", kinds=("repository.pipeline",), handle=on_pipelines),
    ),
    permissions=PERMISSIONS,
    metrics=METRICS,
)
